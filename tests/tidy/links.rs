//! Links in documents, and the documents that code and alerts name: the files and the headings they lead to are there.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Component, Path, PathBuf};

use crate::Breach;

/// The files of the tree, and of each document its headings as a link names them.
#[derive(Debug, Default)]
pub(crate) struct Targets {
    files: BTreeSet<String>,
    headings: BTreeMap<String, BTreeSet<String>>,
}

impl Targets {
    /// Takes a file up, with its path from the top of the tree.
    pub(crate) fn add(&mut self, path: &str, text: Option<&str>) {
        let directories = Path::new(path).ancestors().skip(1).map(|at| at.to_string_lossy().into_owned());
        self.files.extend(directories.chain([path.to_owned()]));
        if let Some(text) = text.filter(|_| path.ends_with(".md")) {
            self.headings.insert(path.to_owned(), headings(text));
        }
    }

    /// Why a link from this file leads nowhere; `None` where it leads somewhere, or out of the tree.
    fn fault(&self, from: &str, link: &str) -> Option<String> {
        if link.contains("://") || link.starts_with("mailto:") {
            return None;
        }
        let (path, heading) = link.split_once('#').unwrap_or((link, ""));
        let target = if path.is_empty() { from.to_owned() } else { beside(from, path) };
        if !self.files.contains(&target) {
            return Some(format!("{link}: there is no {target}"));
        }
        let known = self.headings.get(&target)?;
        (!heading.is_empty() && !known.contains(heading)).then(|| format!("{link}: {target} has no such heading"))
    }
}

/// Links of a document that lead nowhere.
pub(crate) fn dead_links(path: &str, text: &str, targets: &Targets) -> Vec<Breach> {
    let mut found = Vec::new();
    for (line, content) in prose(text) {
        for (_, rest) in content.match_indices("](").map(|(at, mark)| content.split_at(at + mark.len())) {
            let link = rest.split(')').next().unwrap_or_default();
            found.extend(targets.fault(path, link).map(|fault| Breach::new(line, fault)));
        }
    }
    found
}

/// Pages of `docs/` that another file names, and that are not there: `docs/operations.md#memory`.
pub(crate) fn dead_pages(text: &str, targets: &Targets) -> Vec<Breach> {
    let mut found = Vec::new();
    for (index, content) in text.lines().enumerate() {
        for (at, _) in content.match_indices("docs/") {
            let named = content[at..].split(|character: char| !is_of_a_link(character)).next().unwrap_or_default();
            let Some((page, rest)) = named.split_once(".md") else { continue };
            let heading = rest.strip_prefix('#').unwrap_or_default().trim_end_matches(['.', ':']);
            let link = format!("{page}.md#{heading}");
            found.extend(targets.fault("", &link).map(|fault| Breach::new(index + 1, fault)));
        }
    }
    found
}

fn is_of_a_link(character: char) -> bool {
    character.is_alphanumeric() || matches!(character, '/' | '-' | '_' | '.' | '#')
}

/// A path from the top of the tree, of one that is written from a file's directory.
fn beside(from: &str, path: &str) -> String {
    let mut whole = PathBuf::new();
    for part in Path::new(from).parent().unwrap_or(Path::new("")).join(path).components() {
        match part {
            Component::ParentDir => drop(whole.pop()),
            Component::CurDir => {}
            _ => whole.push(part),
        }
    }
    whole.to_string_lossy().into_owned()
}

/// The headings of a document, as GitHub makes links of them.
fn headings(text: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for (_, line) in prose(text).filter(|(_, line)| line.starts_with('#')) {
        let title = without_targets(line.trim_start_matches('#').trim()).to_lowercase();
        let kept = title.chars().filter(|at| at.is_alphanumeric() || matches!(at, ' ' | '-' | '_'));
        let name = kept.collect::<String>().replace(' ', "-");
        let numbered = (1..).map(|number| format!("{name}-{number}"));
        found.extend([name.clone()].into_iter().chain(numbered).find(|name| !found.contains(name)));
    }
    found
}

/// A heading with the text of its links, and not what they lead to.
fn without_targets(title: &str) -> String {
    let mut parts = title.split("](");
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |text, part| text + part.split_once(')').map_or("", |(_, rest)| rest))
}

/// The lines of a document that are no listing.
fn prose(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut is_shown = false;
    text.lines().enumerate().map(|(index, line)| (index + 1, line)).filter(move |(_, line)| {
        let is_fence = line.trim_start().starts_with("```");
        is_shown ^= is_fence;
        !is_shown && !is_fence
    })
}

#[test]
fn a_link_leads_to_a_file_and_a_heading_that_are_there() {
    let mut targets = Targets::default();
    targets.add("docs/a.md", Some("# One thing\n\n## `run`, and [more](b.md)\n## One thing\n```text\n# shown\n```\n"));
    targets.add("docs/images/a.svg", None);
    let found = |path: &str, text: &str| -> Vec<usize> {
        dead_links(path, text, &targets).into_iter().map(|breach| breach.line).collect()
    };
    for link in
        ["a.md", "a.md#one-thing", "a.md#one-thing-1", "a.md#run-and-more", "#one-thing", "images", "../docs/a.md"]
    {
        assert_eq!(found("docs/a.md", &format!("[it]({link})")), [], "{link}");
    }
    for link in ["b.md", "a.md#two", "#shown", "images/b.svg", "../a.md"] {
        assert_eq!(found("docs/a.md", &format!("text\n[it](a.md), [it]({link})")), [2], "{link}");
    }
    assert_eq!(found("README.md", "[it](docs/a.md#two)\n```text\n[it](b.md)\n```\n[it](https://b.md)"), [1]);
    let pages =
        |text: &str| -> Vec<usize> { dead_pages(text, &targets).into_iter().map(|breach| breach.line).collect() };
    assert_eq!(pages("// See docs/a.md.\n// See docs/a.md#one-thing: it says so.\n/// `docs/` holds them."), []);
    assert_eq!(pages("runbook: docs/a.md#two\nrunbook: docs/a.md#one-thing\n// docs/b.md"), [1, 3]);
}

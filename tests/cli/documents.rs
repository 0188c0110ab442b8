//! What the documents tell people to type: each command, option and variable is one that the program has.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use crate::{BELOW, COMMANDS, Cairn};

/// Options of Kafka's tools, and of the checker in Python, that the documents name by themselves.
const OF_OTHERS: [&str; 6] =
    ["--execute", "--features", "--group", "--no-default-features", "--reset-offsets", "--transactional-id"];

/// A place in a document, and what stands there.
struct Said {
    place: String,
    text: String,
}

/// The documents for users, by their path.
fn documents() -> Vec<(String, String)> {
    let top = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut paths = vec![top.join("README.md"), top.join("SECURITY.md")];
    for directory in ["docs", "docs/guides"] {
        let entries = std::fs::read_dir(top.join(directory)).unwrap().map(|entry| entry.unwrap().path());
        paths.extend(entries.filter(|path| path.extension().is_some_and(|extension| extension == "md")));
    }
    paths.sort();
    let text = |path: &Path| std::fs::read_to_string(path).unwrap();
    paths.iter().map(|path| (path.strip_prefix(top).unwrap().display().to_string(), text(path))).collect()
}

/// Lines of listings, those that a backslash continues put together, and what stands between backquotes elsewhere.
fn code(documents: &[(String, String)]) -> Vec<Said> {
    let mut found = Vec::new();
    for (path, text) in documents {
        let (mut is_listing, mut paragraph, mut listed) = (false, String::new(), String::new());
        for (index, line) in text.lines().chain([""]).enumerate() {
            let place = format!("{path}:{}", index + 1);
            if line.trim_start().starts_with("```") {
                is_listing = !is_listing;
            } else if is_listing {
                match line.trim_end().strip_suffix('\\') {
                    Some(begun) => listed += begun,
                    None => found.push(Said { place, text: std::mem::take(&mut listed) + line }),
                }
            } else if line.is_empty() || line.starts_with('|') {
                // Code goes over the end of a line, and over the end of a paragraph or a row never.
                let spans = paragraph.split('`').skip(1).step_by(2).chain(line.split('`').skip(1).step_by(2));
                found.extend(spans.map(|span| Said { place: place.clone(), text: span.to_owned() }));
                paragraph.clear();
            } else {
                paragraph += line;
                paragraph.push(' ');
            }
        }
    }
    found
}

/// The uses of the program in it, each as words.
fn uses(text: &str) -> Vec<Vec<&str>> {
    let mut found = Vec::new();
    for part in text.split(['|', ';', '&', '(', ')']) {
        let part = part.split(" #").next().unwrap_or_default();
        let mut words = part.split_whitespace().peekable();
        let is_before = |word: &&str| *word == "$" || word.starts_with("CAIRN_") && word.contains('=');
        while words.next_if(is_before).is_some() {}
        if words.next() == Some("cairn") {
            found.push(words.take_while(|word| !word.starts_with(['>', '<'])).collect());
        }
    }
    found
}

/// The options of a command, as its help lists them.
fn options(help: &str) -> BTreeSet<String> {
    let is_of_an_option = |character: char| character.is_ascii_alphanumeric() || character == '-';
    let words = help.split(|character| !is_of_an_option(character)).filter(|word| word.starts_with('-'));
    words.map(str::to_owned).collect()
}

/// The option in a word, without its value.
fn option(word: &str) -> Option<&str> {
    let word = word.split(['=', '[', ',', '`', '\'', '"', '.', ':']).next()?;
    let name = word.strip_prefix("--").or_else(|| word.strip_prefix('-').filter(|name| name.len() == 1))?;
    name.starts_with(|character: char| character.is_ascii_alphabetic()).then_some(word)
}

#[test]
fn the_documents_name_only_commands_and_options_that_there_are() {
    let cairn = Cairn::new();
    let helps: BTreeMap<&str, BTreeSet<String>> = COMMANDS
        .into_iter()
        .chain(BELOW)
        .map(|command| (command, options(&cairn.run(&format!("{command} --help")).done().stdout)))
        .collect();
    let (mut wrong, mut use_count) = (Vec::new(), 0);
    for Said { place, text } in code(&documents()) {
        for words in uses(&text) {
            use_count += 1;
            let Some(command) = words.first().filter(|word| !word.starts_with('-')) else { continue };
            let below = words.get(..2).and_then(|words| helps.get(&*words.join(" ")));
            let Some(known) = below.or_else(|| helps.get(command)) else {
                // `cairn COMMAND --help`, and lines of a listing that only begin with the name.
                let is_a_word = command.chars().all(|character| character.is_ascii_lowercase());
                wrong.extend(is_a_word.then(|| format!("{place}: there is no command `cairn {command}`")));
                continue;
            };
            for option in words.iter().filter_map(|word| option(word)).filter(|option| !known.contains(*option)) {
                wrong.push(format!("{place}: `cairn {command}` has no {option}"));
            }
        }
        // An option by itself is of some command.
        let by_itself = text.split_whitespace().next().filter(|word| word.starts_with("--")).and_then(option);
        if let Some(option) = by_itself.filter(|option| !OF_OTHERS.contains(option)) {
            let is_known = helps.values().any(|known| known.contains(option));
            wrong.extend((!is_known).then(|| format!("{place}: no command has {option}")));
        }
    }
    assert!(use_count > 100, "only {use_count} uses of the program were found");
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[test]
fn the_documents_name_only_variables_that_mean_something() {
    let cairn = Cairn::new();
    let mut variables = BTreeMap::new();
    for (path, text) in documents() {
        for (index, line) in text.lines().enumerate() {
            for (at, _) in line.match_indices("CAIRN_") {
                let is_of_a_name = |character: char| character.is_ascii_uppercase() || character.is_ascii_digit();
                let name = line[at..].split(|character| !is_of_a_name(character) && character != '_').next().unwrap();
                // `CAIRN_KAFKA_<PROPERTY>`, `CAIRN_TEST_..`
                if !name.ends_with('_') {
                    variables.entry(name.to_owned()).or_insert_with(|| format!("{path}:{}", index + 1));
                }
            }
        }
    }
    assert!(variables.len() > 10, "only {} variables were found", variables.len());
    // A command that takes next to none of them: of the others it looks at the name alone.
    let means_nothing = |name: &str| {
        let told = cairn.run_with("genesis --output genesis.toml", &[(name, "1")]).stderr;
        told.contains(&format!("{name} means nothing here"))
    };
    assert!(means_nothing("CAIRN_NO_SUCH_THING"));
    let wrong: Vec<_> = variables.iter().filter(|(name, _)| means_nothing(name)).collect();
    assert!(wrong.is_empty(), "{wrong:?}");
}

#[test]
fn uses_of_the_program_are_found_in_what_people_type() {
    let uses = |text| uses(text).into_iter().map(|words| words.join(" ")).collect::<Vec<_>>();
    assert_eq!(uses("$ CAIRN_FEE=3 cairn run --until-end 2>/dev/null   # seals"), ["run --until-end 2>/dev/null"]);
    assert_eq!(uses("echo '{}' | cairn submit > sent"), ["submit"]);
    assert_eq!(uses("cd target/cairn && ls; cairn verify | head -1"), ["verify"]);
    assert_eq!(
        ["--genesis-hash=caf7", "-X", "--", "-1", "2>/dev/null", "FILE"].map(option),
        [Some("--genesis-hash"), Some("-X"), None, None, None, None]
    );
}

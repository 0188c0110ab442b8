//! What a directory holds after a crash at each step, and what it refuses.

use super::*;
use crate::export::range::Size;

fn manifest(format: Format) -> Manifest {
    let subject = Subject { chain_id: "cairn-test".to_owned(), genesis_hash: Hash::of(b"genesis") };
    Manifest::of(&subject, format, 0)
}

fn finished(first_height: u64, last_height: u64) -> Finished {
    let sizes = vec![Size::default(); Table::ALL.len()];
    Finished { first_height, last_height, block_hash: Hash::of(b"block"), sizes }
}

/// The files that are there, but for the lock.
fn listed(root: &Path) -> Vec<String> {
    let mut found = Vec::new();
    for table in Table::ALL {
        for entry in fs::read_dir(root.join(table.name())).unwrap() {
            found.push(format!("{}/{}", table.name(), entry.unwrap().file_name().to_str().unwrap()));
        }
    }
    found.sort();
    found
}

fn write_unfinished(directory: &Directory, first_height: u64) {
    for table in Table::ALL {
        fs::write(directory.unfinished_file(table, first_height, Format::Csv), table.name()).unwrap();
    }
}

fn in_their_places() -> Vec<String> {
    let mut names: Vec<String> =
        Table::ALL.iter().map(|table| format!("{}/000000000000-000000000099.csv", table.name())).collect();
    names.sort();
    names
}

fn refusal(opened: Result<Directory>) -> String {
    match opened {
        Err(Error::Refused(text)) => text,
        Err(other) => panic!("{other}"),
        Ok(_) => panic!("it was taken"),
    }
}

#[test]
fn a_published_range_has_a_file_in_each_table_and_nothing_is_left_beside_it() {
    let root = tempfile::tempdir().unwrap();
    let mut directory = Directory::open(root.path(), Format::Csv).unwrap();
    directory.begin(manifest(Format::Csv)).unwrap();
    write_unfinished(&directory, 0);
    directory.publish(&finished(0, 99)).unwrap();
    assert_eq!(listed(root.path()), in_their_places());
    drop(directory);
    let directory = Directory::open(root.path(), Format::Csv).unwrap();
    assert_eq!(directory.manifest().unwrap().next_height(), 100);
}

/// With which step a plan names what it publishes, as a count of steps.
fn named_with(steps: &[Step]) -> usize {
    let names = |step: &Step| matches!(step, Step::Move { to, .. } if to == Path::new(MANIFEST));
    steps.iter().position(names).unwrap() + 1
}

/// A process does so many steps of a plan. In the middle of the next one it leaves half of a file, where it writes one.
fn die_behind(directory: &Directory, steps: &[Step], count: usize) {
    directory.carry_out(&steps[..count]).unwrap();
    if let Some(Step::Write(path, bytes)) = steps.get(count) {
        let half = bytes[..bytes.len() / 2].to_vec();
        directory.carry_out(&[Step::Write(path.clone(), half)]).unwrap();
    }
}

/// A directory of a process that died behind so many steps of publishing a range, and what it would have done.
fn died_behind(count: usize) -> (tempfile::TempDir, Directory, Vec<Step>) {
    let root = tempfile::tempdir().unwrap();
    let mut directory = Directory::open(root.path(), Format::Csv).unwrap();
    directory.begin(manifest(Format::Csv)).unwrap();
    write_unfinished(&directory, 0);
    let (_, steps) = directory.publication(&finished(0, 99)).unwrap();
    die_behind(&directory, &steps, count);
    (root, directory, steps)
}

/// What the next process does first.
fn left_over(directory: &Directory) -> Vec<Step> {
    let on_disk = read_manifest(&directory.root).unwrap().unwrap();
    publish::recover(on_disk.last_range.as_ref(), Format::Csv, &directory.present().unwrap())
}

/// The next process finds the range whole, or nothing of it, and goes on.
fn goes_on(root: &Path, is_named: bool, when: &str) {
    let mut directory = Directory::open(root, Format::Csv).unwrap();
    if !is_named {
        assert_eq!(listed(root), Vec::<String>::new(), "{when}");
        assert_eq!(directory.manifest().unwrap().next_height(), 0, "{when}");
        write_unfinished(&directory, 0);
        directory.publish(&finished(0, 99)).unwrap();
    }
    assert_eq!(directory.manifest().unwrap().next_height(), 100, "{when}");
    assert_eq!(listed(root), in_their_places(), "{when}");
    for table in Table::ALL {
        let path = root.join(table.name()).join("000000000000-000000000099.csv");
        assert_eq!(fs::read_to_string(path).unwrap(), table.name(), "{when}");
    }
    write_unfinished(&directory, 100);
    directory.publish(&finished(100, 199)).unwrap();
    drop(directory);
    let directory = Directory::open(root, Format::Csv).unwrap();
    assert_eq!(
        (listed(root).len(), directory.manifest().unwrap().next_height()),
        (2 * Table::ALL.len(), 200),
        "{when}"
    );
}

#[test]
fn a_process_that_dies_between_any_two_steps_of_publishing_leaves_a_range_whole_or_nothing_of_it() {
    let (_, _, steps) = died_behind(0);
    assert!(steps.len() > 3 * Table::ALL.len(), "{steps:?}");
    for count in 0..=steps.len() {
        let (root, directory, steps) = died_behind(count);
        drop(directory);
        goes_on(root.path(), count >= named_with(&steps), &format!("died behind {count} of {steps:?}"));
    }
}

#[test]
fn one_that_dies_while_it_makes_good_what_another_left_is_made_good_as_well() {
    let (_, _, steps) = died_behind(0);
    for count in 0..=steps.len() {
        let (_root, directory, _) = died_behind(count);
        let again = left_over(&directory);
        for count_again in 0..=again.len() {
            let (root, directory, _) = died_behind(count);
            die_behind(&directory, &again, count_again);
            drop(directory);
            let when = format!("died behind {count} of {steps:?}, then behind {count_again} of {again:?}");
            goes_on(root.path(), count >= named_with(&steps), &when);
        }
    }
}

#[test]
fn a_process_that_dies_between_any_two_steps_of_its_beginning_leaves_an_empty_directory_or_one_of_its_export() {
    let text = |directory: &Directory| directory.text(&manifest(Format::Csv)).unwrap();
    let root = tempfile::tempdir().unwrap();
    let steps = publish::begin(text(&Directory::open(root.path(), Format::Csv).unwrap()));
    for count in 0..=steps.len() {
        let root = tempfile::tempdir().unwrap();
        let directory = Directory::open(root.path(), Format::Csv).unwrap();
        die_behind(&directory, &steps, count);
        drop(directory);
        match count < named_with(&steps) {
            true => Directory::open(root.path(), Format::Parquet).unwrap().begin(manifest(Format::Parquet)).unwrap(),
            false => goes_on(root.path(), false, &format!("died behind {count} of {steps:?}")),
        }
    }
}

#[test]
fn a_file_that_was_moved_away_is_told_of_and_not_written_again() {
    let range = LastRange { first_height: 0, last_height: 99, block_hash: Hash::of(b"block") };
    let (root, mut directory, _) = died_behind(0);
    directory.publish(&finished(0, 99)).unwrap();
    let lost = Path::new(Table::ALL[0].name()).join("000000000000-000000000099.csv");
    fs::remove_file(root.path().join(&lost)).unwrap();
    assert_eq!(publish::missing(&range, Format::Csv, &directory.present().unwrap()), [lost]);
    drop(directory);
    Directory::open(root.path(), Format::Csv).unwrap();
    assert_eq!(listed(root.path()).len(), Table::ALL.len() - 1);
}

#[test]
fn a_directory_of_something_else_is_refused_and_left_alone() {
    let root = tempfile::tempdir().unwrap();
    fs::write(root.path().join("letters.txt"), "dear").unwrap();
    assert!(refusal(Directory::open(root.path(), Format::Csv)).contains("name an empty directory"));
    assert!(!root.path().join(LOCK).exists());
    fs::remove_file(root.path().join("letters.txt")).unwrap();

    let mut directory = Directory::open(root.path(), Format::Csv).unwrap();
    assert!(refusal(Directory::open(root.path(), Format::Csv)).contains("another cairn export writes to"));
    directory.begin(manifest(Format::Csv)).unwrap();
    drop(directory);
    let other = refusal(Directory::open(root.path(), Format::Parquet));
    assert!(other.contains("as csv, and parquet is asked for"), "{other}");

    let path = root.path().join(MANIFEST);
    let newer = Manifest { row_version: VERSION + 1, ..manifest(Format::Csv) };
    fs::write(&path, serde_json::to_vec(&newer).unwrap()).unwrap();
    assert!(refusal(Directory::open(root.path(), Format::Csv)).contains("rows of version"));
    fs::write(&path, "{}").unwrap();
    assert!(refusal(Directory::open(root.path(), Format::Csv)).contains("is not of an export"));
}

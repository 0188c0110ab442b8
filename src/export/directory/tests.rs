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
        let path = directory.of_table(table).join(unfinished_name(first_height, Format::Csv));
        fs::write(path, table.name()).unwrap();
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

#[test]
fn a_crash_before_the_range_is_named_leaves_nothing_of_it() {
    let root = tempfile::tempdir().unwrap();
    let mut directory = Directory::open(root.path(), Format::Csv).unwrap();
    directory.begin(manifest(Format::Csv)).unwrap();
    write_unfinished(&directory, 0);
    drop(directory);
    let directory = Directory::open(root.path(), Format::Csv).unwrap();
    assert_eq!(listed(root.path()), Vec::<String>::new());
    assert_eq!(directory.manifest().unwrap().next_height(), 0);
}

#[test]
fn a_crash_after_the_range_is_named_is_made_good_whichever_files_are_in_place() {
    for placed in 0..=Table::ALL.len() {
        let root = tempfile::tempdir().unwrap();
        let mut directory = Directory::open(root.path(), Format::Csv).unwrap();
        directory.begin(manifest(Format::Csv)).unwrap();
        write_unfinished(&directory, 0);
        let range = LastRange { first_height: 0, last_height: 99, block_hash: Hash::of(b"block") };
        directory.write_manifest(&Manifest { last_range: Some(range.clone()), ..manifest(Format::Csv) }).unwrap();
        for table in &Table::ALL[..placed] {
            let table = directory.of_table(*table);
            fs::rename(table.join(unfinished_name(0, Format::Csv)), table.join(name(&range, Format::Csv))).unwrap();
        }
        drop(directory);
        let directory = Directory::open(root.path(), Format::Csv).unwrap();
        assert_eq!(listed(root.path()), in_their_places(), "{placed} were in place");
        assert_eq!(directory.manifest().unwrap().next_height(), 100);
        for table in Table::ALL {
            let path = directory.of_table(table).join(name(&range, Format::Csv));
            assert_eq!(fs::read_to_string(path).unwrap(), table.name());
        }
    }
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

#[test]
fn a_process_that_was_killed_before_it_said_what_it_exports_left_a_directory_that_counts_as_empty() {
    let root = tempfile::tempdir().unwrap();
    let directory = Directory::open(root.path(), Format::Csv).unwrap();
    directory.make_tables().unwrap();
    fs::write(root.path().join("export.json.part"), "{").unwrap();
    drop(directory);
    Directory::open(root.path(), Format::Parquet).unwrap().begin(manifest(Format::Parquet)).unwrap();
}

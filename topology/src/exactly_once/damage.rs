//! Stores whose files are not what they were, as after a power failure: all of it is in the changelogs, and comes back.

use std::fs::{self, File, OpenOptions};
use std::io::{Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use super::counting::{assert_exact, produce};
use super::{count, memory_log, topics};

/// The files of a directory whose names begin, or end, so; the largest last.
fn files(directory: &Path, part: &str) -> Vec<PathBuf> {
    let named = |path: &PathBuf| {
        let name = path.file_name().unwrap().to_str().unwrap();
        name.starts_with(part) || name.ends_with(part)
    };
    let mut files: Vec<PathBuf> = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(named);
    files.sort_by_key(|path| fs::metadata(path).unwrap().len());
    assert!(!files.is_empty(), "no {part} in {}", directory.display());
    files
}

fn largest(directory: &Path, part: &str) -> PathBuf {
    files(directory, part).pop().unwrap()
}

fn overwrite(path: &Path, at: u64, bytes: &[u8]) {
    let mut file = OpenOptions::new().write(true).open(path).unwrap();
    file.seek(SeekFrom::Start(at)).unwrap();
    file.write_all(bytes).unwrap();
}

/// What can happen to the files of a RocksDB.
type Damage = (&'static str, fn(&Path));

const DAMAGES: [Damage; 6] = [
    ("CURRENT is empty", |directory| drop(File::create(directory.join("CURRENT")).unwrap())),
    ("the manifest is missing", |directory| fs::remove_file(largest(directory, "MANIFEST-")).unwrap()),
    ("the manifest is cut", |directory| {
        OpenOptions::new().write(true).open(largest(directory, "MANIFEST-")).unwrap().set_len(20).unwrap();
    }),
    ("a table is missing", |directory| fs::remove_file(largest(directory, ".sst")).unwrap()),
    ("a table is full of zeros", |directory| {
        let table = largest(directory, ".sst");
        let length = fs::metadata(&table).unwrap().len() as usize;
        overwrite(&table, 0, &vec![0; length]);
    }),
    ("bytes of each table are others", |directory| {
        files(directory, ".sst").iter().for_each(|table| overwrite(table, 8, b"\xff\xff\xff"));
    }),
];

#[test]
fn damaged_stores_are_set_aside_and_rebuilt_from_the_changelog() {
    for (what, damage) in DAMAGES {
        println!("{what}");
        let (log, root) = (memory_log(), tempfile::tempdir().unwrap());
        produce(&log, &topics(), 100);
        count(log.clone(), root.path());
        let task = root.path().join(topics().application).join("counting_0");
        damage(&task.join("rocksdb"));
        produce(&log, &topics(), 100);
        let metrics = count(log.clone(), root.path());
        assert_exact(&log, &topics(), 200);
        assert!(metrics.restored_record_count >= 7, "{what}: {metrics:?}");
        assert!(task.join("rocksdb.damaged").exists(), "{what}");
        // Whole again.
        produce(&log, &topics(), 100);
        assert_eq!(count(log.clone(), root.path()).restored_record_count, 0, "{what}");
        assert_exact(&log, &topics(), 300);
    }
}

#[test]
fn what_is_missing_altogether_is_made_anew() {
    let (log, root) = (memory_log(), tempfile::tempdir().unwrap());
    let state = root.path().join(topics().application);
    produce(&log, &topics(), 100);
    count(log.clone(), root.path());
    fs::remove_dir_all(state.join("counting_0").join("rocksdb")).unwrap();
    let instance = fs::read_to_string(state.join("instance")).unwrap();
    File::create(state.join("instance")).unwrap();
    produce(&log, &topics(), 100);
    count(log.clone(), root.path());
    assert_exact(&log, &topics(), 200);
    let made = fs::read_to_string(state.join("instance")).unwrap();
    assert!(made != instance && made.len() == instance.len(), "{made}");
}

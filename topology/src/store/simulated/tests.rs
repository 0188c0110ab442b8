use super::Disk;
use crate::store::backends::{Backend, Writes};
use crate::store::changelog::{Covered, Meta};
use crate::store::segments::Run;
use crate::store::{Medium, Spec};

const TASK: &str = "counting_0";

fn specs() -> Vec<Spec> {
    vec![Spec::new("a", Medium::RocksDb).unwrap(), Spec::new("b", Medium::Memory).unwrap()]
}

/// Sets the key of both stores to this byte, and their positions.
fn write(backend: &dyn Backend, byte: u8) {
    let value = [byte];
    let run = Run::new([(&b"key"[..], Some(&value[..]))]).unwrap();
    let covered = Covered::default();
    let meta = Meta { fingerprint: [0; 32], incarnation: [1; 16], position: byte.into(), applied_at_ms: 0, covered };
    let writes = [0, 1].map(|store| Writes { store, run: &run, meta: meta.clone() });
    backend.apply(&writes).unwrap();
}

/// What the store on the disk and the one in memory hold.
fn held(disk: &Disk) -> [Option<(i64, u8)>; 2] {
    let backend = disk.lock(TASK).unwrap().open(&specs());
    let mut value = Vec::new();
    [0, 1].map(|store| {
        let found = backend.get(store, b"key", &mut value).unwrap();
        let position = backend.meta(store).unwrap().map(|meta| meta.position);
        position.map(|position| (position, if found { value[0] } else { 0 }))
    })
}

#[test]
fn a_crash_leaves_a_version_that_was_written_and_none_of_before_the_last_flush() {
    for left in 0..4 {
        let disk = Disk::default();
        let backend = disk.lock(TASK).unwrap().open(&specs());
        write(&backend, 1);
        write(&backend, 2);
        backend.flush().unwrap();
        (3..=5).for_each(|byte| write(&backend, byte));
        let mut asked = Vec::new();
        disk.crash(|count| {
            asked.push(count);
            left
        });
        let expected = [2, 3, 4, 5][left];
        assert_eq!(asked, [4], "what was flushed, and three writes");
        assert_eq!(held(&disk), [Some((i64::from(expected), expected)), None], "memory is gone");
        write(&backend, 9);
        assert_eq!(held(&disk)[0], Some((i64::from(expected), expected)), "that was a process of before the crash");
    }
}

#[test]
fn a_flush_that_was_started_is_through_with_the_next_write() {
    let disk = Disk::default();
    let backend = disk.lock(TASK).unwrap().open(&specs());
    write(&backend, 1);
    backend.start_flush().unwrap();
    write(&backend, 2);
    disk.crash(|_| 0);
    assert_eq!(held(&disk)[0], Some((1, 1)));
}

#[test]
fn who_closes_and_opens_again_finds_all_that_was_written_but_what_was_in_memory() {
    let disk = Disk::default();
    write(&disk.lock(TASK).unwrap().open(&specs()), 7);
    assert_eq!(held(&disk), [Some((7, 7)), None]);
}

#[test]
fn files_are_locked_until_the_lock_is_dropped_or_the_machine_crashes() {
    let disk = Disk::default();
    let lock = disk.lock(TASK).unwrap();
    assert!(disk.lock(TASK).is_err());
    drop(lock);
    let of_before = disk.lock(TASK).unwrap();
    disk.crash(|_| 0);
    let now = disk.lock(TASK).unwrap();
    drop(of_before);
    assert!(disk.lock(TASK).is_err(), "a process of before the crash has nothing to unlock");
    drop(now);
    assert!(disk.lock(TASK).is_ok());
}

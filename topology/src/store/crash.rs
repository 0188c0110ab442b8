//! A process is killed while it commits; what it leaves must be a state that a commit made.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use super::budget::Budget;
use super::folding::Drive;
use super::{InstanceId, Medium, Resources, Spec, StateDirectory, StoreOptions, Stores};

const DIRECTORY: &str = "TOPOLOGY_CRASH_TEST_DIRECTORY";
const KEYS: u32 = 200;

fn open(root: &Path) -> Stores {
    // So small that RocksDB is written to and flushes, by itself and when asked, many times a second.
    let options = StoreOptions { flush_bytes: 128 << 10, ..StoreOptions::default() };
    let budget = Budget { write_buffer_bytes: 1 << 20, segment_bytes: 5 * (48 << 10), ..Budget::of(16 << 20) };
    let resources = Resources::with_budget(options, budget, Drive::Thread).unwrap();
    let state = StateDirectory::open(root, "app", InstanceId::new(0, 0)).unwrap();
    let specs = vec![Spec::new("a", Medium::RocksDb).unwrap(), Spec::new("b", Medium::RocksDb).unwrap()];
    let task = state.lock_task("t_0").unwrap();
    Stores::open(specs, task, &resources, [7; 32]).unwrap()
}

/// Commits for ever: commit number n sets all keys of both stores to n, and both positions.
#[test]
#[ignore = "this is the process that the test below starts and kills"]
fn a_process_that_commits_until_it_is_killed() {
    let Some(root) = std::env::var_os(DIRECTORY) else { return };
    let mut stores = open(Path::new(&root));
    let mut commit = stores.meta(0).map_or(0, |meta| meta.position);
    for store in 0..2 {
        if stores.meta(store).is_none() {
            stores.begin_changelog(store, [1; 16]).unwrap();
        }
    }
    loop {
        commit += 1;
        for store in 0..2 {
            for key in 0..KEYS {
                stores.put(store, &key.to_be_bytes(), &commit.to_be_bytes()).unwrap();
            }
        }
        stores.commit(&[(0, commit), (1, commit)], commit).unwrap();
        stores.flush_if_due(commit).unwrap();
    }
}

#[test]
fn a_killed_process_leaves_data_and_positions_of_one_commit() {
    let root = tempfile::tempdir().unwrap();
    let mut last = 0;
    for round in 0u64..6 {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "store::crash::a_process_that_commits_until_it_is_killed", "--ignored"])
            .env(DIRECTORY, root.path())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        std::thread::sleep(Duration::from_millis(250 + round * 37));
        child.kill().unwrap();
        assert!(!child.wait().unwrap().success(), "it was killed, it did not end by itself");

        let mut stores = open(root.path());
        let (Some(a), Some(b)) = (stores.meta(0), stores.meta(1)) else {
            assert_eq!((stores.meta(0), stores.meta(1), last), (None, None, 0), "positions never vanish");
            continue;
        };
        assert_eq!(a.position, b.position, "round {round}");
        assert!(a.position >= last, "what was flushed stays: {} after {last}", a.position);
        let mut value = Vec::new();
        for key in 0..KEYS {
            for store in 0..2 {
                assert!(stores.get(store, &key.to_be_bytes(), &mut value).unwrap());
                assert_eq!(value, a.position.to_be_bytes(), "store {store} key {key} round {round}");
            }
        }
        last = a.position;
    }
    assert!(last > 0, "six processes were killed, and none had flushed anything yet");
}

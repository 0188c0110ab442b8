use super::*;

fn id(time: i64) -> InstanceId {
    InstanceId::new(time, 0xABCD)
}

#[test]
fn the_instance_id_is_made_once_and_kept() {
    let root = tempfile::tempdir().unwrap();
    let first = StateDirectory::open(root.path(), "app", id(1)).unwrap().instance_id().clone();
    let second = StateDirectory::open(root.path(), "app", id(2)).unwrap().instance_id().clone();
    assert_eq!((first.clone(), second), (id(1), first));
    assert_ne!(StateDirectory::open(root.path(), "other", id(3)).unwrap().instance_id(), &id(1));
}

#[test]
fn a_half_written_instance_id_is_never_taken_for_one() {
    let root = tempfile::tempdir().unwrap();
    drop(StateDirectory::open(root.path(), "app", id(1)).unwrap());
    fs::write(root.path().join("app/instance.new"), "17000").unwrap(); // died while writing
    assert_eq!(StateDirectory::open(root.path(), "app", id(2)).unwrap().instance_id(), &id(1));
    fs::write(root.path().join("app/instance"), "17000").unwrap();
    let error = StateDirectory::open_existing(root.path(), "app").unwrap_err();
    assert_eq!(error.kind(), Kind::Corruption);
    assert!(error.to_string().contains("delete it"), "{error}");
    assert_eq!(StateDirectory::open(root.path(), "app", id(2)).unwrap().instance_id(), &id(2));
    assert_eq!(fs::read_to_string(root.path().join("app/instance.damaged")).unwrap(), "17000");
    assert_eq!(StateDirectory::open(root.path(), "app", id(3)).unwrap().instance_id(), &id(2));
}

#[test]
fn a_second_user_is_refused_in_one_line_that_names_the_first() {
    let root = tempfile::tempdir().unwrap();
    let first = StateDirectory::open(root.path(), "app", id(1)).unwrap();
    let error = StateDirectory::open(root.path(), "app", id(1)).unwrap_err();
    assert_eq!(error.kind(), Kind::Locked);
    let expected = format!(
        "state directory {} is in use by another process (pid {}): stop it or give another --state-dir",
        root.path().display(),
        std::process::id()
    );
    assert_eq!(error.to_string(), expected);
    drop(first);
    StateDirectory::open(root.path(), "app", id(1)).unwrap();
}

#[test]
fn a_task_is_locked_as_long_as_it_is_held() {
    let root = tempfile::tempdir().unwrap();
    let state = StateDirectory::open(root.path(), "app", id(1)).unwrap();
    let held = state.lock_task("count_0").unwrap();
    assert_eq!(state.lock_task("count_0").unwrap_err().kind(), Kind::Locked);
    assert_eq!(state.delete_task("count_0").unwrap_err().kind(), Kind::Locked);
    state.lock_task("count_1").unwrap();
    drop(held);
    state.lock_task("count_0").unwrap();
    assert_eq!(state.tasks().unwrap(), ["count_0", "count_1"]);
    state.delete_task("count_0").unwrap();
    assert_eq!(state.tasks().unwrap(), ["count_1"]);
}

#[test]
fn names_cannot_leave_the_directory() {
    let root = tempfile::tempdir().unwrap();
    for name in ["", ".", "..", "../up", "a/b", "a\0b", "a b"] {
        assert_eq!(StateDirectory::open(root.path(), name, id(1)).unwrap_err().kind(), Kind::Invalid, "{name:?}");
        let state = StateDirectory::open(root.path(), "app", id(1)).unwrap();
        assert_eq!(state.lock_task(name).unwrap_err().kind(), Kind::Invalid, "{name:?}");
    }
}

#[test]
fn what_is_there_is_opened_and_nothing_is_made() {
    let root = tempfile::tempdir().unwrap();
    let listing = |path: &Path| {
        let mut names: Vec<_> = fs::read_dir(path).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        names.sort();
        names
    };
    let missing = |root: &Path| {
        let error = StateDirectory::open_existing(root, "app").unwrap_err();
        assert_eq!(error.kind(), Kind::Missing);
        assert!(error.to_string().contains("no state of application app in "), "{error}");
    };
    missing(&root.path().join("mistyped"));
    missing(root.path());
    fs::create_dir(root.path().join("app")).unwrap(); // somebody else's, or a process died when it had made just this
    missing(root.path());
    assert_eq!((listing(root.path()).len(), listing(&root.path().join("app")).len()), (1, 0));

    let made = StateDirectory::open(root.path(), "app", id(1)).unwrap();
    made.lock_task("count_0").unwrap();
    assert_eq!(StateDirectory::open_existing(root.path(), "app").unwrap_err().kind(), Kind::Locked);
    drop(made);
    let before = listing(&root.path().join("app"));
    let existing = StateDirectory::open_existing(root.path(), "app").unwrap();
    assert_eq!((existing.instance_id(), existing.tasks().unwrap()), (&id(1), vec!["count_0".to_owned()]));
    existing.lock_task("count_0").unwrap();
    assert_eq!(existing.lock_task("count_1").unwrap_err().kind(), Kind::Missing);
    assert_eq!(existing.delete_task("count_1").unwrap_err().kind(), Kind::Missing);
    assert_eq!(listing(&root.path().join("app")), before);
    drop(existing);
    fs::remove_file(root.path().join("app/instance")).unwrap();
    missing(root.path());
    assert!(!root.path().join("app/instance").exists());
}

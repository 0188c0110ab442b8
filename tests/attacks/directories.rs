//! Who may write to the state directory, or to the directory with keys and genesis.

use std::path::{Path, PathBuf};

use crate::world::World;

fn files(directory: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { found.extend(files(&path)) } else { found.push(path) }
    }
    found.sort();
    found
}

/// Each file of the stores in turn: cut to nothing, overwritten, its middle altered, deleted.
#[test]
fn stores_that_were_tampered_with_are_rebuilt_or_refused_by_name() {
    let world = World::with_payments(30);
    let state = world.path().join("copy");
    let copied = std::process::Command::new("cp").args(["-a", "state", "copy"]).current_dir(world.path()).status();
    assert!(copied.unwrap().success());
    let mut count = 30;
    for file in files(&state) {
        let relative = file.strip_prefix(&state).unwrap();
        let bytes = std::fs::read(&file).unwrap();
        let mut flipped = bytes.clone();
        if let Some(middle) = flipped.get_mut(bytes.len() / 2) {
            *middle ^= 0x41;
        }
        for (what, tampered) in [("junk", Some(b"junk".to_vec())), ("flipped", Some(flipped)), ("gone", None)] {
            std::fs::remove_dir_all(world.state()).unwrap();
            let copied =
                std::process::Command::new("cp").args(["-a", "copy", "state"]).current_dir(world.path()).status();
            assert!(copied.unwrap().success());
            let path = world.state().join(relative);
            match tampered {
                Some(bytes) => std::fs::write(&path, bytes).unwrap(),
                None => std::fs::remove_file(&path).unwrap(),
            }
            world.pay(1);
            count += 1;
            let ran = world.try_run();
            assert!(!ran.stderr.contains("panicked"), "{what} {}: {ran}", relative.display());
            if ran.code != 0 {
                println!("{what} {}: {}", relative.display(), ran.stderr.lines().last().unwrap_or_default());
                ran.refused(if relative.ends_with("cairn/chain") { 2 } else { 1 }, &["state"]);
                std::fs::remove_dir_all(world.state()).unwrap();
                world.run();
            }
        }
    }
    assert_eq!(world.verify()["records"], count);
    assert_eq!(world.balance("bob"), count);
}

#[test]
fn keys_and_genesis_of_another_chain_in_the_place_of_this_ones_seal_nothing() {
    let (world, other) = (World::with_payments(3), World::with_payments(3));
    let before = world.verify();
    world.pay(3);
    let (own, foreign) = (world.home(), other.home());
    std::fs::copy(own.join("validators.keys"), world.path().join("own.keys")).unwrap();
    std::fs::copy(foreign.join("validators.keys"), own.join("validators.keys")).unwrap();
    world.try_run().refused(2, &["keys"]);
    std::fs::copy(foreign.join("genesis.toml"), own.join("genesis.toml")).unwrap();
    world.try_run().refused(2, &["keys"]);
    assert_eq!(world.verify()["block_hash"], before["block_hash"]);
    // The genesis is that of block 0, whatever the file says by now.
    std::fs::copy(world.path().join("own.keys"), own.join("validators.keys")).unwrap();
    world.run();
    assert_eq!(world.verify()["height"], 2);
}

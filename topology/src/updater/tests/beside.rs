//! Two members write one changelog beside each other, as nothing fences one that was held up where it is done at least
//! once.

use super::world::{TOPICS, World, contents, writes};
use crate::log::Log;
use crate::store::{Medium, Stores};
use crate::updater::{Decision, NewChangelog};

const IN_MEMORY: [Medium; 2] = [Medium::Memory, Medium::Memory];

/// A member that begins both changelogs, which are empty.
fn member(world: &mut World, beginning: fn(u8) -> NewChangelog) -> Stores {
    world.beginning = beginning;
    let root = tempfile::tempdir().unwrap();
    let mut stores = world.open_at(root.path());
    let restored = world.restore(&mut stores).unwrap();
    assert!(restored.iter().all(|restored| restored.decision == Decision::Begin), "{restored:?}");
    stores
}

#[test]
fn a_changelog_that_two_members_have_begun_is_read_and_the_last_write_of_a_key_counts() {
    let mut world = World::new(IN_MEMORY);
    let mut held_up = member(&mut world, |letter| NewChangelog::Beside([letter; 16]));
    let mut successor = member(&mut world, |letter| NewChangelog::Beside([letter + 100; 16]));
    world.commit(&mut successor, &writes(1, 50));
    world.commit(&mut held_up, &writes(2, 50));
    world.commit(&mut successor, &writes(3, 20));
    let model = world.model.clone();
    for compacts in [false, true] {
        if compacts {
            TOPICS.iter().for_each(|topic| world.log.compact(topic).unwrap());
        }
        let root = tempfile::tempdir().unwrap();
        let mut third = world.open_at(root.path());
        world.restore(&mut third).unwrap();
        assert_eq!(contents(&mut third), model, "compacted: {compacts}");
    }
    // Each of the two reads on from where it stands, and so does the third.
    for mut stores in [held_up, successor] {
        world.restore(&mut stores).unwrap();
        assert!(
            stores.marks().zip(world.up().marks()).all(|((_, here), (_, there))| here.unwrap().0 == there.unwrap().0)
        );
    }
}

#[test]
fn a_topic_that_was_made_anew_is_another_changelog() {
    let mut world = World::new(IN_MEMORY);
    let incarnation = |world: &mut World| {
        let mut stores = member(world, |letter| NewChangelog::Beside([letter; 16]));
        world.commit(&mut stores, &[(0, 1, Some(1)), (1, 1, Some(1))]);
        stores.meta(0).unwrap().incarnation
    };
    let before = incarnation(&mut world);
    world.log.delete_topics(&TOPICS.map(str::to_owned)).unwrap();
    world.create_topics();
    assert_ne!(incarnation(&mut world), before);
}

#[test]
fn each_partition_of_a_topic_is_another_changelog() {
    let world = World::new(IN_MEMORY);
    let topic = world.log.describe_topic(TOPICS[0]).unwrap().unwrap().id;
    let begun = |partition| NewChangelog::Beside([1; 16]).of(&topic, partition).incarnation;
    assert_ne!(begun(0), begun(1));
    assert_eq!(begun(1), begun(1));
}

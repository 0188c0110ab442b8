//! Who may write to changelogs: they are a copy for convenience, and no authority on anything.

use cairn::chain::{Cut, Hash, from_canonical, to_canonical};
use cairn::consensus::Decision;
use cairn::consensus::decision::Passed;
use cairn::ledger::state::{Account, Table, Tip};
use cairn::ledger::{Changes, MemoryState, Tree, View};

use crate::world::{Kept, World, changelog};

/// What stands before a value in a changelog: the format and its event time.
const HEAD_BYTES: usize = 1 + 8;

const STORES: [&str; 8] = ["accounts", "chain", "coverage", "decisions", "expiries", "ids", "tip", "validators"];

/// The state in the changelogs.
fn state(world: &World) -> MemoryState {
    let (mut state, mut changes) = (MemoryState::new(), Changes::new());
    for table in Table::ALL {
        for Kept { key, value, .. } in world.read(&changelog(table.name())) {
            let key = key.unwrap();
            if let [1, key @ ..] = &key[..] {
                changes.set(table, key, value.as_deref().map(|value| &value[HEAD_BYTES..]));
            }
        }
    }
    state.apply(&changes);
    state
}

/// As the engine writes it: format, event time, value.
fn entry(key: &[u8], value: &[u8]) -> Kept {
    let time_ms = 1_700_000_000_000_i64;
    Kept::new([&[1], key].concat(), [&[2], &time_ms.to_be_bytes()[..], value].concat())
}

fn root(state: &MemoryState) -> Hash {
    let mut leaves = Changes::new();
    for table in Table::ALL {
        state.table(table).for_each(|(key, value)| leaves.put(table, key, value));
    }
    Tree::new().update(leaves.to_tree()).unwrap().root()
}

/// mallory has a million more, dave a million less, and the tip says so.
fn forge(world: &World, recomputes_root: bool) {
    let mut state = state(world);
    let mut record = Vec::new();
    assert!(state.get(Table::Tip, b"tip", &mut record).unwrap());
    let tip: Tip = from_canonical(&record[1..]).unwrap();
    assert_eq!(tip.state_root, root(&state), "the attacker knows how");
    let mut forged = Changes::new();
    let account = |balance| Account { balance, nonce: 0 }.to_record().unwrap();
    let rows = [("dave", account(-1_000_000)), ("mallory", account(1_000_000))];
    rows.iter().for_each(|(name, record)| forged.put(Table::Accounts, name.as_bytes(), record));
    state.apply(&forged);
    world.append(&changelog("accounts"), &rows.map(|(name, record)| entry(name.as_bytes(), &record)));
    if recomputes_root {
        let record = [vec![1], to_canonical(&Tip { state_root: root(&state), ..tip })].concat();
        world.append(&changelog("tip"), &[entry(b"tip", &record)]);
    }
}

#[test]
fn a_million_forged_into_the_changelogs_is_not_adopted() {
    for (recomputes_root, removes_stores) in [(true, true), (true, false), (false, true)] {
        let world = World::with_payments(6);
        let before = world.verify();
        forge(&world, recomputes_root);
        if removes_stores {
            std::fs::remove_dir_all(world.state()).unwrap();
        }
        let (said, tip) = world.run();
        assert!(said.contains("rebuilding the state"), "{said}");
        assert_eq!(tip["state_root"], before["state_root"]);
        world.pay(3);
        let (said, tip) = world.run();
        assert!(!said.contains("rebuilding the state"), "once is enough: {said}");
        assert_eq!(tip["height"], 3);
        world.verify();
        assert_eq!((world.balance("mallory"), world.balance("dave"), world.balance("bob")), (0, 0, 9));
    }
}

#[test]
fn without_its_changelogs_and_stores_a_run_goes_on_from_the_chain() {
    let world = World::with_payments(7);
    let mut tip = world.run().1;
    let single = STORES.map(|store| vec![store]);
    for (lost, removes_stores) in single.iter().map(|lost| (lost, true)).chain([
        (&single[0], false),
        (&single[6], false),
        (&STORES.to_vec(), true),
    ]) {
        world.delete_topics(&lost.iter().copied().map(changelog).collect::<Vec<_>>());
        if removes_stores {
            std::fs::remove_dir_all(world.state()).unwrap();
        }
        let (said, found) = world.run();
        assert_eq!(found, tip, "without {lost:?}\n{said}");
        world.pay(2);
        tip = world.run().1;
    }
    assert_eq!(world.verify()["records"], 7 + 11 * 2);
    assert_eq!(world.try_replay().done().json()["state_root"], tip["state_root"]);
}

#[test]
fn killed_while_it_rebuilds_a_state_it_rebuilds_it_again() {
    let world = World::with_payments(600);
    let (_, tip) = world.run();
    world.delete_topics(&STORES.map(changelog));
    std::fs::remove_dir_all(world.state()).unwrap();
    let (begun, said) = world.killed_when_logged("--until-end", "rebuilding the state");
    assert!(begun, "{said:#?}");
    // A kill may come late, when all of it was committed already: then there is nothing to rebuild any more.
    for moment in ["the state is rebuilt in memory", "the state is rebuilt"] {
        world.killed_when_logged("--until-end", moment);
    }
    assert_eq!(world.run().1, tip);
    world.pay(3);
    world.run();
    assert_eq!(world.verify()["records"], 603);
    assert_eq!(world.balance("bob"), 603);
}

#[test]
fn what_is_no_changelog_record_is_refused_and_the_topic_named() {
    let world = World::with_payments(3);
    world.append(&changelog("accounts"), &[Kept::new("alice", "a million")]);
    std::fs::remove_dir_all(world.state()).unwrap();
    world.try_run().refused(1, &["cairn-accounts-changelog", "something else wrote to this topic"]);
    // What the line says to do helps.
    world.cairn("reset --log embedded:log --state-dir state --application-id cairn --yes").done();
    world.pay(3);
    world.run();
    assert_eq!(world.verify()["height"], 2);
}

/// Writes decisions into their changelog, which begins as the others do.
fn decide(world: &World, records: Vec<Kept>) {
    let first = world.read(&changelog("accounts")).swap_remove(0);
    assert_eq!(world.read(&changelog("decisions")), []);
    world.append(&changelog("decisions"), &[vec![first], records].concat());
}

/// Decisions are the one thing in a changelog that the chain does not hold.
#[test]
fn forged_decisions_make_no_block_that_breaks_the_chain_and_hold_no_payment_back() {
    let forged = |cut, through_offset| Decision::Cut { height: 3, cut, through_offset };
    let decisions = [
        forged(Cut::Transactions, 7),
        forged(Cut::Window, 7),
        forged(Cut::Bytes, 0),
        forged(Cut::Genesis, 7),
        forged(Cut::Age, i64::MAX),
        forged(Cut::End, 1_000),
        forged(Cut::Age, -1),
        forged(Cut::End, 2),
        // There the log has the marker of a transaction, and no record.
        forged(Cut::Age, 9),
        forged(Cut::End, 9),
    ];
    for decision in decisions {
        let world = World::with_payments(6);
        world.pay(2);
        decide(&world, vec![entry(&decision.key(), &decision.value())]);
        let ran = world.try_run();
        if ran.code != 0 {
            ran.refused(1, &["decisions", "cairn reset"]);
            world.cairn("reset --log embedded:log --state-dir state --application-id cairn --yes").done();
            world.run();
        }
        let report = world.verify();
        assert_eq!((&report["height"], &report["unsealed_records"]), (&3.into(), &0.into()), "{decision:?}: {report}");
    }
    // One that is plausible, of another height or under another key, and rounds that passed.
    let world = World::with_payments(6);
    world.pay(2);
    let other = |height| Decision::Cut { height, cut: Cut::Age, through_offset: 7 };
    let passed = |round| Decision::RoundPassed { height: 3, round, why: Passed::Silence };
    let mut records: Vec<Kept> =
        [other(0), other(4), other(u64::MAX)].map(|decision| entry(&decision.key(), &decision.value())).to_vec();
    records.extend((0..50).map(|round| entry(&passed(round).key(), &passed(round).value())));
    decide(&world, records);
    world.run();
    assert_eq!(world.verify()["unsealed_records"], 0);
    assert!(world.read(crate::world::BLOCKCHAIN).last().unwrap().value.as_ref().unwrap().len() < 20_000);
}

/// More rounds than ever pass, or rounds that more validators than there are would have to have failed, would keep the
/// height from being sealed for ever.
#[test]
fn more_rounds_than_can_have_passed_are_refused_and_a_reset_helps() {
    let passed = |round| Decision::RoundPassed { height: 3, round, why: Passed::Silence };
    let forged = |rounds: std::ops::Range<u32>| {
        rounds.map(passed).map(|decision| entry(&decision.key(), &decision.value())).collect::<Vec<_>>()
    };
    for records in [forged(0..65), forged(0..2_000), forged(6..8)] {
        let world = World::with_payments(6);
        world.pay(2);
        decide(&world, records);
        world.try_run().refused(1, &["rounds of height 3", "cairn reset"]);
        world.cairn("reset --log embedded:log --state-dir state --application-id cairn --yes").done();
        world.run();
        assert_eq!(world.verify()["unsealed_records"], 0);
    }
}

/// A predecessor may have signed in any of the turns before.
#[test]
fn a_forged_round_does_not_keep_those_before_from_passing_when_records_come_in_another_order() {
    let world = World::with_payments(6);
    world.pay(2);
    let forged = Decision::RoundPassed { height: 3, round: 4, why: Passed::Silence };
    // Another log gave the order until now: format and id.
    let order = entry(b"order", &[1; 17]);
    decide(&world, vec![order, entry(&forged.key(), &forged.value())]);
    world.run();
    assert_eq!(world.blocks()[3].header.round(), 6, "the first round in which nobody can have signed");
    assert_eq!(world.verify()["unsealed_records"], 0);
}

#[test]
fn a_run_until_the_end_ends_with_the_state_rebuilt_though_no_record_is_left_to_take() {
    let world = World::new(&[]);
    world.run();
    world.delete_topics(&STORES.map(changelog));
    std::fs::remove_dir_all(world.state()).unwrap();
    world.run();
    assert_eq!(world.inspect()["height"], 0);
}

#[test]
fn a_record_of_a_newer_format_in_a_changelog_is_not_believed_or_is_refused_and_a_reset_helps() {
    for (store, key) in
        [("accounts", &b"alice"[..]), ("tip", b"tip"), ("chain", b"supply"), ("decisions", b"\0\0\0\0\0\0\0\x02x")]
    {
        let world = World::with_payments(3);
        let forged = entry(key, &[2, 1, 1]);
        match store {
            "decisions" => decide(&world, vec![forged]),
            _ => world.append(&changelog(store), &[forged]),
        }
        world.pay(3);
        let ran = world.try_run();
        if ran.code != 0 {
            ran.refused(1, &["run "]);
            world.cairn("reset --log embedded:log --state-dir state --application-id cairn --yes").done();
            world.run();
        }
        assert_eq!(world.verify()["height"], 2, "{store}");
    }
}

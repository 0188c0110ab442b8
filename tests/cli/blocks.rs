//! `cairn blocks`: the receipts, for people and for machines.

use crate::Cairn;

const LOG: &str = "--log embedded:log";

fn chain() -> Cairn {
    let cairn = Cairn::new();
    let line = |from: &str, amount: &str| format!("{{\"from\":\"{from}\",\"to\":\"bob\",\"amount\":{amount}}}\n");
    let text = line("alice", "3") + &line("alice", "0") + "no json\n" + &line("carol", "4") + &line("dave", "5");
    cairn.write("payments.jsonl", &text);
    cairn.run(&format!("submit {LOG} --force payments.jsonl")).done();
    let two =
        [("CAIRN_BLOCK_MAX_TRANSACTIONS", "2"), ("CAIRN_BLOCK_WINDOW_MS", "0"), ("CAIRN_BLOCK_MAX_AGE_MS", "60000")];
    cairn.run_with(&format!("run {LOG} --state-dir state --until-end"), &two).done();
    cairn
}

#[test]
fn each_record_of_a_block_is_a_row_with_what_became_of_it() {
    let cairn = chain();
    let rows = |words: &str| {
        let text = cairn.run(&format!("blocks {LOG} {words}")).done().stdout;
        let rows = text.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "));
        rows.collect::<Vec<_>>()
    };
    let all = rows("");
    let expected = [
        "height record from to amount outcome",
        "1 0:0 alice bob 3 applied",
        "1 0:1 alice bob 0 rejected: zero_amount",
        "2 0:2 - - - unreadable: not_json",
        "2 0:3 carol bob 4 applied",
        "2 0:4 dave bob 5 applied",
    ];
    assert_eq!(all, expected);
    assert_eq!(rows("--from-height 2")[1..], expected[3..]);
    assert_eq!(rows("--to-height 1")[1..], expected[1..3]);
    assert_eq!(rows("--limit 1")[1..], expected[1..3], "block 0 has no records, and does not count");
    assert_eq!(rows("--from-height 7").len(), 1);
    cairn.run(&format!("blocks {LOG} --from-height 2 --to-height 1")).refused(2, &["below --from-height"]);
    cairn.run(&format!("blocks {LOG} --blockchain none")).refused(3, &["there is no topic 'none'"]);
}

#[test]
fn as_json_each_block_is_the_line_that_stands_on_the_topic() {
    let cairn = chain();
    let text = cairn.run(&format!("blocks {LOG} --json")).done().stdout;
    let blocks: Vec<_> = text.lines().map(|line| cairn::chain::Block::from_json(line.as_bytes()).unwrap()).collect();
    assert_eq!(blocks.iter().map(|block| block.header.height).collect::<Vec<_>>(), [0, 1, 2]);
    blocks.iter().for_each(|block| block.check().unwrap());
    let one = cairn.run(&format!("blocks {LOG} --json --from-height 1 --limit 1")).done().stdout;
    assert_eq!(one.lines().collect::<Vec<_>>(), [text.lines().nth(1).unwrap()]);
}

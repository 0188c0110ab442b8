//! Proofs of a chain whose blocks are mined: no seal vouches for them, so it takes a checkpoint.

use cairn::audit::prove::{Cover, Question};
use cairn::proof::Trusted;
use serde_json::{Value, json};

use crate::page::Page;
use crate::proofs::{balance, check_by_genesis, check_with, checkpoint, prove_at, stranger};
use crate::work::WORK;

#[test]
fn one_thing_of_a_mined_chain_is_proved_to_whoever_has_a_checkpoint_and_to_nobody_else() {
    let size = WORK.blocks.len();
    let (own, genesis) = (checkpoint(&WORK, size), WORK.genesis.hash());
    let mut page = Page::new();
    let first = &WORK.blocks[1].entries[0].origin;
    let record = Question::Transaction { partition: first.partition, offset: first.offset };
    let questions = [
        (balance("ann"), Some(4)),
        (balance("nobody"), None),
        (record, None),
        (Question::Block { height: 3 }, None),
        (Question::Block { height: 0 }, None),
    ];
    let proofs = questions
        .map(|(question, at_height)| prove_at(&WORK, size - 1, question, at_height, Cover::Size(size as u64)).unwrap());
    for proof in &proofs {
        assert!(check_with(proof, &own).is_ok(), "{:?}", proof.claim);
        let (code, says) = stranger(&proof.to_file(), Some(&own), &genesis);
        assert_eq!(code, Some(0), "{says}");
        let (by_genesis, is_block_0) = (check_by_genesis(proof, &genesis), proof.header.height == 0);
        assert_eq!(by_genesis.is_ok(), is_block_0, "{by_genesis:?}");
        page.ask(&proof.to_file(), Trusted { checkpoint: Some(&own), genesis: None }, &[], json!({}));
        page.ask(&proof.to_file(), Trusted { checkpoint: None, genesis: Some(&genesis) }, &[], json!({}));
    }
    let verdicts: Vec<Value> = page.answers().into_iter().map(|answer| answer[0].clone()).collect();
    for (proof, verdicts) in proofs.iter().zip(verdicts.chunks(2)) {
        assert_eq!(verdicts[0], "holds");
        assert_eq!(verdicts[1], if proof.header.height == 0 { "holds" } else { "unfit" });
    }
}

//! Transfers between accounts that have something and accounts that have nothing, ids that come twice, signatures good
//! and bad, and what is no transfer at all.

use cairn::chain::{Amount, Name, Transaction};
use topology::simulator::{Input, Random};

use super::{Chain, TRANSACTIONS};

const BEGIN_MS: i64 = 1_700_000_000_000;

pub(super) fn write(chain: &Chain, partitions: i32, random: &mut Random, input: &mut Input) {
    let mut time_ms = BEGIN_MS;
    for number in 0..random.within(1..40) {
        time_ms += random.one_of([0, 1, 5, 40, 700]);
        let partition = random.within(0..i64::from(partitions));
        let partition = i32::try_from(partition).unwrap_or(0);
        let value = value(chain, number, random);
        input.send_bytes((TRANSACTIONS, partition), Some(b"key"), value.as_deref(), time_ms);
    }
}

fn value(chain: &Chain, number: i64, random: &mut Random) -> Option<Vec<u8>> {
    let from = random.one_of(["alice", "alice", "bob", "carol", "dave"]);
    let to = random.one_of(["alice", "bob", "carol", "erin"]);
    let amount = random.one_of([1, 2, 7, 30, 400]) + u64::try_from(number % 3).unwrap_or(0);
    let value = match random.below(24) {
        0 => return None,
        1 => b"hello".to_vec(),
        2 => format!(r#"{{"from":"{from}","to":"{to}","amount":-{amount}}}"#).into_bytes(),
        3..=6 => {
            let id = random.one_of(["one", "two", "three"]);
            format!(r#"{{"from":"{from}","to":"{to}","amount":{amount},"id":"{id}"}}"#).into_bytes()
        }
        7 => signed(chain, to, amount, amount + 1)?,
        8..=9 => signed(chain, to, amount, amount)?,
        _ => format!(r#"{{"from":"{from}","to":"{to}","amount":{amount}}}"#).into_bytes(),
    };
    Some(value)
}

/// A transfer of the account with a key: of another amount than was signed, the signature is worth nothing.
fn signed(chain: &Chain, to: &str, signed_amount: u64, amount: u64) -> Option<Vec<u8>> {
    let account = &chain.account;
    let transfer = Transaction::transfer(account.name().clone(), Name::new(to).ok()?, Amount::new(signed_amount)?);
    let authorization = account.sign(transfer, &chain.genesis_hash).authorization?;
    let (key, signature) = (hex::encode(authorization.public_key), hex::encode(authorization.signature));
    let from = account.name();
    let value =
        format!(r#"{{"from":"{from}","to":"{to}","amount":{amount},"public_key":"{key}","signature":"{signature}"}}"#);
    Some(value.into_bytes())
}

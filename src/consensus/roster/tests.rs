//! Lists of validators that are a roster, and lists that are none.

use rand::SeedableRng;
use rand::rngs::StdRng;

use super::*;
use crate::consensus::KeySet;

fn listed() -> Vec<GenesisValidator> {
    let ids = ["a", "b", "c"].map(|id| id.parse().unwrap());
    let keys = KeySet::generate(ids, &mut StdRng::from_seed([1; 32])).unwrap();
    keys.pairs().iter().map(|pair| pair.genesis_validator(100)).collect()
}

#[test]
fn a_key_whose_possession_is_not_proved_is_refused() {
    // The rogue key of the textbook: own key minus another's, so that the sum of both is a key one holds alone.
    let mut rogue = listed();
    rogue[1].possession = rogue[2].possession;
    assert_eq!(Roster::new(&rogue).unwrap_err(), Error::Possession("b".parse().unwrap()));
    let mut rogue = listed();
    rogue[1].possession = [0xff; 48];
    assert_eq!(Roster::new(&rogue).unwrap_err(), Error::Possession("b".parse().unwrap()));
    let mut rogue = listed();
    rogue[2].bls = rogue[0].bls;
    assert_eq!(
        Roster::new(&rogue).unwrap_err(),
        Error::Possession("c".parse().unwrap()),
        "another's proof with one's own key"
    );
}

#[test]
fn lists_that_are_no_roster_are_refused_by_the_name_of_the_validator() {
    let id = |text: &str| text.parse::<ValidatorId>().unwrap();
    let with = |change: &dyn Fn(&mut Vec<GenesisValidator>)| {
        let mut list = listed();
        change(&mut list);
        Roster::new(&list).unwrap_err()
    };
    assert_eq!(with(&|list| list.swap(0, 1)), Error::Order(id("a")));
    assert_eq!(with(&|list| list[1] = list[0].clone()), Error::Order(id("a")));
    assert_eq!(with(&|list| list[1].bls = [0xff; 96]), Error::Bls(id("b")));
    assert_eq!(with(&|list| list[1].ed25519 = [0x02; 32]), Error::Ed25519(id("b")));
    assert_eq!(with(&|list| list[1].ed25519 = list[0].ed25519), Error::SharedKey(id("b")));
    assert_eq!(with(&|list| list[1].stake = u64::MAX), Error::StakeOverflow);
}

#[test]
fn stakes_of_another_set_do_not_fit() {
    let roster = Roster::new(&listed()).unwrap();
    let mut members: Vec<Member> = listed().iter().map(GenesisValidator::member).collect();
    members[1].stake = 0;
    assert_eq!(roster.stakes(&members).unwrap().as_slice(), [100, 0, 100]);
    members[2].bls[5] ^= 1;
    assert_eq!(roster.stakes(&members).unwrap_err(), Error::OtherSet(2));
    assert_eq!(roster.stakes(&members[..1]).unwrap_err(), Error::OtherSet(1));
}

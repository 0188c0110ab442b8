//! A chain between its blocks, in a store.
//!
//! ```text
//! key                value, in the canonical encoding
//! genesis            Genesis
//! tip                Tip
//! validator/ID       Standing, of each that a block concerned
//! form               Form, how rows are written
//! ```

use borsh::{BorshDeserialize, BorshSerialize};
use topology::Error;
use topology::processor;
use topology::store::KeyValueStore;

use super::encoding::Form;
use crate::chain::{Genesis, ValidatorId, from_canonical, to_canonical};
use crate::rows::{Chain, Tip};

const GENESIS: &[u8] = b"genesis";
const TIP: &[u8] = b"tip";
const VALIDATOR: &str = "validator/";
const FORM: &[u8] = b"form";

/// The store.
pub(super) struct Kept {
    store: KeyValueStore<[u8], [u8]>,
}

impl Kept {
    pub(super) fn new(store: KeyValueStore<[u8], [u8]>) -> Self {
        Self { store }
    }

    /// The chain as it was left; `None` before block 0.
    pub(super) fn load(&self) -> processor::Result<Option<Chain>> {
        let (Some(genesis), Some(tip)) = (self.get::<Genesis>(GENESIS)?, self.get::<Tip>(TIP)?) else {
            return Ok(None);
        };
        let mut standings = Vec::new();
        for validator in &genesis.validators {
            if let Some(standing) = self.get(&key(&validator.id))? {
                standings.push((validator.id.clone(), standing));
            }
        }
        Ok(Some(Chain::resume(genesis, tip, standings)?))
    }

    /// How the rows so far are written; `None` before the first.
    pub(super) fn form(&self) -> processor::Result<Option<Form>> {
        self.get(FORM)
    }

    /// Writes what block 0 leaves.
    pub(super) fn begin(&self, chain: &Chain, form: Form) -> processor::Result {
        self.put(GENESIS, chain.genesis())?;
        self.put(FORM, &form)?;
        self.put(TIP, chain.tip())
    }

    /// Writes what a later block leaves: the tip, and the validators that it concerns.
    pub(super) fn advance<'i>(
        &self,
        chain: &Chain,
        concerned: impl Iterator<Item = &'i ValidatorId>,
    ) -> processor::Result {
        for id in concerned {
            if let Some(standing) = chain.standing(id) {
                self.put(&key(id), standing)?;
            }
        }
        self.put(TIP, chain.tip())
    }

    fn get<T: BorshSerialize + BorshDeserialize>(&self, key: &[u8]) -> processor::Result<Option<T>> {
        let read = self.store.get_with(&key, |value| value.map(from_canonical::<T>).transpose())?;
        read.map_err(|error| {
            let key = key.escape_ascii();
            Error::stop(format!(
                "the view's store holds something else under {key}: {error}. cairn views reset begins it anew"
            ))
            .into()
        })
    }

    fn put(&self, key: &[u8], value: &impl BorshSerialize) -> processor::Result {
        Ok(self.store.put(&key, &&to_canonical(value)[..])?)
    }
}

fn key(id: &ValidatorId) -> Vec<u8> {
    [VALIDATOR.as_bytes(), id.as_str().as_bytes()].concat()
}

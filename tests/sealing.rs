//! The whole ledger topology without a broker, on the engine's test driver.

use cairn::chain::{Block, Content, Cut, Genesis, Operation, Parameters};
use cairn::consensus::keys::KeySet;
use cairn::consensus::sealer::Sealer;
use cairn::sealing::{Application, Options};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use topology::test_driver::TestDriver;

mod support;

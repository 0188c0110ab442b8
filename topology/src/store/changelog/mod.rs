//! The bytes of a store's changelog, and of its position in it. May use `error` and `log`'s plain types.

mod covered;
mod meta;
mod record;
mod value;
mod windowed;

pub use covered::Covered;
pub use meta::{Fingerprint, Incarnation, Meta};
pub use record::{
    Beginning, COVERED_KEY, Entry, INCARNATION_KEY, Origin, decode, encode_covered, encode_key, encode_value,
};
pub use value::{NO_TIME_MS, Timed};
pub use windowed::{SessionKey, WindowKey};

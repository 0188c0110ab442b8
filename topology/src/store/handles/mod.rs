//! Stores as processors see them: typed keys and values. May use `stores`, `backends`' bounds and the crate's `codec`.

mod key_value;

pub use key_value::KeyValueStore;

//! The JSON Schema of each kind of row (draft 7, which all registries compare), as in `docs/schemas`.

/// Of a [`Transfer`](super::Transfer).
pub const TRANSFER: &str = include_str!("../../docs/schemas/transfer.schema.json");

/// Of a [`Balance`](super::Balance).
pub const BALANCE: &str = include_str!("../../docs/schemas/balance.schema.json");

/// Of a [`Validator`](super::Validator).
pub const VALIDATOR: &str = include_str!("../../docs/schemas/validator.schema.json");

/// Of a block: an export's [`BlockRow`](crate::export::BlockRow).
pub const BLOCK: &str = include_str!("../../docs/schemas/block.schema.json");

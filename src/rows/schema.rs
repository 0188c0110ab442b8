//! The JSON Schema of each kind of row (draft 2020-12), as in `docs/schemas`.

/// Of a [`Transfer`](super::Transfer).
pub const TRANSFER: &str = include_str!("../../docs/schemas/transfer.schema.json");

/// Of a [`Balance`](super::Balance).
pub const BALANCE: &str = include_str!("../../docs/schemas/balance.schema.json");

/// Of a [`Validator`](super::Validator).
pub const VALIDATOR: &str = include_str!("../../docs/schemas/validator.schema.json");

//! What is to be known of a chain apart from its log.

/// Keeps it on the disk that a chain exists: a log that comes back empty would pass for a new one, and a second chain
/// with the same keys would be begun on it. Errors stop.
pub trait Notary: Send + Sync {
    /// Called before block 0 is sent. When it returns, it is on the disk that the chain is being founded. It may be
    /// called again, for as long as nothing was signed. An error: a chain was founded here before, or it cannot be
    /// written down; then block 0 must not be sent.
    fn founding(&self) -> topology::Result<()>;

    /// Called when block 0 is committed, before anything is signed. When it returns, it is on the disk that the chain
    /// exists. Called again it costs nothing. An error: it cannot be written down; then nothing must be signed.
    fn founded(&self) -> topology::Result<()>;
}

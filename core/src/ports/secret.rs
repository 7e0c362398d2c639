//! Secrets by name.

use async_trait::async_trait;

use crate::error::Result;

/// A secret. Has no `Debug`, `Display` or `Serialize`; overwritten when dropped is up to the platform.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Takes a value.
    pub fn new(value: impl Into<String>) -> Self {
        Self(value.into())
    }

    /// The value; only signing and comparing may ask.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

/// Looks secrets up.
///
/// Contract: `None` for a name that is not set or is empty; an error only when the store is away.
/// Values are trimmed of trailing line ends (files have them). Implementations may cache.
#[async_trait]
pub trait SecretStore: Send + Sync {
    /// The secret of that name.
    async fn secret(&self, name: &str) -> Result<Option<Secret>>;
}

//! Secrets that somebody put here.

use std::collections::BTreeMap;
use std::sync::Mutex;

use async_trait::async_trait;

use super::lock;
use crate::error::Result;
use crate::ports::{Secret, SecretStore};

/// Secrets by name.
#[derive(Default)]
pub struct MemorySecrets {
    values: Mutex<BTreeMap<String, String>>,
}

impl MemorySecrets {
    /// Sets a secret.
    pub fn set(&self, name: impl Into<String>, value: impl Into<String>) {
        lock(&self.values).insert(name.into(), value.into());
    }

    /// Forgets a secret.
    pub fn unset(&self, name: &str) {
        lock(&self.values).remove(name);
    }
}

#[async_trait]
impl SecretStore for MemorySecrets {
    async fn secret(&self, name: &str) -> Result<Option<Secret>> {
        let values = lock(&self.values);
        let value = values.get(name).map(|value| value.trim_end_matches(['\r', '\n'])).filter(|value| !value.is_empty());
        Ok(value.map(Secret::new))
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;
    use crate::ports::suite;

    #[test]
    fn passes_the_suite() {
        let secrets = MemorySecrets::default();
        assert_eq!(suite::secret_absent_is_none(&secrets, "NOT_SET").now_or_never(), Some(Ok(())));
        secrets.set("BLANK", "\n");
        assert_eq!(suite::secret_absent_is_none(&secrets, "BLANK").now_or_never(), Some(Ok(())));
        secrets.set("KEY", "s3cret\r\n");
        assert_eq!(suite::secret_is_trimmed(&secrets, "KEY", "s3cret").now_or_never(), Some(Ok(())));
        secrets.unset("KEY");
        assert_eq!(suite::secret_absent_is_none(&secrets, "KEY").now_or_never(), Some(Ok(())));
    }
}

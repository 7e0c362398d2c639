//! Keys that are secrets, named in the configuration.
//!
//! Invariant: a key is compared by SHA-256 of the whole value, in constant time, with all of them every time.

use sha2::{Digest, Sha256};

use crate::error::Result;
use crate::ports::SecretStore;

/// The name of the secret, of those called `names`, that holds the key which was shown.
pub(super) async fn find<'a>(shown: Option<&str>, names: &'a [String], secrets: &dyn SecretStore) -> Result<Option<&'a str>> {
    let shown = shown.map(|key| Sha256::digest(key.as_bytes()));
    let mut found = None;
    for name in names {
        // No store gives an empty secret; one that did would let everybody in who sends an empty key.
        let Some(secret) = secrets.secret(name).await?.filter(|secret| !secret.expose().is_empty()) else { continue };
        let known = Sha256::digest(secret.expose().as_bytes());
        if shown.as_ref().is_some_and(|shown| same(shown, &known)) {
            found = Some(name.as_str());
        }
    }
    Ok(found)
}

fn same(a: &[u8], b: &[u8]) -> bool {
    a.len() == b.len() && a.iter().zip(b).fold(0, |different, (a, b)| different | (a ^ b)) == 0
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;
    use crate::ports::Secret;

    /// A store that breaks its contract.
    struct Careless;

    #[async_trait::async_trait]
    impl SecretStore for Careless {
        async fn secret(&self, _: &str) -> Result<Option<Secret>> {
            Ok(Some(Secret::new("")))
        }
    }

    #[test]
    fn an_empty_secret_lets_nobody_in() {
        let names = ["KEY".to_owned()];
        for shown in [Some(""), None] {
            let found = find(shown, &names, &Careless).now_or_never().expect("memory never waits");
            assert_eq!(found.expect("the store answers"), None);
        }
    }
}

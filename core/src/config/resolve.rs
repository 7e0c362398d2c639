//! From layers to a snapshot, with whatever the platform has to say on the way.
//!
//! Looks up which secrets are set, and compiles. Keeps no secret: only whether there is one.

use futures_util::future::join_all;

use super::Config;
use super::compile::{Availability, compile, secret_names};
use super::diagnostic::{DOCUMENT, Diagnostic, Severity};
use super::load::Loaded;
use super::origin::Origin;
use crate::ports::SecretStore;

/// A configuration that compiled, and what was seen on the way.
#[derive(Clone, Debug)]
pub struct Resolved {
    /// The snapshot.
    pub config: Config,
    /// What the platform has, `secrets` included.
    pub available: Availability,
    /// What probably is not meant.
    pub warnings: Vec<Diagnostic>,
}

/// Asks `secrets` for every name in the layers and compiles them. `available` needs no `secrets`: they are replaced by
/// those that are found. Fails with everything that is wrong; a store of secrets that is away is one of those things.
pub async fn resolve(
    loaded: &Loaded,
    secrets: &dyn SecretStore,
    mut available: Availability,
) -> Result<Resolved, Vec<Diagnostic>> {
    let names = secret_names(loaded);
    let found = join_all(names.iter().map(|name| secrets.secret(name))).await;
    available.secrets.clear();
    let mut away = Vec::new();
    for (name, found) in names.into_iter().zip(found) {
        match found {
            Ok(Some(_)) => {
                available.secrets.insert(name);
            }
            Ok(None) => {}
            Err(error) => away.push(Diagnostic {
                path: DOCUMENT.to_owned(),
                severity: Severity::Error,
                message: format!(
                    "the secret `{name}` cannot be looked up: {}",
                    error.source.as_deref().unwrap_or(&error.message)
                ),
                help: "see that the store of secrets answers and lets the gateway read".to_owned(),
                origin: Origin::default_value(),
            }),
        }
    }
    if !away.is_empty() {
        return Err(away);
    }
    let (config, warnings) = compile(loaded, &available)?;
    Ok(Resolved { config, available, warnings })
}

#[cfg(test)]
mod tests {
    use async_trait::async_trait;
    use futures_util::FutureExt;

    use super::super::load;
    use super::*;
    use crate::error::{Error, ErrorKind, Result};
    use crate::ports::Secret;
    use crate::ports::memory::MemorySecrets;

    #[test]
    fn secrets_are_looked_up_by_the_names_that_the_layers_give() {
        let loaded = load(Some(("edgeway.toml", "[auth]\nkeys = [\"MINE\"]")), []).expect("TOML");
        let secrets = MemorySecrets::default();
        secrets.set("MINE", "x");
        secrets.set("NOT_ASKED_FOR", "x");
        let available = Availability { secrets: ["OLD".to_owned()].into(), ..Availability::default() };
        let resolved = resolve(&loaded, &secrets, available).now_or_never().expect("never waits").expect("compiles");
        assert_eq!(resolved.available.secrets, ["MINE".to_owned()].into());
        assert_eq!(resolved.config.auth_keys, ["MINE"]);
    }

    #[test]
    fn a_store_of_secrets_that_is_away_is_no_missing_secret() {
        struct Away;
        #[async_trait]
        impl SecretStore for Away {
            async fn secret(&self, name: &str) -> Result<Option<Secret>> {
                match name {
                    "MINE" => Err(Error::new(ErrorKind::Misconfigured, "No.").source("the vault is sealed")),
                    _ => Ok(None),
                }
            }
        }
        let loaded = load(Some(("edgeway.toml", "[auth]\nkeys = [\"MINE\"]")), []).expect("TOML");
        let found = resolve(&loaded, &Away, Availability::default()).now_or_never().expect("never waits").expect_err("away");
        assert_eq!(found.len(), 1, "{found:?}");
        assert_eq!(found[0].message, "the secret `MINE` cannot be looked up: the vault is sealed");
    }
}

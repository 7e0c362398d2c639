//! Secrets from the environment, or from files that the environment names.
//!
//! `NAME` holds the secret itself; `NAME_FILE` holds the path of a file with it, as container
//! orchestrators mount them. Only names that a configuration asks for are read, each once, when the
//! configuration is: a request never touches the disk for a key.

use std::collections::HashMap;
use std::path::Path;
use std::sync::{PoisonError, RwLock};

use async_trait::async_trait;
use edgeway_core::error::{Error, ErrorKind, Result};
use edgeway_core::ports::{Secret, SecretStore};

/// Most names that are remembered; far more than a configuration has.
const MOST: usize = 10_000;

/// Secrets as they were when they were first asked for.
#[derive(Default)]
pub struct EnvironmentSecrets {
    known: RwLock<HashMap<String, Option<Secret>>>,
}

impl EnvironmentSecrets {
    fn remember(&self, name: &str, secret: Option<Secret>) {
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= MOST {
            known.clear();
        }
        known.insert(name.to_owned(), secret);
    }
}

#[async_trait]
impl SecretStore for EnvironmentSecrets {
    async fn secret(&self, name: &str) -> Result<Option<Secret>> {
        if let Some(secret) = self.known.read().unwrap_or_else(PoisonError::into_inner).get(name) {
            return Ok(secret.clone());
        }
        let secret = read(name, &|name| std::env::var(name).ok(), &|path| std::fs::read_to_string(path))?;
        self.remember(name, secret.clone());
        Ok(secret)
    }
}

/// Reads one secret. Fails when the file that it lies in cannot be read.
fn read(
    name: &str,
    variable: &dyn Fn(&str) -> Option<String>,
    file: &dyn Fn(&Path) -> std::io::Result<String>,
) -> Result<Option<Secret>> {
    let direct = variable(name).filter(|value| !value.trim().is_empty());
    let path = || variable(&format!("{name}_FILE")).filter(|path| !path.is_empty());
    let value = match direct {
        Some(value) => value,
        None => match path() {
            None => return Ok(None),
            Some(path) => file(Path::new(&path)).map_err(|error| {
                Error::new(ErrorKind::Misconfigured, "A secret of the gateway cannot be read.")
                    .source(format_args!("{name}_FILE names {path}, which cannot be read: {error}"))
            })?,
        },
    };
    let value = value.trim_end_matches(['\r', '\n']);
    Ok((!value.is_empty()).then(|| Secret::new(value)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(name: &str, environment: &[(&str, &str)]) -> Result<Option<String>> {
        let variables: HashMap<String, String> = environment.iter().map(|(k, v)| (k.to_string(), v.to_string())).collect();
        let secret = super::read(name, &|name| variables.get(name).cloned(), &|path| match path.to_str() {
            Some("/run/secrets/key") => Ok("from-file\r\n".into()),
            _ => Err(std::io::Error::from(std::io::ErrorKind::NotFound)),
        });
        Ok(secret?.map(|secret| secret.expose().to_owned()))
    }

    #[test]
    fn a_variable_wins_over_its_file_and_line_ends_are_trimmed() {
        let environment = [("A", "direct\n"), ("A_FILE", "/run/secrets/key"), ("B_FILE", "/run/secrets/key")];
        assert_eq!(read("A", &environment).expect("set").as_deref(), Some("direct"));
        assert_eq!(read("B", &environment).expect("readable").as_deref(), Some("from-file"));
    }

    #[test]
    fn what_is_unset_or_empty_is_absent() {
        let environment = [("A", ""), ("B", " \n"), ("OTHER", "x")];
        for name in ["A", "B", "C"] {
            assert_eq!(read(name, &environment).expect("nothing to fail"), None, "{name}");
        }
    }

    #[test]
    fn a_file_that_is_not_there_is_no_missing_secret() {
        let error = read("A", &[("A_FILE", "/missing")]).expect_err("there is no such file");
        assert!(error.source.as_deref().unwrap_or("").starts_with("A_FILE names /missing"), "{error:?}");
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let secrets = EnvironmentSecrets::default();
        for number in 0..=MOST {
            secrets.remember(&number.to_string(), None);
        }
        assert!(secrets.known.read().unwrap().len() <= MOST);
    }
}

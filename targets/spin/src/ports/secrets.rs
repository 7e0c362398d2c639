//! Secrets are Spin variables.
//!
//! A secret's name becomes a variable's by its letters: `OPENAI_API_KEY` is the variable `openai_api_key`. Spin gives a
//! component only the variables that `[component.edgeway.variables]` in spin.toml declares.
//!
//! Invariant: a secret is asked for once an instance. Spin ends an instance after some requests, so a new value is
//! seen soon, and a vault behind the variables is not asked by every request.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use async_trait::async_trait;
use edgeway_core::error::{Error, ErrorKind, Result};
use edgeway_core::ports::{Secret, SecretStore};
use spin_sdk::variables::{self, Error as Refusal};

use crate::local::Local;

/// The variables of this component.
#[derive(Default)]
pub(crate) struct VariableSecrets {
    known: Mutex<BTreeMap<String, Option<Secret>>>,
}

#[async_trait]
impl SecretStore for VariableSecrets {
    async fn secret(&self, name: &str) -> Result<Option<Secret>> {
        if let Some(known) = self.known.lock().unwrap_or_else(PoisonError::into_inner).get(name) {
            return Ok(known.clone());
        }
        let value = Local::future(value(name)).await?;
        let secret = value.filter(|value| !value.trim().is_empty()).map(Secret::new);
        self.known.lock().unwrap_or_else(PoisonError::into_inner).insert(name.to_owned(), secret.clone());
        Ok(secret)
    }
}

/// A variable's value, without line ends behind it; `None` when it is not declared or has no value.
pub(crate) async fn value(name: &str) -> Result<Option<String>> {
    match variables::get(variable(name)).await {
        Ok(mut value) => {
            value.truncate(value.trim_end_matches(['\r', '\n']).len());
            Ok(Some(value))
        }
        Err(Refusal::Undefined(_) | Refusal::InvalidName(_)) => Ok(None),
        Err(error @ (Refusal::Provider(_) | Refusal::Other(_))) => {
            Err(Error::new(ErrorKind::Overloaded, "The gateway's secrets cannot be read now. Try again in a moment.")
                .source(format_args!("the variable `{}`: {error}", variable(name))))
        }
    }
}

/// The variable that holds the secret `name`: lower case, and what variables cannot have is an underscore.
pub(crate) fn variable(name: &str) -> String {
    name.chars().map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '_' }).collect()
}

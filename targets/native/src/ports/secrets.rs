//! Secrets from the environment, or from files that the environment names.
//!
//! `NAME` holds the secret itself; `NAME_FILE` holds the path of a file with it, as container
//! orchestrators mount them. Only names that the configuration asks for are read, once, at the start:
//! a request never touches the disk for a key.

use std::collections::HashMap;
use std::path::Path;

use async_trait::async_trait;
use edgeway_core::Result;
use edgeway_core::ports::{Secret, SecretStore};

/// Secrets as they were at the start.
#[derive(Default)]
pub struct EnvironmentSecrets {
    values: HashMap<String, Secret>,
}

impl EnvironmentSecrets {
    /// Reads the secrets of these names. The strings returned say which files could not be read.
    pub fn read<'n>(names: impl IntoIterator<Item = &'n str>) -> (Self, Vec<String>) {
        Self::read_from(names, &|name| std::env::var(name).ok(), &|path| std::fs::read_to_string(path))
    }

    fn read_from<'n>(
        names: impl IntoIterator<Item = &'n str>,
        variable: &dyn Fn(&str) -> Option<String>,
        file: &dyn Fn(&Path) -> std::io::Result<String>,
    ) -> (Self, Vec<String>) {
        let mut values = HashMap::new();
        let mut problems = Vec::new();
        for name in names {
            let direct = variable(name).filter(|value| !value.trim().is_empty());
            let value = direct.or_else(|| {
                let path = variable(&format!("{name}_FILE")).filter(|path| !path.is_empty())?;
                match file(Path::new(&path)) {
                    Ok(text) => Some(text),
                    Err(error) => {
                        problems.push(format!("{name}_FILE names {path}, which cannot be read: {error}"));
                        None
                    }
                }
            });
            if let Some(value) =
                value.as_deref().map(|value| value.trim_end_matches(['\r', '\n'])).filter(|value| !value.is_empty())
            {
                values.insert(name.to_owned(), Secret::new(value));
            }
        }
        (Self { values }, problems)
    }

    /// Whether a secret of that name is set.
    pub fn has(&self, name: &str) -> bool {
        self.values.contains_key(name)
    }
}

#[async_trait]
impl SecretStore for EnvironmentSecrets {
    async fn secret(&self, name: &str) -> Result<Option<Secret>> {
        Ok(self.values.get(name).cloned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(names: &[&str], environment: &[(&str, &str)]) -> (EnvironmentSecrets, Vec<String>) {
        let variables: HashMap<String, String> = environment.iter().map(|(k, v)| (k.to_string(), v.to_string())).collect();
        EnvironmentSecrets::read_from(names.iter().copied(), &|name| variables.get(name).cloned(), &|path| match path.to_str() {
            Some("/run/secrets/key") => Ok("from-file\r\n".into()),
            _ => Err(std::io::Error::from(std::io::ErrorKind::NotFound)),
        })
    }

    #[test]
    fn a_variable_wins_over_its_file_and_line_ends_are_trimmed() {
        let (secrets, problems) =
            read(&["A", "B"], &[("A", "direct\n"), ("A_FILE", "/run/secrets/key"), ("B_FILE", "/run/secrets/key")]);
        assert!(problems.is_empty());
        assert!(secrets.values["A"].expose() == "direct");
        assert!(secrets.values["B"].expose() == "from-file");
    }

    #[test]
    fn what_is_unset_or_empty_is_absent() {
        let (secrets, problems) = read(&["A", "B", "C"], &[("A", ""), ("B", " \n")]);
        assert!(problems.is_empty());
        assert!(!secrets.has("A") && !secrets.has("B") && !secrets.has("C"));
    }

    #[test]
    fn a_file_that_is_not_there_is_reported_and_only_asked_names_are_read() {
        let (secrets, problems) = read(&["A"], &[("A_FILE", "/missing"), ("OTHER", "x")]);
        assert_eq!(problems.len(), 1);
        assert!(problems[0].contains("A_FILE"));
        assert!(!secrets.has("A") && !secrets.has("OTHER"));
    }
}

//! The application's manifest, version 2: what of it decides what a component may do.
//!
//! Fields that Spin knows and this host has no use for are accepted; others are refused, so that a manifest that Spin
//! would refuse does not pass here.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context as _, bail, ensure};
use serde::Deserialize;

/// What a component may do, with the values of its variables.
#[derive(Debug, Default)]
pub(crate) struct Manifest {
    /// Variables by name; `None` where the application gives no value.
    pub(crate) variables: BTreeMap<String, String>,
    /// The component's environment.
    pub(crate) environment: BTreeMap<String, String>,
    /// Patterns of hosts that it may call.
    pub(crate) allowed_outbound_hosts: Vec<String>,
    /// Labels of its key-value stores.
    pub(crate) key_value_stores: Vec<String>,
    /// Labels of its databases.
    pub(crate) sqlite_databases: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    spin_manifest_version: u32,
    application: Application,
    #[serde(default)]
    variables: BTreeMap<String, Variable>,
    trigger: BTreeMap<String, Vec<Trigger>>,
    component: BTreeMap<String, Component>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "read so that unknown fields are found")]
struct Application {
    name: String,
    version: Option<String>,
    description: Option<String>,
    authors: Option<Vec<String>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "read so that unknown fields are found")]
struct Variable {
    default: Option<String>,
    #[serde(default)]
    required: bool,
    #[serde(default)]
    secret: bool,
    description: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "read so that unknown fields are found")]
struct Trigger {
    id: Option<String>,
    route: String,
    component: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "read so that unknown fields are found")]
struct Component {
    description: Option<String>,
    source: String,
    #[serde(default)]
    files: Vec<toml::Value>,
    #[serde(default)]
    allowed_outbound_hosts: Vec<String>,
    #[serde(default)]
    key_value_stores: Vec<String>,
    #[serde(default)]
    sqlite_databases: Vec<String>,
    #[serde(default)]
    variables: BTreeMap<String, String>,
    #[serde(default)]
    environment: BTreeMap<String, String>,
    build: Option<toml::Table>,
}

impl Manifest {
    /// Reads a manifest and lays `bindings` over it, as an operator does: `EDGEWAY__...` by the component's environment
    /// (`spin up --env`), everything else by a variable that the manifest declares or the operator adds to it.
    pub(crate) fn read(path: &Path, bindings: Vec<(String, String)>) -> anyhow::Result<Self> {
        let text = std::fs::read_to_string(path).with_context(|| path.display().to_string())?;
        Self::parse(&text, bindings).with_context(|| path.display().to_string())
    }

    fn parse(text: &str, bindings: Vec<(String, String)>) -> anyhow::Result<Self> {
        let mut document: Document = toml::from_str(text)?;
        ensure!(document.spin_manifest_version == 2, "spin_manifest_version must be 2");
        ensure!(!document.application.name.is_empty(), "the application has no name");
        let trigger =
            document.trigger.get("http").and_then(|triggers| triggers.first()).context("there is no [[trigger.http]]")?;
        ensure!(trigger.route.starts_with('/'), "a route begins with a slash");
        let component = document.component.remove(&trigger.component).context("the trigger names no component")?;
        let mut values = BTreeMap::new();
        for (name, variable) in &document.variables {
            check_name(name)?;
            ensure!(variable.required != variable.default.is_some(), "variable {name}: either `required = true` or a default");
            if let Some(default) = &variable.default {
                values.insert(name.clone(), default.clone());
            }
        }
        let mut manifest = Self {
            environment: component.environment,
            allowed_outbound_hosts: component.allowed_outbound_hosts,
            key_value_stores: component.key_value_stores,
            sqlite_databases: component.sqlite_databases,
            variables: BTreeMap::new(),
        };
        let mut given = BTreeMap::new();
        for (name, value) in bindings {
            match name.starts_with("EDGEWAY__") {
                true => manifest.environment.insert(name, value),
                false => given.insert(name.to_ascii_lowercase(), value),
            };
        }
        for (name, template) in component.variables {
            check_name(&name)?;
            let of = template.trim().strip_prefix("{{").and_then(|rest| rest.strip_suffix("}}")).map(str::trim);
            let value = match of {
                Some(of) if !document.variables.contains_key(of) => {
                    bail!("variable {name} refers to {of}, which is not declared")
                }
                Some(of) => given.remove(of).or_else(|| values.get(of).cloned()),
                None => Some(template),
            };
            if let Some(value) = value {
                manifest.variables.insert(name, value);
            }
        }
        for (name, value) in given {
            if check_name(&name).is_ok() {
                manifest.variables.insert(name, value);
            }
        }
        Ok(manifest)
    }
}

/// Spin's rule for the names of variables.
pub(crate) fn check_name(name: &str) -> anyhow::Result<()> {
    let starts = name.starts_with(|c: char| c.is_ascii_lowercase());
    let holds = name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_');
    ensure!(starts && holds, "`{name}` is no variable's name: lower case letters, digits and underscores, a letter first");
    ensure!(
        !name.contains("__") && !name.ends_with('_'),
        "`{name}` is no variable's name: single underscores, and none at the end"
    );
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const MANIFEST: &str = "spin_manifest_version = 2\n[application]\nname = \"a\"\n[variables]\nkey = { default = \"\", secret = true }\n\
        [[trigger.http]]\nroute = \"/...\"\ncomponent = \"c\"\n[component.c]\nsource = \"c.wasm\"\n\
        [component.c.variables]\nkey = \"{{ key }}\"\nfixed = \"x\"\n";

    fn read(bindings: &[(&str, &str)]) -> Manifest {
        let bindings = bindings.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        Manifest::parse(MANIFEST, bindings).expect("a manifest")
    }

    #[test]
    fn bindings_become_variables_and_environment() {
        let manifest = read(&[("KEY", "secret"), ("EDGEWAY__A__B", "1"), ("OTHER_KEY", "o"), ("NOT__ONE", "n")]);
        let variables: Vec<_> = manifest.variables.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        assert_eq!(variables, [("fixed", "x"), ("key", "secret"), ("other_key", "o")]);
        assert_eq!(manifest.environment["EDGEWAY__A__B"], "1");
        assert_eq!(read(&[]).variables["key"], "");
    }

    #[test]
    fn what_spin_refuses_is_refused() {
        for (from, to) in [
            ("default = \"\"", "required = true, default = \"\""),
            ("{{ key }}", "{{ other }}"),
            ("key =", "k__y ="),
            ("source", "sauce"),
        ] {
            assert!(Manifest::parse(&MANIFEST.replacen(from, to, 1), Vec::new()).is_err(), "{to}");
        }
    }
}

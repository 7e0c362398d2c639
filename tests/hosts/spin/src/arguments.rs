//! The command line.

use std::path::PathBuf;

use anyhow::{Context as _, bail};

/// What the command line says.
#[derive(Debug, Default)]
pub(crate) struct Arguments {
    /// The application's manifest.
    pub(crate) manifest: PathBuf,
    /// The component, if not the manifest's.
    pub(crate) component: PathBuf,
    /// The file that is shipped with the component as `edgeway.toml`.
    pub(crate) config: Option<PathBuf>,
    /// Where stores are kept; a folder of its own, removed at the end, if not given.
    pub(crate) state: Option<PathBuf>,
    /// Hosts that may be called besides the manifest's.
    pub(crate) allow: Vec<String>,
    /// Stores and databases of the manifest that are left out.
    pub(crate) without: Vec<String>,
    /// Serve even if the component says that it is not ready.
    pub(crate) serve_anyway: bool,
    /// Threads.
    pub(crate) workers: usize,
    /// Measure so many instances and end.
    pub(crate) measure: Option<usize>,
}

const USAGE: &str = "usage: edgeway-spin-host --manifest SPIN.TOML --component WASM [--config FILE] [--state DIR] \
                     [--allow HOST]... [--without key_value_stores|sqlite_databases]... [--serve-anyway] [--workers N] [--measure ROUNDS]";

impl Arguments {
    /// Reads them.
    pub(crate) fn read(mut words: impl Iterator<Item = String>) -> anyhow::Result<Self> {
        let mut arguments = Self { workers: 2, ..Self::default() };
        while let Some(word) = words.next() {
            let mut value = || words.next().with_context(|| format!("{word} needs a value\n{USAGE}"));
            match word.as_str() {
                "--manifest" => arguments.manifest = value()?.into(),
                "--component" => arguments.component = value()?.into(),
                "--config" => arguments.config = Some(value()?.into()),
                "--state" => arguments.state = Some(value()?.into()),
                "--allow" => arguments.allow.push(value()?),
                "--without" => arguments.without.push(value()?),
                "--serve-anyway" => arguments.serve_anyway = true,
                "--workers" => arguments.workers = value()?.parse().context("--workers is no number")?,
                "--measure" => arguments.measure = Some(value()?.parse().context("--measure is no number")?),
                _ => bail!("unknown argument {word}\n{USAGE}"),
            }
        }
        if arguments.manifest.as_os_str().is_empty() || arguments.component.as_os_str().is_empty() {
            bail!("--manifest and --component are needed\n{USAGE}");
        }
        Ok(arguments)
    }
}

//! The native server: the tests' own build of it.

use super::Launcher;
use crate::report::{Broken, Report};
use crate::run::cargo;
use crate::workspace;

/// Builds it.
pub(crate) fn prepare(report: &mut Report) -> Result<Launcher, Broken> {
    report.command("build edgeway", cargo(&["build", "--package", "edgeway", "--quiet"]))?;
    let binary = workspace::target().join("debug/edgeway").to_string_lossy().into_owned();
    Ok(Launcher { command: vec![binary, "serve".to_owned()], ..Launcher::default() })
}

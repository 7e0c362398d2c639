//! The Lambda function: the real `bootstrap`, and the host that plays the platform around it.

use super::Launcher;
use crate::report::{Broken, Report};
use crate::run::cargo;
use crate::workspace;

/// What an invocation may take, in seconds. Lambda does not tell a function that its caller went away; what ends such an
/// exchange is this limit, and the cases of callers who hang up wait for it.
const TIME_LIMIT: &str = "10";

/// Builds both.
pub(crate) fn prepare(report: &mut Report) -> Result<Launcher, Broken> {
    let packages = ["build", "--package", "edgeway-lambda", "--package", "edgeway-lambda-host", "--quiet"];
    report.command("build the Lambda function and its host", cargo(&packages))?;
    let host = workspace::target().join("debug/edgeway-lambda-host").to_string_lossy().into_owned();
    let command = [host.as_str(), "--instances", "2", "--freeze", "--time-limit", TIME_LIMIT].map(str::to_owned).to_vec();
    Ok(Launcher { command, ..Launcher::default() })
}

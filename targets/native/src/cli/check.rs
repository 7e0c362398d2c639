//! `edgeway check`: everything that is wrong with a configuration, at once, as a compiler would say it.

use std::path::PathBuf;
use std::process::ExitCode;

use edgeway_core::config::{Config, Diagnostic, Severity};
use serde_json::json;

use super::configuration::{self, Failure, Ready, Sources};
use super::output::{Output, Paint, paint};

pub(super) fn run(file: Option<PathBuf>, output: &Output) -> ExitCode {
    let (config, read, found) = match configuration::ready(Sources { file: file.clone(), flags: Vec::new() }) {
        Ok(Ready { resolved, file }) => (Some(resolved.config), file, resolved.warnings),
        Err(Failure::Refused(found)) => (None, file, found),
        Err(failure @ Failure::Other(_)) => return super::failed(&failure, output),
    };
    let count = |severity: Severity| found.iter().filter(|found| found.severity == severity).count();
    let (errors, warnings) = (count(Severity::Error), count(Severity::Warning));
    if output.json {
        output.print_json(&json!({
            "ok": errors == 0,
            "file": read.map(|path| path.display().to_string()),
            "errors": errors,
            "warnings": warnings,
            "diagnostics": found,
        }));
    } else {
        say(config.as_ref(), read.map(|path| path.display().to_string()), &found, output);
    }
    if config.is_some() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn say(config: Option<&Config>, file: Option<String>, found: &[Diagnostic], output: &Output) {
    output.say(&output.rendered(found));
    let Some(config) = config else { return };
    let on = config.providers.values().filter(|entry| entry.enabled).count();
    let plural = |number: usize, noun: &str| format!("{number} {noun}{}", if number == 1 { "" } else { "s" });
    let what = file.unwrap_or_else(|| "no file: the defaults and the environment".to_owned());
    output.print(&format!(
        "{} {what}: {} on, {}, {}\n",
        paint(output.colour, Paint::Green, "ok"),
        plural(on, "provider"),
        plural(config.models.len(), "model"),
        plural(config.routes.len(), "route"),
    ));
}

//! `edgeway init`: a configuration file with every setting in a comment. Never writes over a file unasked.

use std::io::{ErrorKind, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use edgeway_core::config;
use serde_json::json;

use super::configuration::DEFAULT_FILE;
use super::output::Output;

#[derive(Clone, Debug, clap::Args)]
pub(super) struct Arguments {
    /// The file to write.
    #[arg(default_value = DEFAULT_FILE)]
    file: PathBuf,
    /// Write over a file that is there.
    #[arg(long)]
    force: bool,
}

pub(super) fn run(arguments: &Arguments, output: &Output) -> ExitCode {
    let shown = arguments.file.display();
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create(true).truncate(true).create_new(!arguments.force);
    match options.open(&arguments.file).and_then(|mut file| file.write_all(config::starter().as_bytes())) {
        Ok(()) if output.json => output.print_json(&json!({"written": shown.to_string()})),
        Ok(()) => output.print(&format!("wrote {shown}; take out the comment signs of what you need, then `edgeway check`\n")),
        Err(error) => {
            match error.kind() {
                ErrorKind::AlreadyExists => output.error(&format!("{shown} is there already; --force writes over it")),
                _ => output.error(&format!("cannot write {shown}: {error}")),
            }
            return ExitCode::FAILURE;
        }
    }
    ExitCode::SUCCESS
}

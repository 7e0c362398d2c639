//! `edgeway config`: the document that is stored with a gateway, and its versions.
//!
//! | file | what it holds |
//! |---|---|
//! | `desk.rs` | where the stored document is: behind a gateway's administration, or in a store at hand |
//! | `say.rs` | what an operator reads |

pub(super) mod say;

use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Subcommand;
use http::Method;
use serde_json::{Value, json};

use super::configuration::{self, Failure};
use super::desk::{Ask, Desk, detail, encoded};
use super::output::Output;

const EXAMPLES: &str = "\
Examples:
  edgeway config show                                what is stored, as it was pushed
  edgeway config show --values                       every value that is set, and where it is from
  edgeway config diff new.toml                       what new.toml would change, value by value
  edgeway config push new.toml --note 'more time'    make it current, here and on every gateway of the store
  edgeway config push new.toml --dry-run             do everything but the change
  edgeway config history                             the versions that are kept, who set them, and why
  edgeway config rollback                            back to the version before; `rollback 5` to version 5
  edgeway config push new.toml --gateway https://gateway.example.com

With --gateway the gateway there is asked over HTTP, with the key in EDGEWAY_ADMIN_KEY (or a file that EDGEWAY_ADMIN_KEY_FILE
names); its configuration must name that key in [admin]. Without it the store that the local configuration chooses is used
directly; stop the gateway that runs on a file store, or ask it with --gateway.

Exit codes: 0 done, 1 it could not be done (and why is on standard error), 2 the command line is wrong.";

#[derive(Clone, Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Arguments {
    #[command(subcommand)]
    command: Command,
    /// Ask the gateway at this address [default: use the store of the local configuration].
    #[arg(long, global = true, value_name = "URL")]
    gateway: Option<String>,
}

#[derive(Clone, Debug, Subcommand)]
enum Command {
    /// Make a document current.
    Push {
        /// The document, TOML or JSON; `-` reads standard input.
        file: PathBuf,
        #[command(flatten)]
        change: Change,
    },
    /// Say what a document would change, value by value, and what is wrong with it.
    Diff {
        /// The document, TOML or JSON; `-` reads standard input.
        file: PathBuf,
    },
    /// Make an earlier version current again, as a new version.
    Rollback {
        /// Which version [default: the one before the current].
        version: Option<u64>,
        #[command(flatten)]
        change: Change,
    },
    /// List the versions that are kept, newest first.
    History,
    /// Print the document that is stored, as it was pushed.
    Show {
        /// Of this version [default: the current].
        version: Option<u64>,
        /// Print every value that is set instead, and where it is from.
        #[arg(long, conflicts_with = "version")]
        values: bool,
    },
}

#[derive(Clone, Debug, clap::Args)]
struct Change {
    /// Why, for the history.
    #[arg(long, value_name = "TEXT", default_value = "", hide_default_value = true)]
    note: String,
    /// Only if this version is still current; 0 if nothing is stored.
    #[arg(long, value_name = "VERSION")]
    expect: Option<u64>,
    /// Do everything but the change.
    #[arg(long)]
    dry_run: bool,
}

impl Change {
    fn query(&self) -> String {
        format!("dry_run={}&note={}", self.dry_run, encoded(&self.note))
    }
}

pub(super) fn run(arguments: &Arguments, config: Option<PathBuf>, output: &Output) -> ExitCode {
    match attempt(arguments, config, output) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(failure) => super::failed(&failure, output),
    }
}

/// Whether it could be done.
fn attempt(arguments: &Arguments, config: Option<PathBuf>, output: &Output) -> Result<bool, Failure> {
    let desk = Desk::open(arguments.gateway.as_deref(), config)?;
    let done = configuration::wait(work(&desk, &arguments.command, output));
    desk.close();
    done?
}

async fn work(desk: &Desk, command: &Command, output: &Output) -> Result<bool, Failure> {
    let document = match command {
        Command::Push { file, .. } | Command::Diff { file } => Some((shown(file), text(file)?)),
        _ => None,
    };
    let (file, text) = document.unwrap_or_default();
    let ask = match command {
        Command::Push { change, .. } => {
            let seen = seen(desk, change.expect).await?;
            Ask::send(Method::PUT, format!("config?{}", change.query()), "application/toml", text).expecting(Some(seen))
        }
        Command::Diff { .. } => Ask::send(Method::POST, "config/check", "application/toml", text),
        Command::Rollback { version, change } => {
            let seen = seen(desk, change.expect).await?;
            let body = version.map_or_else(String::new, |version| json!({"to": version}).to_string());
            let path = format!("config/rollback?{}", change.query());
            Ask::send(Method::POST, path, "application/json", body).expecting(Some(seen))
        }
        Command::History => Ask::get("config/history"),
        Command::Show { version: Some(version), .. } => Ask::get(format!("config/{version}")),
        Command::Show { version: None, .. } => Ask::get("config"),
    };
    let answer = desk.ask(ask).await?;
    let (status, body) = (answer.status, answer.body());
    // A document with errors is an answer to `diff`, and still nothing to push.
    let done = status.is_success() && body["ok"] != false;
    if output.json {
        output.print_json(body);
    } else if status.is_success() {
        say(command, body, &file, output);
    } else {
        say::problem(body, &file, output);
    }
    Ok(done)
}

fn say(command: &Command, body: &Value, file: &str, output: &Output) {
    match command {
        Command::Push { .. } | Command::Rollback { .. } => say::changed(body, file, output),
        Command::Diff { .. } => say::difference(body, file, output),
        Command::History => say::history(body, output),
        Command::Show { values: true, .. } => say::values(body, output),
        Command::Show { .. } => say::document(body, output),
    }
}

/// The version that the operator has seen: the one that they name, or the one that is current now.
async fn seen(desk: &Desk, expect: Option<u64>) -> Result<u64, Failure> {
    if let Some(version) = expect {
        return Ok(version);
    }
    let answer = desk.ask(Ask::get("config")).await?;
    match answer.version {
        Some(version) if answer.status.is_success() => Ok(version),
        _ => Err(Failure::Other(detail(answer.body()))),
    }
}

fn shown(file: &Path) -> String {
    if file == Path::new("-") { "standard input".to_owned() } else { file.display().to_string() }
}

fn text(file: &Path) -> Result<String, Failure> {
    let read = match file == Path::new("-") {
        true => {
            let mut text = String::new();
            std::io::stdin().read_to_string(&mut text).map(|_| text)
        }
        false => std::fs::read_to_string(file),
    };
    Ok(read.map_err(|error| format!("cannot read {}: {error}", shown(file)))?)
}

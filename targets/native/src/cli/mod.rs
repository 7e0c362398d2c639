//! The command line: `edgeway [serve] | check | models | providers | init | config | audit`, and the administration's objects.
//!
//! Every command takes `--json` for machines and `--config` for the file. What a command finds goes to
//! standard output, what it has to say about itself to standard error. Exit codes are part of the
//! interface: 0 done, 1 it could not be done (and why is on standard error), 2 the command line is wrong.

mod audit;
mod banner;
mod check;
mod config;
mod configuration;
mod desk;
mod init;
mod models;
mod objects;
mod output;
mod platform;
mod providers;
mod serve;
mod standings;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};

use configuration::{Failure, Ready, Sources};
use objects::{ApplicationFields, Objects, RoleFields, TenantFields, UserFields};
use output::Output;

const EXAMPLES: &str = "\
Examples:
  edgeway                                     serve on 127.0.0.1:8787 with every provider whose key is set
  OPENAI_API_KEY=sk-... edgeway               ... with OpenAI
  edgeway --listen 127.0.0.1:9000             ... somewhere else
  edgeway init && edgeway check               write a configuration file, and see what is wrong with it
  edgeway providers                           which providers are on, and what the others need
  edgeway models --json                       the models that can be asked for by name, for scripts
  edgeway config push new.toml                change a running gateway; `edgeway config --help` has the rest
  edgeway audit verify                        see that nobody has touched the record of who did what
  edgeway keys create --tenant acme --rpm 60 --budget 20usd/month    make a virtual key

Exit codes: 0 done, 1 it could not be done, 2 the command line is wrong.
Settings: edgeway.toml, then EDGEWAY_CONFIG, then EDGEWAY__SECTION__FIELD variables, then flags, then the stored document
(`edgeway config`); later wins.
Secrets come from environment variables, or from files that NAME_FILE variables name.";

/// An AI gateway: one address for every model provider.
#[derive(Debug, Parser)]
#[command(name = "edgeway", version, after_help = EXAMPLES, args_conflicts_with_subcommands = false)]
struct CommandLine {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    common: Common,
    #[command(flatten)]
    serve: serve::Arguments,
}

/// What every command takes.
#[derive(Args, Clone, Debug)]
struct Common {
    /// Read this configuration file [default: ./edgeway.toml if there is one].
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Print JSON.
    #[arg(long, global = true)]
    json: bool,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serve requests. What happens without a command, too.
    Serve(serve::Arguments),
    /// Check a configuration, and say everything that is wrong with it.
    #[command(after_help = "Exits with 1 when there is an error; warnings alone exit with 0.")]
    Check {
        /// The file [default: --config, or ./edgeway.toml if there is one].
        file: Option<PathBuf>,
    },
    /// List the models that can be asked for by name.
    Models,
    /// List the known providers: which are on, and what the others need.
    Providers,
    /// Write a configuration file with every setting in a comment.
    Init(init::Arguments),
    /// Show and change the configuration that is stored with a gateway, version by version.
    Config(config::Arguments),
    /// Show who did what, and check that the record of it is what was written.
    Audit(audit::Arguments),
    /// Make, show and change tenants: whose everything else is.
    Tenants(Objects<TenantFields>),
    /// Make, show and change the teams of a tenant.
    Teams(Objects<TenantFields>),
    /// Make, show and change the applications of a tenant.
    Apps(Objects<ApplicationFields>),
    /// Make, show and change the users of a tenant.
    Users(Objects<UserFields>),
    /// Make, show and change the roles of a tenant.
    Roles(Objects<RoleFields>),
    /// Make, show, change, rotate and revoke the virtual keys of a tenant.
    Keys(objects::Keys),
    /// Show how limits stand.
    Limits(standings::Limits),
    /// Show how budgets stand, top them up, reset them.
    Budgets(standings::Budgets),
    /// Show what requests took and cost.
    Usage(standings::Usage),
}

/// Runs the command line that this process was started with.
pub fn main() -> ExitCode {
    let CommandLine { command, common, serve } = CommandLine::parse();
    let output = Output::standard(common.json);
    match command {
        None => serve::run(&serve, common.config, &output),
        Some(Command::Serve(given)) => serve::run(&given.or(serve), common.config, &output),
        Some(Command::Check { file }) => check::run(file.or(common.config), &output),
        Some(Command::Models) => with_configuration(common.config, &output, models::run),
        Some(Command::Providers) => with_configuration(common.config, &output, providers::run),
        Some(Command::Init(arguments)) => init::run(&arguments, &output),
        Some(Command::Config(arguments)) => config::run(&arguments, common.config, &output),
        Some(Command::Audit(arguments)) => audit::run(&arguments, common.config, &output),
        Some(Command::Tenants(given)) => objects::run("tenants", given, common.config, &output),
        Some(Command::Teams(given)) => objects::run("teams", given, common.config, &output),
        Some(Command::Apps(given)) => objects::run("applications", given, common.config, &output),
        Some(Command::Users(given)) => objects::run("users", given, common.config, &output),
        Some(Command::Roles(given)) => objects::run("roles", given, common.config, &output),
        Some(Command::Keys(given)) => objects::keys(given, common.config, &output),
        Some(Command::Limits(given)) => standings::limits(&given, common.config, &output),
        Some(Command::Budgets(given)) => standings::budgets(&given, common.config, &output),
        Some(Command::Usage(given)) => standings::usage(&given, common.config, &output),
    }
}

/// Runs a command that needs a valid configuration. Warnings are left to `check`.
fn with_configuration(file: Option<PathBuf>, output: &Output, run: impl FnOnce(&Ready, &Output)) -> ExitCode {
    match configuration::ready(Sources { file, flags: Vec::new() }) {
        Ok(ready) => {
            run(&ready, output);
            ExitCode::SUCCESS
        }
        Err(failure) => failed(&failure, output),
    }
}

/// Says why there is no configuration.
fn failed(failure: &Failure, output: &Output) -> ExitCode {
    match failure {
        Failure::Other(message) => output.error(message),
        Failure::Refused(found) => output.diagnostics(found),
    }
    ExitCode::FAILURE
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        CommandLine::command().debug_assert();
    }

    #[test]
    fn serving_is_what_happens_without_a_command_and_takes_its_flags_in_both_places() {
        for line in [
            &["edgeway", "--listen", "127.0.0.1:1", "--json"][..],
            &["edgeway", "serve", "--listen", "127.0.0.1:1", "--json"],
            &["edgeway", "--json", "--listen", "127.0.0.1:1", "serve"],
        ] {
            let CommandLine { command, common, serve } = CommandLine::try_parse_from(line).expect("valid");
            let serve = match command {
                None => serve,
                Some(Command::Serve(given)) => given.or(serve),
                Some(other) => panic!("{other:?}"),
            };
            assert_eq!((serve.listen.as_deref(), common.json), (Some("127.0.0.1:1"), true));
        }
        assert!(CommandLine::try_parse_from(["edgeway", "--workers", "0"]).is_err());
        assert!(CommandLine::try_parse_from(["edgeway", "server"]).is_err());
    }
}

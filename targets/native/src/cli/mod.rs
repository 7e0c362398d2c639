//! The command line.

mod configuration;
mod serve;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// An AI gateway: one address for every model provider.
#[derive(Debug, Parser)]
#[command(name = "edgeway", version)]
struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serve requests (what happens without a command, too).
    Serve(serve::Arguments),
}

/// Runs the command line that this process was started with.
pub fn main() -> ExitCode {
    match Arguments::parse().command.unwrap_or(Command::Serve(serve::Arguments::default())) {
        Command::Serve(arguments) => serve::run(&arguments),
    }
}

//! Runs the Spin component the way Spin does, as far as tests and figures need it: `wasi:http` in and out, and Spin's
//! key-value store, SQLite database and variables for real, kept in a folder.
//!
//! It behaves like `edgeway serve` (the launchers of `tests/src/driver`): `--config FILE` is the file that the component
//! ships, the environment is its bindings, one line says where it listens, and SIGTERM ends it when nothing is under way.
//!
//! | file | what it is |
//! |---|---|
//! | `arguments.rs` | the command line |
//! | `manifest.rs`, `hosts.rs` | spin.toml, as far as it matters here, and its rule for outbound hosts |
//! | `component.rs` | the component, compiled once, and its instances |
//! | `state.rs` | what one instance has of its own |
//! | `server.rs`, `outbound.rs` | HTTP in and out |
//! | `spin/` | Spin's interfaces |
//! | `measure.rs` | what an instance costs |
//!
//! What it does not do: TLS for callers, triggers other than HTTP, more than one component.

mod arguments;
mod component;
mod hosts;
mod manifest;
mod measure;
mod outbound;
mod server;
mod spin;
mod state;

use std::process::ExitCode;
use std::sync::Arc;

use arguments::Arguments;
use component::Component;
use state::App;

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("edgeway-spin-host: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> anyhow::Result<()> {
    let arguments = Arguments::read(std::env::args().skip(1))?;
    let app = Arc::new(App::open(&arguments, std::env::vars().collect())?);
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(arguments.workers).enable_all().build()?;
    let component = Component::load(&arguments.component, app)?;
    match arguments.measure {
        Some(rounds) => runtime.block_on(measure::run(&component, rounds)),
        None => runtime.block_on(server::serve(component, arguments.serve_anyway)),
    }
}

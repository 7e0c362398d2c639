//! Lambda on a developer's machine, for tests and benches: the real `bootstrap` binary in sandboxes of its own, each with
//! a Runtime API that gives it one invocation at a time, and an HTTP front that turns requests into events.
//!
//! | module | what it is |
//! |---|---|
//! | `options` | the command line |
//! | `sandbox` | one instance: its process, its Runtime API, its freezes |
//! | `api` | the Runtime API's calls on one connection |
//! | `queue` | invocations that wait for a sandbox |
//! | `event` | a request as a function URL, API Gateway or a load balancer tells it |
//! | `reply` | a function's answer, streamed or whole, as pieces of a response |
//! | `front` | the HTTP side |
//! | `stores` | DynamoDB, S3 and SQS stand-ins |
//! | `mortal` | processes that end with this one, however it ends |
//!
//! Prints one line with its address when every sandbox is ready, the functions' records on standard output and what
//! they say else on standard error. Ends at SIGTERM with 0, and with 1 when the function refuses its configuration.
#![allow(
    clippy::disallowed_macros,
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "the host plays a platform: it needs sockets, files, processes and clocks"
)]

mod api;
mod event;
mod front;
mod mortal;
mod options;
mod queue;
mod reply;
mod sandbox;
mod stores;

use std::process::ExitCode;
use std::sync::Arc;

use options::Options;
use queue::Queue;
use sandbox::{Function, Sandbox};

fn main() -> ExitCode {
    let options = match Options::parse(std::env::args().skip(1)) {
        Ok(options) => options,
        Err(wrong) => {
            eprintln!("lambda-host: {wrong}\n\n{}", options::HELP);
            return ExitCode::from(2);
        }
    };
    match serve(&options) {
        Ok(()) => ExitCode::SUCCESS,
        Err(wrong) => {
            eprintln!("lambda-host: {wrong}");
            ExitCode::FAILURE
        }
    }
}

fn serve(options: &Options) -> Result<(), String> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(|error| error.to_string())?;
    let mut terminate = runtime
        .block_on(async { tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()) })
        .map_err(|error| format!("cannot listen for signals: {error}"))?;
    let document = options.config.as_ref().map(std::fs::read_to_string).transpose().map_err(|error| error.to_string())?;
    let stores = stores::Stores::start(options, options.stores.of(document.as_deref().unwrap_or_default()))?;
    let function = Arc::new(Function::new(options, stores.bindings())?);
    let queue = Arc::new(Queue::default());
    let sandboxes = Sandbox::start_all(&function, &queue, options)?;
    let front = front::Front::start(options.source, queue.clone()).map_err(|error| format!("cannot listen: {error}"))?;
    println!("{}", serde_json::json!({"event": "listening", "url": format!("http://{}", front.address())}));
    runtime.block_on(terminate.recv());
    front.drain();
    queue.close();
    for sandbox in sandboxes {
        sandbox.end();
    }
    drop(stores);
    Ok(())
}

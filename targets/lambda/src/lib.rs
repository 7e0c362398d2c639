//! Edgeway as an AWS Lambda function: the Runtime API on one side, [`edgeway_core`] on the other.
//!
//! | module | what it is |
//! |---|---|
//! | `start` | environment and shipped file to a gateway, or to the reasons why there is none |
//! | `runtime` | the platform's invocations, and where answers go |
//! | `function` | one invocation: event in, answer out, and what follows an answer |
//! | `event` | what a function URL, API Gateway or a load balancer asked, as a request |
//! | `reply` | an answer as each of them takes it, streamed or whole |
//! | `stores` | what a function is bound to |
//! | [`ports`] | DynamoDB, S3, SQS and the log |
//!
//! Invariant: an answer ends only after its request is settled, because the sandbox may be frozen from the
//! answer's last byte on. Sockets, clock and randomness are the native server's own.
#![allow(
    clippy::disallowed_macros,
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "an adapter is where core meets sockets, clocks, files and the environment"
)]

mod event;
mod function;
pub mod ports;
mod reply;
mod runtime;
mod start;
mod stores;

use std::panic::AssertUnwindSafe;
use std::process::ExitCode;

use edgeway_core::error::{Error, Result};
use futures_util::FutureExt;

use function::Function;
use runtime::{Invocation, Runtime};

/// Serves invocations until the platform ends the process.
pub fn main() -> ExitCode {
    let executor = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(executor) => executor,
        Err(error) => return failed(&error),
    };
    let runtime = match Runtime::from_environment() {
        Ok(runtime) => runtime,
        Err(missing) => return failed(&missing),
    };
    executor.block_on(async {
        let function = Function::new(start::serving().await);
        loop {
            let invocation = match runtime.next().await {
                Ok(invocation) => invocation,
                Err(error) => return failed(&why(&error)),
            };
            let answered = AssertUnwindSafe(answer(&runtime, &function, &invocation)).catch_unwind().await;
            if let Ok(Err(error)) = answered {
                eprintln!("edgeway: an answer was not taken: {}", why(&error));
            }
            // An answer that was broken off is settled all the same, and before the sandbox may be frozen.
            function.settled().await;
        }
    })
}

async fn answer(runtime: &Runtime, function: &Function, invocation: &Invocation) -> Result<()> {
    match serde_json::from_slice(&invocation.event) {
        Ok(event) => runtime.answer(invocation, function.answer(event, invocation.deadline).await).await,
        Err(error) => runtime.fail(invocation, "Edgeway.InvalidEvent", &error.to_string()).await,
    }
}

fn why(error: &Error) -> &str {
    error.source.as_deref().unwrap_or(&error.message)
}

fn failed(error: &dyn std::fmt::Display) -> ExitCode {
    eprintln!("edgeway: {error}");
    ExitCode::FAILURE
}

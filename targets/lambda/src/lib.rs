//! Edgeway as an AWS Lambda function: the Runtime API on one side, [`edgeway_core`] on the other.
//!
//! | module | what it is |
//! |---|---|
//! | `start` | environment and shipped file to a gateway, or to the reasons why there is none |
//! | `function` | one invocation: event in, answer out, and what follows an answer |
//! | `event` | what a function URL, API Gateway or a load balancer asked, as a request |
//! | `reply` | an answer as each of them takes it, streamed or whole |
//! | `refusal` | what a function that cannot serve says, in its caller's protocol |
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
mod refusal;
mod reply;
mod start;
mod stores;

use std::process::ExitCode;
use std::sync::Arc;

use lambda_http::lambda_runtime;

use function::Function;

/// Serves invocations until the platform ends the process.
pub fn main() -> ExitCode {
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return failed(&error),
    };
    runtime.block_on(async {
        let function = Arc::new(Function::new(start::serving().await));
        let service = {
            let function = function.clone();
            lambda_http::service_fn(move |event| {
                let function = function.clone();
                async move { Ok::<_, std::convert::Infallible>(function.answer(event).await) }
            })
        };
        let ended = lambda_runtime::Runtime::new(service).run().await;
        // An answer that the platform broke off is settled all the same.
        function.settled().await;
        match ended {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => failed(&error),
        }
    })
}

fn failed(error: &dyn std::fmt::Display) -> ExitCode {
    eprintln!("edgeway: {error}");
    ExitCode::FAILURE
}

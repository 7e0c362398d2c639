//! Edgeway as a Spin application: `wasi:http` in and out, Spin's key-value store, SQLite database and variables below.
//!
//! | file | what it is |
//! |---|---|
//! | `app.rs` | configuration, ports and gateway of one instance |
//! | `exchange.rs` | one request in, one response out, and its settlement |
//! | `wire.rs` | header fields and bodies between the component model and core |
//! | `local.rs` | futures of the component model as core wants them |
//! | `suite.rs` | the port suites, in builds for tests |
//! | `ports/` | core's ports over Spin's interfaces |
//!
//! Nothing here knows models, prices or policies. Elsewhere than on `wasm32-wasip2` the crate is empty.
#![cfg(all(target_os = "wasi", target_env = "p2"))]
#![allow(
    clippy::disallowed_macros,
    clippy::disallowed_methods,
    reason = "an adapter is where files, environment and output are; core's rules are core's"
)]

mod app;
mod exchange;
mod local;
mod ports;
#[cfg(feature = "suite")]
mod suite;
mod wire;

use spin_sdk::wasip3::exports::http::handler::Guest;
use spin_sdk::wasip3::http::types::{ErrorCode, Request, Response};

struct Edgeway;

spin_sdk::wasip3::http::service::export!(Edgeway);

impl Guest for Edgeway {
    async fn handle(request: Request) -> Result<Response, ErrorCode> {
        let inbound = exchange::inbound(request)?;
        #[cfg(feature = "suite")]
        let inbound = match suite::answer(inbound).await {
            Ok(answer) => return exchange::outbound(answer),
            Err(inbound) => inbound,
        };
        match app::gateway().await {
            Ok(gateway) => exchange::answer(&gateway, inbound).await,
            Err(why) => {
                eprintln!("edgeway: not configured\n{why}");
                let (parts, _body) = inbound.request.into_parts();
                exchange::outbound(edgeway_core::unserved::misconfigured(&parts, &why))
            }
        }
    }
}

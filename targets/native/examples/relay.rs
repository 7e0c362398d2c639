//! Forwards every request unchanged: what the server and the HTTP client cost without the core.
//!
//!     cargo run --release --example relay -- 127.0.0.1:8787 127.0.0.1:9100 [WORKERS]
#![allow(clippy::disallowed_macros, clippy::disallowed_methods, clippy::disallowed_types, reason = "an example of an adapter")]

use std::sync::Arc;
use std::time::Duration;

use edgeway_core::exchange::Inbound;
use edgeway_core::ports::{HttpClient, Network, Outbound, Timeouts};
use edgeway_core::{Body, Handled};
use edgeway_native::ports::http::{Client, Connector};
use edgeway_native::server::{Server, Settings};

fn main() -> std::io::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [listen, upstream, rest @ ..] = &arguments[..] else { panic!("usage: relay LISTEN UPSTREAM [WORKERS]") };
    let mut settings = Settings::new(listen.parse().expect("LISTEN is an address and a port"));
    if let Some(workers) = rest.first() {
        settings.workers = workers.parse().expect("WORKERS is a number");
    }
    let upstream: http::uri::Authority = upstream.parse().expect("UPSTREAM is a host and a port");
    let client = Arc::new(Client::new(Connector::new(), settings.workers));
    let handler = Arc::new(move |inbound: Inbound| {
        let (client, upstream) = (client.clone(), upstream.clone());
        Handled { response: Box::pin(forward(client, upstream, inbound)), after: Box::pin(async {}) }
    });
    let server = Server::start(settings, handler)?;
    println!("{}", server.address());
    loop {
        std::thread::park();
    }
}

async fn forward(client: Arc<Client>, upstream: http::uri::Authority, inbound: Inbound) -> http::Response<Body> {
    const SECOND: Duration = Duration::from_secs(1);
    let (parts, body) = inbound.request.into_parts();
    let body = match body.collect(64 << 20).await {
        Ok(bytes) => Body::from(bytes),
        Err(error) => return failed(&error),
    };
    let path = parts.uri.path_and_query().map_or("/", |path| path.as_str());
    let uri = http::Uri::builder().scheme("http").authority(upstream).path_and_query(path).build().expect("a valid path");
    let mut request = http::Request::new(body);
    *request.method_mut() = parts.method;
    *request.uri_mut() = uri;
    for name in [http::header::CONTENT_TYPE, http::header::AUTHORIZATION, http::header::ACCEPT] {
        if let Some(value) = parts.headers.get(&name) {
            request.headers_mut().insert(name, value.clone());
        }
    }
    let timeouts = Timeouts { connect: 10 * SECOND, first_byte: 60 * SECOND, idle: 60 * SECOND, total: 600 * SECOND };
    match client.send(Outbound { request, timeouts, network: Network::Any }).await {
        Ok(response) => {
            let (mut parts, body) = response.into_parts();
            parts.headers.remove(http::header::CONNECTION);
            parts.headers.remove(http::header::TRANSFER_ENCODING);
            http::Response::from_parts(parts, body)
        }
        Err(error) => failed(&error),
    }
}

fn failed(error: &edgeway_core::Error) -> http::Response<Body> {
    eprintln!("{error:?}");
    let mut response = http::Response::new(Body::from(error.message.clone()));
    *response.status_mut() = error.status();
    response
}

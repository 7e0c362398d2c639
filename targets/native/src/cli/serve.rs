//! `edgeway serve`: configuration, ports, server, signals.

use std::net::SocketAddr;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use edgeway_core::Gateway;
use edgeway_core::config::{self, Config};
use edgeway_core::ports::{Ports, Timeouts};

use crate::ports::clock::SystemClock;
use crate::ports::entropy::SystemEntropy;
use crate::ports::events::{RequestLog, Style};
use crate::ports::http::{Client, Connector};
use crate::ports::secrets::EnvironmentSecrets;
use crate::server::{Drain, Phase, Server, Settings};

#[derive(Clone, Debug, Default, clap::Args)]
pub(super) struct Arguments {
    /// Address and port to listen on.
    #[arg(long)]
    listen: Option<SocketAddr>,
    /// Worker threads; one a core unless given.
    #[arg(long)]
    workers: Option<usize>,
}

pub(super) fn run(arguments: &Arguments) -> ExitCode {
    match serve(arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn serve(arguments: &Arguments) -> Result<(), String> {
    let listen = arguments.listen.unwrap_or(SocketAddr::from(([127, 0, 0, 1], 8787)));
    let mut settings = Settings::new(listen);
    settings.workers = arguments.workers.unwrap_or(settings.workers);
    let log = Arc::new(RequestLog::start(Style::Json, std::io::stdout()).map_err(|error| error.to_string())?);
    let ports = Ports {
        http: Arc::new(Client::new(Connector::new(), settings.workers)),
        kv: None,
        cells: None,
        blobs: None,
        events: log.clone(),
        vectors: None,
        secrets: Arc::new(EnvironmentSecrets::default()),
        clock: Arc::new(SystemClock),
        entropy: Arc::new(SystemEntropy),
    };
    let gateway = Arc::new(Gateway::new(ports, configuration()));
    let server = Server::start(settings, Arc::new(move |inbound| gateway.handle(inbound)))
        .map_err(|error| format!("cannot listen on {listen}: {error}"))?;
    eprintln!("edgeway listens on http://{}", server.address());
    wait_for_signals(server.drain())?;
    server.stop();
    log.close();
    Ok(())
}

fn configuration() -> Config {
    let second = Duration::from_secs(1);
    Config {
        version: String::new(),
        server: config::Server { listen: "127.0.0.1:8787".into(), max_body: 32 << 20, tls: None, drain: 30 * second },
        timeouts: Timeouts { connect: 10 * second, first_byte: 120 * second, idle: 120 * second, total: 600 * second },
        auth_keys: Vec::new(),
        providers: std::collections::BTreeMap::default(),
        models: std::collections::BTreeMap::default(),
        routes: Vec::new(),
    }
}

/// Returns at the first signal to stop, with the drain begun. A second signal stops the server at once.
fn wait_for_signals(drain: Arc<Drain>) -> Result<(), String> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(|error| error.to_string())?;
    let mut signals =
        runtime.block_on(async { Signals::listen() }).map_err(|error| format!("cannot listen for signals: {error}"))?;
    runtime.block_on(signals.next());
    drain.advance(Phase::Draining);
    eprintln!("edgeway: draining; a second signal stops at once");
    // The thread ends with the process.
    std::thread::spawn(move || {
        runtime.block_on(signals.next());
        drain.advance(Phase::Stopped);
    });
    Ok(())
}

/// What an operator or an orchestrator sends to stop a process.
#[cfg(unix)]
struct Signals {
    terminate: tokio::signal::unix::Signal,
    interrupt: tokio::signal::unix::Signal,
}

#[cfg(unix)]
impl Signals {
    fn listen() -> std::io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        Ok(Self { terminate: signal(SignalKind::terminate())?, interrupt: signal(SignalKind::interrupt())? })
    }

    async fn next(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}

#[cfg(not(unix))]
struct Signals;

#[cfg(not(unix))]
impl Signals {
    fn listen() -> std::io::Result<Self> {
        Ok(Self)
    }

    async fn next(&mut self) {
        let _ = tokio::signal::ctrl_c().await;
    }
}

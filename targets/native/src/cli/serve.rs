//! `edgeway serve`: configuration, ports, server, signals.

use std::net::ToSocketAddrs;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use edgeway_core::Gateway;
use edgeway_core::config;
use edgeway_core::ports::Ports;

use crate::ports::clock::SystemClock;
use crate::ports::entropy::SystemEntropy;
use crate::ports::events::{RequestLog, Style};
use crate::ports::http::{Client, Connector};
use crate::server::{Drain, Phase, Server, Settings};
use crate::tls;

use super::configuration::{self, Failure, Ready, Sources};

#[derive(Clone, Debug, Default, clap::Args)]
pub(super) struct Arguments {
    /// Address and port to listen on.
    #[arg(long)]
    listen: Option<String>,
    /// Configuration file; ./edgeway.toml if there is one.
    #[arg(long)]
    config: Option<PathBuf>,
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
    let flags = arguments.listen.iter().map(|listen| ("EDGEWAY__SERVER__LISTEN".to_owned(), listen.clone())).collect();
    let ready = configuration::ready(Sources { file: arguments.config.clone(), flags }).map_err(|failure| match failure {
        Failure::Unreadable(message) => message,
        Failure::Refused(found) => config::render(&found),
    })?;
    let Ready { config, warnings, secrets, .. } = ready;
    eprint!("{}", config::render(&warnings));
    let settings = settings(&config.server, arguments.workers)?;
    let listen = settings.listen;
    let log = Arc::new(RequestLog::start(Style::Json, std::io::stdout()).map_err(|error| error.to_string())?);
    let ports = Ports {
        http: Arc::new(Client::new(Connector::new(), settings.workers)),
        kv: None,
        cells: None,
        blobs: None,
        events: log.clone(),
        vectors: None,
        secrets: Arc::new(secrets),
        clock: Arc::new(SystemClock),
        entropy: Arc::new(SystemEntropy),
    };
    let gateway = Arc::new(Gateway::new(ports, config));
    let server = Server::start(settings, Arc::new(move |inbound| gateway.handle(inbound)))
        .map_err(|error| format!("cannot listen on {listen}: {error}"))?;
    // Whoever reads the line may send a signal at once.
    let (runtime, signals) = listen_for_signals()?;
    eprintln!("edgeway listens on http://{}", server.address());
    wait_for_signals(runtime, signals, server.drain());
    server.stop();
    log.close();
    Ok(())
}

/// What the document says of the server, as the server takes it.
fn settings(server: &config::Server, workers: Option<usize>) -> Result<Settings, String> {
    let mut addresses =
        server.listen.to_socket_addrs().map_err(|error| format!("cannot listen on {}: {error}", server.listen))?;
    let listen = addresses.next().ok_or_else(|| format!("{} is no address", server.listen))?;
    let mut settings = Settings::new(listen);
    settings.workers = workers.unwrap_or(settings.workers);
    settings.drain = server.drain;
    settings.limits.header_bytes = server.max_header;
    settings.limits.headers = server.max_headers;
    settings.limits.header_time = server.header_timeout;
    settings.limits.connections = server.max_connections;
    if let Some(files) = &server.tls {
        settings.tls = Some(Arc::new(tls::server_config(&files.certificate, &files.key)?));
    }
    Ok(settings)
}

/// From here on a signal to stop drains instead of killing.
fn listen_for_signals() -> Result<(tokio::runtime::Runtime, Signals), String> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(|error| error.to_string())?;
    let signals = runtime.block_on(async { Signals::listen() }).map_err(|error| format!("cannot listen for signals: {error}"))?;
    Ok((runtime, signals))
}

/// Returns at the first signal to stop, with the drain begun. A second signal stops the server at once.
fn wait_for_signals(runtime: tokio::runtime::Runtime, mut signals: Signals, drain: Arc<Drain>) {
    runtime.block_on(signals.next());
    drain.advance(Phase::Draining);
    eprintln!("edgeway: draining; a second signal stops at once");
    // The thread ends with the process.
    std::thread::spawn(move || {
        runtime.block_on(signals.next());
        drain.advance(Phase::Stopped);
    });
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

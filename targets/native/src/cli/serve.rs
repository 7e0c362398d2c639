//! `edgeway serve`: configuration, ports, server, signals.

use std::net::ToSocketAddrs;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use edgeway_core::Gateway;
use edgeway_core::config;
use edgeway_core::ports::EventSink;

use crate::ports::events::{Both, RequestLog, Style};
use crate::ports::http::{Client, Connector};
use crate::server::{self, Drain, Phase, Served, Server, Settings};
use crate::tls;

use super::banner;
use super::configuration::{self, Failure, Sources};
use super::output::Output;
use super::platform::Platform;

#[derive(Clone, Debug, Default, clap::Args)]
pub(super) struct Arguments {
    /// Address and port to listen on [default: server.listen, 127.0.0.1:8787].
    #[arg(long, value_name = "ADDRESS:PORT")]
    pub(super) listen: Option<String>,
    /// Worker threads [default: one a core].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    workers: Option<u16>,
}

impl Arguments {
    /// These, and where they say nothing those before the command.
    pub(super) fn or(self, before: Self) -> Self {
        Self { listen: self.listen.or(before.listen), workers: self.workers.or(before.workers) }
    }
}

pub(super) fn run(arguments: &Arguments, file: Option<PathBuf>, output: &Output) -> ExitCode {
    match serve(arguments, file, output) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => super::failed(&failure, output),
    }
}

fn serve(arguments: &Arguments, file: Option<PathBuf>, output: &Output) -> Result<(), Failure> {
    let flags = arguments.listen.iter().map(|listen| ("EDGEWAY__SERVER__LISTEN".to_owned(), listen.clone())).collect();
    let mut read = configuration::read(Sources { file, flags })?;
    let file = read.file.take();
    let platform = Platform::of(read)?;
    let stores = &platform.stores;
    let workers = arguments.workers.map_or_else(server::cores, usize::from);
    let style = if output.terminal && !output.json { Style::Pretty { colour: output.colour } } else { Style::Json };
    let log = Arc::new(RequestLog::start(style, std::io::stdout()).map_err(|error| error.to_string())?);
    if let Some(warning) = &stores.warning {
        output.warn(warning);
    }
    let events: Arc<dyn EventSink> = match &stores.events {
        Some(events) => Arc::new(Both(log.clone(), events.clone())),
        None => log.clone(),
    };
    let ports = platform.ports(Arc::new(Client::new(Connector::new(), workers)), events);
    #[cfg(feature = "suite")]
    let subject = crate::suite::subject(&ports, stores);
    let (loaded, available) = (platform.loaded.clone(), platform.available.clone());
    let (gateway, warnings) = configuration::wait(Gateway::open(ports, loaded, available))??;
    if !warnings.is_empty() && !output.json {
        output.say(&output.rendered(&warnings));
    }
    let config = gateway.config();
    let settings = settings(&config.server, workers)?;
    let listen = settings.listen;
    let served = Served(gateway.clone());
    #[cfg(feature = "suite")]
    let served = crate::suite::Examined { served, subject };
    let server = Server::start(settings, Arc::new(served)).map_err(|error| format!("cannot listen on {listen}: {error}"))?;
    // Whoever reads the line may send a signal at once.
    let (runtime, signals) = listen_for_signals()?;
    banner::say(&config, file.as_deref(), &stores.name, server.address(), output);
    let delay = config.server.drain_delay;
    wait_for_signals(runtime, signals, Leave { gateway: gateway.clone(), drain: server.drain(), delay }, output);
    server.stop();
    // What cannot be given back stays charged until it is forgotten.
    let _ = configuration::wait(gateway.close());
    stores.close();
    log.close();
    Ok(())
}

/// What the document says of the server, as the server takes it.
fn settings(server: &config::Server, workers: usize) -> Result<Settings, String> {
    let mut addresses =
        server.listen.to_socket_addrs().map_err(|error| format!("cannot listen on {}: {error}", server.listen))?;
    let listen = addresses.next().ok_or_else(|| format!("{} is no address", server.listen))?;
    let mut settings = Settings::new(listen);
    settings.workers = workers;
    settings.drain = server.drain;
    settings.limits.header_bytes = server.max_header;
    settings.limits.headers = server.max_headers;
    settings.limits.header_time = server.header_timeout;
    settings.limits.body_time = server.body_timeout;
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

/// What is told that the process is about to end.
struct Leave {
    gateway: Arc<Gateway>,
    drain: Arc<Drain>,
    /// How long load balancers have to notice.
    delay: Duration,
}

/// Returns when the drain begins: at the first signal to stop, or the delay after it. A second signal stops the server at once.
fn wait_for_signals(runtime: tokio::runtime::Runtime, mut signals: Signals, leave: Leave, output: &Output) {
    let Leave { gateway, drain, delay } = leave;
    runtime.block_on(signals.next());
    gateway.drain();
    drain.advance(Phase::Leaving);
    output.say(if output.json { "{\"event\":\"draining\"}\n" } else { "edgeway: draining; a second signal stops at once\n" });
    let again = runtime.block_on(async { tokio::time::timeout(delay, signals.next()).await.is_ok() });
    drain.advance(if again { Phase::Stopped } else { Phase::Draining });
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

//! Connections to Redis: two pipelined ones, on a thread of their own, opened again when they break.
//!
//! Small requests share one connection and large ones the other, so that no counter waits behind an object. Requests of all
//! workers meet here, which is what lets them travel together.
//!
//! | what happens | what follows |
//! |---|---|
//! | no connection yet, or it broke | the next request opens one, within a second |
//! | it cannot be opened | requests fail at once for 50 ms, then 100 ms, doubling to 3 s, half of it random; then one tries again |
//! | no answer in time | the request fails and the connection is given up: it may be dead |
//! | it breaks with a request under way | the request is repeated once if that cannot do harm, otherwise it fails |
//!
//! Invariant: a request ends within a few seconds, whatever Redis does.

use std::io;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use edgeway_core::Result;
use edgeway_core::config::RedisAddress;
use edgeway_core::ports::{Entropy, Secret};
use redis::aio::{ConnectionLike, MultiplexedConnection};
use redis::{AsyncConnectionConfig, FromRedisValue, Pipeline, RedisConnectionInfo, RedisError, Value};
use rustls::pki_types::ServerName;
use tokio::net::TcpStream;
use tokio::runtime::Handle;
use tokio::sync::Notify;
use tokio_rustls::TlsConnector;

use crate::net::Stream;
use crate::ports::entropy::SystemEntropy;
use crate::store::away;
use crate::tls;

/// How long a connection may take, handshakes included.
const CONNECT: Duration = Duration::from_secs(1);
/// How long a small answer may take.
const SMALL: Duration = Duration::from_secs(2);
/// How long a large answer may take.
const LARGE: Duration = Duration::from_secs(15);
/// The first and the longest rest after a connection that could not be opened.
const REST: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(3));

/// Which connection a request takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Lane {
    Small,
    Large,
}

/// Whether a request may run twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Again {
    /// The second time changes nothing.
    Harmless,
    /// It would.
    Never,
}

/// Why a request failed.
#[derive(Debug)]
pub(super) enum Failure {
    /// There is no connection.
    Unreachable(String),
    /// Redis refused the gateway: its password, user or database.
    Denied(String),
    /// The connection broke, or Redis answered with an error.
    Failed(RedisError),
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Unreachable(why) | Self::Denied(why) => f.write_str(why),
            Self::Failed(error) => error.fmt(f),
        }
    }
}

/// The connections, and the thread that they live on.
pub(super) struct Link {
    small: Arc<Pipe>,
    large: Arc<Pipe>,
    runtime: Handle,
    stop: Arc<Notify>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl Link {
    /// Starts the thread. Nothing is connected yet.
    pub(super) fn start(address: &RedisAddress, password: Option<Secret>) -> io::Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let (handle, stop) = (runtime.handle().clone(), Arc::new(Notify::new()));
        let stopped = stop.clone();
        let run = move || runtime.block_on(stopped.notified());
        let thread = std::thread::Builder::new().name("redis".into()).stack_size(512 * 1024).spawn(run)?;
        let pipe = |patience| Arc::new(Pipe::new(address.clone(), password.clone(), patience));
        Ok(Self { small: pipe(SMALL), large: pipe(LARGE), runtime: handle, stop, thread: Mutex::new(Some(thread)) })
    }

    /// Where work on the connections runs.
    pub(super) fn runtime(&self) -> &Handle {
        &self.runtime
    }

    /// Sends a request from any thread.
    pub(super) async fn ask<T: FromRedisValue>(&self, lane: Lane, again: Again, request: impl Into<Request>) -> Result<T> {
        let request = request.into();
        let pipe = self.pipe(lane).clone();
        let asked = self.runtime.spawn(async move { pipe.send(&request, again).await });
        let value = asked.await.map_err(|_| away("the store is closed"))?.map_err(away)?;
        read(value).map_err(away)
    }

    /// The connection, for work that runs on [`Self::runtime`].
    pub(super) fn pipe(&self, lane: Lane) -> &Arc<Pipe> {
        match lane {
            Lane::Small => &self.small,
            Lane::Large => &self.large,
        }
    }

    /// Ends the thread and everything on it.
    pub(super) fn close(&self) {
        self.stop.notify_one();
        if let Some(thread) = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take() {
            let _ = thread.join();
        }
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        self.close();
    }
}

/// What an answer means to whoever asked.
pub(super) fn read<T: FromRedisValue>(value: Value) -> std::result::Result<T, Failure> {
    T::from_redis_value(value).map_err(|error| Failure::Failed(error.into()))
}

/// What is asked of Redis.
pub(super) struct Request {
    commands: Pipeline,
    /// The source of the script that it calls.
    script: Option<&'static str>,
}

impl From<Pipeline> for Request {
    fn from(commands: Pipeline) -> Self {
        Self { commands, script: None }
    }
}

/// A program that Redis runs in one step.
pub(super) struct Script {
    source: &'static str,
    hash: String,
}

impl Script {
    pub(super) fn new(source: &'static str) -> Self {
        Self { source, hash: redis::Script::new(source).get_hash().to_owned() }
    }

    /// A call with keys and arguments. The answer is a tuple of one.
    pub(super) fn call(&self, keys: &[&str], arguments: &[&[u8]]) -> Request {
        let mut commands = redis::pipe();
        let command = commands.cmd("EVALSHA").arg(&self.hash).arg(keys.len()).arg(keys);
        arguments.iter().for_each(|argument| {
            command.arg(*argument);
        });
        Request { commands, script: Some(self.source) }
    }
}

/// One connection.
pub(super) struct Pipe {
    address: RedisAddress,
    password: Option<Secret>,
    patience: Duration,
    tls: OnceLock<Result<Arc<rustls::ClientConfig>>>,
    state: tokio::sync::Mutex<State>,
}

#[derive(Default)]
struct State {
    connection: Option<MultiplexedConnection>,
    /// Counts connections, so that a late failure does not give up the next one.
    number: u64,
    /// How often in a row it could not be opened.
    failures: u32,
    rest: Option<(Instant, String)>,
}

impl Pipe {
    fn new(address: RedisAddress, password: Option<Secret>, patience: Duration) -> Self {
        Self { address, password, patience, tls: OnceLock::new(), state: tokio::sync::Mutex::default() }
    }

    /// Sends a request; the list of its commands' answers.
    pub(super) async fn send(&self, request: &Request, again: Again) -> std::result::Result<Value, Failure> {
        let mut repeat = again == Again::Harmless;
        let mut script = request.script;
        loop {
            let (mut connection, number) = self.connection().await?;
            let error = match request.commands.query_async::<Value>(&mut connection).await {
                Ok(value) => return Ok(value),
                Err(error) => error,
            };
            // A server that was started again has forgotten its scripts, and did nothing.
            if error.code() == Some("NOSCRIPT")
                && let Some(source) = script.take()
            {
                let load = redis::cmd("SCRIPT").arg("LOAD").arg(source).take();
                connection.req_packed_command(&load).await.map_err(Failure::Failed)?;
                continue;
            }
            // After READONLY the server became a replica: its name may lead to the new primary.
            let broken = error.is_io_error() || error.is_connection_dropped() || error.code() == Some("READONLY");
            if broken {
                self.give_up(number).await;
            }
            if !(broken && std::mem::take(&mut repeat)) || error.is_timeout() {
                return Err(Failure::Failed(error));
            }
        }
    }

    async fn give_up(&self, number: u64) {
        let mut state = self.state.lock().await;
        if state.number == number {
            state.connection = None;
        }
    }

    /// The connection that there is, or a new one. Only one is opened at a time; the others wait for it.
    async fn connection(&self) -> std::result::Result<(MultiplexedConnection, u64), Failure> {
        let mut state = self.state.lock().await;
        if let Some(connection) = &state.connection {
            return Ok((connection.clone(), state.number));
        }
        if let Some((until, why)) = &state.rest
            && Instant::now() < *until
        {
            return Err(Failure::Unreachable(why.clone()));
        }
        match self.open().await {
            Ok(connection) => {
                *state = State { connection: Some(connection.clone()), number: state.number + 1, ..State::default() };
                Ok((connection, state.number))
            }
            Err(failure) => {
                state.rest = Some((Instant::now() + rest(state.failures), failure.to_string()));
                state.failures += 1;
                Err(failure)
            }
        }
    }

    async fn open(&self) -> std::result::Result<MultiplexedConnection, Failure> {
        let unreachable = |why: &dyn std::fmt::Display| Failure::Unreachable(format!("{}: {why}", self.address));
        let opening = async {
            let stream = self.stream().await.map_err(|error| unreachable(&error))?;
            let mut info = RedisConnectionInfo::default().set_db(i64::from(self.address.database)).set_skip_set_lib_name();
            if let Some(user) = &self.address.user {
                info = info.set_username(user);
            }
            if let Some(password) = &self.password {
                info = info.set_password(password.expose());
            }
            let config = AsyncConnectionConfig::new().set_response_timeout(Some(self.patience));
            let opened = MultiplexedConnection::new_with_config(&info, stream, config).await;
            let (connection, driver) = opened.map_err(|error| match error.is_io_error() || error.is_connection_dropped() {
                true => unreachable(&error),
                false => Failure::Denied(format!("{}: {error}", self.address)),
            })?;
            // Ends when the connection does; whoever asks next finds out.
            tokio::spawn(driver);
            Ok(connection)
        };
        let late = |_| unreachable(&"no connection within a second");
        let connection = tokio::time::timeout(CONNECT, opening).await.map_err(late)??;
        // A handshake that asks for nothing proves nothing: a server that wants a password says so only now.
        let mut asking = connection.clone();
        let answer = asking.req_packed_command(&redis::cmd("PING")).await.and_then(redis::Value::extract_error);
        match answer {
            Ok(_) => Ok(connection),
            Err(error) if error.code() == Some("NOAUTH") => Err(Failure::Denied(format!("{}: {error}", self.address))),
            Err(error) => Err(unreachable(&error)),
        }
    }

    async fn stream(&self) -> io::Result<Stream> {
        let host = self.address.host.as_str();
        let tcp = TcpStream::connect((host, self.address.port)).await?;
        tcp.set_nodelay(true)?;
        if !self.address.tls {
            return Ok(Stream::plain(tcp));
        }
        let name = ServerName::try_from(host.to_owned()).map_err(io::Error::other)?;
        let config = self.tls.get_or_init(|| {
            let mut config = tls::client_config()?;
            config.alpn_protocols.clear();
            Ok(Arc::new(config))
        });
        let config = config.clone().map_err(|error| io::Error::other(format!("{error:?}")))?;
        Ok(Stream::tls(TlsConnector::from(config).connect(name, tcp).await?.into()))
    }
}

/// How long to rest after so many failures before this one.
fn rest(failures: u32) -> Duration {
    let longest = REST.0.saturating_mul(1 << failures.min(10)).min(REST.1);
    let half = longest / 2;
    half + half.mul_f64(SystemEntropy.u64() as f64 / u64::MAX as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rests_grow_to_a_bound_and_differ() {
        assert!(rest(0) >= REST.0 / 2 && rest(0) <= REST.0);
        assert!(rest(3) >= REST.0 * 4 && rest(3) <= REST.0 * 8);
        assert!(rest(1000) <= REST.1 && rest(1000) >= REST.1 / 2);
        assert_ne!(rest(20), rest(20));
    }
}

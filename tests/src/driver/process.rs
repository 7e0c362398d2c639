//! A target as its users run it: a real gateway process, its configuration file, a loopback port.
//!
//! Every target has a launcher that behaves like the native binary ([`Launcher`]). A launcher that starts fast gets one
//! process a case, told to end and watched ending; a slow one is kept and serves every case of the same configuration.

use edgeway_core::ports::suite::PRESENT_SECRET;
use serde_json::Value;
use std::collections::HashMap;
use std::net::{SocketAddr, TcpStream};
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::launcher::{Launched, Launcher};
use super::{Driver, Observed, Running};
use crate::case::{self, Case, Request, Turn};
use crate::http1::{BodyReader, Connection};
use crate::protocol::Protocol;
use crate::upstream::Upstream;

/// Runs cases on the gateways that a launcher starts.
pub struct Process {
    launcher: Launcher,
    /// Gateways that wait for another case, by what they were started with.
    idle: Mutex<HashMap<String, Vec<Server>>>,
    /// The gateway with the port suites, once one was asked for. Checks run one at a time.
    suite: Mutex<Option<Launched>>,
}

impl Process {
    /// A driver over a launcher.
    pub fn new(launcher: Launcher) -> Self {
        Self { launcher, idle: Mutex::default(), suite: Mutex::default() }
    }

    fn idle(&self) -> MutexGuard<'_, HashMap<String, Vec<Server>>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn ask_suite(&self, check: &str) -> Result<(), String> {
        let mut suite = self.suite.lock().unwrap_or_else(PoisonError::into_inner);
        let running = match suite.take() {
            Some(running) => running,
            None => self.launch_suite()?,
        };
        let path = format!("/edgeway-suite/{check}");
        let request = Request {
            door: Protocol::Openai,
            method: "POST".into(),
            path,
            headers: Vec::new(),
            body: Vec::new(),
            raw: None,
            hang_up_after: None,
        };
        let answered = exchange(running.address, &request).map_err(|error| format!("{error}\n{}", running.last_words()))?;
        let found = String::from_utf8_lossy(&answered.body).into_owned();
        *suite = Some(running);
        match answered.status {
            200 if found == "ok" => Ok(()),
            404 => Err(format!("the target has no port for it: {found}")),
            status => Err(format!("{status}: {found}")),
        }
    }

    fn launch_suite(&self) -> Result<Launched, String> {
        let document =
            format!("{}\n[server]\nlisten = \"127.0.0.1:0\"\n", case::CONFIG.replace("{{upstream}}", "http://127.0.0.1:1"));
        let (name, value) = PRESENT_SECRET;
        let mut bindings = case::bindings();
        bindings.push((name.to_owned(), format!("{value}\n")));
        self.launcher.launch_suite(&document, &bindings)
    }

    fn launch(&self, case: &Case) -> Result<Server, String> {
        let upstream = Upstream::start([]).map_err(|error| format!("the scripted provider: {error}"))?;
        let mut document = case.config.replace("{{upstream}}", &format!("http://{}", upstream.address()));
        if !document.contains("[server]") {
            document.push_str("\n[server]\nlisten = \"127.0.0.1:0\"\n");
        }
        let process = self.launcher.launch(&document, &case.bindings)?;
        Ok(Server { process, upstream, asked: 0 })
    }
}

impl Driver for Process {
    fn name(&self) -> &str {
        &self.launcher.target
    }

    fn start(&self, case: &Case) -> Result<Box<dyn Running + '_>, String> {
        let key = format!("{}\n{:?}", case.config, case.bindings);
        let kept = self.idle().get_mut(&key).and_then(Vec::pop);
        let server = kept.map_or_else(|| self.launch(case), Ok)?;
        Ok(Box::new(Taken { driver: self, key, server }))
    }

    fn has_port_suites(&self) -> bool {
        !self.launcher.suite.is_empty()
    }

    fn check_port(&self, check: &str) -> Result<(), String> {
        self.ask_suite(check)
    }

    fn close(&self) -> Result<(), String> {
        let suite = self.suite.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(suite) = suite {
            suite.end()?;
        }
        let servers: Vec<Server> = self.idle().drain().flat_map(|(_, servers)| servers).collect();
        for server in servers {
            let late = server.end()?;
            if !late.is_empty() {
                return Err(format!("recorded {} more requests than were sent: {late:?}", late.len()));
            }
        }
        Ok(())
    }
}

/// A gateway at work on a case. One that failed its case is dropped, and ends.
struct Taken<'a> {
    driver: &'a Process,
    key: String,
    server: Server,
}

impl Running for Taken<'_> {
    fn turn(&mut self, turn: &Turn, request: &Request) -> Result<Observed, String> {
        self.server.turn(turn, request)
    }

    fn finish(self: Box<Self>) -> Result<Vec<Value>, String> {
        let Taken { driver, key, mut server } = *self;
        if !driver.launcher.keep || counts(&key) {
            return server.end();
        }
        let late = server.process.records_so_far();
        driver.idle().entry(key).or_default().push(server);
        Ok(late)
    }
}

/// Whether a configuration limits anything: what one case has used up would be missing to the next.
fn counts(configuration: &str) -> bool {
    configuration.lines().any(|line| line.starts_with("[limits.") || line.starts_with("[budgets."))
}

struct Server {
    process: Launched,
    upstream: Upstream,
    asked: usize,
}

impl Server {
    fn turn(&mut self, turn: &Turn, request: &Request) -> Result<Observed, String> {
        self.upstream.expect(turn.upstream.iter().map(|exchange| exchange.answer.clone()));
        let sent = exchange(self.process.address, request);
        let mut observed = sent.map_err(|error| format!("{error}\n{}", self.process.last_words()))?;
        observed.records.push(self.process.record()?);
        let seen = self.upstream.seen()?;
        observed.asked = seen.into_iter().skip(self.asked).collect();
        self.asked += observed.asked.len();
        self.process.lives()?;
        Ok(observed)
    }

    /// Ends it properly; what it recorded besides.
    fn end(self) -> Result<Vec<Value>, String> {
        self.process.end()
    }
}

/// Sends a request and reads what comes.
fn exchange(address: SocketAddr, request: &Request) -> std::io::Result<Observed> {
    let mut connection = Connection::new(TcpStream::connect(address)?)?;
    match &request.raw {
        Some(raw) => connection.write(raw)?,
        None => connection.write(&bytes(request, address))?,
    }
    let mut observed = Observed::default();
    if request.hang_up_after == Some(0) {
        return Ok(observed);
    }
    let Some(head) = connection.read_head()? else {
        observed.broken = Some("the gateway closed the connection without an answer".into());
        return Ok(observed);
    };
    observed.status = head.word(1).parse().unwrap_or(0);
    observed.headers = head.headers.clone();
    if request.method == "HEAD" {
        return Ok(observed);
    }
    let mut body = BodyReader::new(&head, true);
    for chunks in 0_usize.. {
        if request.hang_up_after.is_some_and(|most| chunks >= most) {
            break;
        }
        match body.next(&mut connection) {
            Ok(Some(chunk)) => observed.body.extend_from_slice(&chunk),
            Ok(None) => break,
            Err(error) => {
                observed.broken = Some(error.to_string());
                break;
            }
        }
    }
    Ok(observed)
}

/// The request on the wire.
fn bytes(request: &Request, address: SocketAddr) -> Vec<u8> {
    let mut head = format!("{} {} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n", request.method, request.path);
    for (name, value) in &request.headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    if !request.body.is_empty() || request.method == "POST" {
        head.push_str(&format!("content-length: {}\r\n", request.body.len()));
    }
    head.push_str("\r\n");
    [head.as_bytes(), &request.body].concat()
}

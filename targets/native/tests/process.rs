//! The binary as an operator runs it: drain, signals, exit codes, files.
#![cfg(unix)]
#![allow(clippy::disallowed_methods, clippy::disallowed_types, reason = "tests play the strangers: threads and raw sockets")]

mod support;

use std::io::{BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};

use serde_json::Value;
use support::*;

#[path = "process/audit.rs"]
mod audit;
#[path = "process/config.rs"]
mod config;
#[path = "process/identity.rs"]
mod identity;
#[path = "process/objects.rs"]
mod objects;

/// An empty folder to run in.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let name = format!("edgeway-process-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let folder = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&folder).expect("a folder");
        Self(folder)
    }

    fn write(&self, name: &str, text: &str) {
        std::fs::write(self.0.join(name), text).expect("written");
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_edgeway"));
        command.args(arguments).current_dir(&self.0).env_clear().stdin(Stdio::null());
        command
    }

    fn run(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().expect("the binary runs")
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// A gateway as a process.
struct Gateway {
    child: Child,
    address: SocketAddr,
    says: Receiver<String>,
    log: Receiver<String>,
    _folder: Folder,
}

impl Gateway {
    fn start(folder: Folder, arguments: &[&str]) -> Self {
        Self::start_with(folder, arguments, &[])
    }

    fn start_with(folder: Folder, arguments: &[&str], variables: &[(&str, &str)]) -> Self {
        let mut command = folder.command(&[&["--json", "--listen", "127.0.0.1:0"], arguments].concat());
        command.envs(variables.iter().copied());
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the binary starts");
        let says = lines(child.stderr.take().expect("piped"));
        let log = lines(child.stdout.take().expect("piped"));
        let listening: Value = serde_json::from_str(&says.recv_timeout(PATIENCE).expect("a line")).expect("JSON");
        let url = listening["url"].as_str().expect("a URL");
        let address = url.trim_start_matches("http://").parse().expect("an address");
        Self { child, address, says, log, _folder: folder }
    }

    fn client(&self) -> Client {
        Client::connect(self.address)
    }

    fn signal(&self, name: &str) {
        let status = Command::new("kill").args(["-s", name, &self.child.id().to_string()]).status().expect("kill runs");
        assert!(status.success());
    }

    /// Waits for the line that says that the drain has begun.
    fn draining(&self) {
        while !self.says.recv_timeout(PATIENCE).expect("it says so").contains("draining") {}
    }

    fn exit_code(mut self) -> Option<i32> {
        self.child.wait().expect("it ends").code()
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn lines(output: impl Read + Send + 'static) -> Receiver<String> {
    let (sender, receiver) = channel();
    std::thread::spawn(move || {
        for line in BufReader::new(output).lines().map_while(Result::ok) {
            if sender.send(line).is_err() {
                return;
            }
        }
    });
    receiver
}

/// A provider that streams a first piece, and ends when it is told to.
fn slow_provider() -> (SocketAddr, Receiver<()>, Sender<()>) {
    let (told, asked) = channel();
    let (go, wait) = channel::<()>();
    let address = provider(move |mut connection| {
        let head = connection.head();
        let length =
            head.lines().find_map(|line| line.strip_prefix("content-length: ")).map_or(0, |text| text.parse().expect("a number"));
        std::io::Read::read_exact(&mut connection.0, &mut vec![0; length]).expect("the body");
        connection.send("HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n");
        let event = |text: &str| {
            let delta = format!(
                "{{\"id\":\"x\",\"object\":\"chat.completion.chunk\",\"created\":1,\"model\":\"m\",\"choices\":[{{\"index\":0,\"delta\":{{\"content\":\"{text}\"}}}}]}}"
            );
            let event = format!("data: {delta}\n\n");
            format!("{:x}\r\n{event}\r\n", event.len())
        };
        connection.send(event("first"));
        let _ = told.send(());
        let _ = wait.recv_timeout(PATIENCE);
        let last = "data: {\"id\":\"x\",\"object\":\"chat.completion.chunk\",\"created\":1,\"model\":\"m\",\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n";
        let _ = std::io::Write::write_all(
            &mut connection.0,
            format!("{}{:x}\r\n{last}\r\n0\r\n\r\n", event("second"), last.len()).as_bytes(),
        );
    });
    (address, asked, go)
}

const STREAM: &str = r#"{"model":"mine/m","stream":true,"messages":[{"role":"user","content":"hi"}]}"#;

fn chat(body: &str) -> String {
    format!(
        "POST /v1/chat/completions HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )
}

fn with_provider(address: SocketAddr, more: &str) -> Folder {
    let folder = Folder::new();
    folder.write("edgeway.toml", &format!("{more}\n[providers.mine]\nbase_url = \"http://{address}/v1\"\n"));
    folder
}

#[test]
fn a_stream_under_way_ends_well_after_sigterm_and_nothing_new_is_taken() {
    let (address, asked, go) = slow_provider();
    let gateway = Gateway::start(with_provider(address, ""), &[]);
    let mut idle = gateway.client();
    idle.send(get("/ready"));
    assert_eq!(idle.answer().status, 200);
    let mut client = gateway.client();
    client.send(chat(STREAM));
    asked.recv_timeout(PATIENCE).expect("the provider is asked");
    let head = client.head();
    assert!(head.starts_with("HTTP/1.1 200 "), "{head}");
    gateway.signal("TERM");
    gateway.draining();
    assert!(idle.rest().is_empty(), "an idle connection is closed");
    // Each worker closes its own listening socket when it hears of the drain; the idle connection's end shows that of one.
    let patience = std::time::Instant::now() + PATIENCE;
    while std::net::TcpStream::connect(gateway.address).is_ok() {
        assert!(std::time::Instant::now() < patience, "nothing new is accepted");
        std::thread::yield_now();
    }
    go.send(()).expect("the provider waits");
    let mut text = String::new();
    while let Some(chunk) = client.chunk() {
        text.push_str(std::str::from_utf8(&chunk).expect("UTF-8"));
    }
    assert!(text.contains("second") && text.ends_with("data: [DONE]\n\n"), "{text}");
    assert!(client.rest().is_empty());
    let records: Vec<Value> = std::iter::from_fn(|| gateway.log.recv_timeout(PATIENCE).ok())
        .map(|line| serde_json::from_str(&line).expect("JSON"))
        .collect();
    let chat = records.iter().find(|record| record["path"] == "/v1/chat/completions").expect("a record of the stream");
    assert_eq!((chat["outcome"].as_str(), chat["status"].as_u64()), (Some("complete"), Some(200)));
    assert_eq!(gateway.exit_code(), Some(0));
}

#[test]
fn what_does_not_end_within_the_drain_time_is_closed() {
    let (address, asked, _go) = slow_provider();
    let gateway = Gateway::start(with_provider(address, "[server]\ndrain = \"100ms\""), &[]);
    let mut client = gateway.client();
    client.send(chat(STREAM));
    asked.recv_timeout(PATIENCE).expect("the provider is asked");
    client.head();
    gateway.signal("INT");
    let rest = client.rest();
    assert!(!rest.ends_with(b"0\r\n\r\n"), "a stream that was cut does not look complete");
    let record: Value = serde_json::from_str(&gateway.log.recv_timeout(PATIENCE).expect("a record")).expect("JSON");
    assert_eq!(record["outcome"], "abandoned");
    assert_eq!(gateway.exit_code(), Some(0));
}

#[test]
fn a_second_signal_stops_at_once() {
    let (address, asked, _go) = slow_provider();
    let gateway = Gateway::start(with_provider(address, "[server]\ndrain = \"10m\""), &[]);
    let mut client = gateway.client();
    client.send(chat(STREAM));
    asked.recv_timeout(PATIENCE).expect("the provider is asked");
    client.head();
    gateway.signal("TERM");
    gateway.draining();
    gateway.signal("TERM");
    client.rest();
    assert_eq!(gateway.exit_code(), Some(0));
}

#[test]
fn a_log_line_tells_the_request_and_none_of_its_secrets() {
    let gateway = Gateway::start(Folder::new(), &[]);
    let mut client = gateway.client();
    let body = r#"{"model":"demo/echo","messages":[{"role":"user","content":"PROMPT-TEXT"}]}"#;
    client.send(format!(
        "POST /v1/chat/completions?token=QUERY-SECRET HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer HEADER-SECRET\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    ));
    assert_eq!(client.answer().status, 200);
    let line = gateway.log.recv_timeout(PATIENCE).expect("a line");
    let record: Value = serde_json::from_str(&line).expect("JSON");
    assert_eq!((record["path"].as_str(), record["model"].as_str()), (Some("/v1/chat/completions"), Some("demo/echo")));
    for secret in ["QUERY-SECRET", "HEADER-SECRET", "PROMPT-TEXT"] {
        assert!(!line.contains(secret), "{line}");
    }
}

#[test]
fn a_request_that_is_refused_for_its_framing_leaves_one_line() {
    let folder = Folder::new();
    folder.write("edgeway.toml", "[server]\nheader_timeout = \"1s\"");
    let gateway = Gateway::start(folder, &[]);
    let refusals = [
        (
            "POST /v1/messages?key=QUERY-SECRET HTTP/1.1\r\nhost: h\r\nx-api-key: HEADER-SECRET\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nBODY",
            400,
            "POST",
            Some("/v1/messages"),
        ),
        ("GET /v1/models HTTP/1.1\r\n\r\n", 400, "GET", Some("/v1/models")),
        ("POST /v1/messages HTTP/1.1\r\nhost: h\r\nexpect: HEADER-SECRET\r\n\r\n", 417, "POST", Some("/v1/messages")),
        ("GARBAGE SECRET\r\n\r\n", 400, "GARBAGE", None),
        ("\x16\x03\x01\x02\x00\x01\x00", 400, "-", None),
        ("GET /v1/models?key=QUERY-SEC", 408, "GET", Some("/v1/models")),
    ];
    for (bytes, status, method, path) in refusals {
        drop(gateway.client()); // says nothing, and leaves nothing
        let mut client = gateway.client();
        client.send(bytes);
        let answer = client.answer();
        assert_eq!(answer.status, status, "{bytes:?}");
        let line = gateway.log.recv_timeout(PATIENCE).expect("a line");
        let record: Value = serde_json::from_str(&line).expect("JSON");
        assert_eq!(record["status"], status, "{line}");
        assert_eq!((record["method"].as_str(), record["path"].as_str()), (Some(method), path), "{line}");
        assert_eq!((record["outcome"].as_str(), record["error"].as_str()), (Some("refused"), Some("invalid_request")), "{line}");
        assert_eq!(record["id"].as_str(), answer.header("x-edgeway-request-id"), "{line}");
        assert!(!line.contains("SEC") && !line.contains("BODY"), "{line}");
    }
    // Behind a good request on the same connection, too: one line each.
    let mut client = gateway.client();
    client.send(format!("{}GET / HTTP/1.1\n\n", get("/health")));
    assert_eq!((client.answer().status, client.answer().status), (200, 400));
    gateway.signal("TERM");
    let statuses: Vec<_> =
        gateway.log.iter().map(|line| serde_json::from_str::<Value>(&line).expect("JSON")["status"].clone()).collect();
    assert_eq!(statuses, [200, 400]);
    assert_eq!(gateway.exit_code(), Some(0));
}

#[test]
fn load_balancers_are_told_before_the_drain_begins() {
    let folder = Folder::new();
    folder.write("edgeway.toml", "[server]\ndrain_delay = \"1h\"");
    let gateway = Gateway::start(folder, &[]);
    let mut kept = gateway.client();
    kept.send(get("/ready"));
    let answer = kept.answer();
    assert_eq!((answer.status, answer.header("connection")), (200, None));
    gateway.signal("TERM");
    gateway.draining();
    // Connections of before and new ones: the balancer hears it on both, and its clients are still served.
    kept.send(get("/ready"));
    let answer = kept.answer();
    assert_eq!((answer.status, answer.json()["status"].as_str()), (503, Some("draining")));
    assert_eq!(answer.header("connection"), Some("close"));
    assert!(kept.rest().is_empty());
    let ask = |request: String| {
        let mut client = gateway.client();
        client.send(request);
        client.answer().status
    };
    assert_eq!((ask(get("/ready")), ask(get("/health"))), (503, 200));
    assert_eq!(ask(chat(r#"{"model":"demo/echo","messages":[{"role":"user","content":"late"}]}"#)), 200);
    let records: Vec<Value> = (0..5)
        .map(|_| gateway.log.recv_timeout(PATIENCE).expect("a line"))
        .map(|line| serde_json::from_str(&line).expect("JSON"))
        .collect();
    let told =
        records.iter().filter(|record| record["path"] == "/ready" && record["status"] == 503 && record["outcome"] == "refused");
    assert_eq!(told.count(), 2, "{records:?}");
    gateway.signal("TERM");
    assert_eq!(gateway.exit_code(), Some(0), "a second signal waits for nothing");
}

#[test]
fn the_drain_begins_when_load_balancers_have_had_their_time() {
    let folder = Folder::new();
    folder.write("edgeway.toml", "[server]\ndrain_delay = \"50ms\"");
    let gateway = Gateway::start(folder, &[]);
    let mut idle = gateway.client();
    idle.send(get("/ready"));
    assert_eq!(idle.answer().status, 200);
    gateway.signal("TERM");
    assert!(idle.rest().is_empty());
    assert_eq!(gateway.exit_code(), Some(0));
}

#[test]
fn a_port_that_is_taken_is_said_and_not_shared() {
    let gateway = Gateway::start(Folder::new(), &["--workers", "2"]);
    let taken = gateway.address.to_string();
    let folder = Folder::new();
    let mut second =
        folder.command(&["--listen", &taken, "--workers", "2"]).stderr(Stdio::piped()).spawn().expect("the binary starts");
    let said = lines(second.stderr.take().expect("piped")).recv_timeout(PATIENCE).expect("a line");
    let _ = second.kill(); // nothing to do if it has ended, as it should
    assert!(said.contains(&format!("cannot listen on {taken}")), "{said}");
    drop(second.wait());
}

#[test]
fn every_command_has_its_exit_code() {
    let folder = Folder::new();
    folder.write("bad.toml", "[routes.a]\nmodels = [\"*\"]\ntargets = [\"opnai/gpt\"]\n");
    folder.write("no.toml", "[");
    for (arguments, code) in [
        (&["--help"][..], 0),
        (&["--version"], 0),
        (&["check"], 0),
        (&["models"], 0),
        (&["providers"], 0),
        (&["init"], 0),
        (&["init"], 1),
        (&["init", "--force"], 0),
        (&["check"], 0),
        (&["check", "bad.toml"], 1),
        (&["check", "no.toml"], 1),
        (&["check", "missing.toml"], 1),
        (&["--config", "bad.toml"], 1),
        (&["models", "--config", "bad.toml"], 1),
        (&["--listen", "nonsense"], 1),
        (&["chekc"], 2),
        (&["--workers", "0"], 2),
        (&["check", "--bogus"], 2),
    ] {
        let output = folder.run(arguments);
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        assert!(!output.stdout.contains(&0x1b) && !output.stderr.contains(&0x1b), "no colours without a terminal: {arguments:?}");
    }
}

#[test]
fn every_command_speaks_json() {
    let folder = Folder::new();
    folder.write("bad.toml", "[routes.a]\nmodels = [\"*\"]\ntargets = [\"opnai/gpt\"]\nfoo = 1\n");
    let json = |arguments: &[&str]| -> Value {
        let output = folder.run(arguments);
        serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{arguments:?}: {error}"))
    };
    let check = json(&["check", "bad.toml", "--json"]);
    assert_eq!((check["ok"].as_bool(), check["errors"].as_u64()), (Some(false), Some(2)));
    assert_eq!(check["diagnostics"].as_array().map(Vec::len), Some(2));
    assert_eq!(json(&["check", "--json"])["ok"], true);
    assert!(json(&["models", "--json"]).as_array().expect("a list").iter().any(|model| model["name"] == "demo/echo"));
    let providers = json(&["providers", "--json"]);
    let row = |name: &str| providers.as_array().expect("a list").iter().find(|row| row["name"] == name).expect(name).clone();
    assert_eq!((row("demo")["on"].as_bool(), row("openai")["on"].as_bool()), (Some(true), Some(false)));
    assert_eq!(row("openai")["why"], "set OPENAI_API_KEY");
    assert_eq!(json(&["init", "--json"])["written"], "edgeway.toml");
    assert!(
        json(&["models", "--json", "--config", "missing.toml"])["error"]
            .as_str()
            .is_some_and(|text| text.contains("missing.toml"))
    );
}

#[test]
fn secrets_and_settings_come_from_variables_and_files() {
    let folder = Folder::new();
    folder.write("key", "sk-from-a-file\n");
    let output = folder
        .command(&["providers", "--json"])
        .env("GROQ_API_KEY_FILE", "key")
        .env("MISTRAL_API_KEY", "x")
        .output()
        .expect("it runs");
    let providers: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let on: Vec<&str> = providers
        .as_array()
        .expect("a list")
        .iter()
        .filter(|row| row["on"] == true)
        .filter_map(|row| row["name"].as_str())
        .collect();
    assert!(on.contains(&"groq") && on.contains(&"mistral"), "{on:?}");
    assert!(!String::from_utf8_lossy(&output.stdout).contains("sk-from-a-file"));
    let output = folder.command(&["check"]).env("GROQ_API_KEY_FILE", "missing").output().expect("it runs");
    assert_eq!(output.status.code(), Some(1));
    let output = folder.command(&["check"]).env("EDGEWAY__SERVER__LISTEN", "0.0.0.0:8787").output().expect("it runs");
    assert_eq!(output.status.code(), Some(1), "without authentication it serves this machine only");
}

//! What becomes of an application whose bindings are missing, wrong or away, and of cells whose host is killed.
//!
//! `cargo xtask conform spin` says where the component is: `EDGEWAY_SPIN_COMPONENT`, and with the port suites
//! `EDGEWAY_SPIN_SUITE`.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

/// How long anything may take here.
const PATIENCE: Duration = Duration::from_secs(20);
const KEYS: &str = "[auth]\nkeys = [\"EDGEWAY_KEY\"]\n";
const CHAT: &str = r#"{"model": "demo/echo", "max_tokens": 9, "messages": [{"role": "user", "content": "hi"}]}"#;

/// A folder of a test's own.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let name = format!("edgeway-spin-faults-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let path = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&path).expect("a folder can be made");
        Self(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// A host that runs, or has ended.
struct Host {
    child: Child,
    lines: Receiver<String>,
    said: Vec<String>,
    address: Option<SocketAddr>,
    _folder: Folder,
}

/// How a host is started.
#[derive(Default)]
struct Start<'a> {
    suite: bool,
    config: &'a str,
    bindings: &'a [(&'a str, &'a str)],
    arguments: &'a [&'a str],
    state: Option<&'a Path>,
}

impl Host {
    fn start(start: &Start<'_>) -> Self {
        let variable = if start.suite { "EDGEWAY_SPIN_SUITE" } else { "EDGEWAY_SPIN_COMPONENT" };
        let component = std::env::var_os(variable).unwrap_or_else(|| panic!("{variable} says where the component is"));
        let folder = Folder::new();
        let config = folder.0.join("edgeway.toml");
        std::fs::write(&config, start.config).expect("a file can be written");
        let mut command = Command::new(env!("CARGO_BIN_EXE_edgeway-spin-host"));
        command.arg("--manifest").arg(concat!(env!("CARGO_MANIFEST_DIR"), "/../../../spin.toml"));
        command.arg("--component").arg(component).arg("--config").arg(config).args(start.arguments);
        if let Some(state) = start.state {
            command.arg("--state").arg(state);
        }
        command.env_clear().envs(start.bindings.iter().copied());
        let mut child =
            command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the host starts");
        let (say, lines) = channel();
        let outputs: [Box<dyn Read + Send>; 2] =
            [Box::new(child.stdout.take().expect("piped")), Box::new(child.stderr.take().expect("piped"))];
        for output in outputs {
            let say = say.clone();
            std::thread::spawn(move || BufReader::new(output).lines().map_while(Result::ok).try_for_each(|line| say.send(line)));
        }
        drop(say);
        let mut host = Self { child, lines, said: Vec::new(), address: None, _folder: folder };
        if let Some(line) = host.wait_for("http://127.0.0.1:") {
            let at = line.find("127.0.0.1:").expect("it was found");
            host.address = Some(line[at..].trim().parse().expect("an address"));
        }
        host
    }

    /// The next line that holds `part`; `None` when the host has ended without saying it.
    fn wait_for(&mut self, part: &str) -> Option<String> {
        let end = Instant::now() + PATIENCE;
        loop {
            if let Some(line) = self.said.iter().find(|line| line.contains(part)) {
                return Some(line.clone());
            }
            match self.lines.recv_timeout(end.saturating_duration_since(Instant::now())) {
                Ok(line) => self.said.push(line),
                Err(std::sync::mpsc::RecvTimeoutError::Disconnected) => return None,
                Err(std::sync::mpsc::RecvTimeoutError::Timeout) => panic!("nobody said {part:?}: {:#?}", self.said),
            }
        }
    }

    fn heard(&mut self, part: &str) -> String {
        self.wait_for(part).unwrap_or_else(|| panic!("nobody said {part:?}: {:#?}", self.said))
    }

    /// Sends a request; status and body.
    fn ask(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> (u16, Vec<u8>) {
        let mut stream = TcpStream::connect(self.address.expect("it listens")).expect("it accepts");
        stream.set_read_timeout(Some(PATIENCE)).expect("a time");
        let mut head =
            format!("{method} {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\ncontent-length: {}\r\n", body.len());
        for (name, value) in headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        head.push_str("\r\n");
        stream.write_all(&[head.as_bytes(), body].concat()).expect("it reads");
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).expect("it answers");
        let split = answer.windows(4).position(|bytes| bytes == b"\r\n\r\n").expect("a head");
        let status = String::from_utf8_lossy(&answer[9..12]).parse().expect("a status");
        (status, answer.split_off(split + 4))
    }

    fn chat(&self, path: &str, body: &str) -> (u16, String) {
        let headers = [("authorization", "Bearer abc"), ("content-type", "application/json")];
        let (status, body) = self.ask("POST", path, &headers, body.as_bytes());
        (status, String::from_utf8_lossy(&body).into_owned())
    }

    /// Sends a command to the allowance `faults`; the reply.
    fn cell(&self, command: &[u8]) -> Vec<u8> {
        let (status, reply) = self.ask("POST", "/edgeway-cell/edgeway-allowance/faults", &[], command);
        assert_eq!(status, 200, "{}", String::from_utf8_lossy(&reply));
        reply
    }

    /// Kills it (SIGKILL): nobody inside can do anything any more.
    fn kill(mut self) {
        self.child.kill().expect("it can be killed");
        self.child.wait().expect("it ends");
    }

    /// Asks it to end; whether it ended well.
    fn ends_well(mut self) -> bool {
        let kill = Command::new("kill").arg(self.child.id().to_string()).status().expect("kill runs");
        kill.success() && self.child.wait().expect("it ends").success()
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn sound<'a>() -> Start<'a> {
    Start { config: KEYS, bindings: &[("EDGEWAY_KEY", "abc")], ..Start::default() }
}

#[test]
fn an_application_without_stores_serves_and_says_what_to_write_into_spin_toml() {
    let arguments = ["--without", "key_value_stores", "--without", "sqlite_databases"];
    let mut host = Host::start(&Start { arguments: &arguments, ..sound() });
    assert_eq!(host.chat("/v1/chat/completions", CHAT).0, 200);
    host.heard("write key_value_stores = [\"default\"] under [component.edgeway] in spin.toml");
    host.heard("write sqlite_databases = [\"default\"] under [component.edgeway] in spin.toml");
    assert!(host.ends_well());
}

#[test]
fn administration_without_stores_says_what_is_missing() {
    let config = format!("{KEYS}[admin]\nkeys = [\"EDGEWAY_ADMIN_KEY\"]\n");
    let bindings = [("EDGEWAY_KEY", "abc"), ("EDGEWAY_ADMIN_KEY", "admin")];
    let arguments = ["--without", "sqlite_databases"];
    let host = Host::start(&Start { config: &config, bindings: &bindings, arguments: &arguments, ..Start::default() });
    let headers = [("authorization", "Bearer admin"), ("content-type", "application/toml"), ("if-match", "*")];
    let (status, body) = host.ask("PUT", "/admin/v1/config", &headers, b"[models.x]\ntarget = \"demo/echo\"\n");
    let body = String::from_utf8_lossy(&body).into_owned();
    assert!(status >= 400 && body.contains("sqlite_databases"), "{status} {body}");
}

#[test]
fn a_secret_that_no_variable_holds_ends_the_launcher_with_how_to_declare_it() {
    let mut host = Host::start(&Start { config: KEYS, ..Start::default() });
    assert_eq!(host.address, None);
    host.heard("`EDGEWAY_KEY` is not set");
    host.heard("[component.edgeway.variables]");
    assert_eq!(host.child.wait().expect("it ends").code(), Some(1));
}

#[test]
fn a_misconfigured_application_answers_503_in_every_protocol_and_is_healthy() {
    let bad = "[routes.chat]\nmodels = [\"*\"]\ntargets = [\"nobody/x\"]\n";
    let mut host = Host::start(&Start { config: bad, arguments: &["--serve-anyway"], ..Start::default() });
    let paths = [
        ("/v1/chat/completions", "\"error\":{\"message\":"),
        ("/v1/messages", "{\"type\":\"error\""),
        ("/v1beta/models/x:generateContent", "\"error\":{\"code\":503"),
    ];
    for (path, protocol) in paths {
        let (status, body) = host.chat(path, CHAT);
        assert_eq!(status, 503, "{path}: {body}");
        assert!(body.contains("auth.keys") && body.contains("nobody"), "{path} says what to fix: {body}");
        assert!(body.replace(' ', "").contains(protocol), "{path}: {body}");
    }
    assert_eq!(host.ask("GET", "/health", &[], b"").0, 200);
    assert_eq!(host.ask("GET", "/ready", &[], b"").0, 503);
    host.heard("not configured");
    assert!(host.ends_well(), "nothing trapped");
}

#[test]
fn a_host_that_spin_refuses_is_named_in_the_log_and_the_caller_learns_why() {
    let config = format!(
        "{KEYS}[providers.mine]\nbase_url = \"http://127.0.0.1:9/v1\"\ndialects = [\"openai_chat\"]\nkey = \"EDGEWAY_KEY\"\n"
    );
    let mut host = Host::start(&Start { config: &config, ..sound() });
    let (status, body) = host.chat("/v1/chat/completions", &CHAT.replace("demo/echo", "mine/x"));
    assert_eq!(status, 500, "{body}");
    assert!(body.contains("allowed_outbound_hosts"), "{body}");
    let record = host.heard("\"error\":\"misconfigured\"");
    assert!(record.contains("http://127.0.0.1:9"), "{record}");
}

#[test]
fn what_was_reserved_stays_charged_when_the_host_is_killed_before_it_is_settled() {
    // Commands to an allowance of 100 for good, and the kinds of its replies (core/src/cell/allowance/encoding.rs).
    const LOOK: [u8; 4] = [1, 0, 100, 0];
    const STANDING: u8 = 0;
    const GRANTED: u8 = 1;
    const SETTLED: u8 = 3;
    const GONE: u8 = 4;
    fn reserve(id: u8, amount: u8, ttl_us: u64) -> Vec<u8> {
        let mut command = vec![1, 1, 100, 0, id, amount, amount];
        let mut left = ttl_us;
        while left >= 0x80 {
            command.push(u8::try_from(left & 0x7f).expect("seven bits") | 0x80);
            left >>= 7;
        }
        command.extend([u8::try_from(left).expect("seven bits"), 0, 0]);
        command
    }
    let settle = |id: u8, actual: u8| vec![1, 2, id, actual];

    let state = Folder::new();
    let start = Start { suite: true, state: Some(&state.0), ..sound() };
    let before = Host::start(&start);
    assert_eq!(kind(&before.cell(&reserve(1, 10, 3_600_000_000))), GRANTED);
    assert_eq!(kind(&before.cell(&reserve(2, 5, 1_000))), GRANTED);
    before.kill();

    let after = Host::start(&start);
    let standing = || after.cell(&LOOK)[1..6].to_vec();
    assert_eq!(standing(), [STANDING, 15, 0, 85, 1], "both are charged, and one is open");
    assert_eq!(kind(&after.cell(&settle(2, 0))), GONE, "what has expired is not given back");
    assert_eq!(kind(&after.cell(&settle(1, 7))), SETTLED);
    assert_eq!(standing(), [STANDING, 12, 0, 88, 0]);
    assert_eq!(kind(&after.cell(&settle(1, 0))), GONE, "nothing is settled twice");
    assert_eq!(standing(), [STANDING, 12, 0, 88, 0]);
}

fn kind(reply: &[u8]) -> u8 {
    reply[1]
}

#[test]
fn a_locked_database_leaves_the_last_good_configuration_serving() {
    let state = Folder::new();
    let start = Start { state: Some(&state.0), ..sound() };
    let first = Host::start(&start);
    assert_eq!(first.chat("/v1/chat/completions", CHAT).0, 200);
    assert!(first.ends_well());

    let lock = rusqlite::Connection::open(state.0.join("sqlite_default.db")).expect("the database is there");
    lock.execute_batch("BEGIN EXCLUSIVE").expect("nobody else has it");
    let mut host = Host::start(&start);
    let (status, body) = host.chat("/v1/chat/completions", CHAT);
    assert_eq!(status, 200, "{body}");
    host.heard("config_unreadable");
    lock.execute_batch("ROLLBACK").expect("it was locked");
    assert_eq!(host.chat("/v1/chat/completions", CHAT).0, 200);
}

#[test]
fn a_caller_that_goes_away_from_a_silent_stream_is_noticed_and_the_provider_let_go() {
    let provider = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = provider.local_addr().expect("it has one");
    let held = std::thread::spawn(move || {
        let (mut stream, _) = provider.accept().expect("the gateway calls");
        let _ = stream.read(&mut [0; 65536]);
        let event = "data: {\"id\":\"x\",\"object\":\"chat.completion.chunk\",\"created\":1,\"model\":\"x\",\"choices\":[{\"index\":0,\
                     \"delta\":{\"role\":\"assistant\",\"content\":\"hi\"},\"finish_reason\":null}]}\n\n";
        let head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n";
        write!(stream, "{head}{:x}\r\n{event}\r\n", event.len()).expect("the gateway reads");
        stream.set_read_timeout(Some(PATIENCE)).expect("a time");
        // Nothing more is said. Whoever lets go of the connection ends this read.
        matches!(stream.read(&mut [0; 1]), Ok(0))
    });
    let config = format!(
        "{KEYS}[providers.mine]\nbase_url = \"http://{address}/v1\"\ndialects = [\"openai_chat\"]\nkey = \"EDGEWAY_KEY\"\n"
    );
    let mut host = Host::start(&Start { config: &config, arguments: &["--allow", "http://127.0.0.1:*"], ..sound() });
    let body = CHAT.replace("demo/echo", "mine/x").replace("\"max_tokens\": 9", "\"stream\": true");
    let mut stream = TcpStream::connect(host.address.expect("it listens")).expect("it accepts");
    let head = format!(
        "POST /v1/chat/completions HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer abc\r\ncontent-type: application/json\r\n\
         content-length: {}\r\n\r\n",
        body.len()
    );
    stream.write_all(&[head.as_bytes(), body.as_bytes()].concat()).expect("it reads");
    stream.read_exact(&mut [0; 200]).expect("it begins to answer");
    drop(stream);
    host.heard("\"outcome\":\"abandoned\"");
    assert!(held.join().expect("the provider ran"), "the provider's connection is closed");
}

#[test]
fn a_caller_that_goes_away_ends_the_stream_and_is_recorded() {
    let mut host = Host::start(&sound());
    let long =
        CHAT.replace("\"hi\"", &format!("\"{}\"", "word ".repeat(20_000))).replace("\"max_tokens\": 9", "\"stream\": true");
    let mut stream = TcpStream::connect(host.address.expect("it listens")).expect("it accepts");
    let head = format!(
        "POST /v1/chat/completions HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer abc\r\ncontent-type: application/json\r\n\
         content-length: {}\r\n\r\n",
        long.len()
    );
    stream.write_all(&[head.as_bytes(), long.as_bytes()].concat()).expect("it reads");
    stream.read_exact(&mut [0; 200]).expect("it begins to answer");
    drop(stream);
    host.heard("\"outcome\":\"abandoned\"");
    assert!(host.ends_well());
}

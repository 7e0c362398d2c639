//! What a function does when its platform, its stores or its operator let it down. Needs `EDGEWAY_LAMBDA_TOOLS`, the folder of
//! the stores' stand-ins, and `bootstrap` beside the host: `cargo xtask conform lambda` sees to both.
#![allow(
    clippy::disallowed_macros,
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "the tests play callers and operators: they need sockets and processes"
)]

use std::io::{self, BufRead, BufReader};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use edgeway_tests::driver::{Launched, Launcher};
use edgeway_tests::http1::{BodyReader, Connection, Head};
use edgeway_tests::protocol::Protocol;
use edgeway_tests::script::{Answer, Step};
use edgeway_tests::sse;
use edgeway_tests::upstream::Upstream;
use serde_json::{Value, json};

const KEYS: &str = "[auth]\nkeys = [\"KEY\"]\n";
const ADMIN: &str = "[auth]\nkeys = [\"KEY\"]\n[admin]\nkeys = [\"ADMIN_KEY\"]\n[config]\nrefresh = \"1s\"\n";

/// Starts a host.
fn start(options: &[&str], document: &str, bindings: &[(&str, &str)]) -> Result<Launched, String> {
    let tools = std::env::var("EDGEWAY_LAMBDA_TOOLS").expect("EDGEWAY_LAMBDA_TOOLS names the stand-ins' folder");
    let mut command = vec![env!("CARGO_BIN_EXE_edgeway-lambda-host").to_owned(), "--tools".into(), tools];
    command.extend(options.iter().map(|option| (*option).to_owned()));
    let launcher = Launcher { target: "lambda".into(), command, suite: Vec::new(), environment: Vec::new(), keep: false };
    let keys = [("KEY", "a-key-of-the-tests"), ("ADMIN_KEY", "an-admins-key")];
    let bindings: Vec<_> = keys.iter().chain(bindings).map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    launcher.launch(document, &bindings)
}

/// The process ids in what a host said at its start, by the name of what they are.
fn pids(said: &str, what: &str) -> Vec<u64> {
    let events = said.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    events
        .filter_map(|event| match what {
            "sandbox" => (event["event"] == "sandbox").then(|| event["pid"].as_u64())?,
            store => event[store].as_u64(),
        })
        .collect()
}

fn signal(name: &str, pid: u64) {
    assert!(Command::new("kill").args([format!("-{name}"), pid.to_string()]).status().expect("kill").success());
}

fn connect(host: SocketAddr) -> Connection {
    Connection::new(TcpStream::connect(host).expect("it listens")).expect("a connection")
}

fn send(connection: &mut Connection, method: &str, path: &str, key: &str, body: &str) -> Head {
    let head = format!(
        "{method} {path} HTTP/1.1\r\nhost: h\r\nauthorization: Bearer {key}\r\ncontent-type: application/json\r\nif-match: *\r\n\
         content-length: {}\r\nconnection: close\r\n\r\n",
        body.len()
    );
    connection.write(&[head.as_bytes(), body.as_bytes()].concat()).expect("sent");
    connection.read_head().expect("a head").expect("an answer")
}

/// Status and JSON of an answer.
fn ask(host: SocketAddr, method: &str, path: &str, key: &str, body: &str) -> (u16, Value) {
    let mut connection = connect(host);
    let head = send(&mut connection, method, path, key, body);
    let answer = connection.read_body(&head, true).expect("a body");
    (head.word(1).parse().expect("a status"), serde_json::from_slice(&answer).unwrap_or_default())
}

fn chat(model: &str, stream: bool) -> String {
    json!({"model": model, "stream": stream, "messages": [{"role": "user", "content": "Hello"}]}).to_string()
}

fn chatted(host: SocketAddr, model: &str) -> (u16, Value) {
    ask(host, "POST", "/v1/chat/completions", "a-key-of-the-tests", &chat(model, false))
}

/// Every source of events gets the same answer, streamed or whole.
#[test]
fn every_source_of_events_is_answered() {
    for source in ["url", "http-api", "rest-api", "alb"] {
        let mut host = start(&["--instances", "1", "--freeze", "--source", source], KEYS, &[]).expect(source);
        let (status, answer) = chatted(host.address, "demo/echo");
        assert_eq!((status, &answer["choices"][0]["message"]["content"]), (200, &json!("demo/echo: Hello")), "{source}");
        let (status, _) = ask(host.address, "GET", "/v1/models/demo%2Fecho", "a-key-of-the-tests", "");
        assert_eq!(status, 200, "{source}");
        let mut connection = connect(host.address);
        let body = chat("demo/echo", true);
        let head = send(&mut connection, "POST", "/v1/chat/completions?x=1&y=%20", "a-key-of-the-tests", &body);
        assert!(head.header("content-type").is_some_and(|kind| kind.starts_with("text/event-stream")), "{source}: {head:?}");
        assert_eq!(head.header("content-length").is_some(), source != "url", "{source}: only a function URL streams");
        let events = connection.read_body(&head, true).expect("a body");
        assert!(String::from_utf8_lossy(&events).ends_with("data: [DONE]\n\n"), "{source}");
        let records: Vec<Value> = (0..3).map(|_| host.record().expect("a record")).collect();
        assert!(records.iter().all(|record| record["outcome"] == "complete"), "{source}: {records:?}");
        assert_eq!(host.end().expect(source), Vec::<Value>::new());
    }
}

/// A stream really streams: its first event is with the caller while the provider has not ended.
#[test]
fn a_function_url_passes_a_chunk_on_before_the_next_is_there() {
    let upstream = Upstream::start([Answer {
        status: 200,
        headers: vec![("content-type".into(), "text/event-stream".into())],
        steps: vec![Step::Chunk(chunk("first")), Step::Stall],
    }])
    .expect("a provider");
    let document = format!("{KEYS}[providers.openai]\nbase_url = \"http://{}\"\nkey = \"KEY\"\n", upstream.address());
    let mut host = start(&["--instances", "1", "--time-limit", "3"], &document, &[]).expect("a host");
    let mut connection = connect(host.address);
    let head = send(&mut connection, "POST", "/v1/chat/completions", "a-key-of-the-tests", &chat("openai/m", true));
    let mut body = BodyReader::new(&head, true);
    let started = Instant::now();
    let mut seen = String::new();
    while !seen.contains("first") {
        seen.push_str(&String::from_utf8_lossy(&body.next(&mut connection).expect("a chunk").expect("not the end")));
    }
    assert!(started.elapsed() < Duration::from_secs(2), "the provider stalls until the function's time is up");
    // Before its limit the function gives the provider up.
    while body.next(&mut connection).expect("a proper end").is_some() {}
    let record = host.record().expect("a record");
    assert_eq!((&record["outcome"], &record["estimated"]), (&json!("truncated"), &json!(true)), "{record}");
}

/// A stream that meets the function's own time limit ends with one terminal error event in its caller's protocol, passed through or
/// translated, whether its provider says nothing more or always a little.
#[test]
fn a_stream_that_meets_the_functions_time_limit_ends_with_an_error_event() {
    let silent = || Answer {
        status: 200,
        headers: vec![("content-type".into(), "text/event-stream".into())],
        steps: vec![Step::Chunk(chunk("first")), Step::Stall],
    };
    let silent = Upstream::start([silent(), silent()]).expect("a provider");
    let document = format!(
        "{KEYS}[providers.openai]\nbase_url = \"http://{}\"\nkey = \"KEY\"\n\
         [providers.anthropic]\nbase_url = \"http://{}\"\nkey = \"KEY\"\n",
        silent.address(),
        trickling()
    );
    let mut host = start(&["--instances", "4", "--time-limit", "3"], &document, &[]).expect("a host");
    let address = host.address;
    std::thread::scope(|scope| {
        for (door, model) in [
            (Protocol::Openai, "openai/m"),
            (Protocol::Anthropic, "anthropic/m"),
            (Protocol::Openai, "anthropic/m"),
            (Protocol::Anthropic, "openai/m"),
        ] {
            scope.spawn(move || {
                let what = format!("{} to {model}", door.name());
                let mut connection = connect(address);
                let body =
                    json!({"model": model, "stream": true, "max_tokens": 9, "messages": [{"role": "user", "content": "Hello"}]});
                let head = send(&mut connection, "POST", &door.door(model, true), "a-key-of-the-tests", &body.to_string());
                assert_eq!(head.word(1), "200", "{what}");
                let body = connection.read_body(&head, true).expect("a proper end");
                let text = String::from_utf8_lossy(&body);
                let frames = sse::frames(&body).unwrap_or_else(|wrong| panic!("{what}: {wrong}\n{text}"));
                let read = door.read_stream(&frames).unwrap_or_else(|wrong| panic!("{what}: {wrong}\n{text}"));
                assert!(read.whole.to_string().contains("first") && !read.ended, "{what}: {text}");
                let error = read.error.unwrap_or_else(|| panic!("{what}: no error event\n{text}"));
                let message = door.error_message(200, &error).expect("an SDK can raise it");
                assert!(message.contains("longer than the function may run"), "{what}: {message}");
            });
        }
    });
    for _ in 0..4 {
        let record = host.record().expect("a record");
        assert_eq!((&record["outcome"], &record["estimated"]), (&json!("truncated"), &json!(true)), "{record}");
        assert!(record["cause"].as_str().is_some_and(|cause| cause.contains("the function's own time limit")), "{record}");
    }
    silent.seen().expect("the providers' work has ended");
}

/// A sandbox that is killed while it settles loses its answer's end, and nothing else; nothing is recorded twice.
#[test]
fn a_sandbox_killed_between_answer_and_settlement_loses_nothing_twice() {
    let mut host = start(&["--instances", "1", "--stores", "all"], KEYS, &[]).expect("a host");
    let said = host.last_words();
    let (queue, sandbox) = (pids(&said, "s3")[0], pids(&said, "sandbox")[0]);
    // The queue does not answer, so the settlement waits behind its line in the log.
    signal("STOP", queue);
    let mut connection = connect(host.address);
    let body = chat("demo/echo", true);
    let head = send(&mut connection, "POST", "/v1/chat/completions", "a-key-of-the-tests", &body);
    let mut body = BodyReader::new(&head, true);
    let mut seen = String::new();
    while !seen.contains("[DONE]") {
        seen.push_str(&String::from_utf8_lossy(&body.next(&mut connection).expect("a chunk").expect("not the end")));
    }
    let first = host.record().expect("the line comes before the queue");
    signal("KILL", sandbox);
    assert!(body.next(&mut connection).is_err(), "the answer breaks off, visibly");
    signal("CONT", queue);
    assert_eq!(chatted(host.address, "demo/echo").0, 200, "a new sandbox serves");
    let second = host.record().expect("a record");
    assert_ne!(first["id"], second["id"]);
    assert_eq!(host.end().expect("a good end"), Vec::<Value>::new(), "nothing is recorded twice");
}

/// A table that goes away: requests that need nothing of it are served as before, changes are refused with 503, and a queue
/// that goes away costs no request its answer.
#[test]
fn stores_that_go_away_fail_what_needs_them_and_nothing_else() {
    let mut host = start(&["--instances", "1", "--stores", "all"], ADMIN, &[]).expect("a host");
    let address = host.address;
    let said = host.last_words();
    let stores = ["dynamodb", "s3"].map(|store| pids(&said, store)[0]);
    let push = |document: &str| ask(address, "PUT", "/admin/v1/config", "an-admins-key", document).0;
    assert_eq!(push(r#"{"models": {"mine": {"target": "demo/echo"}}}"#), 200);
    assert_eq!(chatted(host.address, "mine").0, 200);
    for store in stores {
        signal("KILL", store);
    }
    std::thread::sleep(Duration::from_millis(1100)); // longer than `config.refresh`: the next request looks for a newer version
    let started = Instant::now();
    assert_eq!(chatted(host.address, "mine").0, 200, "the last good document serves on");
    assert!(started.elapsed() < Duration::from_secs(3), "and nobody waits long for a store that is away");
    assert_eq!(push(r#"{"models": {"mine": {"target": "demo/chat"}}}"#), 503);
    let outcomes: Vec<Value> = (0..4).map(|_| host.record().expect("a record")["outcome"].clone()).collect();
    assert_eq!(outcomes, ["complete", "complete", "complete", "refused"].map(Value::from));
}

/// Two sandboxes: what is pushed through one is served by both within the configured time.
#[test]
fn a_document_pushed_through_one_sandbox_reaches_the_other() {
    let host = start(&["--instances", "2", "--stores", "table"], ADMIN, &[]).expect("a host");
    let document = r#"{"models": {"mine": {"target": "demo/echo"}}}"#;
    assert_eq!(ask(host.address, "PUT", "/admin/v1/config", "an-admins-key", document).0, 200);
    let started = Instant::now();
    // Both answer when two ask at once, so twenty such pairs in a row are answered by both.
    let mut good = 0;
    while good < 20 {
        let address = host.address;
        let pair = move || chatted(address, "mine").0;
        let both = std::thread::scope(|scope| {
            let other = scope.spawn(pair);
            (pair(), other.join().expect("no panic"))
        });
        good = if both == (200, 200) { good + 1 } else { 0 };
        assert!(started.elapsed() < Duration::from_secs(20), "a sandbox still serves the old document: {both:?}");
    }
}

/// What is bound and is not there is said before the first request, with the command that makes it.
#[test]
fn what_is_missing_is_named_with_how_to_make_it() {
    for (binding, value, said) in [
        ("EDGEWAY_TABLE", "nowhere", "aws dynamodb create-table --table-name nowhere"),
        ("EDGEWAY_BUCKET", "nowhere", "aws s3 mb s3://nowhere"),
        ("EDGEWAY_QUEUE_URL", "http://127.0.0.1/123456789012/nowhere", "aws sqs create-queue"),
        ("EDGEWAY_RESPONSE_MODE", "sometimes", "`stream` or `buffer`"),
        ("KEY", "", "`KEY`"),
    ] {
        let refused = start(&["--instances", "1", "--stores", "all"], KEYS, &[(binding, value)]).err().expect(binding);
        assert!(refused.contains(said), "{binding}: {refused}");
    }
}

/// A function that cannot serve says so to every caller, in the caller's protocol, and is healthy all the same.
#[test]
fn a_misconfigured_function_answers_in_its_callers_protocol() {
    let host = start(&["--instances", "1", "--unready"], "[auth]\nkeys = [\"NOT_SET\"]\n", &[]).expect("a host");
    for (path, message) in [
        ("/v1/chat/completions", "/error/message"),
        ("/v1/messages", "/error/message"),
        ("/v1beta/models/m:generateContent", "/error/message"),
        ("/ready", "/error/message"),
    ] {
        let (status, answer) = ask(host.address, "POST", path, "x", "{}");
        let message = answer.pointer(message).and_then(Value::as_str).unwrap_or_default();
        assert!(status == 503 && message.contains("`NOT_SET` is not set"), "{path}: {status} {answer}");
        let shape = match path {
            "/v1/messages" => answer["type"] == "error",
            path if path.starts_with("/v1beta") => answer["error"]["code"] == 503,
            _ => answer["error"]["type"].is_string(),
        };
        assert!(shape, "{path}: {answer}");
    }
    let (status, answer) = ask(host.address, "GET", "/health", "x", "");
    assert_eq!((status, &answer["status"]), (200, &json!("misconfigured")));
}

/// A host that is killed takes its sandboxes, frozen ones too, and its stores with it.
#[test]
fn nothing_outlives_a_host_that_is_killed() {
    let host = start(&["--instances", "1", "--freeze", "--stores", "table"], KEYS, &[]).expect("a host");
    let said = host.last_words();
    let started = [pids(&said, "sandbox"), pids(&said, "dynamodb")].concat();
    assert_eq!(started.len(), 2, "{said}");
    drop(host);
    let ended = |pid: &u64| {
        let state = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        state.is_empty() || state.contains(") Z ")
    };
    let since = Instant::now();
    while !started.iter().all(ended) {
        assert!(since.elapsed() < Duration::from_secs(10), "still there: {started:?}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// A platform that breaks an answer off, which is all that a function may learn of a caller who went away: the provider's work ends at
/// once, what was delivered is settled, and the next invocation is asked for.
#[test]
fn an_answer_that_is_broken_off_is_settled_and_followed_by_the_next() {
    let provider = Upstream::start([Answer {
        status: 200,
        headers: vec![("content-type".into(), "text/event-stream".into())],
        steps: vec![Step::Chunk(chunk("first")), Step::Stall],
    }])
    .expect("a provider");
    let api = TcpListener::bind("127.0.0.1:0").expect("a port");
    let document = format!("{KEYS}[providers.openai]\nbase_url = \"http://{}\"\nkey = \"KEY\"\n", provider.address());
    let mut function = Command::new(Path::new(env!("CARGO_BIN_EXE_edgeway-lambda-host")).with_file_name("bootstrap"))
        .env_clear()
        .env("AWS_LAMBDA_RUNTIME_API", api.local_addr().expect("an address").to_string())
        .env("EDGEWAY_CONFIG", document)
        .env("KEY", "a-key-of-the-tests")
        .stdout(Stdio::piped())
        .spawn()
        .expect("bootstrap, beside the host");
    let accept = || Connection::new(api.accept().expect("a connection").0).expect("a socket");
    let mut connection = accept();
    assert!(connection.read_head().expect("a head").expect("/next").start.contains("/invocation/next"));
    let event = json!({
        "version": "2.0", "routeKey": "$default", "rawPath": "/v1/chat/completions", "rawQueryString": "",
        "headers": {"content-type": "application/json", "authorization": "Bearer a-key-of-the-tests"},
        "requestContext": {
            "accountId": "1", "apiId": "a", "domainName": "a.lambda-url.us-east-1.on.aws", "stage": "$default", "timeEpoch": 1,
            "http": {"method": "POST", "path": "/", "protocol": "HTTP/1.1", "sourceIp": "192.0.2.1", "userAgent": "x"},
        },
        "body": chat("openai/m", true), "isBase64Encoded": false,
    })
    .to_string();
    let head =
        "HTTP/1.1 200 OK\r\nlambda-runtime-aws-request-id: r\r\nlambda-runtime-deadline-ms: 99999999999999\r\ncontent-length: ";
    connection.write(format!("{head}{}\r\n\r\n{event}", event.len()).as_bytes()).expect("an invocation");
    let answer = connection.read_head().expect("a head").expect("an answer");
    let mut body = BodyReader::new(&answer, false);
    let mut seen = String::new();
    while !seen.contains("first") {
        seen.push_str(&String::from_utf8_lossy(&body.next(&mut connection).expect("a chunk").expect("not the end")));
    }
    drop(connection);
    assert!(accept().read_head().expect("a head").expect("/next").start.contains("/invocation/next"));
    provider.seen().expect("the provider's work has ended");
    let mut line = String::new();
    BufReader::new(function.stdout.take().expect("piped")).read_line(&mut line).expect("a record");
    let record: Value = serde_json::from_str(&line).expect("JSON");
    assert_eq!((&record["outcome"], &record["estimated"]), (&json!("abandoned"), &json!(true)), "{record}");
    function.kill().and_then(|()| function.wait()).expect("an end");
}

/// Where a provider is whose answers never end and never pause for long.
fn trickling() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address");
    std::thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            std::thread::spawn(move || trickle(stream));
        }
    });
    address
}

/// Answers one request, until the gateway goes away.
fn trickle(stream: TcpStream) -> io::Result<()> {
    let event = |event: Value| format!("event: {}\ndata: {event}\n\n", event["type"].as_str().expect("a type")).into_bytes();
    let mut connection = Connection::new(stream)?;
    let head = connection.read_head()?.ok_or(io::ErrorKind::UnexpectedEof)?;
    connection.read_body(&head, false)?;
    connection.write(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n")?;
    connection.write_chunk(&event(json!({"type": "message_start", "message": {
        "id": "m", "type": "message", "role": "assistant", "model": "m", "content": [], "stop_reason": null,
        "stop_sequence": null, "usage": {"input_tokens": 1, "output_tokens": 1},
    }})))?;
    let block = json!({"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}});
    connection.write_chunk(&event(block))?;
    let delta = event(json!({"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "first "}}));
    loop {
        connection.write_chunk(&delta)?;
        std::thread::sleep(Duration::from_millis(50));
    }
}

fn chunk(text: &str) -> Vec<u8> {
    let chunk = json!({"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m",
        "choices": [{"index": 0, "delta": {"role": "assistant", "content": text}, "finish_reason": null}]});
    format!("data: {chunk}\n\n").into_bytes()
}

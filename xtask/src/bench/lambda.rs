//! `cargo xtask bench lambda`: the function as it is deployed: its zip, how soon it asks for its first invocation, and what it holds
//! in memory after it has served.
//!
//! A Runtime API in this process gives the real `bootstrap` its invocations, so nothing but the function is measured. The
//! start is from the call that makes the process to the arrival of its first `/next`.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{Duration, Instant};

use serde_json::json;

use crate::report::{Broken, Report};
use crate::run::{ask, cargo, command};
use crate::{Options, workspace};

/// How often a start is measured.
const STARTS: usize = 31;
/// Invocations before the memory is read, every tenth streamed.
const INVOCATIONS: usize = 500;
const PATIENCE: Duration = Duration::from_secs(30);
const DOCUMENT: &str = "[auth]\nkeys = [\"KEY\"]\n\n[routes.all]\nmodels = [\"smart\"]\ntargets = [\"demo/echo\"]\n";

/// Measures; says whether everything ran. Missing a figure's goal is a result, not a failure.
pub(crate) fn run(options: &Options) -> bool {
    let mut report = Report::new("bench", options);
    let _ = steps(&mut report, options);
    report.end()
}

fn steps(report: &mut Report, options: &Options) -> Result<(), Broken> {
    report.command("build the function", cargo(&["build", "--release", "--quiet", "--package", "edgeway-lambda"]))?;
    let (mut size, mut start, mut memory) = (0.0, 0.0, (0.0, 0.0));
    let folder = workspace::scratch().join("bench-lambda");
    report.check("zip", || {
        size = zip(&folder)?;
        Ok(format!("{size:.2} MB"))
    })?;
    report.check("starts", || {
        let mut seen = Vec::new();
        for _ in 0..STARTS {
            seen.push(Function::start(&folder)?.1.as_secs_f64() * 1e3);
        }
        seen.sort_by(f64::total_cmp);
        start = seen[seen.len() / 2];
        Ok(format!("{start:.1} ms, from {:.1} to {:.1}", seen[0], seen[seen.len() - 1]))
    })?;
    report.check("memory", || {
        memory = served(&folder)?;
        Ok(format!("{:.1} MB at the first /next, {:.1} MB after {INVOCATIONS} invocations", memory.0, memory.1))
    })?;
    let table = tabulate(size, start, memory);
    println!("\n{table}");
    if options.publish {
        report.check("publish", || super::publish("lambda", &table))?;
    }
    Ok(())
}

fn tabulate(size: f64, start: f64, memory: (f64, f64)) -> String {
    super::table([
        ("zip that is uploaded", "MB", size, 1, "<= 4", "<= 3"),
        ("start of the process to its first `/next`, median of 31", "ms", start, 1, "<= 15", "<= 5"),
        ("resident memory at the first `/next`", "MB", memory.0, 1, "<= 20", "<= 12"),
        ("resident memory after 500 invocations", "MB", memory.1, 1, "<= 20", "<= 12"),
    ])
}

/// Lays the function out as it is deployed, and zips it; the zip's size in MB (10^6 bytes).
fn zip(folder: &Path) -> Result<f64, String> {
    let failed = |error: std::io::Error| format!("{}: {error}", folder.display());
    let _ = std::fs::remove_dir_all(folder);
    std::fs::create_dir_all(folder).map_err(failed)?;
    std::fs::copy(workspace::target().join("release/bootstrap"), folder.join("bootstrap")).map_err(failed)?;
    std::fs::write(folder.join("edgeway.toml"), DOCUMENT).map_err(failed)?;
    let script = "import sys, zipfile\nwith zipfile.ZipFile('function.zip', 'w', zipfile.ZIP_DEFLATED, compresslevel=9) as z:\n    \
                  [z.write(name) for name in ('bootstrap', 'edgeway.toml')]";
    let mut python = command("python3", &["-c", script]);
    python.current_dir(folder);
    ask(python)?;
    Ok(std::fs::metadata(folder.join("function.zip")).map_err(failed)?.len() as f64 / 1e6)
}

/// Serves invocations; resident memory before and after, in MB.
fn served(folder: &Path) -> Result<(f64, f64), String> {
    let (function, _) = Function::start(folder)?;
    let before = function.resident()?;
    for number in 0..INVOCATIONS {
        function.invoke(&event(number % 10 == 0))?;
    }
    Ok((before, function.resident()?))
}

fn event(stream: bool) -> String {
    let body = json!({"model": "smart", "stream": stream, "messages": [{"role": "user", "content": "Tell me a story."}]});
    let http = json!({"method": "POST", "path": "/v1/chat/completions", "protocol": "HTTP/1.1", "sourceIp": "192.0.2.1", "userAgent": "x"});
    json!({
        "version": "2.0", "routeKey": "$default", "rawPath": "/v1/chat/completions", "rawQueryString": "",
        "headers": {"host": "h", "content-type": "application/json", "authorization": "Bearer key-of-the-bench"},
        "requestContext": {
            "accountId": "1", "apiId": "a", "domainName": "a.lambda-url.us-east-1.on.aws", "domainPrefix": "a", "http": http,
            "requestId": "r", "routeKey": "$default", "stage": "$default", "time": "12/Mar/2026:19:03:58 +0000", "timeEpoch": 1_u64,
        },
        "body": body.to_string(), "isBase64Encoded": false,
    })
    .to_string()
}

/// The function's process, and the other end of its Runtime API.
struct Function {
    child: Child,
    events: Sender<String>,
    answered: Receiver<Result<(), String>>,
}

impl Function {
    /// Starts it; how long it took to ask for its first invocation.
    fn start(folder: &Path) -> Result<(Self, Duration), String> {
        let listener = TcpListener::bind("127.0.0.1:0").map_err(|error| error.to_string())?;
        let address = listener.local_addr().map_err(|error| error.to_string())?;
        let (asks, asked) = channel();
        let (events, waiting) = channel();
        let (answers, answered) = channel();
        std::thread::spawn(move || {
            let Ok((stream, _)) = listener.accept() else { return };
            if let Err(wrong) = serve(stream, &asks, &waiting, &answers) {
                let _ = answers.send(Err(wrong.to_string()));
            }
        });
        let bootstrap: PathBuf = folder.join("bootstrap");
        let started = Instant::now();
        let child = Command::new(bootstrap)
            .current_dir(folder)
            .env_clear()
            .env("AWS_LAMBDA_RUNTIME_API", address.to_string())
            .env("AWS_LAMBDA_FUNCTION_NAME", "edgeway")
            .env("AWS_LAMBDA_FUNCTION_VERSION", "1")
            .env("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "256")
            .env("LAMBDA_TASK_ROOT", folder)
            .env("KEY", "key-of-the-bench")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .map_err(|error| format!("bootstrap does not start: {error}"))?;
        let function = Self { child, events, answered };
        let at: Instant = asked.recv_timeout(PATIENCE).map_err(|_| "the function asks for no invocation".to_owned())?;
        Ok((function, at - started))
    }

    /// Runs one invocation to the end of its answer.
    fn invoke(&self, event: &str) -> Result<(), String> {
        self.events.send(event.to_owned()).map_err(|_| "the function is gone".to_owned())?;
        self.answered.recv_timeout(PATIENCE).map_err(|_| "the function does not answer".to_owned())?
    }

    fn resident(&self) -> Result<f64, String> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).map_err(|error| error.to_string())?;
        let kib = status.lines().find_map(|line| line.strip_prefix("VmRSS:")?.split_whitespace().next()?.parse::<f64>().ok());
        Ok(kib.ok_or("no resident memory in /proc")? * 1024.0 / 1e6)
    }
}

impl Drop for Function {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The Runtime API on the function's one connection: `/next`, its answer, and again.
fn serve(
    mut stream: TcpStream,
    asks: &Sender<Instant>,
    waiting: &Receiver<String>,
    answers: &Sender<Result<(), String>>,
) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    let mut buffer = Vec::new();
    loop {
        let head = read_to(&mut stream, &mut buffer, b"\r\n\r\n")?;
        let head = String::from_utf8_lossy(&head).to_ascii_lowercase();
        if head.starts_with("get ") {
            let _ = asks.send(Instant::now());
            let Ok(event) = waiting.recv() else { return Ok(()) };
            let answer = format!(
                "HTTP/1.1 200 OK\r\nlambda-runtime-aws-request-id: r\r\nlambda-runtime-deadline-ms: 99999999999999\r\n\
                 lambda-runtime-invoked-function-arn: arn:aws:lambda:us-east-1:1:function:edgeway\r\ncontent-length: {}\r\n\r\n{event}",
                event.len()
            );
            stream.write_all(answer.as_bytes())?;
            continue;
        }
        let body = match head.split("content-length:").nth(1).and_then(|rest| rest.lines().next()?.trim().parse::<usize>().ok()) {
            Some(length) => {
                while buffer.len() < length {
                    fill(&mut stream, &mut buffer)?;
                }
                buffer.drain(..length).collect()
            }
            None => read_to(&mut stream, &mut buffer, b"\r\n0\r\n\r\n")?,
        };
        stream.write_all(b"HTTP/1.1 202 Accepted\r\ncontent-length: 0\r\n\r\n")?;
        let good = head.contains("/response ") && String::from_utf8_lossy(&body).contains("\"statusCode\":200");
        let said = || format!("an answer that is none: {head} {}", String::from_utf8_lossy(&body));
        let _ = answers.send(if good { Ok(()) } else { Err(said()) });
    }
}

fn read_to(stream: &mut TcpStream, buffer: &mut Vec<u8>, end: &[u8]) -> std::io::Result<Vec<u8>> {
    loop {
        if let Some(at) = buffer.windows(end.len()).position(|window| window == end) {
            return Ok(buffer.drain(..at + end.len()).collect());
        }
        fill(stream, buffer)?;
    }
}

fn fill(stream: &mut TcpStream, buffer: &mut Vec<u8>) -> std::io::Result<()> {
    let mut more = [0; 16 << 10];
    match stream.read(&mut more)? {
        0 => Err(std::io::ErrorKind::UnexpectedEof.into()),
        read => {
            buffer.extend_from_slice(&more[..read]);
            Ok(())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_says_what_was_measured_beside_its_goals() {
        let table = tabulate(2.34, 4.56, (8.0, 30.0));
        assert!(table.contains("| zip that is uploaded | MB | 2.3 | <= 4 | <= 3 |"));
        assert!(table.contains("after 500 invocations | MB | 30.0 | <= 20 | <= 12 |"));
    }
}

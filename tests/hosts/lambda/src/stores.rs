//! Stand-ins for a function's stores, each a process on a free port: dynalite for DynamoDB (its conditional writes are
//! atomic; moto's lose some), moto for S3 and SQS.
//!
//! Both take any credentials. Which process is which is said on standard error, so that a test can stop one.

use std::io;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use edgeway_tests::http1::Connection;
use serde_json::{Value, json};

use crate::mortal;
use crate::options::{Options, Which};

/// How long a stand-in may take to start: Python's is slow on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);
const TABLE: &str = "edgeway";
const BUCKET: &str = "edgeway-objects";
const QUEUE: &str = "edgeway";

/// Running stores.
#[derive(Default)]
pub(crate) struct Stores {
    dynamodb: Option<Stand>,
    moto: Option<Stand>,
    queue: String,
}

impl Stores {
    /// Starts them and makes table, bucket and queue.
    pub(crate) fn start(options: &Options, which: Which) -> Result<Self, String> {
        if which == Which::None {
            return Ok(Self::default());
        }
        let tools = options.tools.as_ref().ok_or("--stores needs --tools")?;
        let dynamodb = dynalite(tools, options.state.as_deref())?;
        let moto = (which == Which::All).then(|| moto(tools)).transpose()?;
        dynamodb.wait()?;
        make_table(&dynamodb)?;
        let mut queue = String::new();
        if let Some(moto) = &moto {
            moto.wait()?;
            make_bucket(moto)?;
            queue = make_queue(moto)?;
        }
        let pids = json!({"event": "stores", "dynamodb": dynamodb.child.id(), "s3": moto.as_ref().map(|moto| moto.child.id())});
        eprintln!("{pids}");
        Ok(Self { dynamodb: Some(dynamodb), moto, queue })
    }

    /// What a function is told of them.
    pub(crate) fn bindings(&self) -> Vec<(String, String)> {
        let url = |stand: &Stand| format!("http://{}", stand.address);
        let table = self
            .dynamodb
            .iter()
            .flat_map(|stand| [("EDGEWAY_TABLE", TABLE.to_owned()), ("AWS_ENDPOINT_URL_DYNAMODB", url(stand))]);
        let others = self.moto.iter().flat_map(|stand| {
            [
                ("EDGEWAY_BUCKET", BUCKET.to_owned()),
                ("EDGEWAY_QUEUE_URL", self.queue.clone()),
                ("AWS_ENDPOINT_URL_S3", url(stand)),
                ("AWS_ENDPOINT_URL_SQS", url(stand)),
            ]
        });
        table.chain(others).map(|(name, value)| (name.to_owned(), value)).collect()
    }
}

fn dynalite(tools: &Path, state: Option<&Path>) -> Result<Stand, String> {
    let script = tools.join("node_modules/dynalite/cli.js");
    let mut node = mortal::command(mortal::find("node"));
    node.arg(&script).args(["--host", "127.0.0.1", "--createTableMs", "0"]);
    if let Some(state) = state {
        let kept = state.join("dynamodb");
        std::fs::create_dir_all(&kept).map_err(|error| format!("{}: {error}", kept.display()))?;
        node.arg("--path").arg(kept);
    }
    node.arg("--port");
    Stand::start("dynalite", node, &script)
}

fn moto(tools: &Path) -> Result<Stand, String> {
    let server = tools.join("venv/bin/moto_server");
    let mut moto = mortal::command(&server);
    moto.args(["-H", "127.0.0.1", "-p"]);
    Stand::start("moto", moto, &server)
}

fn make_table(dynamodb: &Stand) -> Result<(), String> {
    let key = |name: &str, kind: &str| json!({"AttributeName": name, "KeyType": kind});
    let text = |name: &str| json!({"AttributeName": name, "AttributeType": "S"});
    let body = json!({
        "TableName": TABLE, "BillingMode": "PAY_PER_REQUEST", "AttributeDefinitions": [text("pk"), text("sk")],
        "KeySchema": [key("pk", "HASH"), key("sk", "RANGE")],
    });
    match dynamodb.ask("dynamodb", "DynamoDB_20120810.CreateTable", &body)? {
        (200, _) => {}
        (_, answer) if answer.to_string().contains("ResourceInUseException") => {}
        (status, answer) => return Err(format!("the table cannot be made: {status} {answer}")),
    }
    let started = Instant::now();
    while started.elapsed() < PATIENCE {
        let (_, answer) = dynamodb.ask("dynamodb", "DynamoDB_20120810.DescribeTable", &json!({"TableName": TABLE}))?;
        if answer["Table"]["TableStatus"] == "ACTIVE" {
            return Ok(());
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    Err("the table does not become active".into())
}

fn make_bucket(moto: &Stand) -> Result<(), String> {
    let (status, answer) = moto.send(&format!("PUT /{BUCKET} HTTP/1.1"), &[("host", "s3.us-east-1.amazonaws.com")], "s3", b"")?;
    if status == 200 { Ok(()) } else { Err(format!("the bucket cannot be made: {status} {}", String::from_utf8_lossy(&answer))) }
}

fn make_queue(moto: &Stand) -> Result<String, String> {
    let (_, answer) = moto.ask("sqs", "AmazonSQS.CreateQueue", &json!({"QueueName": QUEUE}))?;
    answer["QueueUrl"].as_str().map(str::to_owned).ok_or(format!("the queue cannot be made: {answer}"))
}

/// A stand-in's process. Killed when dropped.
struct Stand {
    name: &'static str,
    child: Child,
    address: SocketAddr,
}

impl Stand {
    /// Starts it on a free port, which is its last argument.
    fn start(name: &'static str, mut command: Command, needs: &Path) -> Result<Self, String> {
        if !needs.exists() {
            return Err(format!("{} is missing; `cargo xtask conform lambda` installs it", needs.display()));
        }
        let free = || TcpListener::bind("127.0.0.1:0")?.local_addr();
        let address = free().map_err(|error: io::Error| format!("{name}: {error}"))?;
        let child = command
            .arg(address.port().to_string())
            .env_clear()
            .env("PATH", mortal::path())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .map_err(|error| format!("{name} does not start: {error}"))?;
        Ok(Self { name, child, address })
    }

    fn wait(&self) -> Result<(), String> {
        let started = Instant::now();
        while started.elapsed() < PATIENCE {
            if TcpStream::connect(self.address).is_ok() {
                return Ok(());
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        Err(format!("{} does not listen", self.name))
    }

    fn ask(&self, service: &str, target: &str, body: &Value) -> Result<(u16, Value), String> {
        let headers = [("x-amz-target", target), ("content-type", "application/x-amz-json-1.0")];
        let (status, answer) = self.send("POST / HTTP/1.1", &headers, service, body.to_string().as_bytes())?;
        Ok((status, serde_json::from_slice(&answer).unwrap_or_default()))
    }

    fn send(&self, start: &str, headers: &[(&str, &str)], service: &str, body: &[u8]) -> Result<(u16, Vec<u8>), String> {
        let exchange = || {
            let mut connection = Connection::new(TcpStream::connect(self.address)?)?;
            let mut head =
                format!("{start}\r\ncontent-length: {}\r\nconnection: close\r\nx-amz-date: 20260101T000000Z\r\n", body.len());
            for (name, value) in headers {
                head.push_str(&format!("{name}: {value}\r\n"));
            }
            if !headers.iter().any(|(name, _)| *name == "host") {
                head.push_str(&format!("host: {}\r\n", self.address));
            }
            head.push_str(&format!(
                "authorization: AWS4-HMAC-SHA256 Credential=AKIDLOCAL/20260101/us-east-1/{service}/aws4_request, SignedHeaders=host, \
                 Signature=00\r\n\r\n"
            ));
            connection.write(&[head.as_bytes(), body].concat())?;
            let head = connection.read_head()?.ok_or(io::ErrorKind::UnexpectedEof)?;
            let answer = connection.read_body(&head, true)?;
            Ok((head.word(1).parse().unwrap_or(0), answer))
        };
        exchange().map_err(|error: io::Error| format!("{}: {error}", self.name))
    }
}

impl Drop for Stand {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

//! Several gateways that share their state, a provider that answers at once, and a crowd of clients.
//!
//! For what must be exact however many ask at the same time: limits and budgets. A target whose runtime has instances of its
//! own (Workers, Spin, Lambda) is one gateway here; the native server over Redis is several processes.

use std::io;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::driver::{Launched, Launcher};
use crate::http1::Connection;

/// Gateways with one configuration and one state.
pub struct Fleet {
    members: Vec<Launched>,
    launcher: Launcher,
    document: String,
    bindings: Vec<(String, String)>,
    /// The provider of all of them.
    pub provider: Provider,
}

/// An answer, whole.
#[derive(Clone, Debug, Default)]
pub struct Answered {
    /// Status; 0 when the connection broke.
    pub status: u16,
    /// Headers, names in lower case.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
}

impl Answered {
    /// The first header of that name (lower case).
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(given, _)| given == name).map(|(_, value)| value.as_str())
    }

    /// The body as JSON; `null` when it is none.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }
}

impl Fleet {
    /// Starts `instances` of a launcher's gateway. `{{upstream}}` in the document is the provider's address.
    pub fn start(launcher: &Launcher, instances: usize, document: &str, bindings: &[(String, String)]) -> Result<Self, String> {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let provider = Provider::start().map_err(|error| format!("the provider: {error}"))?;
        let document = document.replace("{{upstream}}", &format!("http://{}", provider.address));
        let shared = format!("fleet-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let mut launcher = launcher.clone();
        for (_, value) in &mut launcher.environment {
            *value = value.replace("{{unique}}", &shared);
        }
        let members = (0..instances).map(|_| launcher.launch(&document, bindings)).collect::<Result<_, _>>()?;
        Ok(Self { members, launcher, document, bindings: bindings.to_vec(), provider })
    }

    /// Kills all of them while a crowd asks (`kill -9`), and starts as many again; what was answered until then, and how
    /// long the slowest took from its start to `/ready`.
    pub fn kill_during_a_storm(
        &mut self,
        clients: usize,
        after: Duration,
        request: &Ask,
    ) -> Result<(Vec<Answered>, Duration), String> {
        let (addresses, count) = (self.addresses(), self.members.len());
        let over = AtomicBool::new(false);
        let members = &mut self.members;
        let answers = thread::scope(|scope| {
            let crowd: Vec<_> = (0..clients)
                .map(|client| {
                    let (over, address) = (&over, addresses[client % addresses.len()]);
                    scope.spawn(move || {
                        let (mut answers, mut connection) = (Vec::new(), None);
                        // A connection that breaks is the kill.
                        while !over.load(Ordering::Relaxed) && answers.last().is_none_or(|last: &Answered| last.status != 0) {
                            answers.push(once(&mut connection, address, request));
                        }
                        answers
                    })
                })
                .collect();
            thread::sleep(after);
            members.clear(); // a drop kills
            over.store(true, Ordering::Relaxed);
            crowd.into_iter().flat_map(|client| client.join().unwrap_or_default()).collect()
        });
        let mut slowest = Duration::ZERO;
        for _ in 0..count {
            let started = Instant::now();
            self.members.push(self.launcher.launch(&self.document, &self.bindings)?);
            let ask = Ask { method: "GET", path: "/ready".into(), key: String::new(), body: None };
            let ready = connect(self.members[self.members.len() - 1].address).and_then(|mut client| client.ask(&ask));
            if ready.map_err(|error| error.to_string())?.status != 200 {
                return Err("a gateway that was started again is not ready".into());
            }
            slowest = slowest.max(started.elapsed());
        }
        Ok((answers, slowest))
    }

    /// Where the gateways listen.
    pub fn addresses(&self) -> Vec<SocketAddr> {
        self.members.iter().map(|member| member.address).collect()
    }

    /// Asks the first gateway.
    pub fn ask(&self, request: &Ask) -> Result<Answered, String> {
        let address = self.members[0].address;
        let mut connection = connect(address).map_err(|error| error.to_string())?;
        connection.ask(request).map_err(|error| format!("{error}: {}", self.members[0].last_words()))
    }

    /// Sends `total` requests from `clients` at once, spread over all gateways; the answers, in no order.
    pub fn storm(&self, clients: usize, total: u64, request: &Ask) -> Vec<Answered> {
        let next = AtomicU64::new(0);
        let addresses = self.addresses();
        thread::scope(|scope| {
            let crowd: Vec<_> = (0..clients)
                .map(|client| {
                    let (next, address) = (&next, addresses[client % addresses.len()]);
                    scope.spawn(move || {
                        let (mut answers, mut connection) = (Vec::new(), None);
                        while next.fetch_add(1, Ordering::Relaxed) < total {
                            answers.push(once(&mut connection, address, request));
                        }
                        answers
                    })
                })
                .collect();
            crowd.into_iter().flat_map(|client| client.join().unwrap_or_default()).collect()
        })
    }

    /// Ends all of them properly; fails when one ends badly.
    pub fn end(self) -> Result<Vec<Value>, String> {
        let mut records = Vec::new();
        for member in self.members {
            records.extend(member.end()?);
        }
        Ok(records)
    }
}

/// One request on a connection that is kept, or on a new one.
fn once(connection: &mut Option<Client>, address: SocketAddr, request: &Ask) -> Answered {
    let kept = connection.take();
    let answered = match kept.map_or_else(|| connect(address), Ok) {
        Ok(mut client) => client.ask(request).map(|answered| (client, answered)),
        Err(error) => Err(error),
    };
    match answered {
        Ok((client, answered)) => {
            let closes = answered.header("connection").is_some_and(|value| value.eq_ignore_ascii_case("close"));
            *connection = (!closes).then_some(client);
            answered
        }
        Err(_) => Answered::default(),
    }
}

/// A request of this suite's.
#[derive(Clone, Debug)]
pub struct Ask {
    /// Method.
    pub method: &'static str,
    /// Path and query.
    pub path: String,
    /// The bearer's key.
    pub key: String,
    /// A JSON body.
    pub body: Option<Value>,
}

struct Client(Connection, SocketAddr);

fn connect(address: SocketAddr) -> io::Result<Client> {
    Ok(Client(Connection::new(TcpStream::connect(address)?)?, address))
}

impl Client {
    fn ask(&mut self, request: &Ask) -> io::Result<Answered> {
        let body = request.body.as_ref().map(Value::to_string).unwrap_or_default();
        let mut head = format!("{} {} HTTP/1.1\r\nhost: {}\r\n", request.method, request.path, self.1);
        if !request.key.is_empty() {
            head.push_str(&format!("authorization: Bearer {}\r\n", request.key));
        }
        if request.body.is_some() {
            head.push_str(&format!("content-type: application/json\r\ncontent-length: {}\r\n", body.len()));
        }
        self.0.write(format!("{head}\r\n{body}").as_bytes())?;
        let head = self.0.read_head()?.ok_or_else(|| io::Error::other("closed without an answer"))?;
        let body = self.0.read_body(&head, true)?;
        Ok(Answered { status: head.word(1).parse().unwrap_or(0), headers: head.headers, body })
    }
}

/// A provider that speaks OpenAI's protocol and answers at once. What it says it took is what it was told to:
/// `usage: IN OUT` in the last message, or one token each.
pub struct Provider {
    address: SocketAddr,
    counts: Arc<Counts>,
    stopped: Arc<AtomicBool>,
}

#[derive(Default)]
struct Counts {
    asked: AtomicU64,
    open: AtomicU64,
    most: AtomicU64,
}

impl Provider {
    fn start() -> io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let address = listener.local_addr()?;
        let (counts, stopped) = (Arc::new(Counts::default()), Arc::new(AtomicBool::new(false)));
        let (shared, end) = (counts.clone(), stopped.clone());
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                if end.load(Ordering::Relaxed) {
                    return;
                }
                let counts = shared.clone();
                thread::spawn(move || serve(stream, &counts));
            }
        });
        Ok(Self { address, counts, stopped })
    }

    /// How many requests it has had.
    pub fn asked(&self) -> u64 {
        self.counts.asked.load(Ordering::Relaxed)
    }

    /// How many it has had at once.
    pub fn most_at_once(&self) -> u64 {
        self.counts.most.load(Ordering::Relaxed)
    }
}

impl Drop for Provider {
    fn drop(&mut self) {
        self.stopped.store(true, Ordering::Relaxed);
        let _ = TcpStream::connect(self.address); // wakes the accepting thread
    }
}

fn serve(stream: TcpStream, counts: &Counts) {
    let Ok(mut connection) = Connection::new(stream) else { return };
    while let Ok(Some(head)) = connection.read_head() {
        let Ok(body) = connection.read_body(&head, false) else { return };
        counts.asked.fetch_add(1, Ordering::Relaxed);
        counts.most.fetch_max(counts.open.fetch_add(1, Ordering::Relaxed) + 1, Ordering::Relaxed);
        let request: Value = serde_json::from_slice(&body).unwrap_or_default();
        let (input, output) = usage(&request);
        let answer = json!({
            "id": "chatcmpl-1", "object": "chat.completion", "created": 1, "model": request["model"],
            "choices": [{"index": 0, "message": {"role": "assistant", "content": "ok"}, "finish_reason": "stop"}],
            "usage": {"prompt_tokens": input, "completion_tokens": output, "total_tokens": input + output},
        })
        .to_string();
        let head = format!("HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n", answer.len());
        // Before the answer: who reads it may ask again at once.
        counts.open.fetch_sub(1, Ordering::Relaxed);
        if connection.write(format!("{head}{answer}").as_bytes()).is_err() {
            return;
        }
    }
}

fn usage(request: &Value) -> (u64, u64) {
    let last = request["messages"].as_array().and_then(|messages| messages.last());
    let text = last.and_then(|message| message["content"].as_str()).unwrap_or_default();
    let mut words = text.strip_prefix("usage: ").unwrap_or("1 1").split(' ').map(|word| word.parse().unwrap_or(1));
    (words.next().unwrap_or(1), words.next().unwrap_or(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_provider_takes_what_it_is_told() {
        let ask = |content: &str| usage(&json!({"messages": [{"role": "user", "content": content}]}));
        assert_eq!((ask("usage: 3 40"), ask("hello")), ((3, 40), (1, 1)));
    }
}

//! A mock upstream speaking OpenAI chat, Anthropic messages, Gemini and embeddings.
//!
//! Behaviour is set by, in rising order of precedence: the command line, `/__set?k=v`, a
//! `/~k=v,k=v` path prefix (works through any gateway that takes a base URL), the query
//! string, and an `x-mock: k=v,k=v` header.
use crate::{args::Args, now_ns};
use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt;
use hyper::body::{Body, Frame, Incoming};
use hyper::{Request, Response, StatusCode, header};
use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::convert::Infallible;
use std::fmt::Write as _;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Duration;

#[derive(Clone, Copy)]
struct Params {
    /// bytes of text in a JSON answer
    size: usize,
    /// text chunks in a stream
    chunks: u32,
    /// bytes of text in a chunk (at least the timestamp)
    tok: usize,
    /// milliseconds before the response head
    ttfb: u64,
    /// milliseconds between chunks; 0 sends them as fast as the socket takes them
    gap: u64,
    /// with gap=0: one write per chunk instead of letting them coalesce
    flush: bool,
    /// share of requests answered with `status`
    err: f64,
    status: u16,
    /// share of requests whose connection is dropped without an answer
    reset: f64,
    /// trickle the JSON answer one byte every so many milliseconds
    loris: u64,
    /// floats in an embedding
    dims: usize,
}

impl Default for Params {
    fn default() -> Self {
        Params {
            size: 200,
            chunks: 100,
            tok: 20,
            ttfb: 0,
            gap: 0,
            flush: true,
            err: 0.0,
            status: 500,
            reset: 0.0,
            loris: 0,
            dims: 256,
        }
    }
}

impl Params {
    fn set(&mut self, k: &str, v: &str) {
        macro_rules! put {
            ($f:ident) => {
                if let Ok(x) = v.parse() {
                    self.$f = x
                }
            };
        }
        match k {
            "size" => put!(size),
            "chunks" => put!(chunks),
            "tok" => put!(tok),
            "ttfb" => put!(ttfb),
            "gap" => put!(gap),
            "flush" => self.flush = v == "1" || v == "true",
            "err" => put!(err),
            "status" => put!(status),
            "reset" => put!(reset),
            "loris" => put!(loris),
            "dims" => put!(dims),
            _ => {}
        }
    }
    fn set_all(&mut self, list: &str, sep: char) {
        for (k, v) in list.split(sep).filter_map(|kv| kv.split_once('=')) {
            self.set(k, v);
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
enum Api {
    OpenAi,
    Anthropic,
    Gemini,
    Embeddings,
}

#[derive(Default)]
struct Stats {
    conns: Cell<u64>,
    requests: Cell<u64>,
    ok: Cell<u64>,
    errors: Cell<u64>,
    resets: Cell<u64>,
    streams: Cell<u64>,
    streams_open: Cell<u64>,
    streams_open_max: Cell<u64>,
    streams_cut: Cell<u64>,
    bytes_in: Cell<u64>,
    by_api: RefCell<HashMap<&'static str, u64>>,
}

fn inc(c: &Cell<u64>) {
    c.set(c.get() + 1);
}

struct State {
    defaults: Cell<Params>,
    stats: Stats,
    cache: RefCell<HashMap<(Api, usize), Bytes>>,
    rng: Cell<u64>,
}

impl State {
    fn rand(&self) -> f64 {
        let mut x = self.rng.get();
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
        self.rng.set(x);
        (x >> 11) as f64 / (1u64 << 53) as f64
    }
    fn json(&self, api: Api, n: usize) -> Bytes {
        self.cache.borrow_mut().entry((api, n)).or_insert_with(|| json_body(api, n)).clone()
    }
}

/// The text of an answer: a marker the load generator looks for, then filler.
fn text(n: usize) -> String {
    let mut s = String::from("mock-ok ");
    while s.len() < n {
        s.push_str("lorem ipsum dolor sit amet ");
    }
    s.truncate(n.max(8));
    s
}

fn json_body(api: Api, n: usize) -> Bytes {
    let t = text(n);
    let out = n / 4;
    Bytes::from(match api {
        Api::OpenAi => format!(
            r#"{{"id":"chatcmpl-mock0001","object":"chat.completion","created":1760000000,"model":"gpt-4o-mini","choices":[{{"index":0,"message":{{"role":"assistant","content":"{t}","refusal":null}},"logprobs":null,"finish_reason":"stop"}}],"usage":{{"prompt_tokens":24,"completion_tokens":{out},"total_tokens":{}}},"system_fingerprint":"fp_mock"}}"#,
            24 + out
        ),
        Api::Anthropic => format!(
            r#"{{"id":"msg_mock0001","type":"message","role":"assistant","model":"claude-3-5-sonnet-20241022","content":[{{"type":"text","text":"{t}"}}],"stop_reason":"end_turn","stop_sequence":null,"usage":{{"input_tokens":24,"output_tokens":{out}}}}}"#
        ),
        Api::Gemini => format!(
            r#"{{"candidates":[{{"content":{{"parts":[{{"text":"{t}"}}],"role":"model"}},"finishReason":"STOP","index":0}}],"usageMetadata":{{"promptTokenCount":24,"candidatesTokenCount":{out},"totalTokenCount":{}}},"modelVersion":"gemini-2.0-flash","responseId":"mock0001"}}"#,
            24 + out
        ),
        Api::Embeddings => {
            let v: Vec<String> = (0..n).map(|i| format!("{:.6}", (i as f64).sin() / 16.0)).collect();
            format!(
                r#"{{"object":"list","data":[{{"object":"embedding","index":0,"embedding":[{}]}}],"model":"text-embedding-3-small","usage":{{"prompt_tokens":8,"total_tokens":8}}}}"#,
                v.join(",")
            )
        }
    })
}

/// Writes event `i` of a stream of `n` text chunks; false when the stream is over.
fn event(api: Api, i: u32, n: u32, tok: usize, usage: bool, s: &mut String) -> bool {
    let mut t = String::with_capacity(tok + 24);
    let _ = write!(t, "@{} ", now_ns());
    while t.len() < tok {
        t.push('x');
    }
    const HEAD: &str = r#"{"id":"chatcmpl-mock0001","object":"chat.completion.chunk","created":1760000000,"model":"gpt-4o-mini","system_fingerprint":"fp_mock","choices":["#;
    let _ = match api {
        Api::Anthropic => match i {
            0 => s.write_str("event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"id\":\"msg_mock0001\",\"type\":\"message\",\"role\":\"assistant\",\"model\":\"claude-3-5-sonnet-20241022\",\"content\":[],\"stop_reason\":null,\"stop_sequence\":null,\"usage\":{\"input_tokens\":24,\"output_tokens\":1}}}\n\nevent: content_block_start\ndata: {\"type\":\"content_block_start\",\"index\":0,\"content_block\":{\"type\":\"text\",\"text\":\"\"}}\n\n"),
            i if i <= n => write!(s, "event: content_block_delta\ndata: {{\"type\":\"content_block_delta\",\"index\":0,\"delta\":{{\"type\":\"text_delta\",\"text\":\"{t}\"}}}}\n\n"),
            i if i == n + 1 => write!(s, "event: content_block_stop\ndata: {{\"type\":\"content_block_stop\",\"index\":0}}\n\nevent: message_delta\ndata: {{\"type\":\"message_delta\",\"delta\":{{\"stop_reason\":\"end_turn\",\"stop_sequence\":null}},\"usage\":{{\"output_tokens\":{n}}}}}\n\nevent: message_stop\ndata: {{\"type\":\"message_stop\"}}\n\n"),
            _ => return false,
        },
        Api::Gemini => match i {
            0 => Ok(()),
            i if i <= n => {
                let fin = if i == n { ",\"finishReason\":\"STOP\"" } else { "" };
                write!(s, "data: {{\"candidates\":[{{\"content\":{{\"parts\":[{{\"text\":\"{t}\"}}],\"role\":\"model\"}}{fin},\"index\":0}}],\"usageMetadata\":{{\"promptTokenCount\":24,\"candidatesTokenCount\":{i},\"totalTokenCount\":{}}},\"modelVersion\":\"gemini-2.0-flash\"}}\r\n\r\n", 24 + i)
            }
            _ => return false,
        },
        _ => match i {
            0 => write!(s, "data: {HEAD}{{\"index\":0,\"delta\":{{\"role\":\"assistant\",\"content\":\"\"}},\"logprobs\":null,\"finish_reason\":null}}]}}\n\n"),
            i if i <= n => write!(s, "data: {HEAD}{{\"index\":0,\"delta\":{{\"content\":\"{t}\"}},\"logprobs\":null,\"finish_reason\":null}}]}}\n\n"),
            i if i == n + 1 => {
                let _ = write!(s, "data: {HEAD}{{\"index\":0,\"delta\":{{}},\"logprobs\":null,\"finish_reason\":\"stop\"}}]}}\n\n");
                if usage {
                    let _ = write!(s, "data: {HEAD}],\"usage\":{{\"prompt_tokens\":24,\"completion_tokens\":{n},\"total_tokens\":{}}}}}\n\n", 24 + n);
                }
                s.write_str("data: [DONE]\n\n")
            }
            _ => return false,
        },
    };
    true
}

enum MockBody {
    Full(Option<Bytes>),
    /// one byte at a time
    Loris(Bytes, Pin<Box<tokio::time::Sleep>>, u64),
    Stream(Box<Stream>),
}

struct Stream {
    st: Rc<State>,
    api: Api,
    p: Params,
    usage: bool,
    next: u32,
    yielded: bool,
    done: bool,
    timer: Pin<Box<tokio::time::Sleep>>,
    buf: String,
}

impl Stream {
    fn new(st: Rc<State>, api: Api, p: Params, usage: bool) -> Self {
        let s = &st.stats;
        inc(&s.streams);
        inc(&s.streams_open);
        s.streams_open_max.set(s.streams_open_max.get().max(s.streams_open.get()));
        let timer = Box::pin(tokio::time::sleep(Duration::ZERO));
        Stream { st, api, p, usage, next: 0, yielded: true, done: false, timer, buf: String::new() }
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        let s = &self.st.stats;
        s.streams_open.set(s.streams_open.get() - 1);
        if !self.done {
            inc(&s.streams_cut);
        }
    }
}

impl Body for MockBody {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        match self.get_mut() {
            MockBody::Full(b) => Poll::Ready(b.take().map(|b| Ok(Frame::data(b)))),
            MockBody::Loris(b, timer, ms) => {
                if b.is_empty() {
                    return Poll::Ready(None);
                }
                if timer.as_mut().poll(cx).is_pending() {
                    return Poll::Pending;
                }
                timer.as_mut().reset(tokio::time::Instant::now() + Duration::from_millis(*ms));
                Poll::Ready(Some(Ok(Frame::data(b.split_to(1)))))
            }
            MockBody::Stream(s) => {
                if s.p.gap > 0 {
                    // The head event and the first chunk go out at once; later ones wait.
                    if s.next > 1 && s.next <= s.p.chunks && s.timer.as_mut().poll(cx).is_pending() {
                        return Poll::Pending;
                    }
                    let gap = Duration::from_millis(s.p.gap);
                    match s.next {
                        0 => {}
                        1 => s.timer.as_mut().reset(tokio::time::Instant::now() + gap),
                        _ => {
                            let at = s.timer.deadline() + gap;
                            s.timer.as_mut().reset(at)
                        }
                    }
                } else if s.p.flush && !s.yielded {
                    s.yielded = true;
                    cx.waker().wake_by_ref();
                    return Poll::Pending;
                }
                s.yielded = false;
                s.buf.clear();
                let more = event(s.api, s.next, s.p.chunks, s.p.tok, s.usage, &mut s.buf);
                s.next += 1;
                if !more {
                    s.done = true;
                    return Poll::Ready(None);
                }
                Poll::Ready(Some(Ok(Frame::data(Bytes::copy_from_slice(s.buf.as_bytes())))))
            }
        }
    }

    fn size_hint(&self) -> http_body::SizeHint {
        match self {
            MockBody::Full(b) => http_body::SizeHint::with_exact(b.as_ref().map_or(0, |b| b.len() as u64)),
            _ => http_body::SizeHint::default(),
        }
    }
}

fn full(status: u16, ctype: &'static str, b: impl Into<Bytes>) -> Response<MockBody> {
    let mut r = Response::new(MockBody::Full(Some(b.into())));
    *r.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    r.headers_mut().insert(header::CONTENT_TYPE, header::HeaderValue::from_static(ctype));
    r
}

fn stats_json(s: &Stats) -> String {
    serde_json::json!({
        "conns": s.conns.get(), "requests": s.requests.get(), "ok": s.ok.get(), "errors": s.errors.get(),
        "resets": s.resets.get(), "streams": s.streams.get(), "streams_open": s.streams_open.get(),
        "streams_open_max": s.streams_open_max.get(), "streams_cut": s.streams_cut.get(),
        "bytes_in": s.bytes_in.get(), "by_api": *s.by_api.borrow(),
    })
    .to_string()
}

fn reset(s: &Stats) {
    for c in [&s.conns, &s.requests, &s.ok, &s.errors, &s.resets, &s.streams, &s.streams_cut, &s.bytes_in] {
        c.set(0);
    }
    s.streams_open_max.set(s.streams_open.get());
    s.by_api.borrow_mut().clear();
}

async fn serve(st: Rc<State>, req: Request<Incoming>) -> Result<Response<MockBody>, std::io::Error> {
    let path = req.uri().path();
    let query = req.uri().query();
    match path {
        "/__stats" => return Ok(full(200, "application/json", stats_json(&st.stats))),
        "/__reset" => {
            reset(&st.stats);
            return Ok(full(200, "text/plain", "ok\n"));
        }
        "/__set" => {
            let mut p = Params::default();
            p.set_all(query.unwrap_or(""), '&');
            st.defaults.set(p);
            return Ok(full(200, "text/plain", "ok\n"));
        }
        _ => {}
    }
    let mut p = st.defaults.get();
    if let Some(rest) = path.strip_prefix("/~") {
        p.set_all(rest.split('/').next().unwrap_or(""), ',');
    }
    if let Some(q) = query {
        p.set_all(q, '&');
    }
    if let Some(h) = req.headers().get("x-mock").and_then(|h| h.to_str().ok()) {
        p.set_all(h, ',');
    }
    let (api, name) = if path.ends_with("/chat/completions") {
        (Api::OpenAi, "openai")
    } else if path.ends_with("/messages") {
        (Api::Anthropic, "anthropic")
    } else if path.ends_with("enerateContent") {
        (Api::Gemini, "gemini")
    } else if path.ends_with("/embeddings") {
        (Api::Embeddings, "embeddings")
    } else if path.ends_with("/models") {
        return Ok(full(
            200,
            "application/json",
            r#"{"object":"list","data":[{"id":"gpt-4o-mini","object":"model","created":1760000000,"owned_by":"mock"}]}"#,
        ));
    } else {
        return Ok(full(404, "application/json", r#"{"error":{"message":"mock: no such path","type":"invalid_request_error"}}"#));
    };
    let gemini_stream = api == Api::Gemini && path.ends_with(":streamGenerateContent");

    // Drain the body; look for the flags in its small fields, wherever they stand.
    let mut stream = gemini_stream;
    let mut usage = false;
    let mut body = req.into_body();
    let mut tail = BytesMut::new();
    while let Some(f) = body.frame().await {
        let Ok(f) = f else {
            return Err(std::io::Error::other("request cut"));
        };
        if let Some(d) = f.data_ref() {
            st.stats.bytes_in.set(st.stats.bytes_in.get() + d.len() as u64);
            tail.extend_from_slice(d);
            if !stream {
                stream = flag(&tail, b"\"stream\"");
            }
            if !usage {
                usage = flag(&tail, b"\"include_usage\"");
            }
            if tail.len() > 64 {
                tail = tail.split_off(tail.len() - 64);
            }
        }
    }

    inc(&st.stats.requests);
    *st.stats.by_api.borrow_mut().entry(name).or_insert(0) += 1;
    if p.ttfb > 0 {
        tokio::time::sleep(Duration::from_millis(p.ttfb)).await;
    }
    if p.reset > 0.0 && st.rand() < p.reset {
        inc(&st.stats.resets);
        return Err(std::io::Error::other("reset"));
    }
    if p.err > 0.0 && st.rand() < p.err {
        inc(&st.stats.errors);
        return Ok(full(
            p.status,
            "application/json",
            r#"{"error":{"message":"mock error","type":"server_error","code":"mock"}}"#,
        ));
    }
    inc(&st.stats.ok);
    if stream && api != Api::Embeddings {
        let mut r = Response::new(MockBody::Stream(Box::new(Stream::new(st, api, p, usage))));
        let h = r.headers_mut();
        h.insert(header::CONTENT_TYPE, header::HeaderValue::from_static("text/event-stream; charset=utf-8"));
        h.insert(header::CACHE_CONTROL, header::HeaderValue::from_static("no-cache"));
        return Ok(r);
    }
    let b = st.json(api, if api == Api::Embeddings { p.dims } else { p.size });
    if p.loris > 0 {
        let t = Box::pin(tokio::time::sleep(Duration::ZERO));
        return Ok(Response::new(MockBody::Loris(b, t, p.loris)));
    }
    Ok(full(200, "application/json", b))
}

/// Whether `"key": true` stands in `hay`, whatever the spacing.
fn flag(hay: &[u8], key: &[u8]) -> bool {
    memchr::memmem::find_iter(hay, key).any(|i| {
        let rest = hay[i + key.len()..].trim_ascii_start();
        rest.strip_prefix(b":").is_some_and(|r| r.trim_ascii_start().starts_with(b"true"))
    })
}

pub fn run(args: Args) {
    crate::raise_nofile();
    let mut p = Params::default();
    for k in ["size", "chunks", "tok", "ttfb", "gap", "flush", "err", "status", "reset", "loris", "dims"] {
        if let Some(v) = args.get(k) {
            p.set(k, v);
        }
    }
    let listen = args.str("listen", "127.0.0.1:9100");
    let st = Rc::new(State {
        defaults: Cell::new(p),
        stats: Stats::default(),
        cache: RefCell::default(),
        rng: Cell::new(0x9E3779B97F4A7C15),
    });
    let local = tokio::task::LocalSet::new();
    local.block_on(&crate::runtime(), async move {
        let sock = tokio::net::TcpSocket::new_v4().expect("socket");
        sock.set_reuseaddr(true).expect("reuseaddr");
        sock.bind(listen.parse().expect("--listen")).expect("bind");
        let l = sock.listen(4096).expect("listen");
        loop {
            let Ok((c, _)) = l.accept().await else {
                continue;
            };
            let _ = c.set_nodelay(true);
            inc(&st.stats.conns);
            let st = st.clone();
            tokio::task::spawn_local(async move {
                let svc = hyper::service::service_fn(move |r| serve(st.clone(), r));
                let _ = hyper::server::conn::http1::Builder::new().serve_connection(hyper_util::rt::TokioIo::new(c), svc).await;
            });
        }
    });
}

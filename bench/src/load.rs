//! The load generator. One scenario a run, one JSON line on stdout.
use crate::{args::Args, now_ns, procfs};
use bytes::Bytes;
use hdrhistogram::Histogram;
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1::SendRequest;
use hyper::{Request, header};
use serde_json::{Value, json};
use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;
use tokio::task::{JoinSet, LocalSet, spawn_local};

struct Cfg {
    mode: String,
    authority: String,
    req: Request<Full<Bytes>>,
    stream: bool,
    conns: usize,
    secs: f64,
    warm: f64,
    rate: f64,
    expect: u16,
    any: bool,
}

struct Shared {
    cfg: Cfg,
    /// when samples count: [from, until)
    from: Cell<u64>,
    until: Cell<u64>,
    ok: Cell<u64>,
    /// good answers that ended inside the window, the ones its CPU time paid for
    done: Cell<u64>,
    bad: Cell<u64>,
    io_err: Cell<u64>,
    chunks: Cell<u64>,
    cut: Cell<u64>,
    held: Cell<u64>,
    held_max: Cell<u64>,
    lat: RefCell<Histogram<u64>>,
    service: RefCell<Histogram<u64>>,
    transit: RefCell<Histogram<u64>>,
    inter: RefCell<Histogram<u64>>,
    first_bad: RefCell<Option<String>>,
}

fn inc(c: &Cell<u64>) {
    c.set(c.get() + 1);
}

fn hist() -> RefCell<Histogram<u64>> {
    RefCell::new(Histogram::new_with_bounds(100, 120_000_000_000, 3).expect("histogram"))
}

fn record(h: &RefCell<Histogram<u64>>, ns: u64) {
    h.borrow_mut().saturating_record(ns.max(100));
}

impl Shared {
    fn counts(&self, at: u64) -> bool {
        at >= self.from.get() && at < self.until.get()
    }
    fn over(&self) -> bool {
        now_ns() >= self.until.get()
    }
    fn complain(&self, what: impl FnOnce() -> String) {
        self.first_bad.borrow_mut().get_or_insert_with(what);
    }
}

type Sender = SendRequest<Full<Bytes>>;

async fn connect(authority: &str) -> std::io::Result<Sender> {
    let c = tokio::net::TcpStream::connect(authority).await?;
    c.set_nodelay(true)?;
    let (s, conn) =
        hyper::client::conn::http1::handshake(hyper_util::rt::TokioIo::new(c)).await.map_err(std::io::Error::other)?;
    spawn_local(async move {
        let _ = conn.await;
    });
    Ok(s)
}

/// Finds the mock's `@<nanoseconds>` marks in a stream, across frame borders.
#[derive(Default)]
struct Marks {
    digits: u32,
    value: u64,
    open: bool,
}

impl Marks {
    fn feed(&mut self, mut b: &[u8], mut hit: impl FnMut(u64)) {
        while !b.is_empty() {
            if !self.open {
                match memchr::memchr(b'@', b) {
                    None => return,
                    Some(i) => {
                        b = &b[i + 1..];
                        (self.open, self.digits, self.value) = (true, 0, 0);
                    }
                }
            }
            while let Some((&c, rest)) = b.split_first() {
                if !c.is_ascii_digit() {
                    self.open = false;
                    if self.digits >= 9 {
                        hit(self.value);
                    }
                    break;
                }
                self.value = self.value.wrapping_mul(10).wrapping_add(u64::from(c - b'0'));
                self.digits += 1;
                b = rest;
            }
        }
    }
}

enum Outcome {
    Ok,
    Bad,
    Io,
}

/// Sends one request and reads the whole answer. `start` is when it should have left.
async fn one(sh: &Shared, s: &mut Sender, start: u64) -> Outcome {
    let sent = now_ns();
    if s.ready().await.is_err() {
        return Outcome::Io;
    }
    let resp = match s.send_request(sh.cfg.req.clone()).await {
        Ok(r) => r,
        Err(_) => return Outcome::Io,
    };
    let status = resp.status().as_u16();
    let mut body = resp.into_body();
    let good = status == sh.cfg.expect || (sh.cfg.any && status < 600);
    if sh.cfg.stream && good && !sh.cfg.any {
        return read_stream(sh, body, start).await;
    }
    let (mut marked, mut head) = (false, Vec::new());
    while let Some(f) = body.frame().await {
        let Ok(f) = f else { return Outcome::Io };
        if let Some(d) = f.data_ref() {
            // The mock's answers, and the gateway's own demo model's.
            marked |= [&b"mock-ok"[..], b"embedding", b"demo/echo: "].iter().any(|mark| memchr::memmem::find(d, mark).is_some());
            if head.len() < 400 && !marked {
                head.extend_from_slice(&d[..d.len().min(400)]);
            }
        }
    }
    let end = now_ns();
    if !good || (status == 200 && !marked) {
        sh.complain(|| format!("{status}: {}", String::from_utf8_lossy(&head)));
        return Outcome::Bad;
    }
    if sh.counts(start) {
        record(&sh.lat, end - start);
        record(&sh.service, end - sent);
    }
    Outcome::Ok
}

async fn read_stream(sh: &Shared, mut body: hyper::body::Incoming, start: u64) -> Outcome {
    let (mut marks, mut n, mut last_at, mut last_ts) = (Marks::default(), 0u64, 0u64, 0u64);
    let mut tail: Vec<u8> = Vec::new();
    inc(&sh.held);
    sh.held_max.set(sh.held_max.get().max(sh.held.get()));
    let mut broken = false;
    while let Some(f) = body.frame().await {
        let Ok(f) = f else {
            broken = true;
            break;
        };
        let Some(d) = f.data_ref() else { continue };
        let at = now_ns();
        marks.feed(d, |ts| {
            if sh.counts(at) {
                inc(&sh.chunks);
                record(&sh.transit, at.saturating_sub(ts));
                if n == 0 {
                    record(&sh.lat, at - start);
                } else {
                    // How far the gap between two chunks is from the gap they left with.
                    record(&sh.inter, (at - last_at).abs_diff(ts - last_ts));
                }
            }
            n += 1;
            (last_at, last_ts) = (at, ts);
        });
        tail.extend_from_slice(d);
        let cut = tail.len().saturating_sub(256);
        tail.drain(..cut);
        if sh.cfg.mode == "hold" && sh.over() {
            sh.held.set(sh.held.get() - 1);
            return Outcome::Ok;
        }
    }
    sh.held.set(sh.held.get() - 1);
    let done = [&b"[DONE]"[..], b"message_stop", b"\"STOP\"", b"finish_reason\":\"stop\"", b"finish_reason\": \"stop\""]
        .iter()
        .any(|m| memchr::memmem::find(&tail, m).is_some());
    if broken || n == 0 || !done {
        inc(&sh.cut);
        sh.complain(|| format!("stream cut after {n} chunks: {}", String::from_utf8_lossy(&tail)));
        return Outcome::Bad;
    }
    Outcome::Ok
}

fn tally(sh: &Shared, start: u64, o: &Outcome) {
    if matches!(o, Outcome::Ok) && sh.counts(now_ns()) {
        inc(&sh.done);
    }
    // An open loop counts what was due in the window, a closed one what ended in it.
    if sh.counts(if sh.cfg.mode == "open" { start } else { now_ns() }) {
        inc(match o {
            Outcome::Ok => &sh.ok,
            Outcome::Bad => &sh.bad,
            Outcome::Io => &sh.io_err,
        });
    }
}

/// Requests back to back on one connection (or a new one each time, for `churn`).
async fn closed(sh: Rc<Shared>, churn: bool) {
    let mut conn: Option<Sender> = None;
    while !sh.over() {
        let start = now_ns();
        let mut s = match conn.take() {
            Some(s) if !s.is_closed() => s,
            _ => match connect(&sh.cfg.authority).await {
                Ok(s) => s,
                Err(e) => {
                    sh.complain(|| e.to_string());
                    tally(&sh, start, &Outcome::Io);
                    tokio::time::sleep(Duration::from_millis(5)).await;
                    continue;
                }
            },
        };
        let o = one(&sh, &mut s, start).await;
        tally(&sh, start, &o);
        if !matches!(o, Outcome::Io) && !churn {
            conn = Some(s);
        }
    }
}

/// Serves start times from the pacer; latency counts from the time a request was due,
/// so a stalled gateway is charged for every request that had to wait behind the stall.
async fn open(sh: Rc<Shared>, rx: Rc<tokio::sync::Mutex<tokio::sync::mpsc::UnboundedReceiver<u64>>>) {
    let mut conn: Option<Sender> = None;
    loop {
        let Some(due) = rx.lock().await.recv().await else {
            return;
        };
        let mut s = match conn.take() {
            Some(s) if !s.is_closed() => s,
            _ => match connect(&sh.cfg.authority).await {
                Ok(s) => s,
                Err(_) => {
                    tally(&sh, due, &Outcome::Io);
                    continue;
                }
            },
        };
        let o = one(&sh, &mut s, due).await;
        tally(&sh, due, &o);
        if !matches!(o, Outcome::Io) {
            conn = Some(s);
        }
    }
}

/// Emits due times at a fixed rate from its own thread: the runtime's timer only has
/// millisecond steps, clock_nanosleep has microseconds.
fn pacer(rate: f64, from: u64, until: u64, tx: tokio::sync::mpsc::UnboundedSender<u64>) {
    // SAFETY: sets this thread's timer slack to 1 ns; no pointers involved.
    unsafe { libc::prctl(libc::PR_SET_TIMERSLACK, 1, 0, 0, 0) };
    for i in 0u64.. {
        let due = from + (i as f64 * 1e9 / rate) as u64;
        if due >= until {
            return;
        }
        let ts = libc::timespec { tv_sec: (due / 1_000_000_000) as i64, tv_nsec: (due % 1_000_000_000) as i64 };
        // SAFETY: `ts` lives across the call; the remainder pointer may be null.
        unsafe { libc::clock_nanosleep(libc::CLOCK_MONOTONIC, libc::TIMER_ABSTIME, &ts, std::ptr::null_mut()) };
        if tx.send(due).is_err() {
            return;
        }
    }
}

fn body(args: &Args, model: &str, stream: bool) -> Bytes {
    if let Some(f) = args.get("body-file") {
        return Bytes::from(std::fs::read(f).expect("--body-file"));
    }
    let small = "Write a short note about the history of the printing press, in plain words.";
    let content = match args.get("body").and_then(|b| b.split_once(':')) {
        Some(("text", n)) => {
            let n: usize = n.parse().expect("--body text:N");
            Value::String("The printing press changed how people read. ".repeat(n / 44 + 1)[..n].to_string())
        }
        Some(("image", n)) => {
            let n: usize = n.parse().expect("--body image:N");
            let b64 = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJ".repeat(n / 44 + 1)[..n].to_string();
            json!([{"type": "text", "text": small}, {"type": "image_url", "image_url": {"url": format!("data:image/png;base64,{b64}")}}])
        }
        _ => Value::String(small.into()),
    };
    let v = if args.get("body") == Some("embed") {
        json!({"model": model, "input": small})
    } else {
        let mut v = json!({"model": model, "messages": [
            {"role": "system", "content": "You are a helpful assistant. Answer in one paragraph."},
            {"role": "user", "content": content}],
            "temperature": 0.7, "max_tokens": 256});
        if stream {
            v["stream"] = json!(true);
        }
        v
    };
    Bytes::from(v.to_string())
}

fn q(h: &RefCell<Histogram<u64>>) -> Value {
    let h = h.borrow();
    if h.is_empty() {
        return Value::Null;
    }
    let us = |p: f64| (h.value_at_quantile(p) as f64 / 100.0).round() / 10.0;
    json!({"n": h.len(), "p50": us(0.5), "p90": us(0.9), "p99": us(0.99), "p999": us(0.999), "max": us(1.0), "mean": (h.mean() / 100.0).round() / 10.0})
}

fn r3(x: f64) -> f64 {
    (x * 1000.0).round() / 1000.0
}

pub fn run(args: Args) {
    crate::raise_nofile();
    let url = args.str("url", "http://127.0.0.1:9100/v1/chat/completions");
    let rest = url.strip_prefix("http://").expect("--url must start with http://");
    let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
    let mode = args.get("").unwrap_or("closed").to_string();
    let stream = args.has("stream");
    let payload = body(&args, &args.str("model", "gpt-4o-mini"), stream);
    let body_bytes = payload.len();
    let mut req =
        Request::post(format!("/{path}")).header(header::HOST, authority).header(header::CONTENT_TYPE, "application/json");
    for h in args.all("header") {
        let (k, v) = h.split_once(':').expect("--header k: v");
        req = req.header(k.trim(), v.trim());
    }
    let cfg = Cfg {
        mode: mode.clone(),
        authority: authority.to_string(),
        req: req.body(Full::new(payload)).expect("request"),
        stream,
        conns: args.num("conns", 32),
        secs: args.num("secs", 5.0),
        warm: args.num("warm", 1.0),
        rate: args.num("rate", 200.0),
        expect: args.num("expect", 200),
        any: args.has("any"),
    };
    let pid: u32 = args.num("pid", 0);
    let pids = if pid > 0 { procfs::tree(pid) } else { vec![] };
    let z = Cell::new(0u64);
    let sh = Rc::new(Shared {
        cfg,
        from: z.clone(),
        until: z.clone(),
        ok: z.clone(),
        done: z.clone(),
        bad: z.clone(),
        io_err: z.clone(),
        chunks: z.clone(),
        cut: z.clone(),
        held: z.clone(),
        held_max: z,
        lat: hist(),
        service: hist(),
        transit: hist(),
        inter: hist(),
        first_bad: RefCell::new(None),
    });
    let rss_before = procfs::rss_mib(&pids);
    let c = &sh.cfg;
    let t0 = now_ns();
    let warm = (c.warm * 1e9) as u64;
    sh.from.set(t0 + warm);
    sh.until.set(t0 + warm + (c.secs * 1e9) as u64);

    let (mut cpu, mut wall, mut rss_max, mut me) = (0.0, 0.0, rss_before, 0.0);
    let rt = crate::runtime();
    LocalSet::new().block_on(&rt, async {
        let mut set = JoinSet::new();
        match c.mode.as_str() {
            "open" => {
                let (tx, rx) = tokio::sync::mpsc::unbounded_channel();
                let rx = Rc::new(tokio::sync::Mutex::new(rx));
                let (rate, until) = (c.rate, sh.until.get());
                std::thread::spawn(move || pacer(rate, t0 + 20_000_000, until, tx));
                for _ in 0..c.conns {
                    set.spawn_local(open(sh.clone(), rx.clone()));
                }
            }
            // Streams start evenly over the warm-up, then each is followed by another.
            "sse" | "hold" => {
                let step = c.warm / c.conns as f64;
                for i in 0..c.conns {
                    let sh = sh.clone();
                    set.spawn_local(async move {
                        tokio::time::sleep(Duration::from_secs_f64(step * i as f64)).await;
                        closed(sh, false).await
                    });
                }
            }
            "churn" => {
                for _ in 0..c.conns {
                    set.spawn_local(closed(sh.clone(), true));
                }
            }
            _ => {
                for _ in 0..c.conns {
                    set.spawn_local(closed(sh.clone(), false));
                }
            }
        }
        tokio::time::sleep(Duration::from_nanos(warm)).await;
        let own = [std::process::id()];
        let (c0, m0, w0) = (procfs::cpu_s(&pids), procfs::cpu_s(&own), now_ns());
        while !sh.over() {
            rss_max = procfs::rss_mib(&pids).max(rss_max);
            let left = sh.until.get().saturating_sub(now_ns());
            tokio::time::sleep(Duration::from_nanos(left.min(250_000_000))).await;
        }
        wall = (now_ns() - w0) as f64 / 1e9;
        cpu = procfs::cpu_s(&pids) - c0;
        me = procfs::cpu_s(&own) - m0;
        rss_max = procfs::rss_mib(&pids).max(rss_max);
        // Late answers still count against the gateway, but not for ever.
        let grace = if c.mode == "hold" { 3 } else { 10 };
        let _ = tokio::time::timeout(Duration::from_secs(grace), async { while set.join_next().await.is_some() {} }).await;
    });
    let (done, chunks) = (sh.done.get() as f64, sh.chunks.get() as f64);
    let mut out = json!({
        "gw": args.str("gw", "?"), "scenario": args.str("name", &mode), "mode": mode, "conns": c.conns, "body_bytes": body_bytes,
        "wall_s": r3(wall), "ok": sh.ok.get(), "bad": sh.bad.get(), "io_err": sh.io_err.get(), "rps": r3(done / wall),
        "load_cpu_s": r3(me), "lat_us": q(&sh.lat),
    });
    if mode == "open" {
        out["rate"] = json!(c.rate);
        out["service_us"] = q(&sh.service);
    }
    if sh.cfg.stream {
        out["chunks_per_s"] = json!(r3(chunks / wall));
        out["cut"] = json!(sh.cut.get());
        out["held_max"] = json!(sh.held_max.get());
        out["transit_us"] = q(&sh.transit);
        out["jitter_us"] = q(&sh.inter);
    }
    if pid > 0 {
        out["procs"] = json!(pids.len());
        out["cpu_s"] = json!(r3(cpu));
        out["cpu_util"] = json!(r3(cpu / wall));
        out["rss_before_mib"] = json!(r3(rss_before));
        out["rss_max_mib"] = json!(r3(rss_max));
        if cpu > 0.0 {
            out["req_per_cpu_s"] = json!(r3(done / cpu));
            out["cpu_us_per_req"] = json!(r3(cpu * 1e6 / done));
            if sh.cfg.stream {
                out["cpu_us_per_chunk"] = json!(r3(cpu * 1e6 / chunks));
            }
        }
    }
    if let Some(b) = sh.first_bad.borrow().as_ref() {
        out["first_bad"] = json!(b.chars().take(900).collect::<String>());
    }
    println!("{out}");
    std::process::exit(0);
}

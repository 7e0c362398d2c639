//! Stores as their users meet them: the port suites, kills, several processes, a server that goes away and comes back.
#![cfg(unix)]
#![allow(clippy::disallowed_methods, clippy::disallowed_types, clippy::disallowed_macros, reason = "tests play the operator")]

mod support;

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{self, Child, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use bytes::Bytes;
use edgeway_core::cell::allowance::{Allowance, Command, Hold, Reply, Reserve, Terms};
use edgeway_core::cell::{self, window::Window};
use edgeway_core::config::{self, StoreChoice};
use edgeway_core::exchange::{Notice, Record};
use edgeway_core::ports::suite::{self, COUNTER, Subject};
use edgeway_core::ports::{Event, EventSink, Ports, Secret, Timestamp};
use edgeway_core::{Body, ErrorKind};
use edgeway_native::ports::clock::SystemClock;
use edgeway_native::ports::entropy::SystemEntropy;
use edgeway_native::ports::http::{Client, Connector};
use edgeway_native::ports::secrets::EnvironmentSecrets;
use edgeway_native::store::Stores;
use futures_util::future::join_all;
use support::redis::Redis;

struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let name = format!("edgeway-stores-{}-{}", process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let folder = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&folder).expect("a folder");
        Self(folder)
    }

    fn store(&self) -> String {
        format!("file:{}", self.0.join("state").display())
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn choice(line: &str) -> StoreChoice {
    let document = format!("[server]\nstore = {line:?}\n");
    let loaded = config::load(Some(("test", &document)), []).unwrap_or_else(|found| panic!("{}", config::render(&found)));
    loaded.document.server.store.expect("a store")
}

fn open(line: &str) -> Stores {
    open_with(line, None).unwrap_or_else(|why| panic!("{why}"))
}

fn open_with(line: &str, password: Option<&str>) -> Result<Stores, String> {
    Stores::open(Some(&choice(line)), password.map(Secret::new), Arc::new(SystemClock))
}

/// Every check of the suites that stores have a part in.
async fn passes_the_suites(stores: &Stores) {
    let ports = Ports {
        http: Arc::new(Client::new(Connector::new(), 1)),
        kv: Some(stores.kv.clone()),
        cells: Some(stores.cells.clone()),
        blobs: Some(stores.blobs.clone()),
        events: stores.events.clone().expect("events are kept"),
        vectors: None,
        secrets: Arc::new(EnvironmentSecrets::default()),
        clock: Arc::new(SystemClock),
        entropy: Arc::new(SystemEntropy),
    };
    let subject = Subject { ports, versioned: Some(stores.versioned.clone()), secret: None };
    let names = suite::names(&subject);
    for needed in ["kv_limits", "cell_serial_history", "compare_and_swap_counts", "blob_ttl", "event_append"] {
        assert!(names.contains(&needed), "{needed} is not among {names:?}");
    }
    let mut wrong = Vec::new();
    for name in names {
        let path = format!("/edgeway-suite/{name}");
        let response = suite::answer(&http::Method::POST, &path, &subject).expect("the suite's own").await;
        let body = response.into_body().collect(1 << 20).await.expect("a text");
        if body != "ok" {
            wrong.push(format!("{name}: {}", String::from_utf8_lossy(&body)));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[tokio::test]
async fn the_embedded_store_passes_the_suites() {
    let folder = Folder::new();
    passes_the_suites(&open(&folder.store())).await;
}

#[tokio::test]
async fn redis_passes_the_suites() {
    let redis = Redis::start(&[]);
    passes_the_suites(&open(&redis.store("suite"))).await;
}

/// The program that counts; `cargo test --test stores` alone does not build it.
fn example() -> &'static Path {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    BUILT.get_or_init(|| {
        let binary = Path::new(env!("CARGO_BIN_EXE_edgeway"));
        let arguments = ["build", "--quiet", "--package", "edgeway", "--example", "cells"];
        let built = process::Command::new(env!("CARGO")).args(arguments).current_dir(env!("CARGO_MANIFEST_DIR")).status();
        assert!(built.expect("cargo runs").success());
        binary.with_file_name("examples").join("cells")
    })
}

fn count(store: &str, cells: usize, concurrency: usize, commands: usize) -> Child {
    let mut command = process::Command::new(example());
    command.arg(store).args([cells, concurrency, commands].map(|number| number.to_string()));
    command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().expect("the example runs")
}

/// The counts that were acknowledged, by cell; `enough` stops reading.
fn acknowledged(child: &mut Child, enough: usize) -> BTreeMap<usize, BTreeSet<u64>> {
    let mut counts: BTreeMap<usize, BTreeSet<u64>> = BTreeMap::new();
    let lines = BufReader::new(child.stdout.take().expect("piped")).lines().map_while(Result::ok);
    for line in lines.take(enough) {
        if let Some((cell, count)) = line.split_once(' ') {
            let (cell, count) = (cell.parse().expect("a cell"), count.parse().expect("a count"));
            assert!(counts.entry(cell).or_default().insert(count), "count {count} of cell {cell} was given twice");
        }
    }
    counts
}

async fn total(stores: &Stores, cell: usize) -> u64 {
    let reply =
        stores.cells.command(&format!("edgeway-count-{cell}"), COUNTER, Bytes::from_static(b"add")).await.expect("it counts");
    std::str::from_utf8(&reply).expect("digits").parse::<u64>().expect("a number") - 1
}

#[tokio::test]
async fn a_killed_process_loses_nothing_that_it_acknowledged_and_counts_nothing_twice() {
    const CONCURRENCY: usize = 16;
    let folder = Folder::new();
    let mut counted: BTreeMap<usize, u64> = BTreeMap::new();
    for killed_after in [40, 300, 1] {
        let mut child = count(&folder.store(), 3, CONCURRENCY, 1_000_000);
        let acknowledged = acknowledged(&mut child, killed_after);
        child.kill().expect("it was running");
        child.wait().expect("it ends");
        let stores = open(&folder.store());
        for cell in 0..3 {
            let (before, now) = (counted.get(&cell).copied().unwrap_or(0), total(&stores, cell).await);
            let replies = acknowledged.get(&cell).map_or(0, |counts| counts.len() as u64);
            let last = acknowledged.get(&cell).and_then(BTreeSet::last).copied().unwrap_or(before);
            assert!(now >= last && now >= before + replies, "cell {cell} fell from {last} to {now}");
            // Read here stops before the kill does: what was acknowledged since is in the pipe.
            assert!(now <= before + 1_000_000);
            counted.insert(cell, now + 1);
        }
        stores.close();
    }
}

#[tokio::test]
async fn what_a_killed_process_was_asked_for_once_is_counted_once_at_most() {
    // One command at a time: after a kill the count is what was acknowledged, or one more.
    let folder = Folder::new();
    let mut child = count(&folder.store(), 1, 1, 200);
    let lines = BufReader::new(child.stdout.take().expect("piped")).lines().map_while(Result::ok);
    let mut last = 0;
    let pid = child.id().to_string();
    for line in lines {
        last = line.strip_prefix("0 ").and_then(|count| count.parse().ok()).unwrap_or(last);
        if last == 50 {
            assert!(process::Command::new("kill").args(["-s", "KILL", &pid]).status().expect("kill runs").success());
        }
    }
    child.wait().expect("it ends");
    assert!((50..200).contains(&last), "{last}");
    let stores = open(&folder.store());
    let now = total(&stores, 0).await;
    assert!(now == last || now == last + 1, "{last} were acknowledged, {now} counted");
}

#[tokio::test]
async fn four_processes_count_a_thousand_at_once_in_redis_and_lose_none() {
    let redis = Redis::start(&["--appendfsync", "no"]);
    let store = redis.store("processes");
    let mut children: Vec<Child> = (0..4).map(|_| count(&store, 2, 250, 250)).collect();
    let mut seen: BTreeMap<usize, BTreeSet<u64>> = BTreeMap::new();
    for child in &mut children {
        for (cell, counts) in acknowledged(child, usize::MAX) {
            for count in counts {
                assert!(seen.entry(cell).or_default().insert(count), "two processes were given {count}");
            }
        }
        assert!(child.wait().expect("it ends").success());
    }
    for cell in 0..2 {
        assert_eq!(seen[&cell], (1..=500).collect());
    }
    let stores = open(&store);
    assert_eq!(total(&stores, 0).await, 500);
}

#[tokio::test]
async fn gateways_with_different_prefixes_share_nothing() {
    let redis = Redis::start(&[]);
    let (one, two) = (open(&redis.store("one")), open(&redis.store("two")));
    one.kv.put("key", Bytes::from_static(b"one"), None).await.unwrap();
    one.blobs.put("key", Body::from("one"), None).await.unwrap();
    assert_eq!(total(&one, 0).await, 0);
    assert!(two.kv.fetch("key").await.unwrap().is_none());
    assert!(two.blobs.fetch("key").await.unwrap().is_none());
    assert_eq!(two.kv.list("", None, 10).await.unwrap().keys, Vec::<String>::new());
    assert_eq!(total(&two, 0).await, 0);
}

#[tokio::test]
async fn a_busy_instance_sees_what_another_has_written() {
    let redis = Redis::start(&["--appendfsync", "no"]);
    let (busy, other) = (Arc::new(open(&redis.store("busy"))), open(&redis.store("busy")));
    let terms = Terms { limit: 1_000_000, window: Window::Ever };
    let stop = Arc::new(AtomicU32::new(0));
    // Questions that never let the cell's queue run empty.
    let askers: Vec<_> = (0..8)
        .map(|_| {
            let (busy, stop) = (busy.clone(), stop.clone());
            tokio::spawn(async move {
                while stop.load(Ordering::Relaxed) == 0 {
                    cell::command::<Allowance>(&*busy.cells, "cell", &Command::Look(terms)).await.expect("an answer");
                }
            })
        })
        .collect();
    for charged in 1..=50 {
        let (amount, ttl, hold) = (1, Duration::ZERO, Hold::Now);
        let reserve = Command::Reserve(Reserve { terms, id: charged, amount, least: 1, ttl, hold, after: None });
        cell::command::<Allowance>(&*other.cells, "cell", &reserve).await.expect("an answer");
        match cell::command::<Allowance>(&*busy.cells, "cell", &Command::Look(terms)).await.expect("an answer") {
            Reply::Standing { charged: seen, .. } => assert_eq!(seen, charged),
            reply => panic!("{reply:?}"),
        }
    }
    stop.store(1, Ordering::Relaxed);
    for asker in askers {
        asker.await.expect("it ends");
    }
}

#[tokio::test]
async fn a_version_is_not_used_again_even_when_redis_was_emptied() {
    let redis = Redis::start(&[]);
    let stores = open(&redis.store("versions"));
    let one = || Some(Bytes::from_static(b"1"));
    assert!(stores.versioned.replace("cell", 0, one(), None).await.unwrap());
    let (_, old) = stores.versioned.read("cell").await.unwrap();
    redis.ask(&["FLUSHALL"]);
    assert!(stores.versioned.replace("cell", 0, one(), None).await.unwrap());
    assert!(!stores.versioned.replace("cell", old, one(), None).await.unwrap());
}

#[tokio::test]
async fn redis_passwords_users_and_scripts_that_were_forgotten() {
    let redis = Redis::start(&["--requirepass", "secret one"]);
    let store = redis.store("password");
    for wrong in [None, Some("secret two")] {
        let Err(refused) = open_with(&store, wrong) else { panic!("it opened with {wrong:?}") };
        assert!(refused.contains("store_password") && !refused.contains("secret two"), "{refused}");
    }
    let stores = open_with(&store, Some("secret one")).expect("it opens");
    assert_eq!(total(&stores, 0).await, 0);
    redis.ask(&["-a", "secret one", "SCRIPT", "FLUSH"]);
    assert_eq!(total(&stores, 0).await, 1);

    redis.ask(&["-a", "secret one", "ACL", "SETUSER", "gateway", "on", ">secret three", "~password:*", "+@all"]);
    let named = store.replace("redis://", "redis://gateway@");
    let stores = open_with(&named, Some("secret three")).expect("it opens");
    assert_eq!(total(&stores, 0).await, 2);
}

#[tokio::test]
async fn a_list_passes_over_heaps_of_expired_keys() {
    let redis = Redis::start(&["--appendfsync", "no"]);
    let stores = open(&redis.store("heap"));
    let brief = Some(Duration::from_millis(1));
    join_all((0..5_000).map(|n| {
        let kv = stores.kv.clone();
        async move { kv.put(&format!("a{n:05}"), Bytes::new(), brief).await.expect("stored") }
    }))
    .await;
    stores.kv.put("b", Bytes::new(), None).await.unwrap();
    tokio::time::sleep(Duration::from_millis(50)).await;
    let (mut keys, mut cursor, mut pages) = (Vec::new(), None, 0);
    loop {
        let page = stores.kv.list("", cursor.as_deref(), 10).await.unwrap();
        keys.extend(page.keys);
        pages += 1;
        cursor = page.cursor;
        if cursor.is_none() {
            break;
        }
    }
    assert_eq!(keys, ["b"]);
    assert!(pages <= 2, "{pages} pages");
    assert_eq!(redis.ask(&["ZCARD", "heap:keys"]), "1", "what was passed over is gone");
}

/// What the table in docs/stores.md says of Redis: values and cells fail at once and are back by themselves; events wait.
#[tokio::test]
async fn while_redis_is_away_nothing_hangs_and_afterwards_nothing_is_lost() {
    let mut redis = Redis::start(&[]);
    let stores = open(&redis.store("away"));
    stores.kv.put("key", Bytes::from_static(b"value"), None).await.unwrap();
    assert_eq!(total(&stores, 0).await, 0);
    redis.stop();

    let started = Instant::now();
    for _ in 0..20 {
        let refused = [
            stores.kv.fetch("key").await.map(drop).expect_err("kv is away"),
            stores.blobs.fetch("key").await.map(drop).expect_err("blobs are away"),
            stores.cells.command("edgeway-count-0", COUNTER, Bytes::from_static(b"add")).await.expect_err("cells are away"),
        ];
        for error in refused {
            assert_eq!((error.kind, error.kind.status().as_u16()), (ErrorKind::Overloaded, 503));
            assert!(error.source.as_deref().unwrap_or_default().contains("127.0.0.1"), "{error:?}");
        }
    }
    assert!(started.elapsed() < Duration::from_secs(5), "60 failures took {:?}", started.elapsed());
    let event = || Event::Request(Box::new(Record { id: "while away".into(), received: Timestamp(1), ..Record::default() }));
    let events = stores.events.clone().expect("events are kept");
    let notice = Event::Notice(Box::new(Notice { event: "config_served", ..Notice::default() }));
    assert!(events.append(notice).await.is_err(), "whoever made a change is told");
    assert!(events.append(event()).await.is_ok(), "nobody waits for a request's event");

    redis.again();
    let started = Instant::now();
    while stores.kv.fetch("key").await.is_err() {
        assert!(started.elapsed() < support::PATIENCE, "it does not come back");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(stores.kv.fetch("key").await.unwrap().unwrap().value, "value");
    let back = total(&stores, 0).await;
    assert_eq!(back, 1, "what failed with Redis away was not counted");
    while !redis.ask(&["XRANGE", "away:events", "-", "+"]).contains("while away") {
        assert!(started.elapsed() < support::PATIENCE, "the event does not arrive");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn every_acknowledged_command_survives_a_redis_that_is_killed_under_load() {
    let mut redis = Redis::start(&[]); // fsync at every write
    let stores = open(&redis.store("killed"));
    let (mut acknowledged, mut failed) = (0, 0);
    for batch in 0..30 {
        let command = || stores.cells.command("edgeway-count-0", COUNTER, Bytes::from_static(b"add"));
        let asked = join_all((0..20).map(|_| command()));
        let killed = async {
            if batch % 10 == 5 {
                redis.stop();
            }
        };
        let (replies, ()) = futures_util::future::join(asked, killed).await;
        acknowledged += replies.iter().filter(|reply| reply.is_ok()).count() as u64;
        failed += replies.iter().filter(|reply| reply.is_err()).count() as u64;
        if batch % 10 == 5 {
            redis.again();
        }
    }
    assert!(failed > 0 && acknowledged > 0, "{acknowledged} acknowledged, {failed} failed");
    let started = Instant::now();
    while stores.kv.fetch("key").await.is_err() {
        assert!(started.elapsed() < support::PATIENCE, "it does not come back");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let now = total(&stores, 0).await;
    assert!(now >= acknowledged, "{acknowledged} were acknowledged, {now} counted");
    assert!(now <= acknowledged + failed, "{acknowledged} acknowledged and {failed} failed, but {now} counted");
}

#[test]
fn redis_is_reached_with_tls_and_only_under_its_name() {
    let folder = Folder::new();
    let key = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).expect("a certificate");
    let (certificate, private) = (folder.0.join("cert.pem"), folder.0.join("key.pem"));
    std::fs::write(&certificate, key.cert.pem()).expect("written");
    std::fs::write(&private, key.signing_key.serialize_pem()).expect("written");
    let port = std::net::TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("a free port").port();
    let file = |path: &Path| path.to_string_lossy().into_owned();
    let (tls_port, certificate, private) = (port.to_string(), file(&certificate), file(&private));
    let options =
        ["--tls-port", &tls_port, "--tls-cert-file", &certificate, "--tls-key-file", &private, "--tls-auth-clients", "no"];
    let _redis = Redis::start(&options);
    let count = |host: &str| {
        let store = format!("rediss://{host}:{port}/0?prefix=tls");
        let mut command = process::Command::new(example());
        command.args([&store, "1", "1", "3"]).env("SSL_CERT_FILE", &certificate).output().expect("the example runs")
    };
    let output = count("localhost");
    assert!(String::from_utf8_lossy(&output.stdout).contains("\"failed\":0"), "{output:?}");
    let output = count("127.0.0.1");
    assert!(String::from_utf8_lossy(&output.stdout).contains("\"failed\":3"), "{output:?}");
}

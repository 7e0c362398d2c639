//! What must be exact however many ask at once, on the target of this run: `native::exact/budget`.
//!
//! A crowd of 100 clients asks four gateways that share their state (one, where the runtime has instances of its own), and
//! what was admitted is counted at the provider. Nothing is timed: every limit here is for a day or for good.
#![allow(clippy::disallowed_macros, clippy::disallowed_methods, clippy::disallowed_types, reason = "a test runner prints")]

use std::collections::BTreeSet;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use edgeway_tests::driver::{Folder, Launcher};
use edgeway_tests::fleet::{Answered, Ask, Fleet};
use libtest_mimic::{Arguments, Failed, Trial};
use serde_json::{Value, json};

const CLIENTS: usize = 100;
const ADMIN: &str = "operator-of-exact";

const DOCUMENT: &str = r#"
[server]
listen = "127.0.0.1:0"
[auth]
keys = ["EDGEWAY_TEST_KEY"]
[admin]
keys = ["EDGEWAY_ADMIN_KEY"]
[providers.mine]
base_url = "{{upstream}}/v1"
models = ["m"]
[models."mine/m"]
max_output = 1000
price = { input = "0usd", output = "1usd" }
"#;

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    let launcher = match Launcher::given().unwrap_or_else(Launcher::native) {
        Ok(launcher) => Arc::new(launcher),
        Err(wrong) => {
            eprintln!("{wrong}");
            return ExitCode::FAILURE;
        }
    };
    type Check = fn(&mut Fleet) -> Result<(), String>;
    let mut checks: Vec<(&str, Check)> = vec![
        ("rate_strict", |fleet| rates(fleet, "strict")),
        ("rate_leased", |fleet| rates(fleet, "leased")),
        ("budget", |fleet| budget(fleet)),
        ("unused_reserve", |fleet| unused_reserve(fleet)),
        ("concurrency", |fleet| concurrency(fleet)),
    ];
    if launcher.target == "native" {
        checks.push(("kills", kills));
    }
    let trials = checks.into_iter().map(|(name, check)| {
        let launcher = launcher.clone();
        Trial::test(format!("{}::exact/{name}", launcher.target), move || on_a_fleet(&launcher, check).map_err(Failed::from))
    });
    libtest_mimic::run(&Arguments { test_threads: Some(1), ..arguments }, trials.collect()).exit_code()
}

fn on_a_fleet(launcher: &Launcher, check: fn(&mut Fleet) -> Result<(), String>) -> Result<(), String> {
    let instances = if launcher.target == "native_redis" { 4 } else { 1 };
    let launcher = &four_sandboxes(launcher);
    let state = Folder::new()?;
    let mut bindings =
        vec![("EDGEWAY_TEST_KEY".to_owned(), "unused".to_owned()), ("EDGEWAY_ADMIN_KEY".to_owned(), ADMIN.to_owned())];
    if launcher.target == "native" {
        bindings.push(("EDGEWAY__SERVER__STORE".to_owned(), format!("file:{}", state.path().display())));
    }
    let mut fleet = Fleet::start(launcher, instances, DOCUMENT, &bindings)?;
    let created = admin(&fleet, "POST", "/admin/v1/tenants", json!({"id": "t"}))?;
    expect(created.status == 201, || format!("a tenant is not created: {}", shown(&created)))?;
    check(&mut fleet)?;
    fleet.end().map(drop)
}

/// The suite's cases want one sandbox of a Lambda function; a crowd has several.
fn four_sandboxes(launcher: &Launcher) -> Launcher {
    let mut launcher = launcher.clone();
    if let Some(at) = launcher.command.iter().position(|word| word == "--instances")
        && let Some(count) = launcher.command.get_mut(at + 1)
    {
        "4".clone_into(count);
    }
    launcher
}

/// At 0.9, 1, 2 and 10 times the limit: never one more than the limit; all of them (strict) or 95 % (leased) when asked for.
fn rates(fleet: &Fleet, mode: &str) -> Result<(), String> {
    const LIMIT: u64 = 200;
    for sent in [LIMIT * 9 / 10, LIMIT, LIMIT * 2, LIMIT * 10] {
        let key = key(fleet, json!({"limits": {"requests": [format!("{LIMIT}/day")], "mode": mode}}))?;
        let before = fleet.provider.asked();
        let answers = fleet.storm(CLIENTS, sent, &chat(&key, "hello"));
        let admitted = fleet.provider.asked() - before;
        let most = sent.min(LIMIT);
        let least = if mode == "strict" { most } else { most * 95 / 100 };
        expect((least..=most).contains(&admitted), || {
            format!("{mode}: {sent} sent, {admitted} admitted, expected {least} to {most}; {}", tally(&answers))
        })?;
        expect(answers.iter().filter(|answer| answer.status == 200).count() as u64 == admitted, || tally(&answers))?;
        refused_well(&answers, 429)?;
    }
    Ok(())
}

/// Money for exactly ten calls, a hundred callers at once, again and again.
fn budget(fleet: &Fleet) -> Result<(), String> {
    const ROUNDS: usize = 200;
    for round in 0..ROUNDS {
        // 100 output tokens at 1 USD a million are 0.0001 USD, which is also the bound.
        let key = key(fleet, json!({"budgets": [{"amount": "0.001usd", "per": "total"}]}))?;
        let before = fleet.provider.asked();
        let answers = fleet.storm(CLIENTS, CLIENTS as u64, &chat(&key, "usage: 1 100"));
        let admitted = fleet.provider.asked() - before;
        expect(admitted == 10, || format!("round {round}: {admitted} admitted; {}", tally(&answers)))?;
        refused_well(&answers, 402)?;
    }
    Ok(())
}

/// What was reserved and not used can be used by the next.
fn unused_reserve(fleet: &Fleet) -> Result<(), String> {
    let key = key(fleet, json!({"budgets": [{"amount": "0.0002usd", "per": "total"}]}))?;
    // Each reserves 0.0001 and takes 0.00001.
    for call in 0..11 {
        let answered = fleet.ask(&chat(&key, "usage: 1 10"))?;
        expect(answered.status == 200, || format!("call {call}: {}", shown(&answered)))?;
        std::thread::sleep(Duration::from_millis(20)); // the settlement follows the answer
    }
    // 0.00011 are spent: 0.00009 are less than the next may take.
    let deadline = Instant::now() + Duration::from_secs(5);
    loop {
        let answered = fleet.ask(&chat(&key, "usage: 1 10"))?;
        if answered.status == 402 {
            return Ok(());
        }
        expect(Instant::now() < deadline, || format!("the budget does not end: {}", shown(&answered)))?;
    }
}

/// Never more at once than allowed, and every slot comes back.
fn concurrency(fleet: &Fleet) -> Result<(), String> {
    let key = key(fleet, json!({"limits": {"concurrency": 4}}))?;
    for _ in 0..3 {
        let answers = fleet.storm(CLIENTS, 300, &chat(&key, "hello"));
        let admitted = answers.iter().filter(|answer| answer.status == 200).count();
        expect(admitted >= 4, || tally(&answers))?;
        refused_well(&answers, 429)?;
    }
    expect(fleet.provider.most_at_once() <= 4, || format!("{} at once", fleet.provider.most_at_once()))
}

/// A hundred kills under load. What was seen in the usage stays there, once each; everything that was answered is charged;
/// and what a kill leaves reserved stays charged, never more.
fn kills(fleet: &mut Fleet) -> Result<(), String> {
    const KILLS: u64 = 100;
    const COST: u64 = 100_000; // nano-dollars a call
    let key = key(fleet, json!({"budgets": [{"amount": "1000usd", "per": "total"}]}))?;
    let (mut seen, mut answered, mut asked, mut slowest) = (BTreeSet::new(), 0_u64, 0_u64, Duration::ZERO);
    for kill in 0..KILLS {
        let after = Duration::from_millis(30 + kill * 37 % 120);
        let (answers, start) = fleet.kill_during_a_storm(8, after, &chat(&key, "usage: 1 100"))?;
        answered += answers.iter().filter(|answer| answer.status == 200).count() as u64;
        asked += answers.len() as u64;
        slowest = slowest.max(start);
        if kill % 5 == 4 {
            let now = usage(fleet)?;
            if let Some(lost) = seen.difference(&now).next() {
                return Err(format!("kill {kill}: the record {lost} is gone"));
            }
            seen = now;
        }
    }
    let last = fleet.ask(&chat(&key, "usage: 1 100"))?;
    let remaining = last.header("x-edgeway-budget-remaining").ok_or_else(|| shown(&last))?;
    let remaining: f64 = remaining.trim_end_matches("usd").parse().map_err(|error| format!("{error}: {remaining}"))?;
    let charged = ((1000.0 - remaining) * 1e9).round() as u64;
    (answered, asked) = (answered + 1, asked + 1);
    eprintln!("{KILLS} kills: {asked} asked, {answered} answered, {} recorded, slowest start {slowest:?}", seen.len());
    expect(charged >= answered * COST, || format!("{answered} answered, but only {charged} nano-dollars charged"))?;
    expect(charged <= asked * COST, || format!("{asked} asked, but {charged} nano-dollars charged"))
}

/// The ids of all records, each at most once.
fn usage(fleet: &Fleet) -> Result<BTreeSet<String>, String> {
    let mut ids = BTreeSet::new();
    let mut path = "/admin/v1/usage?format=jsonl&tenant=t".to_owned();
    loop {
        let page = fleet.ask(&Ask { method: "GET", path: path.clone(), key: ADMIN.into(), body: None })?;
        expect(page.status == 200, || format!("no usage: {}", shown(&page)))?;
        for line in String::from_utf8_lossy(&page.body).lines() {
            let row: Value = serde_json::from_str(line).map_err(|error| format!("{error}: {line}"))?;
            let id = row["id"].as_str().unwrap_or_default().to_owned();
            expect(ids.insert(id), || format!("twice: {line}"))?;
        }
        match page.header("link").and_then(|link| link.split(['<', '>']).nth(1)) {
            Some(next) => path = next.to_owned(),
            None => return Ok(ids),
        }
    }
}

fn chat(key: &str, content: &str) -> Ask {
    let body = json!({"model": "mine/m", "max_tokens": 100, "messages": [{"role": "user", "content": content}]});
    Ask { method: "POST", path: "/v1/chat/completions".into(), key: key.into(), body: Some(body) }
}

fn admin(fleet: &Fleet, method: &'static str, path: &str, body: Value) -> Result<Answered, String> {
    fleet.ask(&Ask { method, path: path.into(), key: ADMIN.into(), body: Some(body) })
}

/// A new key with these limits and budgets.
fn key(fleet: &Fleet, spec: Value) -> Result<String, String> {
    let created = admin(fleet, "POST", "/admin/v1/tenants/t/keys", spec)?;
    let secret = created.json()["key"].as_str().map(str::to_owned);
    secret.ok_or_else(|| format!("a key is not created: {}", shown(&created)))
}

/// Everybody who was not served was told so, in the protocol, with this status.
fn refused_well(answers: &[Answered], status: u16) -> Result<(), String> {
    let refused = answers.iter().filter(|answer| answer.status != 200);
    for answer in refused {
        expect(answer.status == status && answer.json()["error"]["message"].is_string(), || {
            format!("refused with {}; {}", shown(answer), tally(answers))
        })?;
        expect(status != 429 || answer.header("retry-after").is_some(), || format!("no Retry-After: {}", shown(answer)))?;
    }
    Ok(())
}

fn expect(holds: bool, otherwise: impl FnOnce() -> String) -> Result<(), String> {
    if holds { Ok(()) } else { Err(otherwise()) }
}

fn shown(answer: &Answered) -> String {
    format!("{} {}", answer.status, String::from_utf8_lossy(&answer.body))
}

fn tally(answers: &[Answered]) -> String {
    let mut counts = std::collections::BTreeMap::new();
    answers.iter().for_each(|answer| *counts.entry(answer.status).or_insert(0) += 1);
    format!("answers by status: {counts:?}")
}

//! Budgets: what is reserved, what is charged, who is told, and what is never exceeded.

use std::time::Duration;

use futures_util::future::join_all;
use http::StatusCode;
use serde_json::{Value, json};

use crate::world::{AWAY, World, chat, completion, count, finish, header, hi, post, text, world};

/// Output costs a dollar for a thousand tokens, input nothing: what a request can cost is what it allows.
const PRICES: &str = "[models.\"oa/m\"]\nprice = { input = \"0usd\", output = \"1000usd\" }\n\
                      [models.\"an/c\"]\nprice = { input = \"0usd\", output = \"1000usd\" }\n";

fn priced(instances: usize, budgets: &str, output: u64) -> World {
    world(instances, &format!("{PRICES}{budgets}"), move |_| completion(3, output))
}

#[test]
fn a_budget_for_ten_calls_admits_exactly_ten_of_a_hundred_callers_in_each_of_two_hundred_rounds() {
    for mode in ["strict", "leased"] {
        // A call allows 100 tokens, which are 0.1 USD, and takes all of them.
        let budgets = format!("[budgets.all]\namount = \"1usd/day\"\nmode = \"{mode}\"\n");
        let world = priced(4, &budgets, 100);
        for round in 0..200 {
            let all: Vec<_> = finish(join_all((0..100).map(|caller| world.send(caller % 4, chat("alice", &hi())))));
            assert_eq!(count(&all, StatusCode::OK), 10, "{mode}, round {round}");
            assert_eq!(count(&all, StatusCode::PAYMENT_REQUIRED), 90, "{mode}, round {round}");
            assert_eq!(world.http.sent().len().min(10_000), ((round + 1) * 10).min(10_000), "what is refused never leaves");
            world.later(Duration::from_secs(86_400));
        }
    }
}

#[test]
fn callers_that_come_back_get_what_others_gave_back_and_not_a_cent_more() {
    // A call allows 0.1 USD and takes 0.025.
    let world = priced(4, "[budgets.all]\namount = \"1usd/total\"\n", 25);
    let mut admitted = 0;
    for _ in 0..20 {
        let all: Vec<_> = finish(join_all((0..100).map(|caller| world.send(caller % 4, chat("alice", &hi())))));
        admitted += count(&all, StatusCode::OK);
    }
    // After 37 calls 0.075 USD are left, less than a call can take.
    assert_eq!(admitted, 37);
    let spent: u64 = world.records().iter().filter_map(|record| record.cost).map(|cost| cost.0).sum();
    assert_eq!(spent, 37 * 25_000_000);
}

#[test]
fn what_a_call_costs_is_told_and_what_is_left() {
    let world = priced(1, "[budgets.all]\namount = [\"1usd/day\", \"5usd/month\"]\n", 40);
    let answer = world.ask(chat("alice", &hi()));
    assert_eq!(header(&answer, "x-edgeway-cost"), Some("0.04usd"), "{answer:?}");
    assert_eq!(header(&answer, "x-edgeway-budget"), Some("budgets.all 1usd/day"));
    assert_eq!(header(&answer, "x-edgeway-budget-remaining"), Some("0.9usd"), "as of the admission");
    let reset = header(&answer, "x-edgeway-budget-reset").expect("it begins anew");
    assert!(reset.ends_with("T00:00:00Z"), "{reset}");
    let answer = world.ask(chat("alice", &hi()));
    assert_eq!(header(&answer, "x-edgeway-budget-remaining"), Some("0.86usd"));
    assert_eq!(world.records()[0].cost.map(|cost| cost.0), Some(40_000_000));
}

#[test]
fn a_budget_that_is_used_up_says_so_in_the_callers_protocol() {
    let world = priced(1, "[budgets.all]\namount = \"0.15usd/day\"\n", 100);
    assert_eq!(world.ask(chat("alice", &hi())).status(), StatusCode::OK);
    let error = |path: &str, body: &Value| {
        let answer = world.ask(post(path, "alice", body));
        assert_eq!((answer.status(), header(&answer, "retry-after")), (StatusCode::PAYMENT_REQUIRED, None));
        let body: Value = serde_json::from_slice(answer.body()).expect("JSON");
        let message = body["error"]["message"].as_str().expect("a sentence").to_owned();
        assert!(
            message.contains("`budgets.all` (0.15usd/day) leaves 0.05usd, and this request may cost up to 0.1usd."),
            "{message}"
        );
        assert!(message.contains("More is there at 20"), "{message}");
        body
    };
    let openai = error("/v1/chat/completions", &hi());
    assert_eq!(
        (&openai["error"]["type"], &openai["error"]["code"]),
        (&json!("insufficient_quota"), &json!("insufficient_quota"))
    );
    let asked = json!({"model": "an/c", "max_tokens": 100, "messages": [{"role": "user", "content": "hi"}]});
    let anthropic = error("/v1/messages", &asked);
    assert_eq!(anthropic["error"]["type"], "billing_error");
    let asked = json!({"contents": [{"role": "user", "parts": [{"text": "hi"}]}], "generationConfig": {"maxOutputTokens": 100}});
    let gemini = error("/v1beta/models/oa%2Fm:generateContent", &asked);
    assert_eq!((&gemini["error"]["code"], &gemini["error"]["status"]), (&json!(402), &json!("RESOURCE_EXHAUSTED")));
    assert_eq!(world.http.sent().len(), 1);
    let dear = json!({"model": "oa/m", "max_tokens": 1000, "messages": [{"role": "user", "content": "hi"}]});
    let never = world.ask(chat("alice", &dear));
    assert!(text(&never).contains("may cost up to 1usd. Allow a shorter answer."), "{}", text(&never));
}

#[test]
fn a_price_that_nobody_knows_is_refused_unless_the_budget_says_otherwise() {
    let unknown = json!({"model": "oa/other", "max_tokens": 100, "messages": [{"role": "user", "content": "hi"}]});
    let world = priced(1, "[budgets.all]\namount = \"1usd/day\"\n", 40);
    let refused = world.ask(chat("alice", &unknown));
    assert_eq!(refused.status(), StatusCode::PAYMENT_REQUIRED);
    assert!(text(&refused).contains("Nobody knows what `oa/other` costs"), "{}", text(&refused));
    let world = priced(1, "[budgets.all]\namount = \"1usd/day\"\nunknown_price = \"allow\"\n", 40);
    let answer = world.ask(chat("alice", &unknown));
    assert_eq!((answer.status(), header(&answer, "x-edgeway-cost")), (StatusCode::OK, None));
    assert_eq!(world.ask(chat("alice", &hi())).status(), StatusCode::OK, "what has a price is counted");
    assert_eq!(world.records()[0].cost, None);
}

#[test]
fn alerts_are_told_once_and_the_last_when_nothing_more_fits() {
    let world = priced(2, "[budgets.all]\namount = \"1usd/day\"\n", 80);
    for call in 0..30 {
        finish(world.send(call % 2, chat("alice", &hi())));
    }
    let messages: Vec<String> = world.events.notices().into_iter().map(|notice| notice.message).collect();
    let percents: Vec<bool> = ["50 %: 0.56usd", "80 %: 0.8usd", "100 %: 0.96usd"]
        .iter()
        .map(|text| messages.iter().any(|one| one.contains(text)))
        .collect();
    assert_eq!((messages.len(), percents), (3, vec![true; 3]), "{messages:?}");
}

#[test]
fn while_the_store_is_away_a_budget_does_as_it_says() {
    for (policy, status) in [("closed", 503), ("open", 200), ("local", 200)] {
        let world = priced(1, &format!("[budgets.all]\namount = \"1usd/day\"\nwhen_away = \"{policy}\"\n"), 40);
        world.set_mood(AWAY);
        let handled = world.handle(0, chat("alice", &hi()));
        assert_eq!(finish(handled.response).status().as_u16(), status, "{policy}");
        drop(handled.after);
    }
    // A quarter of the budget is this instance's share: two calls of 0.1 USD.
    let world = priced(1, "[budgets.all]\namount = \"1usd/day\"\nwhen_away = \"local\"\n", 100);
    world.set_mood(AWAY);
    let statuses = [0; 4].map(|_| world.ask(chat("alice", &hi())).status().as_u16());
    assert_eq!(statuses, [200, 200, 402, 402]);
}

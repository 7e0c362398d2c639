//! Limits on requests and tokens, one caller after the other.

use std::time::Duration;

use http::StatusCode;
use serde_json::json;

use crate::world::{AWAY, SILENT, WELL, chat, completion, finish, header, hi, post, text, world};

const SECOND: Duration = Duration::from_secs(1);

#[test]
fn the_request_after_the_last_is_refused_and_told_when_to_come_back() {
    let world = world(1, "[limits.keys]\nper = [\"key\"]\nrequests = \"2/minute\"", |_| completion(3, 2));
    for left in ["1", "0"] {
        let answer = world.ask(chat("alice", &hi()));
        assert_eq!(answer.status(), StatusCode::OK, "{}", text(&answer));
        assert_eq!(header(&answer, "x-ratelimit-limit-requests"), Some("2"));
        assert_eq!(header(&answer, "x-ratelimit-remaining-requests"), Some(left));
        assert_eq!(header(&answer, "ratelimit-policy"), Some("\"limits.keys.requests.minute\";q=2;w=60"));
    }
    let refused = world.ask(chat("alice", &hi()));
    assert_eq!(refused.status(), StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(header(&refused, "x-ratelimit-remaining-requests"), Some("0"));
    let after: u64 = header(&refused, "retry-after").expect("it says when").parse().expect("whole seconds");
    assert!((60..=62).contains(&after), "{after}");
    assert!(header(&refused, "ratelimit").is_some_and(|value| value.starts_with("\"limits.keys.requests.minute\";r=0;t=6")));
    let body: serde_json::Value = serde_json::from_slice(refused.body()).expect("JSON");
    assert_eq!(body["error"]["code"], "rate_limit_exceeded", "{body}");
    assert_eq!(world.ask(chat("bob", &hi())).status(), StatusCode::OK, "another key counts for itself");
    world.later(SECOND * u32::try_from(after).expect("seconds") - SECOND * 3);
    assert_eq!(world.ask(chat("alice", &hi())).status(), StatusCode::TOO_MANY_REQUESTS);
    world.later(SECOND * 3);
    assert_eq!(world.ask(chat("alice", &hi())).status(), StatusCode::OK);
    assert_eq!(world.http.sent().len(), 4, "what is refused never leaves");
}

#[test]
fn a_strict_limit_on_requests_is_one_command() {
    let world = world(1, "[limits.keys]\nper = [\"key\"]\nrequests = \"20/minute\"", |_| completion(3, 2));
    world.commands();
    world.ask(chat("alice", &hi()));
    assert_eq!(world.commands(), 1);
}

#[test]
fn a_request_that_one_limit_refuses_does_not_count_in_the_others() {
    let limits = "[limits.all]\nrequests = [\"10/minute\"]\n[limits.keys]\nper = [\"key\"]\nrequests = \"1/minute\"";
    let world = world(1, limits, |_| completion(3, 2));
    world.ask(chat("alice", &hi()));
    for _ in 0..20 {
        assert_eq!(world.ask(chat("alice", &hi())).status(), StatusCode::TOO_MANY_REQUESTS);
    }
    let answer = world.ask(chat("bob", &hi()));
    assert_eq!(answer.status(), StatusCode::OK);
    let limits = header(&answer, "ratelimit").expect("how they stand");
    assert!(limits.contains("\"limits.all.requests.minute\";r=8"), "{limits}");
}

#[test]
fn tokens_are_reserved_at_their_most_and_settled_at_what_they_were() {
    let world = world(1, "[limits.keys]\nper = [\"key\"]\noutput_tokens = \"250/minute\"", |_| completion(3, 40));
    for left in ["150", "110", "70"] {
        let answer = world.ask(chat("alice", &hi()));
        assert_eq!(answer.status(), StatusCode::OK);
        assert!(header(&answer, "ratelimit").is_some_and(|value| value.contains(&format!("r={left};"))), "{answer:?}");
    }
    let answer = world.ask(chat("alice", &hi()));
    assert_eq!(answer.status(), StatusCode::OK, "130 are left, and 100 may be taken");
    let refused = world.ask(chat("alice", &hi()));
    assert_eq!(refused.status(), StatusCode::TOO_MANY_REQUESTS);
    assert!(text(&refused).contains("90 are left, and this request may take 100"), "{}", text(&refused));
}

#[test]
fn a_request_that_can_never_fit_is_told_so() {
    let world = world(1, "[limits.keys]\noutput_tokens = \"50/minute\"", |_| completion(3, 40));
    let refused = world.ask(chat("alice", &hi()));
    assert_eq!((refused.status(), header(&refused, "retry-after")), (StatusCode::TOO_MANY_REQUESTS, None));
    assert!(text(&refused).contains("Allow a shorter answer"), "{}", text(&refused));
}

#[test]
fn what_fails_at_the_provider_gives_its_tokens_back_and_counts_as_a_request() {
    let limits = "[limits.keys]\nrequests = \"9/minute\"\noutput_tokens = \"100/minute\"";
    let world = world(1, limits, |_| Ok(http::Response::builder().status(500).body("no".into()).expect("well formed")));
    for left in (6..9).rev() {
        let answer = world.ask(chat("alice", &hi()));
        assert_eq!(answer.status(), StatusCode::BAD_GATEWAY, "{}", text(&answer));
        assert_eq!(header(&answer, "x-ratelimit-remaining-requests"), Some(left.to_string().as_str()));
    }
}

#[test]
fn each_protocol_has_its_own_headers_and_a_providers_do_not_contradict_them() {
    let world = world(1, "[limits.keys]\nrequests = \"9/minute\"\ntokens = \"100000/minute\"", |outbound| {
        let mut answer = completion(3, 2)?;
        if outbound.request.uri().host() == Some("an.test") {
            *answer.body_mut() = r#"{"id":"m","type":"message","role":"assistant","model":"c","content":[{"type":"text","text":"hi"}],"stop_reason":"end_turn","stop_sequence":null,"usage":{"input_tokens":3,"output_tokens":2}}"#.into();
        }
        for name in ["x-ratelimit-remaining-requests", "x-ratelimit-limit-images", "anthropic-ratelimit-requests-remaining"] {
            answer.headers_mut().insert(name, "77777".parse().expect("a value"));
        }
        Ok(answer)
    });
    let openai = world.ask(chat("alice", &hi()));
    assert_eq!(header(&openai, "x-ratelimit-remaining-requests"), Some("8"));
    assert_eq!(header(&openai, "x-ratelimit-limit-tokens"), Some("100000"));
    assert_eq!(header(&openai, "x-ratelimit-limit-images"), None);
    let body = json!({"model": "an/c", "max_tokens": 100, "messages": [{"role": "user", "content": "hi"}]});
    let anthropic = world.ask(post("/v1/messages", "alice", &body));
    assert_eq!(header(&anthropic, "anthropic-ratelimit-requests-remaining"), Some("7"), "{anthropic:?}");
    assert_eq!(header(&anthropic, "anthropic-ratelimit-tokens-limit"), Some("100000"));
    let reset = header(&anthropic, "anthropic-ratelimit-requests-reset").expect("a date");
    assert!(reset.ends_with('Z') && reset.len() == 20, "{reset}");
}

#[test]
fn while_the_store_is_away_each_limit_does_as_it_says() {
    for (policy, first, second) in [("open", 200, 200), ("closed", 503, 503), ("local", 200, 429)] {
        let limits = format!(
            "[limits.all]\nrequests = \"4/minute\"\nconcurrency = 4\noutput_tokens = \"400/minute\"\nwhen_away = \"{policy}\"\n"
        );
        let world = world(1, &limits, |_| completion(3, 100));
        world.set_mood(AWAY);
        let answers = [0, 1].map(|_| {
            let handled = world.handle(0, chat("alice", &hi()));
            let answer = finish(handled.response);
            drop(handled.after);
            answer.status().as_u16()
        });
        assert_eq!(answers, [first, second], "{policy}");
    }
}

#[test]
fn a_store_that_is_away_says_when_to_try_again() {
    let world = world(1, "[limits.all]\nrequests = \"4/minute\"", |_| completion(3, 100));
    world.set_mood(AWAY);
    let answer = finish(world.handle(0, chat("alice", &hi())).response);
    assert_eq!(answer.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(answer.headers().get("retry-after").map(|value| value.as_bytes()), Some(&b"1"[..]));
    let body = finish(answer.into_body().collect(1 << 20)).expect("a body");
    let body = String::from_utf8_lossy(&body).into_owned();
    assert!(!body.contains("switched off"), "the operator's side stays inside: {body}");
}

#[test]
fn a_store_that_never_answers_delays_one_request_and_not_those_after_it() {
    let world = world(1, "[limits.all]\nrequests = \"4/minute\"\nwhen_away = \"open\"", |_| completion(3, 2));
    world.set_mood(SILENT);
    let mut first = world.handle(0, chat("alice", &hi())).response;
    for _ in 0..20 {
        assert!(futures_util::FutureExt::now_or_never(&mut first).is_none(), "it waits for the store");
    }
    world.later(SECOND * 3);
    assert_eq!(finish(first).status(), StatusCode::OK);
    for _ in 0..10 {
        assert_eq!(finish(world.handle(0, chat("alice", &hi())).response).status(), StatusCode::OK);
    }
    assert_eq!(world.commands(), 1);
    world.later(SECOND);
    world.set_mood(WELL);
    assert_eq!(finish(world.handle(0, chat("alice", &hi())).response).status(), StatusCode::OK);
    assert_eq!(world.commands(), 1, "a second later it is asked again");
}

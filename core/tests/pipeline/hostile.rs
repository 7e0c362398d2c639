//! Providers that misbehave: whatever they send, the caller gets an answer or an error of its own
//! protocol, in time, and the record stays small.

use super::*;

/// A gateway over a body that the test makes, and a clock that stands still until it is told.
fn standing(stream: impl Fn(Arc<ManualClock>) -> Body + Send + Sync + 'static) -> (Arc<ManualClock>, World) {
    let clock = Arc::new(ManualClock::at(Timestamp(0)));
    let of_script = clock.clone();
    let http = Arc::new(ScriptedHttp::new(clock.clone(), move |_| {
        let answered = answer(200, "text/event-stream", stream(of_script.clone()));
        futures_util::future::ready(answered).boxed()
    }));
    let memory = MemoryPorts::new(clock.clone(), http.clone());
    let gateway = open(&memory);
    (clock, World { memory, http, gateway })
}

fn ended(more: impl IntoIterator<Item = Step>) -> Vec<Step> {
    [send(ROLE), send(chunk("hello")), send(STOP), send(USAGE), send(DONE)].into_iter().chain(more).collect()
}

fn reject(status: u16, headers: &[(&str, &str)], body: &'static str) -> Result<Response<Body>> {
    let mut response = Response::builder().status(status);
    for (name, value) in headers {
        response = response.header(*name, *value);
    }
    Ok(response.body(Body::from(body)).expect("well formed"))
}

#[test]
fn a_provider_that_ends_its_answer_but_not_its_body_is_let_go_after_a_second() {
    for late in [Step::Stall, send(": ping\n\n")] {
        let steps = ended([late, Step::Stall]);
        let (clock, world) = standing(move |clock| scripted(clock, steps.clone()));
        let handled = world.gateway.handle(Inbound { request: chat("oa/gpt", true), peer: None });
        let Body::Stream(mut stream) = handled.response.now_or_never().expect("content came").into_body() else { panic!() };
        let mut text = String::new();
        while let Some(Some(piece)) = stream.next().now_or_never() {
            text.push_str(&String::from_utf8_lossy(&piece.expect("no break")));
        }
        assert!(text.contains("[DONE]"), "{text}");
        clock.advance(std::time::Duration::from_secs(1));
        assert!(stream.next().now_or_never().expect("the wait is over").is_none());
        drop(stream);
        assert_eq!(world.http.open(), 0);
        handled.after.now_or_never().expect("the body ended");
        let record = world.only_record();
        assert_eq!((record.outcome, record.error, record.estimated), (Some(Outcome::Complete), None, false));
    }
}

#[test]
fn a_provider_that_goes_on_after_its_end_is_cut_off() {
    let pings = (0..100).map(|_| send(": ping\n\n".repeat(1000)));
    let steps = ended(pings);
    let world = world([sse(steps)]);
    let (response, record) = world.ask(chat("oa/gpt", true));
    assert!(response.body().len() < 100_000, "{}", response.body().len());
    assert_eq!((record.outcome, record.error), (Some(Outcome::Complete), None));
}

#[test]
fn a_caller_who_leaves_at_the_end_has_everything() {
    let steps = ended([Step::Stall]);
    let (_, world) = standing(move |clock| scripted(clock, steps.clone()));
    let handled = world.gateway.handle(Inbound { request: chat("oa/gpt", true), peer: None });
    let Body::Stream(mut stream) = handled.response.now_or_never().expect("content came").into_body() else { panic!() };
    while stream.next().now_or_never().is_some() {}
    drop(stream);
    handled.after.now_or_never().expect("the drop settles");
    let record = world.only_record();
    assert_eq!((record.outcome, record.estimated), (Some(Outcome::Complete), false));
}

#[test]
fn a_provider_that_never_pauses_is_not_held_for_ever() {
    for model in ["oa/gpt", "an/claude"] {
        let (_, world) = standing(|clock| {
            let ping = move || {
                clock.advance(std::time::Duration::from_millis(50));
                Ok(Bytes::from_static(b": ping\n\n"))
            };
            Body::stream(futures_util::stream::repeat_with(ping))
        });
        let handled = world.gateway.handle(Inbound { request: chat(model, true), peer: None });
        let response = handled.response.now_or_never().expect("the hold ends, or the script's total time");
        drop(response);
        handled.after.now_or_never().expect("the drop settles");
        assert!(world.only_record().elapsed < std::time::Duration::from_secs(16));
    }
}

#[test]
fn an_error_with_status_200_is_an_error_and_falls_back() {
    let said = r#"{"error":{"message":"Provider returned error","code":503},"user_id":"u"}"#;
    for stream in [false, true] {
        let alone = world([answer(200, "Application/JSON", said)]);
        let (response, record) = alone.ask(chat("oa/gpt", stream));
        assert_eq!((response.status(), &response.body()[..]), (StatusCode::SERVICE_UNAVAILABLE, said.as_bytes()));
        assert_eq!((record.outcome, record.error), (Some(Outcome::Refused), Some("upstream_overloaded")));

        let backed = world([answer(200, "application/json", said), answer(200, "application/json", MESSAGE)]);
        let (response, record) = backed.ask(chat("safe-1", stream));
        assert_eq!((response.status(), record.attempts), (StatusCode::OK, 2));

        let translated = world([answer(
            200,
            "application/json",
            r#"{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}"#,
        )]);
        let (response, record) = translated.ask(chat("an/claude", stream));
        assert_eq!((response.status(), record.error), (StatusCode::SERVICE_UNAVAILABLE, Some("upstream_overloaded")));
        assert_eq!(json_of(&response)["error"]["message"], "Overloaded");
    }
}

#[test]
fn an_answer_that_has_an_error_beside_it_is_an_answer() {
    for body in [
        r#"{"choices":[],"error":{"message":"x"}}"#,
        r#"{"choices":[{"message":{"content":"a"}}],"error":null}"#,
        r#"[{"error":1}]"#,
        r#"{"odd":"\ud83d"}"#,
    ] {
        let world = world([answer(200, "application/json", body)]);
        let (response, _) = world.ask(chat("oa/gpt", false));
        assert_eq!((response.status(), &response.body()[..]), (StatusCode::OK, body.as_bytes()));
    }
}

#[test]
fn half_an_answer_is_an_error() {
    for body in [&COMPLETION[..COMPLETION.len() - 30], r#"{"choices":[{"index":0}"#, "{", "null", "\u{1f}\u{8b}{}"] {
        let world = world([answer(200, "application/json", body)]);
        let (response, record) = world.ask(chat("oa/gpt", false));
        assert_eq!((response.status(), record.error), (StatusCode::BAD_GATEWAY, Some("upstream_invalid")), "{body}");
    }
}

#[test]
fn a_compressed_answer_is_refused_because_nobody_asked_for_one() {
    for (model, stream) in [("oa/gpt", false), ("oa/gpt", true), ("an/claude", false), ("an/claude", true)] {
        let world =
            world([reject(200, &[("content-type", "text/event-stream"), ("content-encoding", "gzip")], "\u{1f}junk\n\n")]);
        let (response, record) = world.ask(chat(model, stream));
        assert_eq!((response.status(), record.error), (StatusCode::BAD_GATEWAY, Some("upstream_invalid")));
        assert!(json_of(&response)["error"]["message"].as_str().is_some_and(|message| message.contains("gzip")));
    }
    let plain = world([reject(200, &[("content-type", "application/json"), ("content-encoding", "identity")], COMPLETION)]);
    assert_eq!(plain.ask(chat("oa/gpt", false)).0.body(), COMPLETION);
}

#[test]
fn a_rejection_that_is_not_json_becomes_the_gateways_own() {
    let page = "<html><script>alert(1)</script></html>";
    for (status, headers) in [
        (400, vec![("content-type", "text/html")]),
        (502, vec![("content-type", "text/html")]),
        (400, vec![("content-type", "application/json"), ("content-encoding", "br")]),
    ] {
        let world = world([reject(status, &headers, page)]);
        let (response, _) = world.ask(chat("oa/gpt", false));
        assert_eq!(response.status().as_u16(), status);
        assert_eq!(response.headers()["content-type"], "application/json");
        assert!(json_of(&response)["error"]["message"].is_string());
        assert!(!String::from_utf8_lossy(response.body()).contains("script"));
    }
}

#[test]
fn the_gateways_key_is_taken_out_wherever_it_is_quoted() {
    let quoting = r#"{"error":{"message":"bad key upstream-secret","type":"invalid_request_error","param":"upstream-secret","code":"upstream-secret"}}"#;
    let headers =
        [("content-type", "application/json"), ("x-ratelimit-key", "upstream-secret"), ("x-request-id", "upstream-secret")];
    let in_stream = format!("data: {quoting}\n\n");
    for reply in [reject(400, &headers, quoting), reject(200, &headers[..1], quoting), sse(vec![send(in_stream)])] {
        let world = world([reply]);
        let (response, record) = world.ask(chat("oa/gpt", true));
        assert!(response.status().is_client_error() || response.status().is_server_error());
        let shown = format!("{:?}{record:?}", response.map(|body| String::from_utf8_lossy(&body).into_owned()));
        assert!(!shown.contains("upstream-secret"), "{shown}");
    }
}

#[test]
fn a_redirects_query_stays_out_of_the_record() {
    let world = world([reject(307, &[("location", "https://x.test/login?token=abc#frag")], "")]);
    let (_, record) = world.ask(chat("oa/gpt", false));
    let cause = record.cause.expect("a cause");
    assert!(cause.contains("https://x.test/login") && !cause.contains("abc") && !cause.contains("frag"), "{cause}");
}

#[test]
fn a_provider_cannot_ask_for_a_wait_of_years() {
    let world = world([reject(
        429,
        &[("retry-after", "18446744073709551615")],
        r#"{"type":"error","error":{"type":"rate_limit_error","message":"slow"}}"#,
    )]);
    let (response, _) = world.ask(chat("an/claude", false));
    assert_eq!(response.headers()["retry-after"], "86400");
}

#[test]
fn what_a_provider_writes_into_headers_and_ids_is_bounded() {
    let long: &'static str = "i".repeat(5000).leak();
    let mut headers: Vec<(String, &str)> = (0..200).map(|n| (format!("x-ratelimit-{n}"), "1")).collect();
    headers.extend([("x-request-id".to_owned(), long), ("x-ratelimit-long".to_owned(), long)]);
    let headers: Vec<(&str, &str)> = headers.iter().map(|(name, value)| (name.as_str(), *value)).collect();
    let body = COMPLETION.replace("\"c1\"", &format!("{long:?}")).leak();
    let world = world([reject(200, &headers, body)]);
    let (response, record) = world.ask(chat("oa/gpt", false));
    assert!(response.headers().len() < 80 && response.headers().values().all(|value| value.len() <= 1024));
    assert_eq!(response.headers()["x-request-id"].to_str().ok(), Some(record.id.as_str()));

    let stream = format!("{ROLE}{}{STOP}{DONE}", chunk("hello")).replace("\"c1\"", &format!("{long:?}"));
    let world = self::world([sse(vec![send(stream)])]);
    let request =
        post("/v1/messages", r#"{"model":"oa/gpt","max_tokens":9,"stream":true,"messages":[{"role":"user","content":"hi"}]}"#);
    let (_, record) = world.ask(request);
    assert!(record.upstream_id.is_some_and(|id| id.len() <= 128));
}

#[test]
fn a_models_name_is_ascii_in_the_response_header() {
    let world = world([answer(200, "application/json", COMPLETION)]);
    let (response, record) = world.ask(chat("oa/é\u{202e}m", false));
    assert_eq!(response.headers()["x-edgeway-target"], "oa/%C3%A9%E2%80%AEm");
    assert_eq!(record.upstream_model.as_deref(), Some("é\u{202e}m"));
}

//! The whole walk over memory ports. Every test that makes a request counts its settlements: exactly one.

use std::sync::Arc;

use bytes::Bytes;
use edgeway_core::chat::carry::{self, Carried};
use edgeway_core::chat::{Reasoning, Signature};
use edgeway_core::config::{self, Availability};
use edgeway_core::dialect::DialectId;
use edgeway_core::error::{Error, ErrorKind};
use edgeway_core::exchange::{Inbound, Outcome, Record, Refused};
use edgeway_core::ports::memory::{ManualClock, MemoryPorts, ScriptedHttp, Step, scripted};
use edgeway_core::ports::{Clock, Timestamp};
use edgeway_core::{Body, Gateway, Result};
use futures_util::{FutureExt, StreamExt};
use http::{Request, Response, StatusCode};
use serde_json::{Value, json};

#[path = "pipeline/hostile.rs"]
mod hostile;

const DOCUMENT: &str = r#"
[server]
max_body = "10kB"

[timeouts]
connect = "1s"
first_byte = "5s"
idle = "5s"
total = "60s"

[providers.oa]
base_url = "https://oa.test/v1"
dialects = ["openai_chat"]
key = "KEY"

[providers.an]
base_url = "https://an.test/v1"
dialects = ["anthropic_messages"]
key = "KEY"

[providers.ge]
base_url = "https://ge.test/v1beta"
dialects = ["gemini"]
key = "KEY"

[routes.fallback]
models = ["safe-*"]
targets = ["oa/m", "an/m"]
"#;

/// A gateway over memory ports, with the document above and a key.
fn open(memory: &MemoryPorts) -> Arc<Gateway> {
    memory.secrets.set("KEY", "upstream-secret");
    let loaded = config::load(Some(("edgeway.toml", DOCUMENT)), []).expect("the document is TOML");
    let opened = Gateway::open(memory.ports.clone(), loaded, Availability::default()).now_or_never().expect("memory never waits");
    opened.unwrap_or_else(|found| panic!("{}", config::render(&found))).0
}

struct World {
    memory: MemoryPorts,
    http: Arc<ScriptedHttp>,
    gateway: Arc<Gateway>,
}

fn world(replies: impl IntoIterator<Item = Result<Response<Body>>>) -> World {
    let clock = Arc::new(ManualClock::skipping(Timestamp(1_700_000_000_000_000)));
    let http = Arc::new(ScriptedHttp::replies(clock.clone(), replies));
    let memory = MemoryPorts::new(clock, http.clone());
    let gateway = open(&memory);
    World { memory, http, gateway }
}

impl World {
    /// Sends a request, reads the whole response, runs `after`. Nothing here ever waits.
    fn ask(&self, request: Request<Body>) -> (Response<Bytes>, Record) {
        let handled = self.gateway.handle(Inbound { request, peer: None });
        let (parts, body) = handled.response.now_or_never().expect("the script never waits").into_parts();
        let body = body.collect(1 << 20).now_or_never().expect("the script never waits").expect("bodies to callers do not break");
        handled.after.now_or_never().expect("the body ended");
        (Response::from_parts(parts, body), self.only_record())
    }

    fn only_record(&self) -> Record {
        let mut records = self.memory.events.records();
        assert_eq!(records.len(), 1, "exactly one settlement");
        records.remove(0)
    }
}

fn post(path: &str, body: &str) -> Request<Body> {
    Request::post(path)
        .header("content-type", "application/json")
        .header("authorization", "Bearer callers-own")
        .header("cookie", "a=b")
        .header("x-forwarded-for", "10.0.0.1")
        .body(Body::from(body.to_owned()))
        .expect("test requests are well formed")
}

fn chat(model: &str, stream: bool) -> Request<Body> {
    post(
        "/v1/chat/completions",
        &json!({"model": model, "messages": [{"role": "user", "content": "hi"}], "stream": stream}).to_string(),
    )
}

fn answer(status: u16, content_type: &str, body: impl Into<Body>) -> Result<Response<Body>> {
    Ok(Response::builder().status(status).header("content-type", content_type).body(body.into()).expect("well formed"))
}

const COMPLETION: &str = r#"{"id":"c1","object":"chat.completion","created":1,"model":"m-1","choices":[{"index":0,"message":{"role":"assistant","content":"hello"},"finish_reason":"stop"}],"usage":{"prompt_tokens":3,"completion_tokens":2,"total_tokens":5}, "odd":  1.0e0}"#;
const MESSAGE: &str = r#"{"id":"msg_1","type":"message","role":"assistant","model":"c-1","content":[{"type":"text","text":"hello"}],"stop_reason":"end_turn","stop_sequence":null,"usage":{"input_tokens":3,"output_tokens":2}}"#;

fn chunk(content: &str) -> String {
    format!(
        "data: {{\"id\":\"c1\",\"object\":\"chat.completion.chunk\",\"created\":1,\"model\":\"m-1\",\"choices\":[{{\"index\":0,\"delta\":{{\"content\":\"{content}\"}},\"finish_reason\":null}}]}}\n\n"
    )
}
const ROLE: &str = "data: {\"id\":\"c1\",\"object\":\"chat.completion.chunk\",\"created\":1,\"model\":\"m-1\",\"choices\":[{\"index\":0,\"delta\":{\"role\":\"assistant\",\"content\":\"\"},\"finish_reason\":null}]}\n\n";
const STOP: &str = "data: {\"id\":\"c1\",\"object\":\"chat.completion.chunk\",\"created\":1,\"model\":\"m-1\",\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n";
const USAGE: &str = "data: {\"id\":\"c1\",\"object\":\"chat.completion.chunk\",\"created\":1,\"model\":\"m-1\",\"choices\":[],\"usage\":{\"prompt_tokens\":3,\"completion_tokens\":2,\"total_tokens\":5}}\n\n";
const DONE: &str = "data: [DONE]\n\n";

fn sse(steps: Vec<Step>) -> Result<Response<Body>> {
    let clock: Arc<dyn Clock> = Arc::new(ManualClock::skipping(Timestamp(0)));
    answer(200, "text/event-stream", scripted(clock, steps))
}

fn send(text: impl Into<String>) -> Step {
    Step::Chunk(Bytes::from(text.into()))
}

fn json_of(response: &Response<Bytes>) -> Value {
    serde_json::from_slice(response.body()).expect("the answer is JSON")
}

#[test]
fn the_same_dialect_passes_byte_for_byte() {
    let world = world([answer(200, "application/json", COMPLETION)]);
    let body = "{ \"messages\":[{\"role\":\"user\",\"content\":\"h\\u0069\"}],\n \"model\" : \"oa/gpt\", \"unknown\": 1.50 }";
    let (response, record) = world.ask(post("/v1/chat/completions", body));
    assert_eq!(response.body(), COMPLETION);
    assert_eq!(world.http.sent()[0].body, body.replace("oa/gpt", "gpt"));
    assert_eq!(world.http.sent()[0].uri, "https://oa.test/v1/chat/completions");
    assert_eq!((record.outcome, record.path_taken), (Some(Outcome::Complete), "passthrough"));
    assert_eq!(record.usage.map(|usage| (usage.input, usage.output)), Some((3, 2)));
    assert_eq!(response.headers()["x-edgeway-target"], "oa/gpt");
    assert_eq!(response.headers()["x-edgeway-request-id"].to_str().ok(), Some(record.id.as_str()));
}

#[test]
fn only_listed_headers_reach_a_provider_and_its_key_is_its_own() {
    let world = world([answer(200, "application/json", COMPLETION)]);
    world.ask(chat("oa/gpt", false));
    let sent = &world.http.sent()[0].headers;
    let mut names: Vec<&str> = sent.keys().map(|name| name.as_str()).collect();
    names.sort_unstable();
    assert_eq!(names, ["authorization", "content-type", "user-agent"]);
    assert_eq!(sent["authorization"], "Bearer upstream-secret");
}

#[test]
fn a_translated_answer_is_the_callers_protocol() {
    let world = world([answer(200, "application/json", MESSAGE)]);
    let (response, record) = world.ask(chat("an/claude", false));
    assert_eq!(json_of(&response)["choices"][0]["message"]["content"], "hello");
    let sent = &world.http.sent()[0];
    assert_eq!(sent.uri, "https://an.test/v1/messages");
    assert_eq!(
        (&sent.headers["x-api-key"], &sent.headers["anthropic-version"]),
        (&"upstream-secret".parse().unwrap(), &"2023-06-01".parse().unwrap())
    );
    assert!(!sent.headers.contains_key("authorization"));
    assert!(response.headers()["x-edgeway-warnings"].to_str().unwrap().contains("max_tokens"));
    assert_eq!((record.path_taken, record.upstream_model.as_deref()), ("translate", Some("claude")));
}

#[test]
fn usage_is_asked_for_and_hidden_from_a_caller_who_did_not_ask() {
    let world = world([sse(vec![send(ROLE), send(chunk("hello")), send(STOP), send(format!("{USAGE}{DONE}"))])]);
    let (response, record) = world.ask(chat("oa/gpt", true));
    assert_eq!(response.body(), &format!("{ROLE}{}{STOP}{DONE}", chunk("hello")));
    assert!(String::from_utf8_lossy(&world.http.sent()[0].body).ends_with(",\"stream_options\":{\"include_usage\":true}}"));
    assert_eq!((record.usage.map(|usage| usage.output), record.estimated), (Some(2), false));
    assert_eq!(response.headers()["content-type"], "text/event-stream");
}

/// A tool call's id that carries Claude's thinking through an OpenAI client.
fn carrying_id() -> String {
    let signature = Signature { dialect: DialectId::AnthropicMessages, data: "c2ln".into() };
    let thought = Reasoning { text: "hm".into(), redacted: false, signature: Some(signature) };
    carry::wrap_id("call_1", &Carried { reasoning: vec![thought], signature: None })
}

#[test]
fn only_the_state_is_taken_out_when_a_conversation_goes_on_with_a_provider_of_the_callers_protocol() {
    let id = carrying_id();
    let body = json!({"model": "oa/gpt", "stream": true, "unknown": {"a": [1.5]}, "messages": [
        {"role": "user", "content": "hi"},
        {"role": "assistant", "content": null, "tool_calls": [{"id": id, "type": "function", "function": {"name": "f", "arguments": "{}"}}]},
        {"role": "tool", "tool_call_id": id, "content": "1"},
    ]});
    let chunk = chunk("hello");
    let odd = "data: {\"odd\":  1.0e0, \"choices\":[]}\n\n";
    let world = world([sse(vec![send(ROLE), send(chunk.clone()), send(odd), send(STOP), send(format!("{USAGE}{DONE}"))])]);
    let mut request = post("/v1/chat/completions", &body.to_string());
    request.headers_mut().insert("openai-organization", "org-1".parse().unwrap());
    let (response, record) = world.ask(request);

    let sent = &world.http.sent()[0];
    assert_eq!(sent.headers["openai-organization"], "org-1");
    let asked: Value = serde_json::from_slice(&sent.body).unwrap();
    assert_eq!(
        (&asked["messages"][1]["tool_calls"][0]["id"], &asked["messages"][2]["tool_call_id"]),
        (&json!("call_1"), &json!("call_1"))
    );
    assert_eq!(asked["unknown"], json!({"a": [1.5]}));
    assert_eq!(
        response.body(),
        &format!("{ROLE}{chunk}{odd}{STOP}{DONE}"),
        "the provider's own bytes, but for the usage that nobody asked for"
    );
    assert!(response.headers()["x-edgeway-warnings"].to_str().unwrap().contains("signed by anthropic_messages"));
    assert_eq!((record.path_taken, record.usage.map(|usage| usage.output)), ("translate", Some(2)));
}

#[test]
fn a_header_sent_twice_reaches_the_provider_twice() {
    for body in [json!({}), json!({"metadata": {"note": carrying_id()}})] {
        let world = world([answer(200, "application/json", MESSAGE)]);
        let mut whole =
            json!({"model": "an/claude", "max_tokens": 9, "messages": [{"role": "user", "content": "hi"}], "mcp_servers": []});
        whole.as_object_mut().unwrap().extend(body.as_object().unwrap().clone());
        let mut request = post("/v1/messages", &whole.to_string());
        request.headers_mut().append("anthropic-version", "2026-10-21".parse().unwrap());
        request.headers_mut().append("anthropic-user-profile-id", "one".parse().unwrap());
        request.headers_mut().append("anthropic-user-profile-id", "two".parse().unwrap());
        let (response, _) = world.ask(request);
        assert_eq!(response.body(), MESSAGE);
        let sent = &world.http.sent()[0].headers;
        assert_eq!(sent.get_all("anthropic-user-profile-id").iter().collect::<Vec<_>>(), ["one", "two"]);
        assert_eq!(sent.get_all("anthropic-version").iter().collect::<Vec<_>>(), ["2026-10-21"]);
    }
}

#[test]
fn a_gemini_stream_is_asked_for_in_the_form_that_the_caller_wants() {
    let element = r#"{"candidates": [{"content": {"parts": [{"text": "hello"}], "role": "model"}, "finishReason": "STOP"}], "usageMetadata": {"promptTokenCount": 3, "candidatesTokenCount": 2}}"#;
    let body = r#"{"contents":[{"parts":[{"text":"hi"}]}]}"#;
    let array = format!("[{element}\n]");
    let event = format!("data: {element}\r\n\r\n");
    for (query, content_type, stream) in [("", "application/json", &array), ("?alt=sse", "text/event-stream", &event)] {
        let world = world([answer(200, content_type, stream.clone())]);
        let (response, record) = world.ask(post(&format!("/v1beta/models/ge/gemini-x:streamGenerateContent{query}"), body));
        assert_eq!(
            world.http.sent()[0].uri.to_string(),
            format!("https://ge.test/v1beta/models/gemini-x:streamGenerateContent{query}")
        );
        assert_eq!(response.body(), stream);
        assert_eq!(record.usage.map(|usage| usage.output), Some(2));
    }
}

#[test]
fn a_failure_before_content_falls_back_unseen() {
    for first in [
        answer(500, "application/json", r#"{"error":{"message":"broken"}}"#),
        answer(429, "application/json", r#"{"error":{"message":"slow down"}}"#),
        sse(vec![send(ROLE), send("data: {\"error\":{\"message\":\"overloaded\",\"type\":\"server_error\"}}\n\n")]),
        sse(vec![send(ROLE), Step::Break]),
        sse(vec![send(ROLE), Step::Stall]),
    ] {
        let world = world([first, answer(200, "application/json", MESSAGE)]);
        let (response, record) = world.ask(chat("safe-1", true));
        assert_eq!(response.status(), StatusCode::OK);
        let text = String::from_utf8_lossy(response.body()).into_owned();
        assert!(text.contains("hello") && text.ends_with(DONE), "{text}");
        assert_eq!((record.attempts, record.provider.as_deref(), record.outcome), (2, Some("an"), Some(Outcome::Complete)));
    }
}

#[test]
fn a_callers_mistake_does_not_fall_back() {
    let refusal = r#"{"error":{"message":"bad tool","type":"invalid_request_error","param":"tools","code":null}}"#;
    let world = world([answer(400, "application/json", refusal)]);
    let (response, record) = world.ask(chat("safe-1", false));
    assert_eq!((response.status(), response.body().as_ref()), (StatusCode::BAD_REQUEST, refusal.as_bytes()));
    assert_eq!((record.attempts, record.outcome, record.error), (1, Some(Outcome::Refused), Some("invalid_request")));
}

#[test]
fn a_refused_key_is_never_quoted() {
    let refusal = r#"{"error":{"message":"Incorrect API key provided: upst****cret","type":"invalid_request_error","code":"invalid_api_key"}}"#;
    let world = world([answer(401, "application/json", refusal)]);
    let (response, record) = world.ask(chat("oa/gpt", false));
    assert_eq!(response.status(), StatusCode::UNAUTHORIZED);
    assert!(!String::from_utf8_lossy(response.body()).contains("upst*"), "{:?}", response.body());
    assert_eq!(record.error, Some("upstream_unauthenticated"));
}

#[test]
fn a_stream_that_dies_ends_in_one_terminal_error() {
    for end in [Step::Break, Step::Stall, send("")] {
        for model in ["oa/gpt", "an/claude"] {
            let start = "event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"id\":\"m\",\"type\":\"message\",\"role\":\"assistant\",\"model\":\"c\",\"content\":[],\"stop_reason\":null,\"usage\":{\"input_tokens\":3,\"output_tokens\":1}}}\n\nevent: content_block_start\ndata: {\"type\":\"content_block_start\",\"index\":0,\"content_block\":{\"type\":\"text\",\"text\":\"\"}}\n\nevent: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"text_delta\",\"text\":\"hello wor\"}}\n\n";
            let begun = if model == "oa/gpt" { vec![send(ROLE), send(chunk("hello wor"))] } else { vec![send(start)] };
            let world = world([sse(begun.into_iter().chain([end.clone()]).collect())]);
            let (response, record) = world.ask(chat(model, true));
            let text = String::from_utf8_lossy(response.body()).into_owned();
            assert!(text.contains("hello wor"), "{text}");
            assert_eq!(text.matches("\"error\"").count(), 1, "{text}");
            assert!(!text.contains("[DONE]"), "{text}");
            assert_eq!(record.outcome, Some(Outcome::Truncated));
            assert!(record.estimated && record.usage.is_some_and(|usage| usage.output >= 3), "{record:?}");
        }
    }
}

#[test]
fn a_caller_who_leaves_a_stream_still_settles_and_frees_the_provider() {
    let world = world([sse(vec![send(ROLE), send(chunk("hello world")), Step::Stall])]);
    let handled = world.gateway.handle(Inbound { request: chat("oa/gpt", true), peer: None });
    let response = handled.response.now_or_never().expect("content came");
    let Body::Stream(mut stream) = response.into_body() else { panic!("a stream was asked for") };
    assert!(stream.next().now_or_never().is_some());
    assert_eq!(world.http.open(), 1);
    drop(stream);
    assert_eq!(world.http.open(), 0);
    handled.after.now_or_never().expect("the drop settles");
    let record = world.only_record();
    assert_eq!((record.outcome, record.estimated), (Some(Outcome::Abandoned), true));
    assert!(record.usage.is_some_and(|usage| usage.output >= 3 && usage.input > 0), "{:?}", record.usage);
}

#[test]
fn a_caller_who_leaves_before_the_answer_still_settles() {
    let clock = Arc::new(ManualClock::at(Timestamp(0)));
    let http = Arc::new(ScriptedHttp::new(clock.clone(), |_| futures_util::future::pending().boxed()));
    let memory = MemoryPorts::new(clock, http.clone());
    let gateway = open(&memory);
    let handled = gateway.handle(Inbound { request: chat("oa/gpt", false), peer: None });
    let mut response = handled.response;
    assert!((&mut response).now_or_never().is_none());
    assert_eq!(http.open(), 1);
    drop(response);
    assert_eq!(http.open(), 0);
    handled.after.now_or_never().expect("the drop settles");
    assert_eq!(memory.events.records().iter().map(|record| record.outcome).collect::<Vec<_>>(), [Some(Outcome::Abandoned)]);
}

#[test]
fn the_demo_answers_every_dialect_whole_and_streamed() {
    let gemini = r#"{"contents":[{"role":"user","parts":[{"text":"one two"}]}]}"#;
    let messages = r#"{"model":"demo/echo","max_tokens":50,"stream":STREAM,"messages":[{"role":"user","content":"one two"}]}"#;
    for (path, body) in [
        ("/v1/chat/completions", messages.replace("STREAM", "false")),
        ("/v1/chat/completions", messages.replace("STREAM", "true")),
        ("/v1/messages", messages.replace("STREAM", "false")),
        ("/v1/messages", messages.replace("STREAM", "true")),
        ("/v1beta/models/demo/echo:generateContent", gemini.to_owned()),
        ("/v1beta/models/demo/echo:streamGenerateContent?alt=sse", gemini.to_owned()),
        ("/v1beta/models/demo/echo:streamGenerateContent", gemini.to_owned()),
    ] {
        let world = world([]);
        let (response, record) = world.ask(post(path, &body));
        let text = String::from_utf8_lossy(response.body()).into_owned();
        assert_eq!(response.status(), StatusCode::OK, "{path}: {text}");
        assert!(text.contains("two"), "{path}: {text}");
        assert_eq!((record.path_taken, record.outcome), ("local", Some(Outcome::Complete)), "{path}");
        assert!(record.usage.is_some_and(|usage| usage.output > 0), "{path}");
    }
}

#[test]
fn bad_requests_are_refused_in_the_callers_protocol() {
    let deep = format!("{{\"model\":\"oa/m\",\"x\":{}{}}}", "[".repeat(200), "]".repeat(200));
    for (path, shape) in [
        ("/v1/chat/completions", "/error/message"),
        ("/v1/messages", "/error/message"),
        ("/v1beta/models/oa/m:generateContent", "/error/message"),
    ] {
        for (body, status) in [
            ("", 400),
            ("{", 400),
            ("[]", 400),
            ("{\"model\":\"oa/m\",\"model\":\"oa/n\"}", 400),
            ("{\"model\":7}", 400),
            (deep.as_str(), 400),
            (&"x".repeat(10_001), 413),
        ] {
            let world = world([]);
            let (response, record) = world.ask(post(path, body));
            assert_eq!(response.status().as_u16(), status, "{path} {:.40}", body);
            let message = json_of(&response).pointer(shape).and_then(Value::as_str).map(str::to_owned);
            assert!(message.is_some_and(|message| message.len() > 10), "{path} {:?}", response.body());
            assert_eq!(record.outcome, Some(Outcome::Refused));
            assert!(world.http.sent().is_empty());
        }
    }
}

#[test]
fn a_header_that_the_caller_sent_twice_reaches_the_provider_twice() {
    let world = world([answer(200, "application/json", MESSAGE)]);
    let mut request = post("/v1/messages", r#"{"model":"an/c","max_tokens":9,"messages":[{"role":"user","content":"hi"}]}"#);
    for value in ["a", "b"] {
        request.headers_mut().append("anthropic-user-profile-id", value.parse().expect("valid"));
    }
    request.headers_mut().insert("anthropic-version", "2024-01-01".parse().expect("valid"));
    world.ask(request);
    let sent = &world.http.sent()[0].headers;
    let sent = |name: &str| sent.get_all(name).iter().map(|value| value.to_str().unwrap_or("")).collect::<Vec<_>>();
    assert_eq!(sent("anthropic-version"), ["2024-01-01"]);
    assert_eq!(sent("anthropic-user-profile-id"), ["a", "b"]);
}

#[test]
fn a_missing_content_type_is_refused() {
    let world = world([]);
    let request = Request::post("/v1/messages").body(Body::from("{}")).unwrap();
    let (response, _) = world.ask(request);
    assert_eq!(response.status(), StatusCode::UNSUPPORTED_MEDIA_TYPE);
}

#[test]
fn a_body_that_is_compressed_or_not_utf8_is_refused_before_it_is_read() {
    let refused = [
        [("content-type", "application/json"), ("content-encoding", "gzip")],
        [("content-type", "application/json; charset=utf-16"), ("x", "y")],
        [("content-type", "application/json"), ("content-type", "text/plain")],
    ];
    let taken = [[("content-type", "Application/JSON; Charset=\"UTF-8\""), ("content-encoding", "identity")]];
    for (headers, taken) in refused.map(|headers| (headers, false)).into_iter().chain(taken.map(|headers| (headers, true))) {
        let world = world([answer(200, "application/json", COMPLETION)]);
        let mut request = Request::post("/v1/chat/completions");
        for (name, value) in headers {
            request = request.header(name, value);
        }
        let body = r#"{"model":"oa/m","messages":[{"role":"user","content":"hi"}]}"#;
        let (response, _) = world.ask(request.body(Body::from(body)).unwrap());
        let expected = if taken { StatusCode::OK } else { StatusCode::UNSUPPORTED_MEDIA_TYPE };
        assert_eq!(response.status(), expected, "{headers:?}");
    }
}

#[test]
fn a_wrong_method_names_the_right_one() {
    let world = world([]);
    let (response, _) = world.ask(Request::get("/v1/messages").body(Body::Empty).unwrap());
    assert_eq!((response.status(), &response.headers()["allow"]), (StatusCode::METHOD_NOT_ALLOWED, &"POST".parse().unwrap()));
}

#[test]
fn a_redirect_is_never_followed() {
    let redirect = Response::builder().status(302).header("location", "http://169.254.169.254/").body(Body::Empty);
    let world = world([Ok(redirect.unwrap())]);
    let (response, record) = world.ask(chat("oa/gpt", false));
    assert_eq!((response.status(), record.error), (StatusCode::BAD_GATEWAY, Some("upstream_invalid")));
    assert_eq!(world.http.sent().len(), 1);
}

#[test]
fn an_answer_that_is_not_json_is_the_providers_fault() {
    let world = world([answer(200, "text/html", "<html>")]);
    let (response, record) = world.ask(chat("an/claude", false));
    assert_eq!((response.status(), record.error), (StatusCode::BAD_GATEWAY, Some("upstream_invalid")));
}

#[test]
fn an_answer_that_should_be_continued_is_refused_where_it_would_begin_anew() {
    let body =
        r#"{"model":"oa/gpt","max_tokens":9,"messages":[{"role":"user","content":"hi"},{"role":"assistant","content":"{"}]}"#;
    let world = world([]);
    let (response, _) = world.ask(post("/v1/messages", body));
    assert_eq!(response.status(), StatusCode::BAD_REQUEST);
    assert!(String::from_utf8_lossy(response.body()).contains("assistant message"), "{:?}", response.body());
    assert!(world.http.sent().is_empty());
}

#[test]
fn a_request_that_the_platform_refuses_is_answered_in_its_protocol_and_settled_once() {
    let world = world([]);
    let request = Request::post("/v1/messages?key=SECRET").header("x-api-key", "SECRET").body(()).expect("well formed");
    let error = Error::new(ErrorKind::InvalidRequest, "Two lengths.");
    let handled = world.gateway.refuse(Refused { request, status: StatusCode::EXPECTATION_FAILED, error });
    let response = handled.response.now_or_never().expect("ready at once");
    assert_eq!(response.status(), StatusCode::EXPECTATION_FAILED);
    let id = response.headers()["x-edgeway-request-id"].to_str().expect("ASCII").to_owned();
    let Body::Full(body) = response.into_body() else { panic!("a whole body") };
    let body: Value = serde_json::from_slice(&body).expect("JSON");
    assert_eq!((body["type"].as_str(), body["error"]["message"].as_str()), (Some("error"), Some("Two lengths.")));
    handled.after.now_or_never().expect("settled");
    let record = world.only_record();
    assert_eq!((record.id, record.status, record.outcome), (id, 417, Some(Outcome::Refused)));
    assert_eq!((record.method.as_str(), record.path.as_str(), record.error), ("POST", "/v1/messages", Some("invalid_request")));
}

#[test]
fn a_gateway_that_drains_is_alive_but_not_ready() {
    for (path, drains, status) in [("/ready", false, 200), ("/ready", true, 503), ("/health", true, 200)] {
        let world = world([]);
        if drains {
            world.gateway.drain();
        }
        let (response, record) = world.ask(Request::get(path).body(Body::Empty).expect("well formed"));
        assert_eq!((response.status().as_u16(), record.status), (status, status), "{path}");
        let outcome = if status == 200 { Outcome::Complete } else { Outcome::Refused };
        assert_eq!(record.outcome, Some(outcome), "{path}");
    }
}

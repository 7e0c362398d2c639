//! The demo model's manual.

use serde_json::{Value, json};

use super::*;
use crate::chat::{Accumulator, ChatResponse, FunctionTool, LogProbs, Message, ReasoningConfig, Tool, ToolCall, ToolChoice};

fn user(text: &str) -> ChatRequest {
    ChatRequest { messages: vec![Message::new(Role::User, vec![Part::text(text)])], ..ChatRequest::default() }
}

fn tool(name: &str, parameters: Value) -> Tool {
    Tool::Function(FunctionTool { name: name.into(), parameters: Some(parameters), ..FunctionTool::default() })
}

fn with_tools(text: &str) -> ChatRequest {
    let city =
        json!({"type": "object", "properties": {"city": {"type": "string"}, "days": {"type": "integer"}}, "required": ["city"]});
    let clock = json!({"type": "object", "properties": {"zone": {"enum": ["UTC", "CET"]}}, "required": ["zone"]});
    ChatRequest { tools: vec![tool("get_weather", city), tool("get_time", clock)], ..user(text) }
}

fn response(request: &ChatRequest) -> ChatResponse {
    let mut accumulator = Accumulator::default();
    answer(request, "req-1", 1_700_000_000).into_iter().for_each(|event| accumulator.push(event));
    let (response, ended) = accumulator.finish().expect("the demo never fails");
    assert!(ended);
    response
}

fn text(request: &ChatRequest) -> String {
    text_of(&response(request).choices[0].parts)
}

fn calls(request: &ChatRequest) -> Vec<(String, Value)> {
    let choice = response(request).choices.remove(0);
    let calls: Vec<_> = choice
        .parts
        .into_iter()
        .filter_map(|part| match part {
            Part::ToolCall(call) => Some((call.name, serde_json::from_str(&call.arguments).expect("arguments are JSON"))),
            _ => None,
        })
        .collect();
    assert_eq!(choice.finish.unified == Finish::ToolCalls, !calls.is_empty());
    calls
}

fn deltas(request: &ChatRequest) -> Vec<String> {
    let events = answer(request, "req-1", 0).into_iter();
    events
        .filter_map(|event| if let ChatEvent::PartDelta { delta: Delta::Text(text), .. } = event { Some(text) } else { None })
        .collect()
}

#[test]
fn it_says_that_it_is_a_demo_and_echoes() {
    let response = response(&user("Hello  there,\nworld!"));
    assert_eq!(text_of(&response.choices[0].parts), "demo/echo: Hello  there,\nworld!");
    assert_eq!((response.id.as_str(), response.model.as_str(), response.created), ("req-1", MODEL, Some(1_700_000_000)));
    assert_eq!(response.extra.field(DialectId::OpenAiChat, "system_fingerprint"), Some(&json!(FINGERPRINT)));
    assert_eq!(response.choices[0].finish, FinishReason::new(Finish::Stop, "stop"));
    assert_eq!(text(&ChatRequest::default()), "demo/echo: (there is nothing to echo)");
}

#[test]
fn the_same_request_gives_the_same_events() {
    let request = with_tools("call get_weather");
    assert_eq!(format!("{:?}", answer(&request, "r", 1)), format!("{:?}", answer(&request, "r", 1)));
}

#[test]
fn it_streams_word_by_word_and_words_keep_their_spaces() {
    assert_eq!(deltas(&user(" a  b\n\nc ")), ["demo/echo:  ", "a  ", "b\n\n", "c "]);
    assert_eq!(words("  x y"), ["  x ", "y"]);
    assert_eq!(words("   "), ["   "]);
    assert!(words("").is_empty());
}

#[test]
fn events_keep_the_grammar() {
    let mut request = with_tools("call get_weather and get_time");
    request.reasoning = Some(ReasoningConfig { effort: Some(Effort::Low), ..ReasoningConfig::default() });
    request.candidates = Some(2);
    let (mut open, mut finished) = (None, 0);
    let events = answer(&request, "r", 0);
    assert!(matches!(events.first(), Some(ChatEvent::Start(_))) && matches!(events.last(), Some(ChatEvent::End)));
    for event in &events {
        match event {
            ChatEvent::PartStart { choice, part, .. } => assert_eq!(open.replace((*choice, *part)), None),
            ChatEvent::PartDelta { choice, part, .. } => assert_eq!(open, Some((*choice, *part))),
            ChatEvent::PartEnd { choice, part } => assert_eq!(open.take(), Some((*choice, *part))),
            ChatEvent::Finish { choice, .. } => {
                assert_eq!((*choice, open), (finished, None));
                finished += 1;
            }
            _ => {}
        }
    }
    assert_eq!(finished, 2);
}

#[test]
fn usage_counts_words_in_and_pieces_out() {
    let mut request = user("one two three");
    request.messages.insert(0, Message::new(Role::System, vec![Part::text("be brief")]));
    let usage = response(&request).usage.expect("usage");
    assert_eq!((usage.input, usage.output, usage.reasoning), (5, 4, 0));
    request.candidates = Some(2);
    assert_eq!(deltas(&request).len() as u64, response(&request).usage.expect("usage").output);
}

#[test]
fn media_are_named_with_kind_type_and_size() {
    let medium = |kind, source| {
        Part::Media(Media { kind, source, name: None, detail: None, cache: None, signature: None, extra: Extra::default() })
    };
    let request = ChatRequest {
        messages: vec![Message::new(
            Role::User,
            vec![
                Part::text("What is this?"),
                medium(MediaKind::Image, MediaSource::Base64 { mime: "image/png".into(), data: "aGVsbG8=".into() }),
                medium(MediaKind::Document, MediaSource::Url { mime: None, url: "https://example.com/a.pdf".into() }),
            ],
        )],
        ..ChatRequest::default()
    };
    assert_eq!(text(&request), "demo/echo: What is this?\n[image image/png, 5 bytes]\n[document at https://example.com/a.pdf]");
}

#[test]
fn it_calls_a_tool_when_the_text_asks_for_it() {
    assert_eq!(calls(&with_tools("Please call get_weather for \"Oslo\".")), [("get_weather".into(), json!({"city": "Oslo"}))]);
    assert_eq!(calls(&with_tools("Use the weather tool")), [("get_weather".into(), json!({"city": "demo"}))]);
    assert_eq!(calls(&with_tools("use get_time in \u{201c}CET\u{201d}")), [("get_time".into(), json!({"zone": "CET"}))]);
    for text in ["What does get_weather do?", "call get_weather_now", "call me", "recall get_weather"] {
        assert!(calls(&with_tools(text)).is_empty(), "{text}");
    }
}

#[test]
fn several_mentions_are_parallel_calls_unless_that_is_forbidden() {
    let mut request = with_tools("call get_weather \"Oslo\", get_weather \"Rome\" and get_time");
    let all = calls(&request);
    assert_eq!(
        all,
        [
            ("get_weather".into(), json!({"city": "Oslo"})),
            ("get_weather".into(), json!({"city": "Rome"})),
            ("get_time".into(), json!({"zone": "UTC"})),
        ]
    );
    request.parallel_tool_calls = Some(false);
    assert_eq!(calls(&request), all[..1]);
}

#[test]
fn tool_choice_is_obeyed() {
    let choose = |choice| calls(&ChatRequest { tool_choice: Some(choice), ..with_tools("call get_weather") });
    let names = |calls: Vec<(String, Value)>| calls.into_iter().map(|(name, _)| name).collect::<Vec<_>>();
    assert!(choose(ToolChoice::None).is_empty());
    assert_eq!(names(choose(ToolChoice::Auto)), ["get_weather"]);
    assert_eq!(names(choose(ToolChoice::Function("get_time".into()))), ["get_time"]);
    assert_eq!(names(choose(ToolChoice::Allowed { names: vec!["get_time".into()], required: true })), ["get_time"]);
    assert!(choose(ToolChoice::Allowed { names: vec!["get_time".into()], required: false }).is_empty());
    let request = ChatRequest { tool_choice: Some(ToolChoice::Required), ..with_tools("hello") };
    assert_eq!(names(calls(&request)), ["get_weather"]);
}

#[test]
fn arguments_come_in_several_deltas_and_ids_are_unique() {
    let request = ChatRequest { candidates: Some(2), ..with_tools("call get_weather and get_time") };
    assert!(deltas(&with_tools("call get_weather")).len() > 1);
    assert_eq!(json_pieces("{}"), ["{", "}"]);
    let mut ids: Vec<_> = response(&request)
        .choices
        .into_iter()
        .flat_map(|choice| choice.parts)
        .filter_map(|part| if let Part::ToolCall(call) = part { Some(call.id) } else { None })
        .collect();
    assert!(ids.iter().all(|id| id.len() <= 40 && id.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')), "{ids:?}");
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), 4);
}

#[test]
fn a_tools_result_is_answered_in_words_and_the_loop_ends() {
    let mut request = with_tools("call get_weather");
    let call = ToolCall { id: "c1".into(), name: "get_weather".into(), ..ToolCall::default() };
    request.messages.push(Message::new(Role::Assistant, vec![Part::ToolCall(call)]));
    let result = ToolResult { call_id: "c1".into(), content: vec![Part::text("12 degrees")], ..ToolResult::default() };
    request.messages.push(Message::new(Role::Tool, vec![Part::ToolResult(result.clone())]));
    request.tool_choice = Some(ToolChoice::Required);
    assert_eq!(text(&request), "demo/echo: get_weather answered: 12 degrees");
    request.messages.push(Message::new(Role::User, vec![Part::text("Thanks!")]));
    assert_eq!(text(&request), "demo/echo: get_weather answered: 12 degrees\nThanks!");
    let failed = ToolResult { is_error: true, call_id: "other".into(), ..result };
    request.messages[2].parts.push(Part::ToolResult(failed));
    assert_eq!(text(&request), "demo/echo: get_weather answered: 12 degrees\na tool failed: 12 degrees\nThanks!");
}

#[test]
fn structured_output_fits_its_schema() {
    let schema = json!({
        "type": "object",
        "properties": {
            "name": {"type": "string"},
            "age": {"type": "integer", "minimum": 18},
            "tags": {"type": "array", "items": {"$ref": "#/$defs/tag"}, "minItems": 2},
            "parent": {"anyOf": [{"type": "null"}, {"type": "object", "properties": {"ok": {"type": ["null", "boolean"]}}}]},
            "left_out": {"type": "string"}
        },
        "required": ["name", "age", "tags", "parent"],
        "$defs": {"tag": {"enum": ["a", "b"]}}
    });
    let output = OutputFormat::JsonSchema { name: "person".into(), description: None, schema, strict: Some(true) };
    let request = ChatRequest { output, ..user("Name \"Ada\", age \"36\"") };
    let value: Value = serde_json::from_str(&text(&request)).expect("JSON");
    assert_eq!(value, json!({"name": "Ada", "age": 36, "tags": ["a", "a"], "parent": {"ok": true}}));
    assert!(deltas(&request).len() > 5);

    let request = ChatRequest { output: OutputFormat::Json, ..user("hi") };
    assert_eq!(text(&request), r#"{"model":"demo/echo","echo":"hi"}"#);
}

#[test]
fn every_kind_of_schema_gets_a_value() {
    let made = |schema: Value| schema::example(&schema, &[]);
    for (schema, value) in [
        (json!(true), json!("demo")),
        (json!({"type": "STRING", "minLength": 6}), json!("demoxx")),
        (json!({"type": "string", "maxLength": 2}), json!("de")),
        (json!({"type": "string", "format": "date"}), json!("2026-01-01")),
        (json!({"type": "integer", "maximum": -3}), json!(-3)),
        (json!({"type": "integer", "exclusiveMinimum": 4, "multipleOf": 3}), json!(6)),
        (json!({"type": "number", "minimum": 0.5}), json!(0.5)),
        (json!({"type": "array"}), json!(["demo"])),
        (json!({"type": "array", "maxItems": 0}), json!([])),
        (json!({"prefixItems": [{"type": "null"}, {"const": 7}]}), json!([null, 7])),
        (json!({"properties": {"a": {"default": [1]}}}), json!({"a": [1]})),
        (json!({"type": "object"}), json!({})),
    ] {
        assert_eq!(made(schema.clone()), value, "{schema}");
    }
}

#[test]
fn a_hostile_schema_is_bounded() {
    let endless = json!({"properties": {"a": {"$ref": "#"}, "b": {"$ref": "#"}}, "required": ["a", "b"]});
    assert!(schema::example(&endless, &[]).to_string().len() < 100_000);
    let looped = json!({"$ref": "#"});
    assert_eq!(schema::example(&looped, &[]), Value::Null);
    let large = json!({"type": "array", "minItems": u64::MAX, "items": {"const": "x".repeat(50_000)}});
    assert!(schema::example(&large, &[]).to_string().len() < 100_000);
    let long = json!({"type": "string", "minLength": u64::MAX});
    assert!(schema::example(&long, &[]).to_string().len() < 2000);
}

#[test]
fn reasoning_comes_first_when_asked_for_and_not_hidden() {
    let think = |config| {
        let response = response(&ChatRequest { reasoning: Some(config), ..user("hi") });
        (matches!(response.choices[0].parts[0], Part::Reasoning(_)), response.usage.expect("usage").reasoning > 0)
    };
    let config = ReasoningConfig::default();
    assert_eq!(think(ReasoningConfig { effort: Some(Effort::High), ..config.clone() }), (true, true));
    assert_eq!(think(ReasoningConfig { budget_tokens: Some(1024), ..config.clone() }), (true, true));
    assert_eq!(think(ReasoningConfig { adaptive: true, ..config.clone() }), (true, true));
    assert_eq!(think(ReasoningConfig { effort: Some(Effort::None), ..config.clone() }), (false, false));
    assert_eq!(think(ReasoningConfig { budget_tokens: Some(0), ..config.clone() }), (false, false));
    assert_eq!(think(ReasoningConfig { adaptive: true, include_thoughts: Some(false), ..config.clone() }), (false, false));
    assert_eq!(think(config), (false, false));
}

#[test]
fn n_gives_as_many_labelled_answers() {
    let response = response(&ChatRequest { candidates: Some(3), ..user("hi") });
    let texts: Vec<_> = response.choices.iter().map(|choice| text_of(&choice.parts)).collect();
    assert_eq!(texts, ["demo/echo 1 of 3: hi", "demo/echo 2 of 3: hi", "demo/echo 3 of 3: hi"]);
    assert_eq!(self::response(&ChatRequest { candidates: Some(u32::MAX), ..user("hi") }).choices.len(), MAX_CHOICES as usize);
}

#[test]
fn a_stop_text_ends_the_answer_before_it() {
    let request = ChatRequest { stop: vec!["never".into(), "b c".into(), String::new()], ..user("a b c d") };
    let choice = response(&request).choices.remove(0);
    assert_eq!(text_of(&choice.parts), "demo/echo: a ");
    assert_eq!((choice.finish.unified, choice.finish.stop_sequence.as_deref()), (Finish::Stop, Some("b c")));
}

#[test]
fn max_tokens_cuts_text_reasoning_and_calls() {
    let cut = |request: ChatRequest, most| {
        let response = response(&ChatRequest { max_tokens: Some(most), ..request });
        let usage = response.usage.expect("usage");
        assert_eq!(response.choices[0].finish, FinishReason::new(Finish::Length, "length"));
        assert_eq!(usage.output_total(), most);
        response.choices[0].parts.clone()
    };
    assert_eq!(text_of(&cut(user("a b c"), 2)), "demo/echo: a ");
    assert!(cut(user("a b c"), 0).is_empty());
    assert!(matches!(&cut(with_tools("call get_weather"), 1)[..], [Part::ToolCall(_)]));
    let thinking = ReasoningConfig { effort: Some(Effort::Low), ..ReasoningConfig::default() };
    assert!(matches!(&cut(ChatRequest { reasoning: Some(thinking), ..user("hi") }, 3)[..], [Part::Reasoning(_)]));
    let whole = response(&ChatRequest { max_tokens: Some(4), ..user("a b c") });
    assert_eq!(whole.choices[0].finish.unified, Finish::Stop);
}

#[test]
fn a_huge_message_is_cut_like_a_long_answer() {
    let response = response(&user(&"word ".repeat(1_000_000)));
    assert_eq!(response.choices[0].finish.unified, Finish::Length);
    assert_eq!(response.usage.expect("usage").output, MAX_TOKENS);
}

#[test]
fn log_probabilities_are_those_of_a_certain_model() {
    let request = ChatRequest { logprobs: Some(LogProbs { top: Some(2) }), ..user("a b") };
    let choice = response(&request).choices.remove(0);
    let tokens: Vec<_> = choice.logprobs.iter().map(|token| token.token.as_str()).collect();
    assert_eq!(tokens.concat(), text_of(&choice.parts));
    assert!(choice.logprobs.iter().all(|token| token.logprob == 0.0 && token.top.len() == 1));
}

//! How requests think and sample at each generation of Claude, and what gives way where two wishes meet.

mod anthropic;
mod golden;

use anthropic::encode_request;
use edgeway_core::chat::{
    ChatRequest, Effort, FunctionTool, Message, Part, ReasoningConfig, Role, Sampling, Tool, ToolCall, ToolChoice, ToolResult,
    Warnings,
};
use edgeway_core::dialect::{Dialect, Target, anthropic_messages::AnthropicMessages};
use edgeway_core::model::ModelLimits;
use edgeway_core::provider::Quirks;
use serde_json::{Value, json};

fn ask(reasoning: ReasoningConfig) -> ChatRequest {
    ChatRequest {
        model: "m".into(),
        messages: vec![Message::new(Role::User, vec![Part::text("hi")])],
        max_tokens: Some(20_000),
        reasoning: Some(reasoning),
        ..ChatRequest::default()
    }
}

fn effort(effort: Effort) -> ReasoningConfig {
    ReasoningConfig { effort: Some(effort), ..ReasoningConfig::default() }
}

fn budget(tokens: u64) -> ReasoningConfig {
    ReasoningConfig { budget_tokens: Some(tokens), ..ReasoningConfig::default() }
}

fn sent(model: &str, request: &ChatRequest) -> (Value, String) {
    let mut warnings = Warnings::default();
    let encoded = encode_request(request, model, &mut warnings).expect("a request that can be sent");
    (serde_json::from_slice(&encoded.body).expect("JSON"), warnings.header())
}

/// `thinking`, `output_config.effort`, and the places that are warned of.
fn thought(model: &str, request: &ChatRequest) -> (Value, Value, String) {
    let (body, warnings) = sent(model, request);
    let places = warnings.split(", ").map(|warning| warning.split(";why=").next().unwrap_or_default()).collect::<Vec<_>>();
    (body["thinking"].clone(), body["output_config"]["effort"].clone(), places.join(", "))
}

#[test]
fn an_effort_is_what_each_generation_makes_of_it() {
    let enabled = |tokens: u64| json!({"type": "enabled", "budget_tokens": tokens});
    let adaptive = json!({"type": "adaptive"});
    let none = Value::Null;
    let fits = "approximated;at=\"reasoning\"";
    let near = "approximated;at=\"reasoning.effort\"";
    let cases = [
        ("claude-3-5-haiku-latest", Effort::High, none.clone(), none.clone(), "dropped;at=\"reasoning\""),
        ("claude-3-7-sonnet-latest", Effort::Minimal, enabled(1024), none.clone(), fits),
        ("claude-sonnet-4-5", Effort::Low, enabled(2048), none.clone(), fits),
        ("claude-sonnet-4-5", Effort::Medium, enabled(8192), none.clone(), fits),
        // Four fifths of max_tokens, so that an answer fits.
        ("claude-sonnet-4-5", Effort::High, enabled(16_000), none.clone(), fits),
        ("kimi-k2-thinking", Effort::Max, enabled(16_000), none.clone(), fits),
        ("claude-opus-4-6", Effort::Medium, adaptive.clone(), json!("medium"), ""),
        ("claude-opus-4-6", Effort::XHigh, adaptive.clone(), json!("high"), near),
        ("claude-opus-4-7", Effort::XHigh, adaptive.clone(), json!("xhigh"), ""),
        ("claude-opus-5-5", Effort::Minimal, adaptive, json!("low"), near),
        ("claude-sonnet-4-5", Effort::None, json!({"type": "disabled"}), none.clone(), ""),
        ("claude-opus-5", Effort::None, json!({"type": "disabled"}), none.clone(), ""),
        ("claude-sonnet-5-5", Effort::None, json!({"type": "between_tools"}), none.clone(), fits),
        ("claude-opus-5-5", Effort::None, none.clone(), json!("low"), fits),
        ("claude-3-5-haiku-latest", Effort::None, none.clone(), none, ""),
    ];
    for (model, wanted, thinking, level, places) in cases {
        assert_eq!(thought(model, &ask(effort(wanted))), (thinking, level, places.into()), "{model} {wanted:?}");
    }
}

#[test]
fn a_budget_stays_within_what_the_api_takes() {
    let thinking = |request: &ChatRequest| thought("claude-sonnet-4-5", request);
    assert_eq!(thinking(&ask(budget(5000))), (json!({"type": "enabled", "budget_tokens": 5000}), Value::Null, String::new()));
    assert_eq!(thinking(&ask(budget(100))).0["budget_tokens"], 1024);
    assert_eq!(thinking(&ask(budget(50_000))).0["budget_tokens"], 19_999);
    let small = ChatRequest { max_tokens: Some(1024), ..ask(budget(5000)) };
    assert_eq!(thinking(&small), (Value::Null, Value::Null, "dropped;at=\"reasoning\"".into()));
    // Where the model sets its own budget, a level stands for it.
    let (thinking, level, places) = thought("claude-opus-5", &ask(budget(9000)));
    assert_eq!((thinking, level), (json!({"type": "adaptive"}), json!("high")));
    assert_eq!(places, "approximated;at=\"reasoning.budget_tokens\"");
}

#[test]
fn max_tokens_are_filled_in_with_room_for_an_answer() {
    let without = |config| ChatRequest { max_tokens: None, ..ask(config) };
    let (body, warnings) = sent("claude-sonnet-4-5", &without(effort(Effort::High)));
    assert_eq!((&body["max_tokens"], &body["thinking"]["budget_tokens"]), (&json!(20_480), &json!(16_384)));
    assert!(warnings.contains("filled;at=\"max_tokens\""), "{warnings}");
    let (body, _) = sent("claude-sonnet-4-5", &ChatRequest { reasoning: None, ..without(budget(0)) });
    assert_eq!(body["max_tokens"], 4096);
    let limits = ModelLimits { max_output: Some(64_000), ..ModelLimits::default() };
    let target = Target { provider: "anthropic", model: "claude-sonnet-4-5", quirks: &Quirks::NONE, limits };
    let encoded = AnthropicMessages.encode_request(&without(budget(0)), target, &mut Warnings::default()).unwrap();
    assert_eq!(serde_json::from_slice::<Value>(&encoded.body).unwrap()["max_tokens"], 64_000);
}

#[test]
fn thoughts_are_shown_or_not_as_the_caller_wishes() {
    let shown = |include| ReasoningConfig { adaptive: true, include_thoughts: Some(include), ..ReasoningConfig::default() };
    assert_eq!(thought("claude-opus-5", &ask(shown(true))).0, json!({"type": "adaptive", "display": "summarized"}));
    assert_eq!(thought("claude-opus-5", &ask(shown(false))).0, json!({"type": "adaptive", "display": "omitted"}));
    assert_eq!(thought("kimi-k2", &ask(shown(true))).0, json!({"type": "enabled", "budget_tokens": 8192}));
}

#[test]
fn thinking_gives_way_to_what_decides_the_answer() {
    let tool = Tool::Function(FunctionTool { name: "f".into(), ..FunctionTool::default() });
    let forced = ChatRequest { tools: vec![tool.clone()], tool_choice: Some(ToolChoice::Required), ..ask(effort(Effort::Low)) };
    let dropped = "dropped;at=\"reasoning\"";
    assert_eq!(thought("claude-sonnet-4-5", &forced), (Value::Null, Value::Null, dropped.into()));
    assert_eq!(sent("claude-sonnet-4-5", &forced).0["tool_choice"], json!({"type": "any"}));
    // Later models think and call when forced.
    assert_eq!(thought("claude-opus-5", &forced).0, json!({"type": "adaptive"}));

    let mut begun = ask(effort(Effort::Low));
    begun.messages.push(Message::new(Role::Assistant, vec![Part::text("Well,")]));
    assert_eq!(thought("claude-sonnet-4-5", &begun).2, dropped);

    let mut elsewhere = ChatRequest { tools: vec![tool], ..ask(effort(Effort::Low)) };
    let call = ToolCall { id: "a".into(), name: "f".into(), ..ToolCall::default() };
    elsewhere.messages.push(Message::new(Role::Assistant, vec![Part::ToolCall(call)]));
    let result = ToolResult { call_id: "a".into(), ..ToolResult::default() };
    elsewhere.messages.push(Message::new(Role::Tool, vec![Part::ToolResult(result)]));
    assert_eq!(thought("claude-sonnet-4-5", &elsewhere).2, dropped);
    assert_eq!(thought("claude-opus-4-7", &elsewhere).0, json!({"type": "adaptive"}));
}

#[test]
fn sampling_is_what_the_model_takes() {
    let sampling = |temperature, top_p, top_k| Sampling { temperature, top_p, top_k, ..Sampling::default() };
    let send = |model: &str, sampling: Sampling, reasoning| {
        let (body, warnings) = sent(model, &ChatRequest { sampling, reasoning, ..ask(ReasoningConfig::default()) });
        (["temperature", "top_p", "top_k"].map(|key| body[key].clone()), warnings)
    };
    let null = Value::Null;
    let (values, warnings) = send("claude-3-7-sonnet-latest", sampling(Some(1.7), Some(0.9), Some(40)), None);
    assert_eq!(values, [json!(1.0), json!(0.9), json!(40)]);
    assert!(warnings.starts_with("approximated;at=\"temperature\""), "{warnings}");
    let (values, warnings) = send("claude-sonnet-4-5", sampling(Some(0.5), Some(0.9), Some(40)), None);
    assert_eq!(values, [json!(0.5), null.clone(), json!(40)]);
    assert!(warnings.starts_with("dropped;at=\"top_p\""), "{warnings}");
    let (values, _) = send("claude-sonnet-4-5", sampling(None, Some(0.9), None), None);
    assert_eq!(values, [null.clone(), json!(0.9), null.clone()]);
    let (values, warnings) = send("claude-opus-5", sampling(Some(0.2), Some(0.5), Some(3)), None);
    assert_eq!(values, [null.clone(), null.clone(), null.clone()]);
    assert_eq!(warnings.matches("dropped").count(), 3, "{warnings}");
    let (values, warnings) = send("claude-opus-5", sampling(Some(1.0), Some(1.0), None), None);
    assert_eq!((values, warnings.as_str()), ([null.clone(), null.clone(), null.clone()], ""));
    let (values, warnings) = send("claude-sonnet-4-5", sampling(Some(0.2), Some(0.97), Some(3)), Some(budget(2000)));
    assert_eq!(values, [null.clone(), json!(0.97), null]);
    assert!(warnings.contains("dropped;at=\"temperature\"") && warnings.contains("dropped;at=\"top_k\""), "{warnings}");
}

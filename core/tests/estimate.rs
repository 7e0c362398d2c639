//! What is reserved covers what providers count.

use edgeway_core::chat::Usage;
use edgeway_core::config::{self, Availability, Target};
use edgeway_core::model::Price;
use edgeway_core::policy::estimate::{Bound, measure};
use edgeway_core::ports::TokenCounter;
use edgeway_core::route;
use serde_json::{Value, json};

fn target(model: &str) -> Target {
    let text = format!("[routes.r]\nmodels = [\"m\"]\ntargets = [\"{model}\"]\n");
    let loaded = config::load(Some(("edgeway.toml", &text)), []).expect("TOML");
    let secrets = ["OPENAI_API_KEY", "ANTHROPIC_API_KEY", "GEMINI_API_KEY", "XAI_API_KEY"].map(str::to_owned).into();
    let available = Availability { secrets, ..Availability::default() };
    let (config, _) = config::compile(&loaded, &available).unwrap_or_else(|found| panic!("{}", config::render(&found)));
    route::plan(&config, "m").expect("a plan").candidates[0].target.clone()
}

fn bound(model: &str, body: &Value) -> Bound {
    measure(body.to_string().as_bytes()).bound(&target(model), None)
}

fn user(text: &str) -> Value {
    json!([{"role": "user", "content": text}])
}

/// A request, as providers' own pages show it, with the counts that they give for it.
fn counted() -> Vec<(&'static str, &'static str, Value, u64)> {
    let weather = |shape: &str| {
        let schema = json!({"type": "object", "properties": {"location": {"type": "string", "description": "The city and state, e.g. San Francisco, CA"}}, "required": ["location"]});
        json!({"name": "get_weather", "description": "Get the current weather in a given location", shape: schema})
    };
    let image = "iVBORw0KGgo".repeat(400);
    vec![
        (
            "anthropic/claude-opus-4-6",
            "token counting: a first message",
            json!({"max_tokens": 1024, "system": "You are a scientist", "messages": user("Hello, Claude")}),
            14,
        ),
        (
            "anthropic/claude-opus-4-6",
            "token counting: a tool, with what Anthropic adds for tools",
            json!({"max_tokens": 1024, "tools": [weather("input_schema")], "messages": user("What's the weather like in San Francisco?")}),
            403,
        ),
        (
            "anthropic/claude-opus-4-6",
            "token counting: an image",
            json!({"max_tokens": 1024, "messages": [{"role": "user", "content": [
                {"type": "image", "source": {"type": "base64", "media_type": "image/jpeg", "data": image}},
                {"type": "text", "text": "Describe this image"}]}]}),
            1_551,
        ),
        (
            "anthropic/claude-opus-4-6",
            "token counting: a document",
            json!({"max_tokens": 1024, "messages": [{"role": "user", "content": [
                {"type": "document", "source": {"type": "base64", "media_type": "application/pdf", "data": "JVBERi0"}},
                {"type": "text", "text": "Please summarize this document."}]}]}),
            2_188,
        ),
        (
            "openai/gpt-5.4",
            "the chat completion object",
            json!({"messages": [{"role": "developer", "content": "You are a helpful assistant."}, {"role": "user", "content": "Hello!"}]}),
            19,
        ),
        (
            "openai/gpt-4o",
            "image input by address",
            json!({"messages": [{"role": "user", "content": [{"type": "text", "text": "What is in this image?"},
                {"type": "image_url", "image_url": {"url": "https://example.com/boardwalk.jpg"}}]}]}),
            1_117,
        ),
        (
            "openai/gpt-4.1",
            "function calling",
            json!({"messages": user("What is the weather like in Boston today?"), "tools": [{"type": "function", "function": weather("parameters")}]}),
            82,
        ),
        (
            "gemini/gemini-2.5-flash",
            "token counting: a sentence",
            json!({"contents": [{"parts": [{"text": "The quick brown fox jumps over the lazy dog."}]}]}),
            11,
        ),
        (
            "gemini/gemini-2.5-flash",
            "token counting: text and an image",
            json!({"contents": [{"parts": [{"text": "Tell me about this image"}, {"inlineData": {"mimeType": "image/jpeg", "data": image}}]}]}),
            264,
        ),
        ("xai/grok-4", "a greeting, with what xAI adds", json!({"messages": user("Hi")}), 700),
    ]
}

#[test]
fn the_bound_covers_what_providers_say_they_count() {
    for (model, about, body, tokens) in counted() {
        let bound = bound(model, &body);
        assert!(bound.input >= tokens, "{model}, {about}: {} is under {tokens}", bound.input);
    }
}

#[test]
fn no_script_has_more_tokens_than_the_bound_of_its_bytes() {
    // What the worst tokenizers make of it: one token a byte.
    for text in ["ᚠᛇᚻ", "你好，世界", "🧑‍🚀🏳️‍🌈", "ஐ", "\u{0}\u{1}", "aaaa", "\\\"\n"] {
        let body = json!({"messages": user(&text.repeat(100))});
        assert!(bound("openai/gpt-4.1", &body).input >= (text.len() * 100) as u64);
    }
}

#[test]
fn an_answer_is_bounded_by_what_is_asked_for_what_the_model_can_and_what_is_supposed() {
    let ask = |model: &str, more: Value| {
        let mut body = json!({"messages": user("Hello")});
        body.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
        bound(model, &body).output
    };
    assert_eq!(ask("openai/gpt-4.1", json!({"max_tokens": 50})), 50);
    assert_eq!(ask("openai/gpt-4.1", json!({"max_completion_tokens": 50, "n": 4})), 200);
    assert_eq!(ask("openai/gpt-4.1", json!({})), 32_768);
    assert_eq!(ask("openai/gpt-4.1", json!({"max_tokens": 9_000_000_000_u64})), 1_047_576);
    assert_eq!(ask("xai/grok-4", json!({"max_completion_tokens": 50})), 256_000);
    assert_eq!(ask("openai/a-model-of-tomorrow", json!({})), 131_072);
}

#[test]
fn a_cost_is_reserved_at_the_dearest_price_that_it_could_have() {
    let usd = |text: &str| format!("{text}usd").parse().expect("an amount");
    let opus = target("anthropic/claude-opus-4-6");
    let price = |target: &Target| target.price.clone().expect("the catalog has it");
    let plain = Bound { input: 1_000, output: 100, ..Bound::default() };
    // 1,000 written to the cache at 6.25 and 100 at 25; for an hour at 10.
    assert_eq!(plain.cost(&price(&opus)), usd("0.00875"));
    assert_eq!(Bound { cached_for_an_hour: true, ..plain }.cost(&price(&opus)), usd("0.0125"));
    let audio = target("openai/gpt-audio");
    assert_eq!(plain.cost(&price(&audio)), usd("0.0035"));
    assert_eq!(Bound { sound_input: true, sound_output: true, ..plain }.cost(&price(&audio)), usd("0.0384"));
    let long = Bound { input: 272_001, ..plain };
    // 272,001 at 5 and 100 at 22.5
    assert_eq!(long.cost(&price(&target("openai/gpt-5.4"))), usd("1.362255"));
    assert_eq!(long.cost(&Price::FREE), usd("0"));
}

#[test]
fn no_bill_within_the_bound_is_over_what_is_reserved() {
    // A small generator: what is used is any split of any part of the bound.
    let mut seed = 0x5eed_u64;
    let mut below = |most: u64| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        if most == 0 { 0 } else { (seed >> 11) % (most + 1) }
    };
    for model in
        ["anthropic/claude-sonnet-4-5", "openai/gpt-5.4", "openai/gpt-audio", "gemini/gemini-2.5-pro", "gemini/gemini-2.5-flash"]
    {
        let price = target(model).price.expect("the catalog has it");
        for _ in 0..2_000 {
            let bound = Bound {
                input: below(400_000),
                output: below(50_000),
                sound_input: true,
                sound_output: true,
                cached_for_an_hour: true,
            };
            let (mut input, mut output) = (below(bound.input), below(bound.output));
            let mut some = |left: &mut u64| {
                let part = below(*left);
                *left -= part;
                part
            };
            let usage = Usage {
                cache_read: some(&mut input),
                cache_write_5m: some(&mut input),
                cache_write_1h: some(&mut input),
                audio_input: some(&mut input),
                input,
                reasoning: some(&mut output),
                audio_output: some(&mut output),
                output,
            };
            assert!(price.cost(&usage) <= bound.cost(&price), "{model}: {usage:?} in {bound:?}");
        }
    }
}

/// A tokenizer that knows one model, and makes a token of four bytes.
struct Quarter;

impl TokenCounter for Quarter {
    fn count(&self, model: &str, text: &str) -> Option<u64> {
        (model == "gpt-4.1").then_some((text.len() as u64).div_ceil(4))
    }
}

#[test]
fn a_tokenizer_that_knows_the_model_makes_the_bound_closer() {
    let body = json!({"messages": user(&"word ".repeat(2_000))}).to_string();
    let measure = measure(body.as_bytes());
    let by = |model: &str, counter: Option<&dyn TokenCounter>| measure.bound(&target(model), counter).input;
    let bytes = by("openai/gpt-4.1", None);
    let tokens = by("openai/gpt-4.1", Some(&Quarter));
    assert!(tokens < bytes / 3 && tokens > 2_500, "{tokens} of {bytes}");
    assert_eq!(by("openai/gpt-5.4", Some(&Quarter)), by("openai/gpt-5.4", None));
}

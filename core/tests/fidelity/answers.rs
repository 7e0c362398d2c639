//! What callers get of answers in another protocol.

use serde_json::{Value, json};

use super::{ANTHROPIC, GEMINI, OPENAI, answered};

#[test]
fn what_a_provider_tells_about_its_answer_is_no_loss_elsewhere() {
    let gpt = json!({
        "id": "c1", "object": "chat.completion", "created": 1, "model": "gpt-5", "system_fingerprint": "fp", "service_tier": "priority",
        "choices": [{"index": 0, "message": {"role": "assistant", "content": "Hi", "annotations": []}, "finish_reason": "stop",
            "content_filter_results": {"hate": {"filtered": false}}}],
    });
    let claude = json!({
        "id": "m1", "type": "message", "role": "assistant", "model": "claude", "content": [{"type": "text", "text": "Hi"}],
        "stop_reason": "refusal", "stop_sequence": null, "stop_details": {"type": "refusal", "category": "cyber"}, "container": {"id": "c"},
        "usage": {"input_tokens": 1, "output_tokens": 1, "inference_geo": "us", "service_tier": "standard"},
    });
    let gemini = json!({
        "candidates": [{"content": {"parts": [{"text": "Hi"}], "role": "model"}, "finishReason": "STOP", "finishMessage": "Done.",
            "avgLogprobs": -0.1, "safetyRatings": [{"category": "HARM_CATEGORY_HARASSMENT", "probability": "NEGLIGIBLE"}]}],
        "promptFeedback": {"safetyRatings": []}, "usageMetadata": {"promptTokenCount": 1, "totalTokenCount": 1}, "modelVersion": "g",
    });
    for (from, body) in [(OPENAI, gpt), (ANTHROPIC, claude), (GEMINI, gemini)] {
        for to in [OPENAI, ANTHROPIC, GEMINI] {
            assert_eq!(answered(from, &body, to).1, "", "{from:?} to {to:?}");
        }
    }
}

#[test]
fn citations_that_have_no_place_are_a_loss() {
    let citation =
        json!({"type": "char_location", "cited_text": "x", "document_index": 0, "start_char_index": 0, "end_char_index": 1});
    let claude = json!({
        "id": "m1", "type": "message", "role": "assistant", "model": "claude",
        "content": [{"type": "text", "text": "Hi", "citations": [citation]}], "stop_reason": "end_turn", "usage": {},
    });
    let (body, warnings, _) = answered(ANTHROPIC, &claude, OPENAI);
    assert_eq!(body["choices"][0]["message"].get("annotations"), None::<&Value>);
    assert!(warnings.contains(r#"dropped;at="choices[0].message.citations""#), "{warnings}");
    assert!(answered(ANTHROPIC, &claude, GEMINI).1.contains("citations"));
}

#[test]
fn the_tier_that_everybody_gets_has_each_protocols_name() {
    let claude = json!({
        "id": "m1", "type": "message", "role": "assistant", "model": "claude", "content": [{"type": "text", "text": "Hi"}],
        "stop_reason": "end_turn", "usage": {"input_tokens": 1, "output_tokens": 1, "service_tier": "standard"},
    });
    let (body, _, stream) = answered(ANTHROPIC, &claude, OPENAI);
    assert_eq!(body["service_tier"], "default");
    assert!(stream.contains(r#""service_tier":"default""#) && !stream.contains("standard"), "{stream}");
    let gpt = json!({
        "id": "c1", "model": "gpt-5", "service_tier": "default",
        "choices": [{"index": 0, "message": {"role": "assistant", "content": "Hi"}, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 1, "completion_tokens": 1},
    });
    assert_eq!(answered(OPENAI, &gpt, ANTHROPIC).0["usage"]["service_tier"], "standard");
}

#[test]
fn a_picture_among_the_thoughts_is_no_part_of_the_answer() {
    let image = |data: &str| json!({"mimeType": "image/png", "data": data});
    let gemini = json!({"candidates": [{"finishReason": "STOP", "content": {"role": "model", "parts": [
        {"inlineData": image("AAAA"), "thought": true},
        {"text": "Here: "},
        {"inlineData": image("BBBB"), "thoughtSignature": "aW1n"},
    ]}}], "usageMetadata": {}});
    let (body, warnings, stream) = answered(GEMINI, &gemini, OPENAI);
    assert_eq!(
        body["choices"][0]["message"]["images"],
        json!([{"type": "image_url", "image_url": {"url": "data:image/png;base64,BBBB"}}])
    );
    assert!(!stream.contains("AAAA") && stream.contains("BBBB"), "{stream}");
    assert!(warnings.contains("a block of gemini"), "{warnings}");
    assert_eq!(answered(GEMINI, &gemini, GEMINI).0["candidates"][0]["content"], gemini["candidates"][0]["content"]);
}

#[test]
fn an_end_that_has_no_name_elsewhere_is_told_by_its_own() {
    let gemini = |reason: &str| json!({"candidates": [{"finishReason": reason, "content": {"role": "model", "parts": [{"text": "Hi"}]}}], "usageMetadata": {}});
    for (reason, openai, anthropic) in [
        ("STOP", "stop", "end_turn"),
        ("MAX_TOKENS", "length", "max_tokens"),
        ("CONTINUATION", "length", "max_tokens"),
        ("SAFETY", "content_filter", "refusal"),
        ("MODEL_ARMOR", "content_filter", "refusal"),
    ] {
        let (body, warnings, _) = answered(GEMINI, &gemini(reason), OPENAI);
        assert_eq!((&body["choices"][0]["finish_reason"], warnings.as_str()), (&json!(openai), ""), "{reason}");
        assert_eq!(body["choices"][0]["native_finish_reason"], reason);
        let (body, warnings, _) = answered(GEMINI, &gemini(reason), ANTHROPIC);
        assert_eq!((&body["stop_reason"], warnings.as_str()), (&json!(anthropic), ""), "{reason}");
        assert_eq!(answered(GEMINI, &gemini(reason), GEMINI).0["candidates"][0]["finishReason"], reason);
    }
    for reason in ["MALFORMED_FUNCTION_CALL", "LANGUAGE", "OTHER", "WHATEVER_COMES"] {
        let said = format!("why=\"the provider said `{reason}`\"");
        assert_eq!(answered(GEMINI, &gemini(reason), OPENAI).1, format!("approximated;at=\"choices[0].finish_reason\";{said}"));
        assert_eq!(answered(GEMINI, &gemini(reason), ANTHROPIC).1, format!("approximated;at=\"stop_reason\";{said}"));
    }
}

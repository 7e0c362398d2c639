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

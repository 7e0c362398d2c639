//! The JSON envelope: accepts what `serde_json` accepts but for what it says that it refuses, and changes
//! nothing but what it is asked to.
#![no_main]

use bytes::Bytes;
use edgeway_core::wire::envelope::{self, Edits};
use edgeway_core::wire::{json::Json, strict};
use libfuzzer_sys::fuzz_target;
use serde_json::{Value, json};

fuzz_target!(|input: &[u8]| {
    let ours = strict::object(input);
    match (&ours, edgeway_fuzz::reference::object(input)) {
        (Ok(_), Ok(())) => {}
        (Err(refusal), Err(_)) => assert!(refusal.at <= input.len()),
        (Ok(_), Err(theirs)) => {
            assert!(["surrogate", "hex escape", "recursion limit"].iter().any(|why| theirs.contains(why)), "{theirs}");
        }
        (Err(refusal), Ok(())) => {
            assert!(["128 characters", "65536 keys"].iter().any(|why| refusal.reason.contains(why)), "{refusal:?}");
        }
    }
    let _ = Json::parse(input);
    let Ok(peek) = envelope::peek(input) else { return };
    assert!(ours.is_ok());
    let edits = Edits { model: Some("a/\"b\""), include_usage: true };
    let spliced = peek.splice(&Bytes::copy_from_slice(input), edits);
    let again = envelope::peek(&spliced).expect("a spliced body is a body");
    assert_eq!((again.model.as_deref(), again.include_usage), (edits.model, Some(true)));
    assert_eq!(again.splice(&spliced, edits), spliced);
    if let (Ok(mut before), Ok(after)) = (serde_json::from_slice::<Value>(input), serde_json::from_slice::<Value>(&spliced)) {
        before["model"] = json!("a/\"b\"");
        if before["stream_options"].is_null() {
            before["stream_options"] = json!({});
        }
        before["stream_options"]["include_usage"] = json!(true);
        assert_eq!(before, after);
    }
});

edgeway_fuzz::mutator!(edgeway_fuzz::mutate::json);

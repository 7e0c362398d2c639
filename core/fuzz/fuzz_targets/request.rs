//! Requests of callers: every dialect decodes or refuses any bytes, and what it decodes every dialect
//! encodes as a request that it would itself decode, or refuses.
#![no_main]

use edgeway_core::chat::Warnings;
use edgeway_core::dialect::{DialectId, RequestHead, Target};
use edgeway_core::model::ModelLimits;
use edgeway_core::provider::Quirks;
use edgeway_core::wire::strict;
use http::HeaderMap;
use libfuzzer_sys::fuzz_target;

/// What a decoder says of values that another dialect's decoder passes on.
const WRONG_VALUES: [&str; 8] = [
    "is not base64",
    "that only `assistant` messages may hold",
    "send a number from",
    "send an integer",
    "send a JSON Schema object",
    "send at least one message",
    "is not a data URL",
    "needs the function's name",
];

fuzz_target!(|body: &[u8]| {
    // The gateway reads the envelope first, and refuses repeated keys there.
    if strict::object(body).is_err() {
        return;
    }
    let headers = HeaderMap::new();
    let head = RequestHead { model: Some("m"), stream: Some(true), headers: &headers };
    for from in DialectId::ALL {
        let Ok(request) = from.codec().decode_request(head, body) else { continue };
        for to in DialectId::ALL {
            let target = Target { provider: "acme", model: "m", quirks: &Quirks::NONE, limits: ModelLimits::default() };
            let mut warnings = Warnings::default();
            let Ok(encoded) = to.codec().encode_request(&request, target, &mut warnings) else { continue };
            assert!(warnings.header().is_ascii());
            strict::object(&encoded.body).unwrap_or_else(|refusal| panic!("{from:?} to {to:?}: {refusal:?}"));
            // Values that are wrong in themselves are for the provider to refuse, and for this decoder too.
            if let Err(error) = to.codec().decode_request(head, &encoded.body)
                && !WRONG_VALUES.iter().any(|why| error.message.contains(why))
            {
                panic!("{from:?} to {to:?}: {error:?}\n{}", String::from_utf8_lossy(&encoded.body));
            }
        }
    }
});

edgeway_fuzz::mutator!(edgeway_fuzz::mutate::json);

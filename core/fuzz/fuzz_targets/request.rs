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

fuzz_target!(|body: &[u8]| {
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
            if let Err(error) = to.codec().decode_request(head, &encoded.body) {
                panic!("{from:?} to {to:?}: {error:?}\n{}", String::from_utf8_lossy(&encoded.body));
            }
        }
    }
});

edgeway_fuzz::mutator!(edgeway_fuzz::mutate::json);

//! Error responses of providers: every dialect makes an error of any bytes, and a body of any error.
#![no_main]

use bytes::Bytes;
use edgeway_core::dialect::{DialectId, Reply, StreamForm};
use edgeway_core::error::Upstream;
use edgeway_core::wire::strict;
use http::{HeaderMap, HeaderValue};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|body: &[u8]| {
    let mut headers = HeaderMap::new();
    if let Ok(value) = HeaderValue::from_bytes(body) {
        headers.insert("retry-after", value.clone());
        headers.insert("retry-after-ms", value);
    }
    for from in DialectId::ALL {
        for status in [400, 401, 404, 413, 429, 500, 529] {
            let upstream =
                Upstream { provider: "acme".into(), status, body: Bytes::copy_from_slice(body), ..Upstream::default() };
            let error = from.codec().decode_error(upstream, &headers);
            for to in DialectId::ALL {
                let encoded = to.codec().encode_error(&error, "req_1");
                strict::object(&encoded).unwrap_or_else(|refusal| panic!("{from:?} to {to:?}: {refusal:?}"));
                for form in [StreamForm::Sse, StreamForm::JsonArray] {
                    let reply = Reply { id: "req_1".into(), form, ..Reply::default() };
                    to.codec().encode_stream_error(&error, &reply, false);
                }
            }
        }
    }
});

edgeway_fuzz::mutator!(edgeway_fuzz::mutate::json);

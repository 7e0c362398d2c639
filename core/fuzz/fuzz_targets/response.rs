//! Whole responses of providers: every dialect decodes or refuses any bytes, and what it decodes every
//! dialect encodes as a response, and as a stream, that it would itself decode.
#![no_main]

use edgeway_core::chat::Warnings;
use edgeway_core::dialect::{DialectId, Reply, driver};
use edgeway_core::wire::strict;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|body: &[u8]| {
    let reply = Reply { id: "req_1".into(), model: "m".into(), created: 7, usage: true, ..Reply::default() };
    for from in DialectId::ALL {
        let _ = from.codec().usage(body);
        let Ok(response) = from.codec().decode_response(body) else { continue };
        let sound = edgeway_fuzz::sound(&response);
        for to in DialectId::ALL {
            let mut warnings = Warnings::default();
            let encoded = to.codec().encode_response(&response, &reply, &mut warnings);
            strict::object(&encoded).unwrap_or_else(|refusal| panic!("{from:?} to {to:?}: {refusal:?}"));
            if sound && let Err(error) = to.codec().decode_response(&encoded) {
                panic!("{from:?} to {to:?}: {error:?}\n{}", String::from_utf8_lossy(&encoded));
            }
            let (stream, progress) = driver::replay(&response, to, reply.clone());
            assert!(progress.ended);
            let again = driver::Driver::new(to, to, reply.clone(), "acme");
            let (_, again) = edgeway_fuzz::relayed(again, [&stream[..]]);
            if sound {
                let text = || String::from_utf8_lossy(&stream);
                assert_eq!((again.ended, again.skipped), (true, 0), "{from:?} to {to:?}: {again:?}\n{}", text());
            }
        }
    }
});

edgeway_fuzz::mutator!(edgeway_fuzz::mutate::json);

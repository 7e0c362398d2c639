//! Streams of providers: any bytes through all pairs of dialects, cut anywhere.
//!
//! Translated, the caller's stream is the same however the input is cut, and its dialect decodes all of
//! it. Untouched, every byte arrives but for hidden frames and what an error event replaces.
#![no_main]

use edgeway_core::dialect::driver::Driver;
use edgeway_core::dialect::meter::Meter;
use edgeway_core::dialect::{DialectId, Reply, StreamForm};
use edgeway_fuzz::{chunks, relayed};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    let reply = Reply { id: "req_1".into(), model: "m".into(), created: 7, usage: true, ..Reply::default() };
    for from in DialectId::ALL {
        for to in DialectId::ALL {
            let whole = relayed(Driver::new(from, to, reply.clone(), "acme"), [input]);
            let cut = relayed(Driver::new(from, to, reply.clone(), "acme"), chunks(input, 1));
            assert_eq!(whole, cut, "{from:?} to {to:?}");
            // The caller's dialect understands every event of it.
            let (_, again) = relayed(Driver::new(to, to, reply.clone(), "again"), [&whole.0[..]]);
            assert!(again.contains("skipped: 0"), "{from:?} to {to:?}: {again}\n{}", String::from_utf8_lossy(&whole.0));
            assert_eq!(again.contains("ended: true"), whole.1.contains("ended: true"), "{from:?} to {to:?}");
        }
        for form in [StreamForm::Sse, StreamForm::JsonArray] {
            for hide in [false, true] {
                let meter = || Meter::new(from, Reply { form, ..reply.clone() }, hide, "acme");
                let whole = relayed(meter(), [input]);
                assert_eq!(whole, relayed(meter(), chunks(input, 2)), "{from:?} {form:?} hide {hide}");
                if !hide && whole.1.contains("error: None") {
                    assert_eq!(whole.0, input);
                }
            }
        }
    }
});

edgeway_fuzz::mutator!(edgeway_fuzz::mutate::stream);

//! Streams of providers: any bytes through all pairs of dialects, cut anywhere.
//!
//! Translated, the caller's stream is the same however the input is cut, and its dialect decodes all of
//! it. Untouched, every byte arrives but for hidden frames and what an error event replaces.
#![no_main]

use edgeway_core::dialect::driver::Driver;
use edgeway_core::dialect::meter::Meter;
use edgeway_core::dialect::{DialectId, Reply, StreamForm};
use edgeway_fuzz::{chunks, relayed, same};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    let reply = Reply { id: "req_1".into(), model: "m".into(), created: 7, usage: true, ..Reply::default() };
    for from in DialectId::ALL {
        let sound = edgeway_fuzz::accumulated(from, input).as_ref().is_some_and(edgeway_fuzz::sound);
        for to in DialectId::ALL {
            let whole = relayed(Driver::new(from, to, reply.clone(), "acme"), [input]);
            let cut = relayed(Driver::new(from, to, reply.clone(), "acme"), chunks(input, 1));
            assert!(same(&whole, &cut), "{from:?} to {to:?}: {:?} {:?}", whole.1, cut.1);
            assert!(whole.1.ended != whole.1.error.is_some(), "{from:?} to {to:?}: {:?}", whole.1);
            let (_, again) = relayed(Driver::new(to, to, reply.clone(), "again"), [&whole.0[..]]);
            let text = || String::from_utf8_lossy(&whole.0);
            assert!(whole.1.ended || !again.ended, "{from:?} to {to:?}: an end was invented\n{}", text());
            if sound || (whole.1.error.is_some() && whole.1.skipped == 0) {
                assert_eq!((again.ended, again.skipped), (whole.1.ended, 0), "{from:?} to {to:?}: {again:?}\n{}", text());
            }
        }
        for form in [StreamForm::Sse, StreamForm::JsonArray] {
            for hide in [false, true] {
                let meter = || Meter::new(from, Reply { form, ..reply.clone() }, hide, "acme");
                let whole = relayed(meter(), [input]);
                let cut = relayed(meter(), chunks(input, 2));
                assert!(same(&whole, &cut), "{from:?} {form:?} hide {hide}: {:?} {:?}", whole.1, cut.1);
                if !hide && whole.1.error.is_none() {
                    assert_eq!(whole.0, input);
                }
            }
        }
    }
});

edgeway_fuzz::mutator!(edgeway_fuzz::mutate::stream);

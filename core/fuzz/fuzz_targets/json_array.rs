//! Streamed JSON arrays: the same elements however the bytes are cut, and those that `serde_json` sees.
#![no_main]

use edgeway_core::wire::json_array::{Item, Splitter};
use libfuzzer_sys::fuzz_target;
use serde_json::Value;

fn elements(mut splitter: Splitter, chunks: &[&[u8]]) -> (Vec<Vec<u8>>, Vec<String>, Vec<u8>) {
    let (mut elements, mut others, mut bytes) = (Vec::new(), Vec::new(), Vec::new());
    for chunk in chunks {
        let mut start = 0;
        splitter.feed(chunk, |item, end| {
            bytes.extend_from_slice(&chunk[start..end]);
            start = end;
            match item {
                Item::Element(element) => elements.push(element.to_owned()),
                Item::Rest => {}
                other => others.push(format!("{other:?}")),
            }
        });
        bytes.extend_from_slice(&chunk[start..]);
    }
    (elements, others, bytes)
}

fuzz_target!(|input: &[u8]| {
    for cap in [usize::MAX, 48] {
        let whole = elements(Splitter::with_cap(cap), &[input]);
        assert_eq!(whole, elements(Splitter::with_cap(cap), &edgeway_fuzz::chunks(input, 0)));
        assert_eq!(whole.2, input);
    }
    if let Ok(expected) = serde_json::from_slice::<Vec<Value>>(input) {
        let (elements, others, _) = elements(Splitter::new(), &[input]);
        let elements: Vec<Value> = elements.iter().map(|element| serde_json::from_slice(element).expect("an element")).collect();
        assert_eq!((elements, others), (expected, vec!["Closed".to_owned()]));
    }
});

edgeway_fuzz::mutator!(edgeway_fuzz::mutate::json);

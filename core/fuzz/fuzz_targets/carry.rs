//! State that rides in ids and signatures: any text can come back from a caller.
#![no_main]

use edgeway_core::chat::carry::{self, Carried};
use edgeway_core::dialect::DialectId;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let (id, carried) = carry::unwrap_id(text);
    assert!(text.starts_with(id));
    if !carried.is_empty() {
        let wrapped = carry::wrap_id(id, &carried);
        assert_eq!(carry::unwrap_id(&wrapped), (id, carried.clone()));
        assert!(DialectId::ALL.iter().all(|dialect| carry::is_carried_in(wrapped.as_bytes(), *dialect)));
    }
    for dialect in DialectId::ALL {
        let signature = carry::untag(text, dialect);
        for carrier in DialectId::ALL {
            let tagged = carry::tag(&signature, carrier);
            // A signature that looks tagged in its own dialect's field cannot be told from a tagged one.
            if carrier != signature.dialect {
                assert_eq!(carry::untag(&tagged, carrier), signature);
                let body = format!("{{\"signature\":\"{tagged}\"}}");
                assert_eq!(carry::is_carried_in(body.as_bytes(), carrier), carrier != DialectId::OpenAiChat);
            }
        }
        // What a model writes can hold the mark; it still comes back whole.
        let carried = Carried { signature: Some(signature), ..Carried::default() };
        let wrapped = carry::wrap_id("call_1", &carried);
        assert_eq!(carry::unwrap_id(&wrapped), ("call_1", carried));
    }
});

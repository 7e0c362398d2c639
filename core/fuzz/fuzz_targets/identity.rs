//! Texts that say who somebody is: keys, names, ranges of addresses, times. What is read is written back as it was, or as what
//! reads the same.
#![no_main]

use edgeway_core::identity::{Credential, Name, Network};
use edgeway_core::ports::Timestamp;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    let Ok(text) = std::str::from_utf8(input) else { return };
    if let Some(credential) = Credential::parse(text) {
        assert_eq!(credential.text().expose(), text);
        assert!(Credential::looks_like(text) && Credential::is_environment(credential.environment()));
        assert!(!credential.opens(&[], Timestamp(0)));
    }
    if let Ok(name) = text.parse::<Name>() {
        assert_eq!(name.as_str(), text);
    }
    if let Ok(network) = text.parse::<Network>() {
        assert_eq!(network.to_string().parse(), Ok(network));
    }
    if let Ok(time) = text.parse::<Timestamp>() {
        assert_eq!(time.to_string().parse(), Ok(time));
    }
});

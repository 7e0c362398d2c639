//! The built-in providers, one row each.

use super::Provider;

/// Every built-in provider.
pub static PROVIDERS: &[Provider] = &[];

/// The built-in provider of that name.
pub fn find(name: &str) -> Option<&'static Provider> {
    PROVIDERS.iter().find(|provider| provider.name == name)
}

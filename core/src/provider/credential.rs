//! Signs requests: the last step before sending, on the final bytes.

use http::{HeaderMap, HeaderName, HeaderValue, header};

use super::{Credential, Provider};
use crate::dialect::DialectId;
use crate::error::{Error, ErrorKind, Result};
use crate::ports::Secret;

/// Adds the provider's credential to `headers`, marked sensitive.
pub fn authorize(provider: &Provider, dialect: DialectId, key: Option<&Secret>, headers: &mut HeaderMap) -> Result<()> {
    let bearer = |key: &str| (header::AUTHORIZATION, format!("Bearer {key}"));
    let Some(key) = key else {
        let needed = !provider.key_names.is_empty() && provider.credential != Credential::None && !provider.local;
        return if needed { Err(missing_key(provider)) } else { Ok(()) };
    };
    let key = key.expose();
    let (name, value) = match (&provider.credential, dialect) {
        (Credential::None, _) => return Ok(()),
        (Credential::Bearer, _) | (Credential::Native, DialectId::OpenAiChat) => bearer(key),
        (Credential::Native, DialectId::AnthropicMessages) => (HeaderName::from_static("x-api-key"), key.to_owned()),
        (Credential::Native, DialectId::Gemini) => (HeaderName::from_static("x-goog-api-key"), key.to_owned()),
        (Credential::Header(name), _) => {
            let name = HeaderName::from_bytes(name.as_bytes())
                .map_err(|_| misconfigured(provider, "has a credential header that is no header name"))?;
            (name, key.to_owned())
        }
    };
    let mut value =
        HeaderValue::try_from(value).map_err(|_| misconfigured(provider, "has a key with characters that no header can hold"))?;
    value.set_sensitive(true);
    headers.insert(name, value);
    Ok(())
}

fn missing_key(provider: &Provider) -> Error {
    let names = provider.key_names.join(" or ");
    misconfigured(provider, &format!("has no key; set {names}"))
}

fn misconfigured(provider: &Provider, what: &str) -> Error {
    Error::new(ErrorKind::Misconfigured, format!("Provider `{}` {what}.", provider.name))
}

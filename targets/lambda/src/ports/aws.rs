//! Requests to AWS, signed here: no SDK, for the size of the function and the time to its first request.
//!
//! Credentials, region and endpoints come from the variables that Lambda and the AWS SDKs use. Endpoints are the
//! operator's own (a VPC endpoint has a private address), so their addresses are not guarded.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use edgeway_core::Body;
use edgeway_core::error::{Error, ErrorKind, Result};
use edgeway_core::ports::{Clock, Entropy, HttpClient, Network, Outbound, Secret, Timeouts};
use edgeway_core::wire::sigv4::{self, Credentials, Form, Scope};
use http::{Request, Response};

/// How long a store may take to answer. A body may take as long as it moves.
const TIMEOUTS: Timeouts = Timeouts {
    connect: Duration::from_secs(2),
    first_byte: Duration::from_secs(5),
    idle: Duration::from_secs(5),
    total: Duration::from_secs(300),
};
/// How often a request is sent that may be sent again.
const ATTEMPTS: u32 = 3;
/// The most that is waited before the second attempt; doubles for the third.
const PAUSE: Duration = Duration::from_millis(100);

/// What every service is asked with.
pub struct Aws {
    pub(super) http: Arc<dyn HttpClient>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) entropy: Arc<dyn Entropy>,
    credentials: Credentials,
    pub(super) region: String,
}

impl Aws {
    /// Takes credentials and region from variables, which `variable` looks up. The error says what is missing.
    pub fn from_environment(
        variable: &dyn Fn(&str) -> Option<String>,
        http: Arc<dyn HttpClient>,
        clock: Arc<dyn Clock>,
        entropy: Arc<dyn Entropy>,
    ) -> std::result::Result<Self, String> {
        let needed = |name: &str| {
            variable(name).filter(|value| !value.trim().is_empty()).ok_or(format!(
                "{name} is not set; Lambda sets it for a function with an execution role, and elsewhere the AWS CLI's `aws configure \
                 export-credentials --format env` prints it"
            ))
        };
        let region = variable("AWS_REGION").or_else(|| variable("AWS_DEFAULT_REGION")).filter(|region| !region.is_empty());
        Ok(Self {
            http,
            clock,
            entropy,
            credentials: Credentials {
                access_key: needed("AWS_ACCESS_KEY_ID")?,
                secret_key: Secret::new(needed("AWS_SECRET_ACCESS_KEY")?),
                session_token: variable("AWS_SESSION_TOKEN").filter(|token| !token.is_empty()).map(Secret::new),
            },
            region: region.ok_or("AWS_REGION is not set; Lambda sets it")?,
        })
    }

    /// Where a service is: its own variable, the one for all, or its usual address.
    pub(super) fn endpoint(&self, service: &str, variable: &dyn Fn(&str) -> Option<String>) -> Endpoint {
        let own = format!("AWS_ENDPOINT_URL_{}", service.to_ascii_uppercase());
        let given = variable(&own).or_else(|| variable("AWS_ENDPOINT_URL")).filter(|url| !url.is_empty());
        let suffix = if self.region.starts_with("cn-") { "amazonaws.com.cn" } else { "amazonaws.com" };
        match given {
            Some(url) => Endpoint { url: url.trim_end_matches('/').to_owned(), given: true },
            None => Endpoint { url: format!("https://{service}.{}.{suffix}", self.region), given: false },
        }
    }

    /// Signs and sends. `body` is what was hashed.
    pub(super) async fn send(&self, request: Request<Bytes>, service: &str, form: Form) -> Result<Response<Body>> {
        let (mut head, body) = request.into_parts();
        let scope = Scope { region: &self.region, service, form };
        sigv4::sign(&mut head, &sigv4::hash(&body), scope, &self.credentials, self.clock.now())?;
        let request = Request::from_parts(head, Body::from(body));
        let outbound = Outbound { request, timeouts: TIMEOUTS, network: Network::Any };
        self.http.send(outbound).await.map_err(|error| away(service, error.source.as_deref().unwrap_or(&error.message)))
    }

    /// Whether there is another attempt after this one (they count from 1); waits for it.
    pub(super) async fn pause(&self, attempt: u32) -> bool {
        if attempt >= ATTEMPTS {
            return false;
        }
        let most = PAUSE.as_micros() as u64 * u64::from(attempt);
        self.clock.sleep(Duration::from_micros(self.entropy.u64() % most)).await;
        true
    }
}

/// Where a service is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Endpoint {
    /// Scheme and host, without a slash at the end.
    pub(super) url: String,
    /// Whether the operator named it.
    pub(super) given: bool,
}

/// A store does not answer. The caller may try again; whether it does is the policy of whoever asked the store.
pub(super) fn away(service: &str, why: impl std::fmt::Display) -> Error {
    Error::new(ErrorKind::Overloaded, "The gateway's store does not answer. Try again in a moment.")
        .source(format_args!("{service}: {why}"))
}

/// A store cannot work as it is set up.
pub(super) fn misconfigured(why: impl std::fmt::Display) -> Error {
    Error::new(ErrorKind::Misconfigured, "The gateway's store is not set up.").source(why)
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use edgeway_core::ports::Timestamp;
    use edgeway_core::ports::memory::{ManualClock, ScriptedHttp, SeededEntropy};

    fn aws(variables: &[(&str, &str)]) -> std::result::Result<Aws, String> {
        let clock = Arc::new(ManualClock::skipping(Timestamp(0)));
        let find = |name: &str| variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned());
        Aws::from_environment(&find, Arc::new(ScriptedHttp::replies(clock.clone(), [])), clock, Arc::new(SeededEntropy::new(1)))
    }

    const KEYS: [(&str, &str); 2] = [("AWS_ACCESS_KEY_ID", "a"), ("AWS_SECRET_ACCESS_KEY", "b")];

    #[test]
    fn what_is_missing_is_named() {
        for (variables, missing) in
            [(&[][..], "AWS_REGION"), (&[("AWS_REGION", "r")], "AWS_ACCESS_KEY_ID"), (&KEYS, "AWS_REGION")]
        {
            let wrong = aws(variables).err().expect("refused");
            assert!(wrong.contains(missing) || wrong.contains("AWS_ACCESS_KEY_ID"), "{wrong}");
        }
    }

    #[test]
    fn endpoints_are_the_operators_or_the_regions() {
        let [a, b] = KEYS;
        let aws = aws(&[a, b, ("AWS_REGION", "cn-north-1")]).expect("enough");
        assert_eq!(aws.endpoint("dynamodb", &|_| None).url, "https://dynamodb.cn-north-1.amazonaws.com.cn");
        let own = |name: &str| (name == "AWS_ENDPOINT_URL_DYNAMODB").then(|| "http://127.0.0.1:1/".to_owned());
        assert_eq!(aws.endpoint("dynamodb", &own), Endpoint { url: "http://127.0.0.1:1".into(), given: true });
        assert!(!aws.endpoint("s3", &own).given);
    }
}

//! What a token says: whether it is good now and here, and of whom it speaks (RFC 7519, 4.1).
//!
//! | claim | rule |
//! |---|---|
//! | `iss` | the issuer's name, to the letter |
//! | `aud` | a string, or a list of them; one is this gateway's |
//! | `exp` | must be there, a number; not past, but for the leeway |
//! | `nbf` | a number; not to come, but for the leeway |
//! | `iat` | a number |
//! | `sub` | must be there, 1 to 256 characters, none of them a control character |
//!
//! Invariant: a token that lacks what the configuration takes from it is refused; nobody becomes the operator by leaving a
//! claim out.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

use crate::config::{Issuer, Told};
use crate::error::{Error, ErrorKind, Result};
use crate::identity::Name;
use crate::order;
use crate::ports::Timestamp;
use crate::wire::strict;

/// Longest subject and longest label, in characters.
const LONGEST: usize = 256;
/// Most roles that one token gives.
const MOST_ROLES: usize = 16;

/// The claims of a token.
#[derive(Debug)]
pub(super) struct Claims(Value);

/// Of whom a good token speaks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bearer {
    /// The issuer's name in the configuration.
    pub issuer: String,
    /// The token's `sub`.
    pub subject: String,
    /// Whose it is; `None` for the operator's own.
    pub tenant: Option<Name>,
    /// Its team.
    pub team: Option<Name>,
    /// The user.
    pub user: Option<Name>,
    /// The roles that it may have. `None`: nothing is said of roles, and it may call models.
    pub roles: Option<Vec<Name>>,
    /// The role that it has when it has none of those.
    pub otherwise: Option<Name>,
    /// What labels its records.
    pub labels: BTreeMap<String, String>,
    /// Whether its roles may let it administer.
    pub admin: bool,
    /// When the token ends, the leeway included.
    pub until: Timestamp,
}

impl Claims {
    /// Reads a payload. Fails with why, for the operator.
    pub(super) fn read(payload: &[u8]) -> Result<Self, &'static str> {
        strict::object(payload).map_err(|_| "the claims are no JSON object, or have one twice")?;
        serde_json::from_slice::<Map<String, Value>>(payload)
            .map(|all| Self(Value::Object(all)))
            .map_err(|_| "the claims are no JSON that can be kept")
    }

    /// Who made the token, as it says itself.
    pub(super) fn issuer(&self) -> Option<&str> {
        self.0.get("iss")?.as_str()
    }

    /// Whether the token is for one of these. A list with anything but strings in it is for nobody.
    pub(super) fn is_for(&self, audience: &[String]) -> bool {
        match self.0.get("aud") {
            Some(Value::String(one)) => audience.contains(one),
            Some(Value::Array(all)) => {
                all.iter().all(Value::is_string)
                    && all.iter().filter_map(Value::as_str).any(|one| audience.iter().any(|own| own == one))
            }
            _ => false,
        }
    }

    /// Whether the token is good at `now`. Fails with why not, for the operator.
    pub(super) fn check_time(&self, now: Timestamp, leeway: Duration) -> Result<(), &'static str> {
        let time = |name: &str, wrong: &'static str| match self.0.get(name) {
            None => Ok(None),
            Some(value) => value.as_f64().filter(|seconds| seconds.is_finite()).map(Some).ok_or(wrong),
        };
        let (now, leeway) = (now.0 as f64 / 1e6, leeway.as_secs_f64());
        let expires = time("exp", "`exp` is no number")?.ok_or("`exp` is missing")?;
        if now >= expires + leeway {
            return Err("it has expired");
        }
        if time("nbf", "`nbf` is no number")?.is_some_and(|begins| now + leeway < begins) {
            return Err("it is not good yet");
        }
        time("iat", "`iat` is no number").map(|_| ())
    }

    /// Of whom a token speaks that was found good.
    pub(super) fn bearer(&self, issuer: &Issuer) -> Result<Bearer> {
        let subject = self.0.get("sub").and_then(Value::as_str).filter(|subject| is_plain(subject));
        let subject = subject.ok_or_else(|| lacks("sub"))?.to_owned();
        let labels = issuer.labels.iter().filter_map(|claim| Some((last(claim).to_owned(), label(self.claim(claim)?)?)));
        Ok(Bearer {
            issuer: issuer.name.clone(),
            subject,
            tenant: self.told(&issuer.tenant, true)?,
            team: self.told(&issuer.team, false)?,
            user: self.claim(&issuer.user_claim).and_then(Value::as_str).filter(|user| is_plain(user)).map(user_name),
            roles: self.roles(issuer),
            otherwise: issuer.role.as_ref().and_then(|role| role.parse().ok()),
            labels: order::map(labels),
            admin: issuer.admin,
            until: self.until(issuer.leeway),
        })
    }

    fn until(&self, leeway: Duration) -> Timestamp {
        let seconds = self.0.get("exp").and_then(Value::as_f64).unwrap_or(0.0) + leeway.as_secs_f64();
        // A float beyond what fits becomes the nearest that does.
        Timestamp((seconds * 1e6) as u64)
    }

    /// A claim by its name, or by a JSON pointer (RFC 6901). A name that begins with a slash is written as one.
    fn claim(&self, name: &str) -> Option<&Value> {
        if name.starts_with('/') { self.0.pointer(name) } else { self.0.get(name) }.filter(|value| !value.is_null())
    }

    fn told(&self, told: &Told, needed: bool) -> Result<Option<Name>> {
        let claim = match told {
            Told::No => return Ok(None),
            Told::Fixed(name) => return Ok(Some(name.clone())),
            Told::By(claim) => claim,
        };
        match self.claim(claim) {
            None if !needed => Ok(None),
            value => value.and_then(Value::as_str).and_then(|name| name.parse().ok()).map(Some).ok_or_else(|| lacks(claim)),
        }
    }

    /// What the token says of roles: names that may or may not be those of roles.
    fn roles(&self, issuer: &Issuer) -> Option<Vec<Name>> {
        let Some(claim) = &issuer.role_claim else {
            return issuer.role.is_some().then(Vec::new);
        };
        let said: Vec<&str> = match self.claim(claim) {
            Some(Value::String(one)) => vec![one],
            Some(Value::Array(all)) => all.iter().filter_map(Value::as_str).collect(),
            _ => Vec::new(),
        };
        let mapped = issuer.roles.names().next().is_some();
        let role =
            |said: &str| if mapped { issuer.roles.get(said).map(String::as_str).unwrap_or_default() } else { said }.parse().ok();
        let mut roles: Vec<Name> = said.into_iter().filter_map(role).collect();
        order::sort(&mut roles);
        roles.dedup();
        roles.truncate(MOST_ROLES);
        Some(roles)
    }
}

/// A token that was made for this gateway, and does not say enough for it.
fn lacks(claim: &str) -> Error {
    let message = format!("The token's claim `{claim}` is missing, or is none that this gateway can use. Ask its issuer for it.");
    Error::new(ErrorKind::PermissionDenied, message)
}

fn is_plain(text: &str) -> bool {
    !text.is_empty() && text.chars().count() <= LONGEST && !text.chars().any(char::is_control)
}

fn label(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()).filter(|text| is_plain(text)),
        Value::Bool(_) | Value::Number(_) => Some(value.to_string()),
        _ => None,
    }
}

/// The last part of a pointer, which is what people call the claim.
fn last(claim: &str) -> &str {
    claim.rsplit('/').next().unwrap_or(claim)
}

/// A user's name. What is no [`Name`] becomes one: what can be read of it, and 16 hexadecimal digits of its SHA-256. A name that
/// could be taken for such a one becomes one too, so that no two users ever share a name.
fn user_name(user: &str) -> Name {
    const DIGITS: usize = 16;
    let made = |name: &str| {
        name.rsplit_once('-').is_some_and(|(_, end)| end.len() == DIGITS && end.bytes().all(|b| b.is_ascii_hexdigit()))
    };
    if let Some(name) = user.parse::<Name>().ok().filter(|name| !made(name.as_str())) {
        return name;
    }
    let plain = user.chars().map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' });
    let readable: String = plain.skip_while(|c| *c == '-').take(Name::LONGEST - DIGITS - 1).collect();
    let readable = readable.trim_end_matches('-');
    let digest: String = Sha256::digest(user.as_bytes()).iter().take(DIGITS / 2).map(|byte| format!("{byte:02x}")).collect();
    let name = if readable.is_empty() { format!("user-{digest}") } else { format!("{readable}-{digest}") };
    name.parse().expect("letters, digits and dashes, a letter or digit first, and no more than a name has")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const NOW: Timestamp = Timestamp(1_000_000_000_000_000);
    const LEEWAY: Duration = Duration::from_secs(30);

    fn claims(value: &Value) -> Claims {
        Claims::read(value.to_string().as_bytes()).expect("an object")
    }

    fn issuer(section: &str) -> Issuer {
        let text =
            format!("[auth]\nkeys = [\"K\"]\n[auth.issuers.x]\nissuer = \"https://x.example\"\naudience = [\"me\"]\n{section}");
        let loaded = crate::config::load(Some(("f", &text)), []).expect("valid TOML");
        let available = crate::config::Availability {
            secrets: ["K".to_owned()].into_iter().collect(),
            ..crate::config::Availability::default()
        };
        let (config, _) =
            crate::config::compile(&loaded, &available).unwrap_or_else(|found| panic!("{}", crate::config::render(&found)));
        (*config.issuers[0]).clone()
    }

    #[test]
    fn a_token_is_good_from_nbf_to_exp_within_the_leeway() {
        for (good, value) in [
            (true, json!({"exp": 1_000_000_001})),
            (true, json!({"exp": 1_000_000_000.5})),
            (true, json!({"exp": 999_999_971})),
            (false, json!({"exp": 999_999_970})),
            (false, json!({"exp": 0})),
            (false, json!({"exp": -1})),
            (true, json!({"exp": 1e300})),
            (false, json!({})),
            (false, json!({"exp": null})),
            (false, json!({"exp": "1000000001"})),
            (false, json!({"exp": [1_000_000_001]})),
            (false, json!({"exp": true})),
            (true, json!({"exp": 1_000_000_001, "nbf": 1_000_000_030})),
            (false, json!({"exp": 1_000_000_001, "nbf": 1_000_000_031})),
            (false, json!({"exp": 1_000_000_001, "nbf": "0"})),
            (false, json!({"exp": 1_000_000_001, "iat": "0"})),
            (true, json!({"exp": 1_000_000_001, "iat": 0})),
        ] {
            assert_eq!(claims(&value).check_time(NOW, LEEWAY).is_ok(), good, "{value}");
        }
        let huge = Claims::read(br#"{"exp":1e400}"#);
        assert!(huge.is_err(), "beyond a double");
    }

    #[test]
    fn a_token_is_for_those_in_its_audience() {
        let own = ["me".to_owned(), "also-me".to_owned()];
        for (good, aud) in [
            (true, json!("me")),
            (true, json!(["you", "also-me"])),
            (false, json!("ME")),
            (false, json!("me ")),
            (false, json!([])),
            (false, json!(["you"])),
            (false, json!(["me", 7])),
            (false, json!({"me": true})),
            (false, json!(null)),
        ] {
            assert_eq!(claims(&json!({"aud": aud})).is_for(&own), good, "{aud}");
        }
        assert!(!claims(&json!({})).is_for(&own));
    }

    #[test]
    fn claims_become_a_tenant_a_team_a_user_roles_and_labels() {
        let issuer = issuer(
            "tenant_claim = \"org\"\nteam_claim = \"/ext/team\"\nuser_claim = \"email\"\nrole_claim = \"/realm_access/roles\"\n\
             roles = { \"Gateway Admins\" = \"admin\", \"devs\" = \"developer\" }\nrole = \"viewer\"\nlabels = [\"dept\", \"/ext/cost\"]\nadmin = true",
        );
        let all = json!({
            "sub": "auth0|1", "org": "acme", "ext": {"team": "search", "cost": 7}, "email": "ada@example.com", "dept": "R&D",
            "realm_access": {"roles": ["Gateway Admins", "admin", "devs", 3, "Gateway Admins"]},
        });
        let bearer = claims(&all).bearer(&issuer).expect("it says enough");
        let name = |text: &str| text.parse::<Name>().expect("a name");
        assert_eq!((bearer.issuer.as_str(), bearer.subject.as_str()), ("x", "auth0|1"));
        assert_eq!((bearer.tenant, bearer.team), (Some(name("acme")), Some(name("search"))));
        assert_eq!(bearer.roles, Some(vec![name("admin"), name("developer")]));
        assert_eq!((bearer.otherwise, bearer.admin), (Some(name("viewer")), true));
        let labels: Vec<_> = bearer.labels.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        assert_eq!(labels, [("cost", "7"), ("dept", "R&D")]);
        assert!(bearer.user.expect("it has one").as_str().starts_with("ada-example-com-"));
    }

    #[test]
    fn nobody_becomes_the_operator_by_leaving_the_tenant_out() {
        let issuer = issuer("tenant_claim = \"org\"");
        for org in [json!(null), json!(""), json!("Acme"), json!("a/b"), json!(["acme"]), json!({"name": "acme"}), json!(7)] {
            let refused = claims(&json!({"sub": "a", "org": org})).bearer(&issuer).expect_err("no tenant");
            assert_eq!(refused.kind, ErrorKind::PermissionDenied, "{org}");
        }
        assert!(claims(&json!({"sub": "a"})).bearer(&issuer).is_err());
        let team = self::issuer("tenant = \"acme\"\nteam_claim = \"team\"");
        assert!(
            claims(&json!({"sub": "a", "team": "Not A Name"})).bearer(&team).is_err(),
            "a team that cannot be is not no team"
        );
        assert_eq!(claims(&json!({"sub": "a"})).bearer(&team).expect("no team").team, None);
    }

    #[test]
    fn a_subject_must_be_there_and_fit_a_log() {
        let issuer = issuer("");
        for sub in [json!(null), json!(""), json!(7), json!("a\nb"), json!("a\u{0}"), json!("x".repeat(257))] {
            assert!(claims(&json!({"sub": sub})).bearer(&issuer).is_err(), "{sub}");
        }
        assert_eq!(claims(&json!({"sub": "é".repeat(256)})).bearer(&issuer).expect("it fits").roles, None);
    }

    #[test]
    fn no_two_users_share_a_name() {
        let users = [
            "ada",
            "Ada",
            "ada@example.com",
            "ada-example.com",
            "ada-example-com",
            "",
            "@",
            "é",
            "-",
            "ada-0123456789abcdef",
            &"a".repeat(256),
        ];
        let mut names: Vec<String> = users.iter().map(|user| user_name(user).as_str().to_owned()).collect();
        assert_eq!(names[0], "ada");
        for made in names.clone() {
            names.push(user_name(&made).as_str().to_owned());
        }
        names.sort();
        names.dedup();
        let kept = users.iter().filter(|user| user_name(user).as_str() == **user).count();
        assert_eq!(names.len(), 2 * users.len() - kept);
    }

    #[test]
    fn a_claim_twice_is_refused() {
        for bad in [r#"{"exp":1,"exp":2}"#, r#"{"iss":"a","\u0069ss":"b"}"#, "[]", "", "{", "null", r#"{"a":{"b":1,"b":2}}"#] {
            assert!(Claims::read(bad.as_bytes()).is_err(), "{bad}");
        }
    }
}

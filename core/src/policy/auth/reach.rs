//! Which of what there is a caller may have: models, routes, and what is open to anybody.
//!
//! | caller | what it is told of what it may not have |
//! |---|---|
//! | whose key names models or routes | 403, and what its own list says; never whether there is such a model |
//! | who shows no key where one is needed | 401, unless the route lets anybody in |
//!
//! Invariant: what is listed for a caller is what it may call.

use crate::config::Config;
use crate::error::{Error, ErrorKind, Result};
use crate::identity::{Access, Caller, Proof};
use crate::route::{self, Plan};

/// Most names of a list that an error repeats.
const SHOWN: usize = 10;

/// Whether a caller may have only some of what there is.
pub(crate) fn is_restricted(config: &Config, caller: &Caller) -> bool {
    is_anonymous(config, caller) || !caller.access.models.is_empty() || !caller.access.routes.is_empty()
}

/// Plans a request for `model`, as [`route::plan`] does, within what the caller may have.
pub(crate) fn plan(config: &Config, caller: &Caller, model: &str) -> Result<Plan> {
    let Access { models, routes, .. } = &*caller.access;
    if !models.is_empty() && !models.iter().any(|pattern| route::matches(pattern, model)) {
        return Err(forbidden(&caller.access, model));
    }
    let planned = route::plan(config, model);
    let taken = planned.as_ref().ok().and_then(|plan| plan.route.as_deref());
    if is_anonymous(config, caller) {
        let open = config.routes.iter().any(|route| route.anonymous && Some(route.name.as_str()) == taken);
        return if open { planned } else { Err(super::missing()) };
    }
    if !routes.is_empty() && !taken.is_some_and(|taken| routes.iter().any(|route| route == taken)) {
        return Err(forbidden(&caller.access, model));
    }
    planned.map_err(|error| match models.is_empty() {
        true => error,
        // Its neighbours, and which providers are switched off, are none of this caller's business.
        false => {
            let message = format!("There is no model `{}` here. GET /v1/models lists what this key may use.", short(model));
            Error::new(error.kind, message).param("model")
        }
    })
}

/// Whether a caller shows no key where one is needed.
pub(crate) fn is_anonymous(config: &Config, caller: &Caller) -> bool {
    config.auth_required && caller.proof == Proof::Nobody
}

fn forbidden(access: &Access, model: &str) -> Error {
    let list: Vec<String> = access.models.iter().take(SHOWN).map(|name| format!("`{}`", short(name))).collect();
    let help = match (list.is_empty(), access.models.len() > SHOWN) {
        (true, _) => "GET /v1/models lists what it may use.".to_owned(),
        (false, false) => format!("It may use {}.", list.join(", ")),
        (false, true) => format!("It may use {} and more.", list.join(", ")),
    };
    let message = format!("This key may not use the model `{}`. {help}", short(model));
    Error::new(ErrorKind::PermissionDenied, message).param("model")
}

fn short(model: &str) -> String {
    model.chars().take(100).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{self, Availability};

    const DOCUMENT: &str = r#"
        [auth]
        required = true
        [models.fast]
        target = "demo/echo"
        [routes.free]
        models = ["free-*"]
        targets = ["demo/echo"]
        anonymous = true
        [routes.paid]
        models = ["paid", "secret-plan"]
        targets = ["demo/echo"]
    "#;

    fn configured() -> Config {
        let loaded = config::load(Some(("edgeway.toml", DOCUMENT)), []).expect("the document is TOML");
        config::compile(&loaded, &Availability::default()).unwrap_or_else(|found| panic!("{}", config::render(&found))).0
    }

    fn caller(models: &[&str], routes: &[&str]) -> Caller {
        let list = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        let access = Access { models: list(models), routes: list(routes), addresses: Vec::new() };
        Caller { proof: Proof::Key("k".into()), access: access.into(), ..Caller::default() }
    }

    #[test]
    fn a_key_for_some_models_or_routes_reaches_those_and_learns_of_no_others() {
        let config = configured();
        for (caller, model, kind) in [
            (caller(&[], &[]), "paid", None),
            (caller(&["paid"], &[]), "paid", None),
            (caller(&["pa*"], &["paid"]), "paid", None),
            (caller(&["paid"], &["free"]), "paid", Some(ErrorKind::PermissionDenied)),
            (caller(&["fast"], &[]), "paid", Some(ErrorKind::PermissionDenied)),
            (caller(&[], &["paid"]), "fast", Some(ErrorKind::PermissionDenied)),
            (caller(&[], &["paid"]), "secret-plam", Some(ErrorKind::PermissionDenied)),
            (caller(&["secret-*"], &[]), "secret-plam", Some(ErrorKind::ModelNotFound)),
            (caller(&["fast"], &[]), "secret-plam", Some(ErrorKind::PermissionDenied)),
        ] {
            let planned = plan(&config, &caller, model);
            assert_eq!(planned.as_ref().err().map(|error| error.kind), kind, "{model} {:?}", caller.access);
            if let Err(error) = planned {
                assert!(!error.message.contains("secret-plan"), "{}", error.message);
            }
        }
        let error = plan(&config, &caller(&["fast", "a*"], &[]), "paid").expect_err("not its own");
        assert_eq!(error.message, "This key may not use the model `paid`. It may use `fast`, `a*`.");
    }

    #[test]
    fn nobody_reaches_the_routes_that_let_anybody_in() {
        let config = configured();
        let nobody = Caller::default();
        assert!(plan(&config, &nobody, "free-one").is_ok());
        for model in ["paid", "fast", "demo/echo", "no-such"] {
            assert_eq!(plan(&config, &nobody, model).expect_err(model).kind, ErrorKind::Unauthenticated);
        }
        let open = Config { auth_required: false, ..config };
        assert!(plan(&open, &nobody, "paid").is_ok() && !is_restricted(&open, &nobody));
    }
}

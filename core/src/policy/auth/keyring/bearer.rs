//! Who holds a token that was found good: its tenant, team, user and roles as they are here.
//!
//! | what the token names | how it must be |
//! |---|---|
//! | a tenant, a team | there, and not suspended |
//! | a user | not suspended; one that nobody has made is let in, and a role that it has here bounds what it may do |
//! | roles | those that there are count, together |
//!
//! A token gives no more than its issuer may: model calls, unless the configuration has `admin = true` for it. Who held a token
//! is remembered for `auth.refresh`, as with keys, under the SHA-256 of the whole of it.

use std::sync::Arc;

use futures_util::try_join;
use sha2::{Digest, Sha256};

use super::{Keyring, Opened, Reading, good, named, share};
use crate::config::Config;
use crate::error::Result;
use crate::identity::{Caller, Name, Permission, Permissions, Proof, role};
use crate::policy::auth::token::Bearer;
use crate::ports::Ports;

impl Keyring {
    /// Whose the token is that is shown. Fails as [`Tokens::verify`](crate::policy::auth::token::Tokens::verify) does, and with
    /// `Unauthenticated` for one whose tenant, team or user is suspended or gone.
    pub(in crate::policy::auth) async fn bearer(&self, token: &str, config: &Config, ports: &Ports) -> Result<Caller> {
        let (now, refresh, grace) = (self.clock.now(), config.auth_refresh, config.auth_grace);
        let digest: [u8; 32] = Sha256::digest(token.as_bytes()).into();
        if let Some(caller) = self.remembered(&digest, now, refresh) {
            return Ok(caller);
        }
        let bearer = self.tokens.verify(token, ports, config).await?;
        let tenant = bearer.tenant.as_ref();
        let most = if bearer.admin { Permissions::ALL } else { [Permission::Invoke].into_iter().collect() };
        let mut caller = Caller { labels: Arc::new(bearer.labels.clone()), informed: true, ..Caller::default() };
        let (mut held, mut read) = (built_in_roles(&bearer), now);
        if let Some(objects) = &self.objects {
            let Self { clock, failed, .. } = self;
            let reading = Reading { objects, clock: &**clock, now, refresh, grace, failed };
            let (owner, group, user) = try_join!(
                named(&self.tenants, None, tenant, reading),
                named(&self.teams, tenant, bearer.team.as_ref(), reading),
                named(&self.users, tenant, bearer.user.as_ref(), reading),
            )?;
            let gone = |what: &str| super::super::refused().source(format_args!("a token: its {what} is suspended or unknown"));
            let mut shares = Vec::new();
            let place = tenant.map_or("-", Name::as_str);
            if let Some(group) = &group {
                let found = good(group, |team| team.suspended, &mut read).ok_or_else(|| gone("team"))?;
                let of = || format!("team/{place}/{}", bearer.team.as_ref().map_or("", Name::as_str));
                share(&mut shares, of, &found.limits, &found.budgets);
            }
            if let Some(owner) = &owner {
                let found = good(owner, |tenant| tenant.suspended, &mut read).ok_or_else(|| gone("tenant"))?;
                share(&mut shares, || format!("tenant/{place}"), &found.limits, &found.budgets);
            }
            caller.shares = shares.into();
            let user = user.and_then(|user| user.object);
            if user.as_ref().is_some_and(|user| user.suspended) {
                return Err(gone("user"));
            }
            held = self.roles_of(&bearer, reading).await?;
            if let Some(bound) = user.as_ref().and_then(|user| user.role.as_ref()) {
                let bound = self.role(tenant, bound, reading).await?.unwrap_or(Permissions::NONE);
                held = both(held, bound);
            }
        }
        caller.permissions = role::within(tenant, both(held, most));
        caller.proof = Proof::Token { issuer: bearer.issuer, subject: bearer.subject };
        (caller.tenant, caller.team, caller.user) = (bearer.tenant, bearer.team, bearer.user);
        self.opened.put(digest, Opened { caller: Arc::new(caller.clone()), read, ends: Some(bearer.until) });
        Ok(caller)
    }

    /// What the roles allow that a token gives, or the one that it has otherwise.
    async fn roles_of(&self, bearer: &Bearer, reading: Reading<'_>) -> Result<Permissions> {
        let Some(roles) = &bearer.roles else { return Ok(without_roles()) };
        let tenant = bearer.tenant.as_ref();
        let mut all = None;
        for name in roles {
            if let Some(one) = self.role(tenant, name, reading).await? {
                all = Some(either(all.unwrap_or_default(), one));
            }
        }
        if let Some(all) = all {
            return Ok(all);
        }
        match &bearer.otherwise {
            Some(name) => Ok(self.role(tenant, name, reading).await?.unwrap_or(Permissions::NONE)),
            None => Ok(Permissions::NONE),
        }
    }

    /// What a role allows; `None` when there is none of that name.
    async fn role(&self, tenant: Option<&Name>, name: &Name, reading: Reading<'_>) -> Result<Option<Permissions>> {
        if let Some(built_in) = role::built_in(name.as_str()) {
            return Ok(Some(built_in));
        }
        let own = self.roles.get(tenant, name.as_str(), reading).await?;
        Ok(own.object.map(|role| role.allows()))
    }
}

/// Where nothing is said of roles.
fn without_roles() -> Permissions {
    [Permission::Invoke].into_iter().collect()
}

/// Without a store there are no other roles.
fn built_in_roles(bearer: &Bearer) -> Permissions {
    let Some(roles) = &bearer.roles else { return without_roles() };
    let known = roles.iter().filter_map(|name| role::built_in(name.as_str())).reduce(either);
    known.or_else(|| role::built_in(bearer.otherwise.as_ref()?.as_str())).unwrap_or(Permissions::NONE)
}

fn either(a: Permissions, b: Permissions) -> Permissions {
    a.iter().chain(b.iter()).collect()
}

fn both(a: Permissions, b: Permissions) -> Permissions {
    a.iter().filter(|one| b.holds(*one)).collect()
}

#[cfg(test)]
mod tests {
    use base64::Engine as _;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;
    use futures_util::FutureExt;
    use hmac::{Hmac, KeyInit, Mac};
    use serde_json::{Value, json};
    use sha2::Sha256;

    use super::*;
    use crate::config::{self, Availability};
    use crate::error::ErrorKind;
    use crate::identity::{Role, Team, Tenant, User};
    use crate::objects::{Object, Objects};
    use crate::policy::limit::Limits;
    use crate::ports::Timestamp;
    use crate::ports::memory::{ManualClock, MemoryPorts, ScriptedHttp};

    const SECRET: &str = "a-secret-of-more-than-thirty-two-bytes";
    const SECONDS: u64 = 1_800_000_000;

    struct World {
        clock: Arc<ManualClock>,
        ports: Ports,
        objects: Objects,
        config: Config,
        keyring: Keyring,
    }

    fn name(text: &str) -> Name {
        text.parse().expect("a name")
    }

    /// A gateway with one issuer, the tenant `acme`, and what `section` says of the issuer.
    fn world(section: &str) -> World {
        let clock = Arc::new(ManualClock::skipping(Timestamp(SECONDS * 1_000_000)));
        let memory = MemoryPorts::new(clock.clone(), Arc::new(ScriptedHttp::replies(clock.clone(), [])));
        memory.secrets.set("S", SECRET);
        let text = format!(
            "[auth]\nrequired = true\n[auth.issuers.one]\nissuer = \"https://login.example\"\naudience = [\"edgeway\"]\nsecret = \"S\"\n{section}"
        );
        let loaded = config::load(Some(("edgeway.toml", &text)), []).expect("TOML");
        let available = Availability { secrets: ["S".to_owned()].into_iter().collect(), ..Availability::default() };
        let (config, _) = config::compile(&loaded, &available).unwrap_or_else(|found| panic!("{}", config::render(&found)));
        let objects = Objects::of(&memory.ports).expect("there are cells");
        let world = World { clock, objects, config, keyring: Keyring::new(&memory.ports), ports: memory.ports };
        world.make(None, "acme", &Tenant::default());
        world
    }

    fn token(extra: &Value) -> String {
        let mut claims = json!({"iss": "https://login.example", "aud": "edgeway", "sub": "ada", "exp": SECONDS + 600});
        for (name, value) in extra.as_object().into_iter().flatten() {
            claims[name] = value.clone();
        }
        let text = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let signed = format!("{}.{}", text(&json!({"alg": "HS256"})), text(&claims));
        let code = Hmac::<Sha256>::new_from_slice(SECRET.as_bytes()).expect("any length").chain_update(&signed).finalize();
        format!("{signed}.{}", URL_SAFE_NO_PAD.encode(code.into_bytes()))
    }

    impl World {
        fn make<T: Object + Clone>(&self, tenant: Option<&Name>, id: &str, object: &T) {
            let made = self.objects.create(tenant, id, object).now_or_never().expect("memory never waits").expect("stored");
            assert!(made.is_ok(), "there is one already");
        }

        fn change<T: Object + Clone>(&self, tenant: Option<&Name>, id: &str, object: &T) {
            let changed =
                self.objects.replace(tenant, id, object, None).now_or_never().expect("memory never waits").expect("stored");
            assert!(changed.is_ok(), "there is none");
        }

        fn bearer(&self, extra: &Value) -> Result<Caller> {
            self.keyring.bearer(&token(extra), &self.config, &self.ports).now_or_never().expect("memory never waits")
        }

        fn may(&self, extra: &Value) -> Vec<Permission> {
            self.bearer(extra).unwrap_or_else(|error| panic!("{error:?}")).permissions.iter().collect()
        }

        fn refused(&self, extra: &Value) {
            let error = self.bearer(extra).expect_err("let in");
            let everybody = crate::policy::auth::refused();
            assert_eq!((error.kind, &error.message), (everybody.kind, &everybody.message), "{error:?}");
        }
    }

    #[test]
    fn a_token_says_whose_it_is_and_what_its_tenant_and_team_carry() {
        let world = world("tenant = \"acme\"\nteam_claim = \"team\"\nlabels = [\"dept\"]\n");
        let limits: Limits = serde_json::from_value(json!({"requests": ["60/minute"]})).expect("limits");
        world.make(Some(&name("acme")), "search", &Team { limits: limits.clone(), ..Team::default() });
        world.change(None, "acme", &Tenant { limits, ..Tenant::default() });
        let caller = world.bearer(&json!({"team": "search", "dept": "rd"})).expect("it is good");
        assert_eq!(caller.name().as_deref(), Some("one:ada"));
        assert_eq!((caller.tenant, caller.team, caller.user), (Some(name("acme")), Some(name("search")), Some(name("ada"))));
        assert_eq!(caller.shares.iter().map(|share| share.of.as_str()).collect::<Vec<_>>(), ["team/acme/search", "tenant/acme"]);
        assert_eq!(caller.labels.get("dept").map(String::as_str), Some("rd"));
        assert_eq!(caller.permissions.iter().collect::<Vec<_>>(), [Permission::Invoke]);
    }

    #[test]
    fn a_tenant_and_a_team_must_be_there_and_nobody_may_be_suspended() {
        let world = world("tenant_claim = \"org\"\nteam_claim = \"team\"\n");
        world.bearer(&json!({"org": "acme"})).expect("it is there");
        world.refused(&json!({"org": "nobody"}));
        world.refused(&json!({"org": "acme", "team": "nobody"}));
        world.make(Some(&name("acme")), "ada", &User { suspended: true, ..User::default() });
        world.clock.advance(std::time::Duration::from_secs(2));
        world.refused(&json!({"org": "acme"}));
        world.bearer(&json!({"org": "acme", "sub": "grace"})).expect("she is somebody else");
        world.change(None, "acme", &Tenant { suspended: true, ..Tenant::default() });
        world.clock.advance(std::time::Duration::from_secs(2));
        world.refused(&json!({"org": "acme", "sub": "grace"}));
    }

    #[test]
    fn roles_add_up_and_never_exceed_what_the_issuer_and_the_user_may() {
        use Permission::{ConfigRead, Invoke, KeysWrite, TenantsWrite, UsageRead};

        let staff = world("tenant = \"acme\"\nrole_claim = \"roles\"\nadmin = true\n");
        staff.make(Some(&name("acme")), "reader", &Role { permissions: vec![UsageRead], ..Role::default() });
        assert_eq!(staff.may(&json!({"roles": "reader"})), [UsageRead]);
        let both = staff.may(&json!({"roles": ["reader", "developer", "unknown", 7]}));
        assert!(both.contains(&Invoke) && both.contains(&UsageRead) && !both.contains(&KeysWrite));
        let owner = staff.may(&json!({"roles": ["owner"]}));
        assert!(owner.contains(&KeysWrite) && !owner.contains(&TenantsWrite) && !owner.contains(&ConfigRead));
        for nothing in [json!({}), json!({"roles": []}), json!({"roles": ["unknown"]}), json!({"roles": {"owner": true}})] {
            assert_eq!(staff.may(&nothing), [], "{nothing}");
        }
        staff.make(Some(&name("acme")), "grace", &User { role: Some(name("viewer")), ..User::default() });
        let bound = staff.may(&json!({"roles": ["owner"], "sub": "grace"}));
        assert!(bound.contains(&UsageRead) && !bound.contains(&KeysWrite) && !bound.contains(&Invoke));

        let callers = world("tenant = \"acme\"\nrole_claim = \"roles\"\nrole = \"developer\"\n");
        assert_eq!(callers.may(&json!({"roles": ["owner"]})), [Invoke], "this issuer has no administrators");
        assert_eq!(callers.may(&json!({"roles": ["viewer"]})), []);
        assert_eq!(callers.may(&json!({})), [Invoke]);
    }

    #[test]
    fn who_held_a_token_is_remembered_no_longer_than_the_token_is_good() {
        let mut world = world("tenant = \"acme\"\nleeway = \"0s\"\n");
        world.config.auth_refresh = std::time::Duration::from_secs(60);
        let ends = json!({"exp": SECONDS + 30});
        world.bearer(&ends).expect("it is good");
        world.ports.secrets = Arc::new(crate::ports::memory::MemorySecrets::default());
        world.bearer(&ends).expect("it is remembered, so nobody looks");
        assert_eq!(world.bearer(&json!({"sub": "grace"})).expect_err("another one").kind, ErrorKind::Overloaded);
        world.clock.advance(std::time::Duration::from_secs(30));
        assert!(world.bearer(&ends).is_err(), "it has ended");
    }

    #[test]
    fn without_a_store_a_token_is_good_by_itself() {
        let mut world = world("tenant = \"acme\"\nrole_claim = \"roles\"\nadmin = true\n");
        world.ports.cells = None;
        world.keyring = Keyring::new(&world.ports);
        assert_eq!(world.may(&json!({"roles": ["developer"]}))[0], Permission::Invoke);
        assert_eq!(world.may(&json!({"roles": ["reader"]})), []);
    }
}

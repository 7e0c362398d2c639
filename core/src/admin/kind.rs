//! A kind of object, for the handlers that all kinds share.
//!
//! The handlers (`resource.rs`) are written once over JSON; what knows the types is behind [`Kind`], and thin, because it is
//! compiled once a kind.

use std::marker::PhantomData;

use async_trait::async_trait;
use serde_json::{Map, Value};

use super::asked::unprocessable;
use super::problem::Problem;
use crate::error::Result;
use crate::identity::{Application, Key, Name, Permission, Role, Team, Tenant, User, Wrong, role};
use crate::objects::{Conflict, Exists, Object, Objects, Page, Stored};
use crate::ports::Timestamp;

/// The member that every object has from its making.
const CREATED: &str = "created";

/// What an object says that has to be looked at before it is kept.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Claims {
    /// Objects of its tenant that must exist.
    pub(super) team: Option<Name>,
    pub(super) application: Option<Name>,
    pub(super) user: Option<Name>,
    /// What it lets somebody do.
    pub(super) grants: Grants,
}

/// What an object lets somebody do.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) enum Grants {
    /// Nothing.
    #[default]
    Nothing,
    /// These.
    These(Vec<Permission>),
    /// What a role allows.
    Role(Name),
    /// Whatever can be done in its tenant.
    Everything,
}

/// A type of object that the administration makes, shows, changes and removes.
pub(super) trait Administered: Object + Clone {
    /// What it is called in sentences.
    const NAME: &'static str;
    /// What cannot be kept of it.
    fn wrong(&self) -> Vec<Wrong>;
    /// What has to be looked at before it is kept.
    fn claims(&self) -> Claims {
        Claims::default()
    }
    /// Whether nobody may call one so.
    fn reserved(_id: &str) -> bool {
        false
    }
    /// What is shown of it, all but its id and version.
    fn shown(object: Map<String, Value>) -> Map<String, Value> {
        object
    }
    /// What can be changed of it.
    fn editable(mut object: Map<String, Value>) -> Map<String, Value> {
        object.shift_remove(CREATED);
        object
    }
    /// The object after a change; `before` is the object as it was, or what a new one begins with.
    fn edited(before: &Map<String, Value>, mut to: Map<String, Value>) -> Map<String, Value> {
        to.insert(CREATED.to_owned(), before.get(CREATED).cloned().unwrap_or_default());
        to
    }
}

/// A kind, in JSON.
#[async_trait]
pub(super) trait Kind: Send + Sync {
    fn name(&self) -> &'static str;
    fn reserved(&self, id: &str) -> bool;
    /// What a new one begins with.
    fn begun(&self, now: Timestamp) -> Map<String, Value>;
    fn shown(&self, object: Map<String, Value>) -> Map<String, Value>;
    fn editable(&self, object: Map<String, Value>) -> Map<String, Value>;
    fn edited(&self, before: &Map<String, Value>, to: Map<String, Value>) -> Map<String, Value>;
    /// Fails with what is wrong with an object, all of it.
    fn checked(&self, object: &Map<String, Value>) -> Result<Claims, Problem>;
    async fn get(&self, of: &Objects, tenant: Option<&Name>, id: &str) -> Result<Option<Stored<Json>>>;
    async fn create(
        &self,
        of: &Objects,
        tenant: Option<&Name>,
        id: &str,
        value: Json,
    ) -> Result<Result<Stored<Json>, Exists<Json>>>;
    async fn replace(
        &self,
        of: &Objects,
        tenant: Option<&Name>,
        id: &str,
        value: Json,
        expected: Option<u64>,
    ) -> Result<Result<Stored<Json>, Conflict<Json>>>;
    async fn remove(
        &self,
        of: &Objects,
        tenant: Option<&Name>,
        id: &str,
        expected: Option<u64>,
    ) -> Result<Result<(), Conflict<Json>>>;
    async fn list(&self, of: &Objects, tenant: Option<&Name>, after: Option<&str>, limit: usize) -> Result<Page<Json>>;
}

/// An object, as its members.
pub(super) type Json = Map<String, Value>;

/// The kind of a type.
pub(super) struct Of<T>(PhantomData<fn() -> T>);

impl<T> Of<T> {
    pub(super) const KIND: Self = Self(PhantomData);
}

/// An object that cannot be kept: all that is wrong with it.
fn refused(wrong: &[Wrong]) -> Problem {
    let sentences: Vec<String> = wrong.iter().map(|wrong| format!("`{}` {}", wrong.at, wrong.what)).collect();
    let errors: Vec<Value> = wrong.iter().map(|wrong| serde_json::json!({"at": wrong.at, "what": wrong.what})).collect();
    unprocessable(sentences.join("; ")).with("errors", Value::Array(errors))
}

/// An object as its members.
pub(super) fn members<T: Administered>(stored: Stored<T>) -> Stored<Json> {
    Stored { version: stored.version, value: object(&stored.value) }
}

/// The members of a value.
pub(super) fn object<T: Administered>(value: &T) -> Json {
    match serde_json::to_value(value) {
        Ok(Value::Object(members)) => members,
        _ => Map::new(),
    }
}

/// The value that members are; 422 when they are none.
pub(super) fn typed<T: Administered>(object: Json) -> Result<T, Problem> {
    serde_json::from_value(Value::Object(object)).map_err(|error| unprocessable(error.to_string()))
}

#[async_trait]
impl<T: Administered> Kind for Of<T> {
    fn name(&self) -> &'static str {
        T::NAME
    }

    fn reserved(&self, id: &str) -> bool {
        T::reserved(id)
    }

    fn begun(&self, now: Timestamp) -> Json {
        Map::from_iter([(CREATED.to_owned(), serde_json::json!(now))])
    }

    fn shown(&self, object: Json) -> Json {
        T::shown(object)
    }

    fn editable(&self, object: Json) -> Json {
        T::editable(object)
    }

    fn edited(&self, before: &Json, to: Json) -> Json {
        T::edited(before, to)
    }

    fn checked(&self, object: &Json) -> Result<Claims, Problem> {
        let value: T = typed(object.clone())?;
        let wrong = value.wrong();
        if wrong.is_empty() { Ok(value.claims()) } else { Err(refused(&wrong)) }
    }

    async fn get(&self, of: &Objects, tenant: Option<&Name>, id: &str) -> Result<Option<Stored<Json>>> {
        Ok(of.get::<T>(tenant, id).await?.map(members))
    }

    async fn create(
        &self,
        of: &Objects,
        tenant: Option<&Name>,
        id: &str,
        value: Json,
    ) -> Result<Result<Stored<Json>, Exists<Json>>> {
        let created = of.create::<T>(tenant, id, &strict(value)?).await?;
        Ok(created.map(members).map_err(|Exists(stored)| Exists(members(stored))))
    }

    async fn replace(
        &self,
        of: &Objects,
        tenant: Option<&Name>,
        id: &str,
        value: Json,
        expected: Option<u64>,
    ) -> Result<Result<Stored<Json>, Conflict<Json>>> {
        let replaced = of.replace::<T>(tenant, id, &strict(value)?, expected).await?;
        Ok(replaced.map(members).map_err(|conflict| Conflict { current: conflict.current.map(members) }))
    }

    async fn remove(
        &self,
        of: &Objects,
        tenant: Option<&Name>,
        id: &str,
        expected: Option<u64>,
    ) -> Result<Result<(), Conflict<Json>>> {
        let removed = of.remove::<T>(tenant, id, expected).await?;
        Ok(removed.map_err(|conflict| Conflict { current: conflict.current.map(members) }))
    }

    async fn list(&self, of: &Objects, tenant: Option<&Name>, after: Option<&str>, limit: usize) -> Result<Page<Json>> {
        let Page { items, next } = of.list::<T>(tenant, after, limit).await?;
        Ok(Page { items: items.into_iter().map(|(id, stored)| (id, members(stored))).collect(), next })
    }
}

/// What was checked a moment ago, typed.
fn strict<T: Administered>(object: Json) -> Result<T> {
    typed(object).map_err(|problem| crate::error::Error::new(crate::error::ErrorKind::InvalidRequest, problem.detail))
}

impl Administered for Tenant {
    const NAME: &'static str = "tenant";
    fn wrong(&self) -> Vec<Wrong> {
        self.wrong()
    }
}

impl Administered for Team {
    const NAME: &'static str = "team";
    fn wrong(&self) -> Vec<Wrong> {
        self.wrong()
    }
}

impl Administered for Application {
    const NAME: &'static str = "application";
    fn wrong(&self) -> Vec<Wrong> {
        self.wrong()
    }
    fn claims(&self) -> Claims {
        Claims { team: self.team.clone(), ..Claims::default() }
    }
}

impl Administered for User {
    const NAME: &'static str = "user";
    fn wrong(&self) -> Vec<Wrong> {
        self.wrong()
    }
    fn claims(&self) -> Claims {
        // Who is bound by no role is bound by nothing.
        Claims { grants: self.role.clone().map_or(Grants::Everything, Grants::Role), ..Claims::default() }
    }
}

impl Administered for Role {
    const NAME: &'static str = "role";
    fn wrong(&self) -> Vec<Wrong> {
        self.wrong()
    }
    fn claims(&self) -> Claims {
        Claims { grants: Grants::These(self.permissions.clone()), ..Claims::default() }
    }
    /// Names of roles that are always there.
    fn reserved(id: &str) -> bool {
        role::built_in(id).is_some()
    }
}

impl Administered for Key {
    const NAME: &'static str = "key";
    fn wrong(&self) -> Vec<Wrong> {
        self.terms.wrong()
    }
    fn claims(&self) -> Claims {
        let terms = &self.terms;
        let grants = terms.role.clone().map_or(Grants::These(vec![Permission::Invoke]), Grants::Role);
        Claims { team: terms.team.clone(), application: terms.application.clone(), user: terms.user.clone(), grants }
    }
    /// All but its seals, of which only their ends are told.
    fn shown(mut object: Json) -> Json {
        let mut shown = Self::editable(object.clone());
        let seals = object.shift_remove("seals");
        let ends = seals.as_ref().and_then(Value::as_array).map_or(&[][..], Vec::as_slice).iter();
        let secrets: Vec<Value> = ends.map(|seal| serde_json::json!({"until": seal.get("until")})).collect();
        object.shift_remove("terms");
        shown.extend(object);
        shown.insert("secrets".to_owned(), Value::Array(secrets));
        shown
    }
    fn editable(mut object: Json) -> Json {
        match object.shift_remove("terms") {
            Some(Value::Object(terms)) => terms,
            _ => Map::new(),
        }
    }
    fn edited(before: &Json, to: Json) -> Json {
        let mut after = before.clone();
        after.insert("terms".to_owned(), Value::Object(to));
        after
    }
}

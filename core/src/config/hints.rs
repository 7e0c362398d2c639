//! How an operator gives a platform what a configuration asks for.
//!
//! Diagnostics say what is missing; only the platform knows the command that supplies it. An adapter gives these texts
//! once, with the rest of its [`super::Availability`].

/// Instructions in a platform's own words. `NAME` in them stands for a name. An empty one says nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct Hints {
    /// Sets a secret: `` run `wrangler secret put NAME` ``.
    pub secret: &'static str,
    /// Gives the gateway its stores: `` add a KV namespace `EDGEWAY_KV` and ... to wrangler.toml ``.
    pub store: &'static str,
}

impl Hints {
    /// `` set `A` ``, and how that is done here.
    pub(super) fn set(&self, name: &str) -> String {
        match self.secret {
            "" => format!("set `{name}`"),
            how => format!("set `{name}` ({})", how.replace("NAME", name)),
        }
    }

    /// `` set `A` or `B` ``, and how that is done here with the first of them.
    pub(super) fn set_one_of<S: AsRef<str>>(&self, names: &[S]) -> String {
        let all = super::diagnostic::alternatives(names);
        match (self.secret, names.first()) {
            ("", _) | (_, None) => format!("set {all}"),
            (how, Some(first)) => format!("set {all} ({})", how.replace("NAME", first.as_ref())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hint_says_how_and_its_absence_says_nothing() {
        let hints = Hints { secret: "run `vault put NAME`", store: "" };
        assert_eq!(hints.set("A"), "set `A` (run `vault put A`)");
        assert_eq!(hints.set_one_of(&["A", "B"]), "set `A` or `B` (run `vault put A`)");
        assert_eq!(Hints::default().set("A"), "set `A`");
        assert_eq!(Hints::default().set_one_of(&["A", "B"]), "set `A` or `B`");
    }
}

//! The programs of cells, and the one table that finds them by name.
//!
//! A program is a [`CellStep`]: a pure function from a state and a command to the next state and a
//! reply. What serialises the commands of one cell is the platform's ([`crate::ports::CellStore`]).

use crate::ports::{CellStep, suite};

/// Every program that ships, by name.
static STEPS: &[&dyn CellStep] = &[];

/// Finds a step by its [`name`](CellStep::name), for platforms that run steps in an actor.
///
/// The suite's own step is there only with the feature `suite`.
pub fn find_step(name: &str) -> Option<&'static dyn CellStep> {
    let tests: &[&'static dyn CellStep] = if cfg!(any(test, feature = "suite")) { &[suite::COUNTER] } else { &[] };
    STEPS.iter().chain(tests).copied().find(|step| step.name() == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_step_is_found_by_its_own_name_and_nothing_else_is() {
        for step in STEPS {
            let found = find_step(step.name()).expect("a step of the table");
            assert!(std::ptr::addr_eq(found, *step), "two steps are called {}", step.name());
        }
        assert!(find_step(suite::COUNTER.name()).is_some());
        assert!(find_step("").is_none());
    }
}

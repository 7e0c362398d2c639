//! Admission: everything that a request may take is reserved at once, or nothing is.
//!
//! | mode | who is asked | one request costs |
//! |---|---|---|
//! | strict | the cell, for every request | a command for each limit; another to settle where the amount is known only afterwards |
//! | leased | this instance's slice; the cell for the next slice | a fraction of a command |
//!
//! | the store is away, and the limit says | what happens |
//! |---|---|
//! | `closed` | 503 |
//! | `open` | the request passes, and is not counted |
//! | `local` | this instance counts for itself, up to its share of the limit |
//!
//! All cells are asked at once. When one of them refuses, [`Limiter::settle`] gives back what the others granted, in what
//! follows the response. Invariant: whatever is reserved is settled once, or expires as charged.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::future::{Either, join_all, select};

use super::admission::{Admission, Charge, Held, Left, Need, Place};
use super::alert::Alarm;
use super::leases::{Errand, Leases, Taken};
use super::refusal::{Because, Refused};
use super::rule::{Amount, Measure, Quota};
use super::spec::{Away, Mode, UnknownPrice};
use crate::cell::allowance::{self, Allowance, Hold, Reserve, Settle, Terms};
use crate::cell::concurrency::{self, Concurrency};
use crate::cell::{self, Program};
use crate::config::Webhook;
use crate::error::{Error, ErrorKind, Result};
use crate::ports::memory::MemoryCells;
use crate::ports::{CellStore, Clock, Entropy, Ports, Timestamp};
use crate::usage::NanoUsd;

/// How long a cell may take to answer before its store counts as away.
const PATIENCE: Duration = Duration::from_secs(3);
/// How long a store that did not answer is not asked again, so that not every request waits for it.
const AWAY: Duration = Duration::from_secs(1);
/// How long a slot is held without being renewed, and how often it is.
const SLOT: Duration = Duration::from_secs(60);
/// How often slots are renewed.
pub const RENEW: Duration = Duration::from_secs(20);
/// How long a counted request can be given back, when another limit refuses it.
const UNDO: Duration = Duration::from_secs(2);
/// What this instance counts for itself while the store is away, in bytes.
const LOCAL_BYTES: usize = 1 << 20;
/// How often a settlement is tried, and how long it waits after the first failure.
const TRIES: u32 = 3;
const PAUSE: Duration = Duration::from_millis(50);

/// Admits requests, for one instance.
pub struct Limiter {
    cells: Option<Arc<dyn CellStore>>,
    here: MemoryCells,
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
    leases: Mutex<Leases>,
    alarm: Alarm,
    /// Until when the store counts as away, in microseconds since the epoch.
    away_until: AtomicU64,
}

/// What a request really took.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Spent {
    /// Tokens of input.
    pub input: u64,
    /// Tokens of output.
    pub output: u64,
    /// What it cost; `None` when nobody knows.
    pub cost: Option<NanoUsd>,
}

impl Spent {
    fn of(&self, measure: Measure) -> u64 {
        Need { input: self.input, output: self.output, cost: self.cost }.of(measure)
    }
}

/// A charge whose cell is asked; with the command that refills its lease first, if it has one.
type Asking<'a> = (&'a Charge, Option<allowance::Command>);

/// A budget's standing after a settlement, for alerts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settled {
    /// The budget.
    pub quota: Quota,
    /// What is spent and not only reserved.
    pub spent: u64,
    /// What was allowed on top.
    pub credit: u64,
    /// Whether it refused a request, and what is spent is the reason.
    pub stopped: bool,
}

impl Limiter {
    /// A limiter over a platform's cells.
    pub fn new(ports: &Ports) -> Self {
        let (clock, entropy) = (ports.clock.clone(), ports.entropy.clone());
        let here = MemoryCells::new(clock.clone(), LOCAL_BYTES);
        Self {
            cells: ports.cells.clone(),
            here,
            clock,
            entropy,
            leases: Mutex::default(),
            alarm: Alarm::new(ports.clone()),
            away_until: AtomicU64::new(0),
        }
    }

    /// Says what will be reserved, and reserves nothing. `ttl` is the longest that the request can last; `instances` is among
    /// how many a limit is divided.
    pub fn prepare(&self, mut quotas: Vec<Quota>, need: Need, ttl: Duration, instances: u32) -> Admission {
        if need.cost.is_none() {
            // A budget that takes requests of unknown price has nothing to reserve for them.
            let passes =
                |quota: &Quota| matches!(&quota.amount, Amount::Budget(budget) if budget.unknown_price == UnknownPrice::Allow);
            quotas.retain(|quota| !passes(quota));
        }
        Admission::new(quotas, need, ttl, instances, self.entropy.u64())
    }

    /// Reserves everything, or says why not.
    pub async fn admit(&self, admission: &Admission) -> Result<(), Refused> {
        if let Some(charge) = admission.charges.iter().find(|charge| charge.quota.measure == Measure::Cost)
            && !admission.priced
        {
            return charge.refused(Because::Unpriced);
        }
        let (asking, pushed_out) = self.take(admission)?;
        if let (Some(cells), false) = (&self.cells, pushed_out.is_empty()) {
            join_all(pushed_out.into_iter().map(|errand| self.run(&**cells, errand))).await;
        }
        let refusals = match <[_; 1]>::try_from(asking) {
            Ok([(charge, refill)]) => self.reserve(charge, refill, admission).await.err(),
            Err(asking) => {
                let verdicts = join_all(asking.into_iter().map(|(charge, refill)| self.reserve(charge, refill, admission))).await;
                verdicts.into_iter().filter_map(Result::err).max_by_key(Refused::weight)
            }
        };
        match refusals {
            Some(refused) => Err(refused),
            None => {
                admission.admit();
                Ok(())
            }
        }
    }

    /// Takes what is in this instance's slices. Gives what is left to ask, and what leases that were pushed out give back.
    fn take<'a>(&self, admission: &'a Admission) -> Result<(Vec<Asking<'a>>, Vec<Errand>), Refused> {
        let (mut asking, mut errands, mut refused) = (Vec::new(), Vec::new(), None);
        if self.cells.is_none() || !admission.charges.iter().any(Charge::is_leased) {
            return Ok((admission.charges.iter().map(|charge| (charge, None)).collect(), errands));
        }
        let now = self.clock.now();
        let mut leases = self.leases();
        for charge in &admission.charges {
            let Some(terms) = charge.quota.terms().filter(|_| charge.is_leased()) else {
                asking.push((charge, None));
                continue;
            };
            let id = || self.entropy.u64();
            let (taken, pushed_out) = leases.take(&charge.quota.cell, terms, admission.instances, charge.amount, id, now);
            errands.extend(pushed_out);
            match taken {
                Taken::Direct => asking.push((charge, None)),
                Taken::Ask(command) => asking.push((charge, Some(command))),
                taken => refused = charge.taken(taken).and_then(Result::err).or(refused),
            }
        }
        let Some(refused) = refused else { return Ok((asking, errands)) };
        // Nobody is asked: what leases wait for does not come.
        for (charge, refill) in asking {
            if refill.is_some() {
                leases.answered(&charge.quota.cell, None, now);
            }
        }
        Err(refused)
    }

    async fn reserve(&self, charge: &Charge, refill: Option<allowance::Command>, admission: &Admission) -> Result<(), Refused> {
        let quota = &charge.quota;
        let Some(terms) = quota.terms() else { return self.slot(charge, admission).await };
        if let (Some(command), Some(cells)) = (refill, &self.cells) {
            self.run(&**cells, Errand { cell: quota.cell.clone(), command, awaited: true }).await;
            let (id, now) = (|| self.entropy.u64(), self.clock.now());
            let (taken, _) = self.leases().take(&quota.cell, terms, admission.instances, charge.amount, id, now);
            match taken {
                Taken::Direct => {}
                // Somebody else has taken what came: the cell itself knows what is left.
                Taken::Ask(_) => self.leases().answered(&quota.cell, None, now),
                taken => return charge.taken(taken).unwrap_or(Ok(())),
            }
        }
        let shared = match self.shared() {
            Ok(cells) => self.ask(cells, charge, terms, Place::Shared, admission).await,
            Err(error) => Err(error),
        };
        let error = match shared {
            Ok(verdict) => return verdict,
            Err(error) => error,
        };
        match quota.when_away {
            Away::Open => {
                // Nobody knows whether it took effect: what follows gives it back or settles it, when the store is there again.
                Ok(())
            }
            Away::Closed => charge.refused(Because::Away(error)),
            Away::Local => {
                let share = Terms { limit: (terms.limit / u64::from(admission.instances.max(1))).max(1), ..terms };
                match self.ask(&self.here, charge, share, Place::Here, admission).await {
                    Ok(verdict) => verdict,
                    Err(error) => charge.refused(Because::Away(error)),
                }
            }
        }
    }

    /// Asks an allowance.
    async fn ask(
        &self,
        cells: &dyn CellStore,
        charge: &Charge,
        terms: Terms,
        place: Place,
        admission: &Admission,
    ) -> Result<Result<(), Refused>> {
        let requests = charge.quota.measure == Measure::Requests;
        // A request alone is counted for good at once. One that another limit may still refuse can be given back for a moment.
        let ttl = match requests {
            true if admission.charges.len() == 1 => Duration::ZERO,
            true => UNDO,
            false => admission.ttl,
        };
        let (id, amount) = (charge.id, charge.amount);
        let reserve = |ttl| Reserve { terms, id, amount, least: amount, ttl, hold: Hold::Now, after: None };
        charge.hold(Held::Asked(place));
        let mut reply = self.within::<Allowance>(cells, charge, &allowance::Command::Reserve(reserve(ttl))).await?;
        if requests && matches!(reply, allowance::Reply::Refused { because: allowance::Refusal::Crowded, .. }) {
            reply = self.within::<Allowance>(cells, charge, &allowance::Command::Reserve(reserve(Duration::ZERO))).await?;
        }
        Ok(match reply {
            allowance::Reply::Granted { ttl, remaining, clear_after, .. } => {
                charge.hold(if ttl.is_zero() { Held::Counted } else { Held::Open(place) });
                charge.stands(Left { remaining, clear_after });
                Ok(())
            }
            allowance::Reply::Refused { remaining, retry_after, because } => {
                charge.hold(Held::Nothing);
                charge.stands(Left { remaining, clear_after: retry_after });
                charge.refused(match because {
                    allowance::Refusal::Exhausted => Because::Exhausted { amount, remaining, retry_after },
                    allowance::Refusal::Crowded => Because::Crowded { retry_after },
                })
            }
            _ => return Err(unexpected()),
        })
    }

    /// Sends a lease's command, and tells the lease what came of it.
    async fn run(&self, cells: &dyn CellStore, errand: Errand) {
        let Errand { cell, command, awaited } = errand;
        // A caller that goes away while the answer is on its way must not leave the lease waiting for it.
        let mut waiting = Waiting { limiter: self, cell: awaited.then_some(cell.as_str()) };
        let answer = select(Box::pin(cell::command::<Allowance>(cells, &cell, &command)), Box::pin(self.clock.sleep(PATIENCE)));
        let reply = match answer.await {
            Either::Left((reply, _)) => reply.ok(),
            Either::Right(_) => {
                self.is_away();
                None
            }
        };
        if waiting.cell.take().is_some() {
            self.leases().answered(&cell, reply.as_ref(), self.clock.now());
        }
    }

    async fn slot(&self, charge: &Charge, admission: &Admission) -> Result<(), Refused> {
        let Amount::AtOnce(most) = charge.quota.amount else { return Ok(()) };
        let acquire = |limit| concurrency::Command::Acquire { id: charge.id, limit, ttl: SLOT, patience: Duration::ZERO };
        charge.hold(Held::Asked(Place::Shared));
        let shared = match self.shared() {
            Ok(cells) => self.within::<Concurrency>(cells, charge, &acquire(most)).await,
            Err(error) => Err(error),
        };
        let (reply, place) = match (shared, charge.quota.when_away) {
            (Ok(reply), _) => (reply, Place::Shared),
            (Err(_), Away::Open) => return Ok(()),
            (Err(error), Away::Closed) => return charge.refused(Because::Away(error)),
            (Err(_), Away::Local) => {
                charge.hold(Held::Asked(Place::Here));
                let share = (most / admission.instances.max(1)).max(1);
                match self.within::<Concurrency>(&self.here, charge, &acquire(share)).await {
                    Ok(reply) => (reply, Place::Here),
                    Err(error) => return charge.refused(Because::Away(error)),
                }
            }
        };
        match reply {
            concurrency::Reply::Held { .. } => {
                charge.hold(Held::Open(place));
                Ok(())
            }
            concurrency::Reply::Refused { retry_after, .. } => {
                charge.hold(Held::Nothing);
                // A slot is usually free long before it expires.
                let soon = retry_after.map(|after| after.min(Duration::from_secs(1)));
                charge.refused(Because::Exhausted { amount: 1, remaining: 0, retry_after: soon })
            }
            _ => charge.refused(Because::Away(unexpected())),
        }
    }

    /// Asks a charge's cell, for as long as there is patience.
    async fn within<P: Program>(&self, cells: &dyn CellStore, charge: &Charge, command: &P::Command) -> Result<P::Reply> {
        let answer = Box::pin(cell::command::<P>(cells, &charge.quota.cell, command));
        match select(answer, Box::pin(self.clock.sleep(PATIENCE))).await {
            Either::Left((reply, _)) => reply,
            Either::Right(_) => Err(self.is_away()),
        }
    }

    /// Holds the slots for longer. To be called every [`RENEW`] while the request lasts.
    pub async fn renew(&self, admission: &Admission) {
        let slots = admission.charges.iter().filter(|charge| charge.quota.measure == Measure::Concurrency);
        let renew = |charge: &Charge| concurrency::Command::Renew { id: charge.id, ttl: SLOT };
        for charge in slots {
            // A renewal that fails is made up for by the next: a slot lasts for three.
            let Held::Open(place) = charge.held() else { continue };
            let Some(cells) = self.at(place) else { continue };
            let _ = self.within::<Concurrency>(cells, charge, &renew(charge)).await;
        }
    }

    /// Says what a request really took, and gives back what it did not; everything, if it was not admitted. Gives the standing
    /// of its budgets.
    pub async fn settle(&self, admission: &Admission, spent: Spent) -> Vec<Settled> {
        let admitted = admission.is_admitted();
        let (mut asking, mut settled, mut errands) = (Vec::new(), Vec::new(), Vec::new());
        {
            let mut leases = admission.charges.iter().any(Charge::is_leased).then(|| self.leases());
            for charge in &admission.charges {
                match (charge.held(), &mut leases) {
                    (Held::Leased(ticket), Some(leases)) => {
                        charge.take();
                        let actual = if admitted { spent.of(charge.quota.measure) } else { 0 };
                        leases.settle(&charge.quota.cell, ticket, actual);
                        settled.extend(self.leased(charge));
                    }
                    (Held::Nothing, _) if admitted || charge.quota.measure != Measure::Cost => {}
                    (Held::Counted, _) => {}
                    _ => asking.push(charge),
                }
            }
            if let Some(leases) = &mut leases {
                let cells = admission.charges.iter().filter(|charge| charge.is_leased());
                errands = leases.due(cells.map(|charge| charge.quota.cell.as_str()), || self.entropy.u64(), self.clock.now());
            }
        }
        if !asking.is_empty() {
            let closed = join_all(asking.into_iter().map(|charge| self.close(charge, admitted, spent))).await;
            settled.extend(closed.into_iter().flatten());
        }
        if let (Some(cells), false) = (&self.cells, errands.is_empty()) {
            join_all(errands.into_iter().map(|errand| self.run(&**cells, errand))).await;
        }
        settled.retain(|settled| self.alarm.is_due(settled));
        settled
    }

    /// How a leased budget stands as of its last slice: what is in slices counts as spent, which is at most a fortieth too early.
    fn leased(&self, charge: &Charge) -> Option<Settled> {
        let left = charge.left().filter(|_| charge.quota.measure == Measure::Cost)?;
        let spent = charge.quota.terms()?.limit.saturating_sub(left.remaining);
        // Most requests reach nothing: their budget is not copied.
        let due = self.alarm.reaches(&charge.quota, spent, 0, false);
        due.then(|| Settled { quota: charge.quota.clone(), spent, credit: 0, stopped: false })
    }

    async fn close(&self, charge: &Charge, admitted: bool, spent: Spent) -> Option<Settled> {
        let quota = &charge.quota;
        let actual = if admitted { spent.of(quota.measure) } else { 0 };
        let place = match charge.take() {
            Held::Nothing if quota.measure == Measure::Cost && !admitted => return self.stopped(charge).await,
            Held::Nothing | Held::Counted | Held::Leased(_) => return None,
            Held::Asked(place) | Held::Open(place) => place,
        };
        let cells = self.at(place)?;
        match quota.measure {
            Measure::Concurrency => {
                let release = concurrency::Command::Release { id: charge.id };
                self.insist::<Concurrency>(cells, charge, &release).await?;
                None
            }
            // What was counted stays so.
            Measure::Requests if admitted => None,
            _ => {
                let settle = allowance::Command::Settle(Settle { id: charge.id, actual });
                match self.insist::<Allowance>(cells, charge, &settle).await? {
                    allowance::Reply::Settled { charged, reserved, credit } if place == Place::Shared => {
                        let spent = charged.saturating_sub(reserved);
                        Some(Settled { quota: quota.clone(), spent, credit, stopped: false })
                    }
                    _ => None,
                }
            }
        }
    }

    /// Whether a budget that refused a request is spent, and not only reserved; asked until that has been told.
    async fn stopped(&self, charge: &Charge) -> Option<Settled> {
        let (Some(left), Some(terms), Some(cells)) = (charge.left(), charge.quota.terms(), &self.cells) else { return None };
        let told = self.alarm.told(&charge.quota.cell, terms.window.bucket(self.clock.now()));
        if left.remaining >= charge.amount || told >= 100 {
            return None;
        }
        let look = allowance::Command::Look(terms);
        match self.within::<Allowance>(&**cells, charge, &look).await.ok()? {
            allowance::Reply::Standing { charged, credit, open: 0, .. } => {
                Some(Settled { quota: charge.quota.clone(), spent: charged, credit, stopped: true })
            }
            _ => None,
        }
    }

    /// Tells of the budgets that have reached a threshold.
    pub async fn alert(&self, settled: &[Settled], webhook: Option<&Webhook>, request: &str) {
        for settled in settled {
            self.alarm.look(settled, webhook, request).await;
        }
    }

    /// Sends a command that may be sent again, a few times. What fails in the end stays charged.
    async fn insist<P: Program>(&self, cells: &dyn CellStore, charge: &Charge, command: &P::Command) -> Option<P::Reply> {
        let cell = &charge.quota.cell;
        let answer = Box::pin(async {
            let mut pause = PAUSE;
            for _ in 1..TRIES {
                if let Ok(reply) = cell::command::<P>(cells, cell, command).await {
                    return Some(reply);
                }
                self.clock.sleep(pause).await;
                pause *= 4;
            }
            cell::command::<P>(cells, cell, command).await.ok()
        });
        match select(answer, Box::pin(self.clock.sleep(PATIENCE))).await {
            Either::Left((reply, _)) => reply,
            Either::Right(_) => None,
        }
    }

    /// Gives back every slice of this instance, for an orderly end.
    pub async fn release(&self) {
        let Some(cells) = &self.cells else { return };
        let errands = self.leases().close();
        join_all(errands.into_iter().map(|errand| self.run(&**cells, errand))).await;
    }

    /// The cells that all instances share, unless they are known to be away.
    fn shared(&self) -> Result<&dyn CellStore> {
        let until = self.away_until.load(Ordering::Relaxed);
        let left = Timestamp(until).since(self.clock.now());
        // A clock that went back must not keep the store away.
        if !left.is_zero() && left <= AWAY {
            return Err(no_store().source("it did not answer a moment ago"));
        }
        self.cells.as_deref().ok_or_else(|| no_store().source("this platform has no cells here"))
    }

    /// The store has not answered: nobody asks it for a moment.
    fn is_away(&self) -> Error {
        self.away_until.store(self.clock.now().plus(AWAY).0, Ordering::Relaxed);
        no_store().source(format_args!("no answer within {} s", PATIENCE.as_secs()))
    }

    fn at(&self, place: Place) -> Option<&dyn CellStore> {
        match place {
            Place::Shared => self.cells.as_deref(),
            Place::Here => Some(&self.here),
        }
    }

    fn leases(&self) -> MutexGuard<'_, Leases> {
        self.leases.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A lease that waits for an answer; tells it that there is none if nobody else does.
struct Waiting<'a> {
    limiter: &'a Limiter,
    cell: Option<&'a str>,
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        if let Some(cell) = self.cell {
            self.limiter.leases().answered(cell, None, self.limiter.clock.now());
        }
    }
}

impl Charge {
    fn is_leased(&self) -> bool {
        self.quota.mode == Mode::Leased && !matches!(self.quota.amount, Amount::AtOnce(_))
    }

    fn refused(&self, because: Because) -> Result<(), Refused> {
        Err(Refused::new(&self.quota, because))
    }

    /// Takes what a lease said; `None` when it did not decide.
    fn taken(&self, taken: Taken) -> Option<Result<(), Refused>> {
        match taken {
            Taken::Here(ticket, left) => {
                self.hold(Held::Leased(ticket));
                left.into_iter().for_each(|left| self.stands(left));
                Some(Ok(()))
            }
            Taken::Wait(wait, left) => {
                let remaining = left.map_or(0, |left| left.remaining);
                left.into_iter().for_each(|left| self.stands(left));
                Some(self.refused(Because::Exhausted { amount: self.amount, remaining, retry_after: Some(wait) }))
            }
            Taken::Ask(_) | Taken::Direct => None,
        }
    }
}

fn no_store() -> Error {
    Error::new(ErrorKind::Overloaded, "The gateway's store is away.")
}

fn unexpected() -> Error {
    Error::new(ErrorKind::Internal, "The gateway got an answer from its store that it does not understand.")
}

//! The encodings of an allowance's commands, replies and state.
//!
//! Invariant: a state that decodes keeps the invariants of [`State`]; its open reservations are written relative to its
//! latest moment, which makes them short.

use super::{CREDITS, Command, Credit, Hold, OPEN, Open, Refusal, Reply, Reserve, Settle, State, Terms};
use crate::cell::pack::{Pack, Packer, Unpacker, refused};
use crate::cell::window::Window;
use crate::error::{Error, Result};
use crate::ports::Timestamp;

impl Terms {
    fn pack(self, to: &mut Packer) {
        to.number(self.limit);
        self.window.pack(to);
    }

    fn unpack(from: &mut Unpacker<'_>) -> Result<Self> {
        Ok(Self { limit: from.number()?, window: Window::unpack(from)? })
    }
}

impl Hold {
    fn pack(self, to: &mut Packer) {
        to.byte(match self {
            Self::Now => 0,
            Self::Slice => 1,
        });
    }

    fn unpack(from: &mut Unpacker<'_>) -> Result<Self> {
        match from.byte()? {
            0 => Ok(Self::Now),
            1 => Ok(Self::Slice),
            other => Err(refused(format_args!("there is no hold {other}"))),
        }
    }
}

impl Settle {
    fn pack(self, to: &mut Packer) {
        to.number(self.id);
        to.number(self.actual);
    }

    fn unpack(from: &mut Unpacker<'_>) -> Result<Self> {
        Ok(Self { id: from.number()?, actual: from.number()? })
    }
}

impl Pack for Command {
    const VERSION: u8 = 1;

    fn pack(&self, to: &mut Packer) {
        match self {
            Self::Look(terms) => {
                to.byte(0);
                terms.pack(to);
            }
            Self::Reserve(reserve) => {
                to.byte(1);
                reserve.terms.pack(to);
                to.number(reserve.id);
                to.number(reserve.amount);
                to.number(reserve.least);
                to.duration(reserve.ttl);
                reserve.hold.pack(to);
                to.option(reserve.after, |to, settle| settle.pack(to));
            }
            Self::Settle(settle) => {
                to.byte(2);
                settle.pack(to);
            }
            Self::Extend { id, ttl } => {
                to.byte(3);
                to.number(*id);
                to.duration(*ttl);
            }
            Self::Credit { terms, id, amount } => {
                to.byte(4);
                terms.pack(to);
                to.number(*id);
                to.number(*amount);
            }
            Self::Reset { terms, id } => {
                to.byte(5);
                terms.pack(to);
                to.number(*id);
            }
        }
    }

    fn unpack(from: &mut Unpacker<'_>) -> Result<Self> {
        Ok(match from.byte()? {
            0 => Self::Look(Terms::unpack(from)?),
            1 => Self::Reserve(Reserve {
                terms: Terms::unpack(from)?,
                id: from.number()?,
                amount: from.number()?,
                least: from.number()?,
                ttl: from.duration()?,
                hold: Hold::unpack(from)?,
                after: from.option(Settle::unpack)?,
            }),
            2 => Self::Settle(Settle::unpack(from)?),
            3 => Self::Extend { id: from.number()?, ttl: from.duration()? },
            4 => Self::Credit { terms: Terms::unpack(from)?, id: from.number()?, amount: from.number()? },
            5 => Self::Reset { terms: Terms::unpack(from)?, id: from.number()? },
            other => return Err(refused(format_args!("there is no command {other}"))),
        })
    }
}

impl Pack for Reply {
    const VERSION: u8 = 2;

    fn pack(&self, to: &mut Packer) {
        match self {
            Self::Standing { charged, credit, remaining, open, clear_after } => {
                to.byte(0);
                to.number(*charged);
                to.number(*credit);
                to.number(*remaining);
                to.number(u64::from(*open));
                to.option(*clear_after, Packer::duration);
            }
            Self::Granted { amount, ttl, remaining, clear_after } => {
                to.byte(1);
                to.number(*amount);
                to.duration(*ttl);
                to.number(*remaining);
                to.option(*clear_after, Packer::duration);
            }
            Self::Refused { remaining, retry_after, because } => {
                to.byte(2);
                to.number(*remaining);
                to.option(*retry_after, Packer::duration);
                to.byte(match because {
                    Refusal::Exhausted => 0,
                    Refusal::Crowded => 1,
                });
            }
            Self::Settled { charged, reserved, credit } => {
                to.byte(3);
                to.number(*charged);
                to.number(*reserved);
                to.number(*credit);
            }
            Self::Gone => to.byte(4),
        }
    }

    fn unpack(from: &mut Unpacker<'_>) -> Result<Self> {
        Ok(match from.byte()? {
            0 => Self::Standing {
                charged: from.number()?,
                credit: from.number()?,
                remaining: from.number()?,
                open: from.number32()?,
                clear_after: from.option(Unpacker::duration)?,
            },
            1 => Self::Granted {
                amount: from.number()?,
                ttl: from.duration()?,
                remaining: from.number()?,
                clear_after: from.option(Unpacker::duration)?,
            },
            2 => Self::Refused {
                remaining: from.number()?,
                retry_after: from.option(Unpacker::duration)?,
                because: match from.byte()? {
                    0 => Refusal::Exhausted,
                    1 => Refusal::Crowded,
                    other => return Err(refused(format_args!("there is no refusal {other}"))),
                },
            },
            3 => Self::Settled { charged: from.number()?, reserved: from.number()?, credit: from.number()? },
            4 => Self::Gone,
            other => return Err(refused(format_args!("there is no reply {other}"))),
        })
    }
}

impl Pack for State {
    const VERSION: u8 = 1;

    fn pack(&self, to: &mut Packer) {
        let oldest = self.window.oldest(self.latest);
        self.window.pack(to);
        to.moment(self.latest);
        to.length(self.charges.len());
        for (bucket, amount) in &self.charges {
            to.number(bucket - oldest);
            to.number(*amount);
        }
        to.length(self.open.len());
        for open in &self.open {
            to.number(open.id);
            to.number(open.amount);
            to.number(open.bucket - oldest);
            to.number(open.expires.0 - self.latest.0);
            open.hold.pack(to);
        }
        // Most states have neither credits nor a reset, and are written as they were before there were any.
        if self.credits.is_empty() && self.reset.is_none() {
            return;
        }
        to.length(self.credits.len());
        for credit in &self.credits {
            to.number(credit.id);
            to.number(credit.amount);
            to.number(credit.bucket - oldest);
        }
        to.option(self.reset, |to, (id, bucket)| {
            to.number(id);
            to.number(bucket - oldest);
        });
    }

    fn unpack(from: &mut Unpacker<'_>) -> Result<Self> {
        let (window, latest) = (Window::unpack(from)?, from.moment()?);
        let oldest = window.oldest(latest);
        let absolute = |relative: u64, base: u64| base.checked_add(relative).ok_or_else(disorder);
        let charges =
            (0..from.count(2)?).map(|_| Ok((absolute(from.number()?, oldest)?, from.number()?))).collect::<Result<Vec<_>>>()?;
        let open = (0..from.count(5)?)
            .map(|_| {
                Ok(Open {
                    id: from.number()?,
                    amount: from.number()?,
                    bucket: absolute(from.number()?, oldest)?,
                    expires: Timestamp(absolute(from.number()?, latest.0)?),
                    hold: Hold::unpack(from)?,
                })
            })
            .collect::<Result<Vec<_>>>()?;
        let (mut credits, mut reset) = (Vec::new(), None);
        if !from.is_empty() {
            credits = (0..from.count(3)?)
                .map(|_| Ok(Credit { id: from.number()?, amount: from.number()?, bucket: absolute(from.number()?, oldest)? }))
                .collect::<Result<Vec<_>>>()?;
            reset = from.option(|from| Ok((from.number()?, absolute(from.number()?, oldest)?)))?;
            if credits.is_empty() && reset.is_none() || credits.len() > CREDITS {
                return Err(disorder());
            }
        }
        let in_order = charges.is_sorted_by(|a, b| a.0 < b.0) && open.is_sorted_by(|a, b| a.id < b.id);
        let alive = open.iter().all(|open| open.expires > latest) && charges.iter().all(|charge| charge.1 > 0);
        let state = Self { window, latest, charges, open, credits, reset };
        if in_order && alive && state.open.len() <= OPEN { Ok(state) } else { Err(disorder()) }
    }
}

fn disorder() -> Error {
    refused(format_args!("its charges or reservations are out of order"))
}

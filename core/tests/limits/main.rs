//! Limits and budgets through the whole walk, over memory ports: what is refused, what is charged, and what is given back.

mod budgets;
mod concurrency;
mod requests;
mod streams;
mod world;

//! Messages, both ways.
//!
//! | wire | canonical |
//! |---|---|
//! | `system`, `developer`, `user` | the same role at the same place |
//! | `assistant` | reasoning, text and refusal, then tool calls |
//! | `tool`, legacy `function` | one [`ToolResult`]; several in one canonical message become several here |
//! | `tool_calls[].id` | may carry signed reasoning and the call's signature, see [`crate::chat::carry`] |
//! | `reasoning_content`, `reasoning` | unsigned [`Reasoning`], unless the ids carry the signed original |
//! | `reasoning_details` (OpenRouter) | [`Reasoning`] signed by this dialect: the array's JSON is the signature |
//!
//! Three things have no field here. Media in a tool's result go to a user message after the results,
//! which names the call, with a `moved` warning. That a tool failed (`is_error`) is left to the
//! result's own words, with an `approximated` warning: wrapping them in JSON would bend long outputs.
//! Media in an assistant's message are refused.
//!
//! The first call's reasoning goes before everything else of its message: providers that sign it
//! want it there.

mod decode;
mod encode;

pub(super) use decode::{decode, detailed, merge_details};
pub(super) use encode::{arguments, encode};

//! Tools and the choice among them.

use serde_json::Value;

use super::{CacheControl, Extra};
use crate::dialect::DialectId;

/// A tool that the model may call.
#[derive(Clone, Debug, PartialEq)]
pub enum Tool {
    /// A function of the caller's.
    Function(FunctionTool),
    /// A tool that the provider runs (web search, code execution, computer use). Refused for providers of another dialect.
    Hosted(HostedTool),
}

/// A function of the caller's.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct FunctionTool {
    /// Its name.
    pub name: String,
    /// What it does, for the model.
    pub description: Option<String>,
    /// JSON Schema of its arguments (an object schema); `None` where the caller gave none.
    pub parameters: Option<Value>,
    /// Whether arguments must match the schema exactly.
    pub strict: Option<bool>,
    /// A prompt-cache breakpoint after this tool.
    pub cache: Option<CacheControl>,
    /// Fields without a canonical name.
    pub extra: Extra,
}

/// A tool that the provider runs.
#[derive(Clone, Debug, PartialEq)]
pub struct HostedTool {
    /// Whose tool.
    pub dialect: DialectId,
    /// Its kind there, for messages: `web_search_20250305`, `googleSearch`, `custom`.
    pub kind: String,
    /// The declaration, whole.
    pub value: Value,
}

/// Which tools the model may or must call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ToolChoice {
    /// The model decides.
    Auto,
    /// No tool.
    None,
    /// At least one.
    Required,
    /// This one.
    Function(String),
    /// One of these, and at least one when `required`.
    Allowed {
        /// Their names.
        names: Vec<String>,
        /// Whether one must be called.
        required: bool,
    },
}

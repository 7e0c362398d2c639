//! Writes JSON straight into a byte buffer, without a tree between.
//!
//! Invariant: every [`Object`] and [`Array`] that was begun is closed when it goes out of scope, so
//! what is written is JSON on every path, early returns included.

use serde::Serialize;

/// Appends any value as JSON.
pub fn value<T: Serialize + ?Sized>(out: &mut Vec<u8>, value: &T) {
    // Writing to a Vec cannot fail, and nothing that is written here has keys that are not strings.
    if serde_json::to_writer(&mut *out, value).is_err() {
        debug_assert!(false, "a value that JSON cannot hold");
    }
}

/// An object under construction.
#[derive(Debug)]
pub struct Object<'o> {
    out: &'o mut Vec<u8>,
    empty: bool,
}

impl<'o> Object<'o> {
    /// Begins an object at the end of `out`.
    pub fn begin(out: &'o mut Vec<u8>) -> Self {
        out.push(b'{');
        Self { out, empty: true }
    }

    /// Goes on with an object that stands at the end of `out` without its closing brace, and has members.
    pub fn resume(out: &'o mut Vec<u8>) -> Self {
        Self { out, empty: false }
    }

    /// Adds a member.
    pub fn field<T: Serialize + ?Sized>(&mut self, key: &str, member: &T) {
        value(self.key(key), member);
    }

    /// Adds a member unless it is absent.
    pub fn some<T: Serialize>(&mut self, key: &str, member: &Option<T>) {
        if let Some(member) = member {
            self.field(key, member);
        }
    }

    /// Adds an object; fill it before the next member.
    pub fn object(&mut self, key: &str) -> Object<'_> {
        Object::begin(self.key(key))
    }

    /// Adds an array; fill it before the next member.
    pub fn array(&mut self, key: &str) -> Array<'_> {
        Array::begin(self.key(key))
    }

    fn key(&mut self, key: &str) -> &mut Vec<u8> {
        if !std::mem::take(&mut self.empty) {
            self.out.push(b',');
        }
        value(self.out, key);
        self.out.push(b':');
        self.out
    }
}

impl Drop for Object<'_> {
    fn drop(&mut self) {
        self.out.push(b'}');
    }
}

/// An array under construction.
#[derive(Debug)]
pub struct Array<'o> {
    out: &'o mut Vec<u8>,
    empty: bool,
}

impl<'o> Array<'o> {
    /// Begins an array at the end of `out`.
    pub fn begin(out: &'o mut Vec<u8>) -> Self {
        out.push(b'[');
        Self { out, empty: true }
    }

    /// Adds an item.
    pub fn item<T: Serialize + ?Sized>(&mut self, item: &T) {
        value(self.next(), item);
    }

    /// Adds an object; fill it before the next item.
    pub fn object(&mut self) -> Object<'_> {
        Object::begin(self.next())
    }

    fn next(&mut self) -> &mut Vec<u8> {
        if !std::mem::take(&mut self.empty) {
            self.out.push(b',');
        }
        self.out
    }
}

impl Drop for Array<'_> {
    fn drop(&mut self) {
        self.out.push(b']');
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_json_and_closes_itself() {
        let mut out = Vec::new();
        {
            let mut root = Object::begin(&mut out);
            root.field("te\"xt", "a\nb");
            root.some("absent", &None::<u64>);
            root.some("n", &Some(0.5));
            let mut items = root.array("items");
            items.item(&1);
            items.object().field("x", &true);
            drop(items);
            root.object("empty");
        }
        out.pop();
        Object::resume(&mut out).field("more", &2);
        assert_eq!(out, br#"{"te\"xt":"a\nb","n":0.5,"items":[1,{"x":true}],"empty":{},"more":2}"#);
    }
}

//! Mutates JSON as JSON: flipping bytes hardly ever gets past a parser, changing values does.

use serde_json::{Map, Number, Value};

/// Numbers from a seed.
struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % bound.max(1)
    }
}

/// Changes a value somewhere in a JSON text; `None` when it is not JSON.
pub fn json(text: &[u8], seed: u32) -> Option<Vec<u8>> {
    let mut value = serde_json::from_slice(text).ok()?;
    let mut dice = Dice(u64::from(seed));
    for _ in 0..=dice.below(3) {
        let mut others = Vec::new();
        collect(&value, &mut others);
        let target = dice.below(others.len());
        let other = others[dice.below(others.len())].clone();
        change(&mut value, &mut target.clone(), &other, &mut dice);
    }
    serde_json::to_vec(&value).ok()
}

/// Changes the JSON of one event in a stream of them; `None` when there is none.
pub fn stream(text: &[u8], seed: u32) -> Option<Vec<u8>> {
    let text = std::str::from_utf8(text).ok()?;
    let mut dice = Dice(u64::from(seed));
    let mut blocks: Vec<String> = text.split_inclusive("\n\n").map(str::to_owned).collect();
    let at = dice.below(blocks.len());
    match dice.below(8) {
        0 => drop(blocks.remove(at)),
        1 => blocks.insert(at, blocks[dice.below(blocks.len())].clone()),
        2 => {
            let other = dice.below(blocks.len());
            blocks.swap(at, other);
        }
        _ => {
            let (head, data) = blocks[at].split_once("data: ")?;
            let changed = json(data.trim_end().as_bytes(), seed.rotate_left(7))?;
            blocks[at] = format!("{head}data: {}\n\n", String::from_utf8(changed).ok()?);
        }
    }
    Some(blocks.concat().into_bytes())
}

/// All values in `value`, itself first.
fn collect<'a>(value: &'a Value, all: &mut Vec<&'a Value>) {
    all.push(value);
    match value {
        Value::Array(items) => items.iter().for_each(|item| collect(item, all)),
        Value::Object(members) => members.values().for_each(|member| collect(member, all)),
        _ => {}
    }
}

/// Changes the value that comes `skip` values after `value` in the order of [`collect`].
fn change(value: &mut Value, skip: &mut usize, other: &Value, dice: &mut Dice) -> bool {
    if *skip == 0 {
        replace(value, other, dice);
        return true;
    }
    *skip -= 1;
    match value {
        Value::Array(items) => items.iter_mut().any(|item| change(item, skip, other, dice)),
        Value::Object(members) => members.values_mut().any(|member| change(member, skip, other, dice)),
        _ => false,
    }
}

fn replace(value: &mut Value, other: &Value, dice: &mut Dice) {
    let at = |dice: &mut Dice, length: usize| dice.below(length);
    match (dice.below(12), &mut *value) {
        (0..4, Value::Object(members)) if !members.is_empty() => {
            let key = members.keys().nth(at(dice, members.len())).cloned().unwrap_or_default();
            members.remove(&key);
        }
        (4, Value::Object(members)) => {
            let key = members.keys().nth(at(dice, members.len())).cloned().unwrap_or_default();
            members.insert(key, other.clone());
        }
        (0..3, Value::Array(items)) if !items.is_empty() => drop(items.remove(at(dice, items.len()))),
        (3, Value::Array(items)) => items.insert(at(dice, items.len() + 1), other.clone()),
        (4, Value::Array(items)) if !items.is_empty() => items.push(items[at(dice, items.len())].clone()),
        (0..4, Value::String(text)) => {
            let cut = text.char_indices().nth(at(dice, text.len())).map_or(0, |(at, _)| at);
            let tail = text.split_off(cut);
            if dice.below(2) == 0 {
                text.push_str(["", "é", "\u{0}", "data:", ";base64,", "\"}", "{", "_ew1_", "-1", "ZXcxOm"][dice.below(10)]);
                text.push_str(&tail);
            }
        }
        (5, _) => *value = Value::Null,
        (6, _) => *value = Value::Bool(dice.below(2) == 0),
        (7, _) => {
            *value = [
                Value::from(0),
                Value::from(-1),
                Value::from(u64::MAX),
                Value::from(i64::MIN),
                Number::from_f64(1.5).into(),
                Number::from_f64(-1e300).into(),
            ][dice.below(6)]
            .clone();
        }
        (8, _) => *value = Value::from(["", "a", "[]", "{}", "null", "\u{7F}"][dice.below(6)]),
        (9, _) => *value = Value::Array(vec![value.take()]),
        (10, _) => *value = [Value::Array(Vec::new()), Value::Object(Map::new())][dice.below(2)].clone(),
        _ => *value = other.clone(),
    }
}

/// Makes a target's mutator of a function here: half of the time libFuzzer's own, which also
/// repairs what the function cannot read.
#[macro_export]
macro_rules! mutator {
    ($mutate:path) => {
        libfuzzer_sys::fuzz_mutator!(|data: &mut [u8], size: usize, max_size: usize, seed: u32| {
            if seed % 4 != 0
                && let Some(changed) = $mutate(&data[..size], seed)
                && changed.len() <= max_size
            {
                data[..changed.len()].copy_from_slice(&changed);
                return changed.len();
            }
            libfuzzer_sys::fuzzer_mutate(data, size, max_size)
        });
    };
}

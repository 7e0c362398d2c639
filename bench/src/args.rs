//! `--key value` and `--flag` arguments; a key may repeat.
pub struct Args(Vec<(String, String)>);

impl Args {
    pub fn parse(argv: impl Iterator<Item = String>) -> Self {
        let mut out: Vec<(String, String)> = Vec::new();
        for a in argv {
            match a.strip_prefix("--") {
                Some(k) => match k.split_once('=') {
                    Some((k, v)) => out.push((k.into(), v.into())),
                    None => out.push((k.into(), String::new())),
                },
                None => match out.last_mut() {
                    Some((_, v)) if v.is_empty() => *v = a,
                    _ => out.push(("".into(), a)),
                },
            }
        }
        Args(out)
    }
    pub fn get(&self, key: &str) -> Option<&str> {
        self.0.iter().rev().find(|(k, _)| k == key).map(|(_, v)| v.as_str())
    }
    pub fn all<'a>(&'a self, key: &'a str) -> impl Iterator<Item = &'a str> {
        self.0.iter().filter(move |(k, _)| k == key).map(|(_, v)| v.as_str())
    }
    pub fn has(&self, key: &str) -> bool {
        self.get(key).is_some()
    }
    pub fn num<T: std::str::FromStr>(&self, key: &str, default: T) -> T {
        match self.get(key) {
            None => default,
            Some(v) => v.parse().unwrap_or_else(|_| {
                eprintln!("--{key}: not a number: {v}");
                std::process::exit(2)
            }),
        }
    }
    pub fn str(&self, key: &str, default: &str) -> String {
        self.get(key).unwrap_or(default).to_string()
    }
}

//! `edgeway config`, against a gateway that runs and against a store at hand.

use std::process::Output;

use super::*;

const ADMIN: &str = "[admin]\nkeys = [\"EDGEWAY_ADMIN_KEY\"]\n";
const KEY: (&str, &str) = ("EDGEWAY_ADMIN_KEY", "an-administrators-key");
const SLOW: &str = "[models.slow]\ntarget = \"demo/echo\"\n";

/// A gateway with a store in memory and an administrator's key.
fn gateway() -> Gateway {
    let folder = Folder::new();
    folder.write("edgeway.toml", &format!("{ADMIN}[server]\nstore = \"memory\"\n"));
    Gateway::start_with(folder, &[], &[KEY])
}

/// An operator somewhere else.
struct Operator {
    folder: Folder,
    gateway: Option<String>,
}

impl Operator {
    fn of(gateway: &Gateway) -> Self {
        Self { folder: Folder::new(), gateway: Some(format!("http://{}", gateway.address)) }
    }

    fn run(&self, arguments: &[&str]) -> Output {
        let gateway = self.gateway.as_deref().map_or(vec![], |gateway| vec!["--gateway", gateway]);
        let mut command = self.folder.command(&[&["config"], arguments, &gateway].concat());
        command.envs([KEY, ("USER", "ada")]).output().expect("it runs")
    }

    fn done(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        assert!(output.status.success(), "{arguments:?}: {}", said(&output));
        String::from_utf8(output.stdout).expect("UTF-8")
    }

    fn refused(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        assert_eq!(output.status.code(), Some(1), "{arguments:?}: {}", said(&output));
        String::from_utf8(output.stderr).expect("UTF-8")
    }

    fn json(&self, arguments: &[&str]) -> Value {
        serde_json::from_str(&self.done(&[arguments, &["--json"]].concat())).expect("JSON")
    }
}

fn said(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

fn models(gateway: &Gateway) -> String {
    gateway.client().send(get("/v1/models")).answer().text().to_owned()
}

/// The walk of `docs/config-versions.md`, wherever the store is.
fn walk(operator: &Operator) {
    operator.folder.write("new.toml", SLOW);
    let difference = operator.done(&["diff", "new.toml"]);
    assert_eq!(difference, "  + models.slow.target  the default -> \"demo/echo\" (stored)\n");
    let dry = operator.done(&["push", "new.toml", "--dry-run"]);
    assert!(dry.ends_with("dry run: nothing was changed; version 0 is current\n"), "{dry}");
    let pushed = operator.done(&["push", "new.toml", "--note", "a slow one, 100 %"]);
    assert!(pushed.ends_with("version 1 is current (was 0); every gateway has it within 10 s\n"), "{pushed}");
    assert_eq!(operator.done(&["push", "new.toml"]), "nothing to change: version 1 is this document\n");
    assert_eq!(operator.done(&["show"]), SLOW);

    operator.folder.write("bad.toml", "[models.slow]\ntarget = \"nobody/x\"\n");
    for command in [&["push", "bad.toml"][..], &["diff", "bad.toml"]] {
        let output = operator.run(command);
        assert_eq!(output.status.code(), Some(1));
        assert!(said(&output).contains("there is no provider `nobody`\n  --> bad.toml:2:1\n"), "{}", said(&output));
    }
    operator.folder.write("other.toml", "[models.other]\ntarget = \"demo/echo\"\n");
    let conflict = operator.refused(&["push", "other.toml", "--expect", "0"]);
    assert!(conflict.contains("Version 1 is current"), "{conflict}");
    assert_eq!(operator.json(&["push", "other.toml", "--expect", "1"])["version"], 2);

    let back = operator.done(&["rollback", "--note", "it was better"]);
    assert!(back.contains("  - models.other.target  \"demo/echo\" (stored, version 2) -> the default\n"), "{back}");
    assert!(back.contains("version 3 is current (was 2)"), "{back}");
    let history = operator.json(&["history"]);
    let notes: Vec<_> = history["versions"].as_array().expect("a list").iter().map(|entry| entry["note"].as_str()).collect();
    assert_eq!(notes, [Some("it was better"), Some(""), Some("a slow one, 100 %")]);
    let table = operator.done(&["history"]);
    assert!(table.starts_with("VERSION  WHEN ") && table.contains("\n3 *      20"), "{table}");
    assert!(operator.done(&["show", "2"]).contains("models.other"));
    assert!(operator.done(&["show", "--values"]).contains("models.slow.target  \"demo/echo\""));
    assert!(operator.refused(&["rollback", "9"]).contains("1 to 3 are"));
}

#[test]
fn a_gateway_that_runs_is_changed_from_afar() {
    let gateway = gateway();
    walk(&Operator::of(&gateway));
    assert!(models(&gateway).contains("\"slow\""));
    let pushed = gateway.log.iter().find(|line| line.contains("config_pushed")).expect("it is on record");
    let pushed: Value = serde_json::from_str(&pushed).expect("JSON");
    assert_eq!((pushed["by"].as_str(), pushed["version"].as_u64()), (Some("EDGEWAY_ADMIN_KEY"), Some(1)));
}

#[test]
fn a_store_at_hand_is_changed_without_a_gateway_which_then_serves_it() {
    let folder = Folder::new();
    folder.write("edgeway.toml", "[server]\nstore = \"file:state\"\n");
    let operator = Operator { folder, gateway: None };
    walk(&operator);
    assert_eq!(operator.json(&["history"])["versions"][0]["by"], "ada, at the command line");
    let gateway = Gateway::start(operator.folder, &[]);
    assert!(models(&gateway).contains("\"slow\""));
}

#[test]
fn a_store_that_a_gateway_has_open_is_not_touched() {
    let folder = Folder::new();
    folder.write("edgeway.toml", "[server]\nstore = \"file:state\"\n");
    let gateway = Gateway::start(folder, &[]);
    let output = gateway._folder.run(&["config", "history"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(said(&output).contains("--gateway"), "{}", said(&output));
}

#[test]
fn what_cannot_be_done_says_why() {
    let gateway = gateway();
    let operator = Operator::of(&gateway);
    assert!(operator.refused(&["push", "missing.toml"]).contains("missing.toml"));
    assert!(operator.refused(&["rollback"]).contains("Nothing is stored"));
    let run = |key: Option<&str>, url: &str| {
        let mut command = operator.folder.command(&["config", "history", "--gateway", url]);
        let output = command.envs(key.map(|key| ("EDGEWAY_ADMIN_KEY", key))).output().expect("it runs");
        assert_eq!(output.status.code(), Some(1));
        said(&output)
    };
    let url = operator.gateway.as_deref().expect("a gateway");
    assert!(run(None, url).contains("EDGEWAY_ADMIN_KEY is not set"));
    assert!(run(Some("wrong"), url).contains("not valid"));
    assert!(run(Some("x"), "127.0.0.1:1").contains("no address"));
    assert!(run(Some("x"), "http://127.0.0.1:1").contains("does not answer"));
    let off = Gateway::start(Folder::new(), &[]);
    assert!(run(Some("x"), &format!("http://{}", off.address)).contains("administration is off"));
}

/// The fenced blocks of a document, in order: language and text.
pub(super) fn blocks(markdown: &str) -> Vec<(&str, &str)> {
    let fenced = markdown.split("```").skip(1).step_by(2);
    fenced.filter_map(|block| block.split_once('\n')).collect()
}

/// Whether a line is as shown; `...` stands for what differs from run to run.
fn is_as_shown(shown: &str, line: &str) -> bool {
    let parts: Vec<&str> = shown.split("...").map(str::trim).collect();
    match parts.as_slice() {
        [whole] => *whole == line.trim(),
        parts => {
            let mut rest = line;
            parts.iter().all(|part| rest.find(part).map(|at| rest = &rest[at + part.len()..]).is_some())
        }
    }
}

#[test]
fn the_guide_shows_what_happens() {
    let guide = include_str!("../../../../docs/config-versions.md");
    let folder = Folder::new();
    folder.write("empty.toml", "");
    let variables = [("USER", "ada"), KEY, ("OPENAI_API_KEY", "x"), ("ANTHROPIC_API_KEY", "x")];
    let mut commands = 0;
    for (language, text) in blocks(guide) {
        match language {
            "toml" => {
                let name = text.lines().next().and_then(|line| line.strip_prefix("# ")).expect("its file's name");
                folder.write(name, text);
            }
            "console" => {
                for step in text.split("$ edgeway ").skip(1) {
                    let (command, shown) = step.split_once('\n').expect("a line");
                    let words: Vec<String> = words(command);
                    let words: Vec<&str> = words.iter().map(String::as_str).collect();
                    let output = said(&folder.command(&words).envs(variables).output().expect("it runs"));
                    let mut lines: Vec<&str> = output.lines().collect();
                    for shown in shown.lines() {
                        let at = lines.iter().position(|line| is_as_shown(shown, line));
                        lines.remove(at.unwrap_or_else(|| panic!("`{command}` does not say\n{shown}\nbut\n{output}")));
                    }
                    assert_eq!(lines, [""; 0], "`{command}` says more than the guide shows");
                    commands += 1;
                }
            }
            _ => {}
        }
    }
    assert!(commands >= 7, "{commands}");
}

/// A command line's words; single quotes hold one together.
pub(super) fn words(line: &str) -> Vec<String> {
    line.split('\'')
        .enumerate()
        .flat_map(|(index, part)| match index % 2 {
            0 => part.split_whitespace().map(str::to_owned).collect(),
            _ => vec![part.to_owned()],
        })
        .collect()
}

#[test]
fn the_guides_request_does_what_it_says() {
    let guide = include_str!("../../../../docs/config-versions.md");
    let folder = Folder::new();
    let (_, file) = blocks(guide).into_iter().find(|(language, _)| *language == "toml").expect("the file");
    folder.write("edgeway.toml", &format!("{file}\n[server]\nstore = \"memory\"\n"));
    let variables = [("EDGEWAY_ADMIN_KEY", "the-administrators-key"), ("OPENAI_API_KEY", "x")];
    let gateway = Gateway::start_with(folder, &[], &variables);
    let (_, request) = blocks(guide).into_iter().find(|(language, _)| *language == "http").expect("a request");
    let (head, body) = request.split_once("\n\n").expect("a body");
    let head = head.replace('\n', "\r\n");
    let mut client = gateway.client();
    let answer = client.send(format!("{head}\r\ncontent-length: {}\r\n\r\n{body}", body.len())).answer();
    assert_eq!((answer.json()["version"].as_u64(), answer.header("etag")), (Some(1), Some("\"1\"")), "{}", answer.text());
}

#[test]
fn gateways_that_share_redis_share_the_configuration_and_keep_it_while_redis_is_away() {
    let mut redis = support::redis::Redis::start(&[]);
    let file = format!("{ADMIN}[server]\nstore = \"{}\"\n[config]\nrefresh = \"1s\"\n", redis.store("config"));
    let instance = || {
        let folder = Folder::new();
        folder.write("edgeway.toml", &file);
        Gateway::start_with(folder, &[], &[KEY])
    };
    let (here, there) = (instance(), instance());
    assert!(!models(&there).contains("\"slow\""));
    let operator = Operator::of(&here);
    operator.folder.write("new.toml", SLOW);
    operator.done(&["push", "new.toml"]);
    assert!(models(&here).contains("\"slow\""));
    // Requests are what makes an instance look; nothing else does.
    let until = std::time::Instant::now() + PATIENCE;
    while !models(&there).contains("\"slow\"") {
        assert!(std::time::Instant::now() < until, "the other instance never serves version 1");
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    redis.stop();
    while !there.log.try_iter().any(|line| line.contains("config_unreadable")) {
        assert!(models(&there).contains("\"slow\""), "the last good version serves");
        assert!(std::time::Instant::now() < until, "nothing says that the store is away");
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    assert!(operator.refused(&["history"]).contains("cannot be read"));
}

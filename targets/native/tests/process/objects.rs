//! Tenants, keys, limits and budgets from the command line and over HTTP, as `docs/admin-api.md` shows them.

use super::config::{blocks, words};
use super::*;

const OPERATOR: (&str, &str) = ("EDGEWAY_ADMIN_KEY", "the-operators-key");
const GUIDE: &str = include_str!("../../../../docs/admin-api.md");

/// Runs a command in a folder; gives its standard output.
fn done(folder: &Folder, line: &str, more: &[&str]) -> String {
    let words = words(line);
    let arguments: Vec<&str> = words.iter().map(String::as_str).skip(1).chain(more.iter().copied()).collect();
    let output = folder.command(&arguments).envs([OPERATOR]).output().expect("it runs");
    assert!(output.status.success(), "{line}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("UTF-8")
}

/// The guide's commands, wherever the store is.
fn walk(folder: &Folder, more: &[&str]) -> String {
    let (_, console) = blocks(GUIDE).into_iter().find(|(language, _)| *language == "console").expect("commands");
    let lines: Vec<&str> = console.lines().filter_map(|line| line.strip_prefix("$ ")).collect();
    assert_eq!(lines.len(), 7);
    let said: Vec<String> = lines.iter().map(|line| done(folder, line, more)).collect();
    assert!(said[0].contains("100usd/month"), "{}", said[0]);
    let key = said[2].trim_end();
    assert!(key.starts_with("ew_live_") && !key.contains(char::is_whitespace), "the text alone: {key}");
    let id = key.split('_').nth(2).expect("an id");
    assert!(said[3].contains(id) && said[3].contains("search") && said[3].contains("requests 60/minute"), "{}", said[3]);
    assert!(!said[3].contains(key) && said[5].contains("105usd"), "{}", said[5]);
    let shown: Value =
        serde_json::from_str(&done(folder, &format!("edgeway keys show {id} --tenant acme --json"), more)).expect("JSON");
    assert_eq!((shown["id"].as_str(), shown["access"]["models"][0].as_str()), (Some(id), Some("gpt-*")));
    done(folder, &format!("edgeway keys update {id} --tenant acme --title mine --rpm 5"), more);
    let revoked = done(folder, &format!("edgeway keys revoke {id} --tenant acme"), more);
    assert!(revoked.contains("mine") && revoked.contains("revoked"), "{revoked}");
    done(folder, &format!("edgeway keys delete {id} --tenant acme"), more);
    key.to_owned()
}

fn folder() -> Folder {
    let (_, file) = blocks(GUIDE).into_iter().find(|(language, _)| *language == "toml").expect("the file");
    let folder = Folder::new();
    folder.write("edgeway.toml", file);
    folder
}

#[test]
fn the_guides_commands_work_on_a_store_at_hand() {
    let folder = folder();
    walk(&folder, &[]);
    for (line, why) in [
        ("keys list", "which tenant?"),
        ("teams show nobody --tenant acme", "no such object"),
        ("teams create search --tenant acme", "already"),
        ("keys create --tenant acme --team nobody", "no such team"),
        ("keys create --tenant acme --budget 20usd", "write 20usd/month"),
        ("teams update search --tenant acme --expect 9 --title x", "Version 1 is current"),
    ] {
        let words = words(line);
        let output = folder.command(&words.iter().map(String::as_str).collect::<Vec<_>>()).output().expect("it runs");
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{line}");
        assert!(said.contains(why), "{line}: {said}");
    }
}

#[test]
fn the_guides_commands_work_on_a_gateway_from_afar() {
    let gateway = Gateway::start_with(folder(), &[], &[OPERATOR]);
    let address = format!("http://{}", gateway.address);
    let key = walk(&Folder::new(), &["--gateway", &address]);
    // Nothing of what was told once is in the log.
    let secret = key.split('_').nth(3).expect("a secret").to_owned();
    gateway.signal("TERM");
    assert!(gateway.log.iter().all(|line| !line.contains(&secret)));
    assert_eq!(gateway.exit_code(), Some(0));
}

#[test]
fn the_guides_requests_do_what_they_say() {
    let gateway = Gateway::start_with(folder(), &[], &[OPERATOR]);
    let requests: Vec<_> =
        blocks(GUIDE).into_iter().filter(|(language, _)| *language == "http").map(|(_, request)| request).collect();
    assert_eq!(requests.len(), 3);
    let statuses: Vec<u16> = requests
        .into_iter()
        .map(|request| {
            let (head, body) = request.split_once("\n\n").expect("a body");
            let mut client = gateway.client();
            let answer =
                client.send(format!("{}\r\ncontent-length: {}\r\n\r\n{body}", head.replace('\n', "\r\n"), body.len())).answer();
            assert!(answer.header("etag").is_some(), "{}", answer.text());
            answer.status
        })
        .collect();
    assert_eq!(statuses, [201, 201, 200]);
}

//! `edgeway audit`, over a store at hand and over a gateway that tells something else than what was written.

use std::io::Write;
use std::net::TcpListener;
use std::process::Output;

use super::*;

const KEY: (&str, &str) = ("EDGEWAY_ADMIN_KEY", "an-administrators-key");

fn run(folder: &Folder, arguments: &[&str]) -> Output {
    folder.command(arguments).envs([KEY, ("USER", "ada")]).output().expect("it runs")
}

fn done(folder: &Folder, arguments: &[&str]) -> String {
    let output = run(folder, arguments);
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("UTF-8")
}

fn json(folder: &Folder, arguments: &[&str]) -> Value {
    serde_json::from_str(&done(folder, &[arguments, &["--json"]].concat())).expect("JSON")
}

/// A store in which a document was pushed and another refused.
fn store() -> Folder {
    let folder = Folder::new();
    folder.write("edgeway.toml", "[server]\nstore = \"file:state\"\n");
    folder.write("new.toml", "[models.slow]\ntarget = \"demo/echo\"\n");
    done(&folder, &["config", "push", "new.toml", "--note", "a slow one"]);
    folder.write("bad.toml", "[models.slow]\ntarget = \"nobody/x\"\n");
    assert_eq!(run(&folder, &["config", "push", "bad.toml"]).status.code(), Some(1));
    folder
}

/// Something that answers every question with one page, as a gateway that cannot be trusted might.
fn liar(page: &Value) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = format!("http://{}", listener.local_addr().expect("an address"));
    let page = page.to_string();
    std::thread::spawn(move || {
        for mut caller in listener.incoming().flatten() {
            let mut asked = [0; 4096];
            let _ = caller.read(&mut asked);
            let head = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nconnection: close\r\ncontent-length:";
            let _ = write!(caller, "{head} {}\r\n\r\n{page}", page.len());
        }
    });
    address
}

#[test]
fn who_did_what_is_listed_and_verified() {
    let folder = store();
    let listed = json(&folder, &["audit", "list"]);
    let entries = listed["items"].as_array().expect("a list");
    let told: Vec<_> = entries.iter().map(|entry| (entry["by"].as_str(), entry["outcome"].as_str())).collect();
    let ada = Some("ada, at the command line");
    assert_eq!(told, [(ada, Some("begun")), (ada, Some("done")), (ada, Some("begun")), (ada, Some("failed"))]);
    let table = done(&folder, &["audit", "list", "--limit", "1"]);
    assert!(table.starts_with("SEQ  WHEN ") && table.contains("config_push") && table.lines().count() == 2, "{table}");
    let failed = json(&folder, &["audit", "list", "--outcome", "failed"]);
    assert_eq!(failed["items"].as_array().map(Vec::len), Some(1));

    let said = done(&folder, &["audit", "verify"]);
    let end = said.trim_end().strip_prefix("4 entries, intact; the end is ").unwrap_or_else(|| panic!("{said}"));
    assert_eq!(done(&folder, &["audit", "verify", "--expect", end]), said);
    let other = run(&folder, &["audit", "verify", "--expect", &format!("2:{}", "0".repeat(64))]);
    assert_eq!(other.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&other.stderr).contains("entry 2 is not what was written"));
    assert_eq!(run(&folder, &["audit", "verify", "--expect", "2"]).status.code(), Some(2));
}

#[test]
fn a_gateway_that_tells_something_else_is_found_out() {
    let folder = store();
    let items = json(&folder, &["audit", "list"])["items"].clone();
    let end = serde_json::json!({"seq": 4, "hash": items[3]["hash"]});
    let verify = |items: &Value, end: &Value| {
        let page = serde_json::json!({"items": items, "next": null, "end": end, "broken": null});
        run(&folder, &["audit", "verify", "--gateway", &liar(&page)])
    };
    let good = verify(&items, &end);
    assert!(good.status.success(), "{}", String::from_utf8_lossy(&good.stderr));
    let mut changed = items.clone();
    changed[2]["by"] = "eve".into();
    let mut shorter = items.clone();
    shorter.as_array_mut().expect("a list").remove(1);
    let mut cut = items.clone();
    cut.as_array_mut().expect("a list").pop();
    for (items, entry) in [(changed, 3), (shorter, 2), (cut, 3)] {
        let found = verify(&items, &end);
        let said = String::from_utf8_lossy(&found.stderr).into_owned();
        assert_eq!(found.status.code(), Some(1), "{said}");
        assert!(said.contains(&format!("entry {entry} is not what was written")), "{said}");
    }
}

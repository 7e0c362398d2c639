//! What a document means.

use std::time::Duration;

use edgeway_core::chat::Usage;
use edgeway_core::config::{self, Availability, Config, Diagnostic, Layer};

fn available(secrets: &[&str]) -> Availability {
    Availability { secrets: secrets.iter().map(|name| (*name).to_owned()).collect(), ..Availability::default() }
}

fn compiled(text: &str, available: &Availability) -> (Config, Vec<Diagnostic>) {
    let loaded = config::load(Some(("edgeway.toml", text)), []).unwrap_or_else(|found| panic!("{}", config::render(&found)));
    config::compile(&loaded, available).unwrap_or_else(|found| panic!("{}", config::render(&found)))
}

fn enabled(config: &Config) -> Vec<&str> {
    config.providers.iter().filter(|(_, entry)| entry.enabled).map(|(name, _)| name.as_str()).collect()
}

#[test]
fn without_a_file_the_demo_is_on_and_nothing_else() {
    let loaded = config::load(None, []).expect("no file is fine");
    let (config, found) = config::compile(&loaded, &Availability::default()).expect("no file is fine");
    assert_eq!((enabled(&config), found.len()), (vec!["demo"], 0));
    assert_eq!(config.providers["demo"].models, ["echo"]);
    assert_eq!((config.server.listen.as_str(), config.server.max_body), ("127.0.0.1:8787", 32 << 20));
    assert_eq!(config.timeouts.connect, Duration::from_secs(10));
    assert!(config.auth_keys.is_empty() && config.routes.is_empty() && config.models.is_empty());
}

#[test]
fn without_a_file_a_provider_is_on_when_its_key_is_set_or_it_answers() {
    let loaded = config::load(None, []).expect("no file is fine");
    let names = config::secret_names(&loaded);
    assert!(names.contains("OPENAI_API_KEY") && names.contains("GOOGLE_API_KEY"));
    let asked: Vec<String> = config::probes(&loaded).into_iter().map(|probe| probe.provider).collect();
    assert_eq!(asked, ["ollama"]);

    let available = Availability { reachable: ["ollama".to_owned()].into(), ..available(&["OPENAI_API_KEY", "GOOGLE_API_KEY"]) };
    let (config, found) = config::compile(&loaded, &available).expect("no file is fine");
    assert_eq!((enabled(&config), found.len()), (vec!["demo", "gemini", "ollama", "openai"], 0));
    assert_eq!(config.providers["gemini"].key.as_deref(), Some("GOOGLE_API_KEY"));
    assert_eq!(config.providers["groq"].key, None);
}

#[test]
fn a_named_provider_is_on_when_it_can_be() {
    let text = "[providers.groq]\n[providers.vllm]\n[providers.mine]\nbase_url = \"http://localhost:1/v1/\"\n\
                [providers.openai]\nenabled = false\n[providers.xai]\nkey = \"MY_XAI\"";
    let (config, found) = compiled(text, &available(&["OPENAI_API_KEY", "XAI_API_KEY", "MY_XAI"]));
    assert_eq!(enabled(&config), ["demo", "mine", "vllm", "xai"]);
    assert_eq!(config.providers["xai"].key.as_deref(), Some("MY_XAI"));
    assert_eq!(config.providers["mine"].row.speaks[0].base_url, "http://localhost:1/v1");
    assert!(config.providers["mine"].row.local);
    let messages: Vec<&str> = found.iter().map(|diagnostic| diagnostic.message.as_str()).collect();
    assert_eq!(messages, ["`groq` is switched off: `GROQ_API_KEY` is not set"]);
}

#[test]
fn a_custom_provider_is_the_same_row_as_a_built_in_one() {
    let text = r#"
        [providers.acme]
        speaks = [{ dialect = "anthropic_messages", base_url = "https://acme.example/a" }, { dialect = "gemini", base_url = "https://acme.example/g" }]
        key = "ACME_KEY"
        credential = { header = "X-Acme" }
        headers = { x-team = "search" }
        owns = ["acme-"]
        quirks = { no_seed = true }
        timeouts = { idle = "7s" }
        models = ["acme-1"]
    "#;
    let (config, found) = compiled(text, &available(&["ACME_KEY"]));
    assert!(found.is_empty(), "{}", config::render(&found));
    let entry = &config.providers["acme"];
    let speaks: Vec<String> = entry.row.speaks.iter().map(|one| format!("{} {}", one.dialect.name(), one.base_url)).collect();
    assert_eq!(speaks, ["anthropic_messages https://acme.example/a", "gemini https://acme.example/g"]);
    assert_eq!(format!("{:?}", entry.row.credential), r#"Header("x-acme")"#);
    assert_eq!((entry.key.as_deref(), entry.enabled, entry.row.local), (Some("ACME_KEY"), true, false));
    assert!(entry.row.quirks.no_seed && !entry.row.quirks.no_logprobs);
    assert_eq!((entry.headers.len(), entry.models.as_slice()), (1, ["acme-1".to_owned()].as_slice()));
    let timeouts = entry.timeouts.expect("given");
    assert_eq!((timeouts.idle, timeouts.total), (Duration::from_secs(7), config.timeouts.total));
}

#[test]
fn a_built_in_provider_changes_only_where_the_document_says() {
    let text =
        "[providers.mistral]\nquirks = { no_stream_options = false }\n[providers.openai]\nbase_url = \"http://127.0.0.1:9/v1\"";
    let (config, _) = compiled(text, &available(&["MISTRAL_API_KEY", "OPENAI_API_KEY"]));
    let mistral = &config.providers["mistral"].row;
    assert!(!mistral.quirks.no_stream_options && mistral.quirks.tool_choice_any);
    assert_eq!(mistral.speaks[0].base_url, "https://api.mistral.ai/v1");
    let openai = &config.providers["openai"].row;
    assert_eq!((openai.speaks.len(), openai.speaks[0].base_url.as_ref(), openai.local), (1, "http://127.0.0.1:9/v1", true));
    assert!(openai.owns.iter().any(|prefix| prefix == "gpt-"));
}

#[test]
fn routes_keep_their_order_and_priority_comes_first() {
    let text = r#"
        [routes.zebra]
        models = ["z-*"]
        targets = ["demo/echo"]
        [routes.alpha]
        models = ["a-*"]
        targets = ["demo/echo"]
        [routes.urgent]
        priority = 5
        models = ["u-*"]
        targets = ["demo/echo"]
        max_body = "1MiB"
    "#;
    let (config, _) = compiled(text, &Availability::default());
    let order: Vec<&str> = config.routes.iter().map(|route| route.name.as_str()).collect();
    assert_eq!(order, ["urgent", "zebra", "alpha"]);
    assert_eq!(config.routes[0].max_body, Some(1 << 20));
    assert_eq!(config.routes[1].timeouts, None);
}

#[test]
fn a_routes_targets_may_be_aliases_and_limits_come_from_the_nearest() {
    let text = r#"
        [models.fast]
        targets = ["demo/echo", "openai/gpt-4.1"]
        context = 5
        [models."openai/gpt-4.1"]
        max_output = 6
        [models."gpt-4.1"]
        max_output = 7
        context = 8
        [routes.chat]
        models = ["*"]
        targets = ["fast", "openai/gpt-4.1"]
    "#;
    let (config, found) = compiled(text, &available(&["OPENAI_API_KEY"]));
    assert!(found.is_empty(), "{}", config::render(&found));
    let told = |target: &config::Target| format!("{}/{} {:?}", target.provider.row.name, target.model, target.limits);
    let targets: Vec<String> = config.routes[0].targets.iter().map(told).collect();
    let limits = "ModelLimits { context: Some(5), max_output: Some(6) }";
    assert_eq!(targets[1], format!("openai/gpt-4.1 {limits}"));
    assert_eq!(targets[2], "openai/gpt-4.1 ModelLimits { context: Some(8), max_output: Some(6) }");
    assert!(targets[0].starts_with("demo/echo"));
    assert_eq!(config.models["fast"].targets.len(), 2);
    assert_eq!(config.models["gpt-4.1"].limits.context, Some(8));
    assert!(config.models["gpt-4.1"].targets.is_empty());
}

#[test]
fn a_price_is_the_nearest_that_is_stated_and_the_operators_own_machine_costs_nothing() {
    let text = r#"
        [models.fast]
        targets = ["openai/gpt-4.1"]
        price = { input = "1usd", output = "2usd", request = "0.001usd", tiers = [{ above = 9, input = "3usd", output = "4usd" }] }
        [models."openai/gpt-4.1"]
        price = { input = "5usd", output = "6usd" }
        [models."gpt-4.1"]
        price = { input = "7usd", output = "8usd" }
        [providers.acme]
        base_url = "http://127.0.0.1:9/v1"
        [routes.chat]
        models = ["*"]
        targets = ["fast", "openai/gpt-4.1", "acme/gpt-4.1", "acme/other", "demo/echo", "ollama/other"]
    "#;
    let (config, _) = compiled(text, &available(&["OPENAI_API_KEY"]));
    let usage = Usage { input: 1_000_000, ..Usage::default() };
    let cost = |target: &config::Target| target.price.as_ref().map(|price| price.cost(&usage).to_string());
    let costs: Vec<Option<String>> = config.routes[0].targets.iter().map(cost).collect();
    let costs: Vec<Option<&str>> = costs.iter().map(Option::as_deref).collect();
    assert_eq!(costs, [Some("3.001usd"), Some("5usd"), Some("7usd"), None, Some("0usd"), Some("0usd")]);
    let asked = |model: &str| edgeway_core::route::plan(&config, model).expect("a plan").candidates[0].target.clone();
    assert_eq!(cost(&asked("fast")).as_deref(), Some("3.001usd"));
}

#[test]
fn a_routes_timeout_leaves_the_other_budgets_as_its_providers_have_them() {
    let text = r#"
        [timeouts]
        first_byte = "30s"
        [providers.mine]
        base_url = "http://localhost:1"
        timeouts = { first_byte = "9m" }
        [routes.chat]
        models = ["*"]
        targets = ["demo/echo", "mine/slow"]
        timeout = "10m"
    "#;
    let (config, _) = compiled(text, &Availability::default());
    let timeouts = config.routes[0].timeouts.expect("given");
    assert_eq!((timeouts.total, timeouts.first_byte), (Duration::from_secs(600), Duration::from_secs(540)));
    assert_eq!(timeouts.connect, Duration::from_secs(10));
}

#[test]
fn of_two_ways_to_say_one_thing_the_higher_layer_counts() {
    let file = "[models.fast]\ntarget = \"demo/echo\"\n[routes.chat]\nmodels = [\"*\"]\ntargets = [\"fast\"]\ntimeouts = { total = \"1m\" }";
    let environment = [
        ("EDGEWAY__ROUTES__CHAT__TIMEOUT".to_owned(), "20s".to_owned()),
        ("EDGEWAY__MODELS__FAST__TARGETS".to_owned(), "ollama/a,ollama/b".to_owned()),
        ("EDGEWAY__PROVIDERS__OLLAMA__ENABLED".to_owned(), "true".to_owned()),
    ];
    let loaded = config::load(Some(("edgeway.toml", file)), environment).expect("it loads");
    let (config, found) = config::compile(&loaded, &Availability::default()).expect("it compiles");
    assert!(found.is_empty(), "{}", config::render(&found));
    assert_eq!(config.routes[0].timeouts.expect("given").total, Duration::from_secs(20));
    assert_eq!(config.models["fast"].targets.len(), 2);
}

#[test]
fn a_stored_document_lies_over_file_and_environment() {
    let environment = [("EDGEWAY__ROUTES__CHAT__TIMEOUT".to_owned(), "20s".to_owned())];
    let file = "[routes.chat]\nmodels = [\"*\"]\ntargets = [\"demo/echo\"]";
    let below = config::load(Some(("edgeway.toml", file)), environment).expect("it loads");
    let stored = Layer::document("kv", "config/7", r#"{"routes": {"chat": {"timeout": "5s"}}}"#).expect("valid JSON");
    let loaded = below.with(stored);
    assert_eq!(loaded.layers.names().collect::<Vec<_>>(), ["file", "environment", "kv"]);
    assert_eq!(loaded.layers.origin("routes.chat.timeout").to_string(), "config/7:1:33");
    let total = |loaded| {
        let (config, _) = config::compile(loaded, &Availability::default()).expect("it compiles");
        (config.routes[0].timeouts.expect("given").total.as_secs(), config.version)
    };
    assert_eq!((total(&below).0, total(&loaded).0), (20, 5));
    assert_ne!(total(&below).1, total(&loaded).1);
}

#[test]
fn the_version_is_that_of_the_document_and_not_of_its_language_or_layers() {
    let toml = "[routes.chat]\nmodels = [\"*\"]\ntargets = [\"demo/echo\"]\ntimeout = \"60s\"";
    let json = r#"{"routes": {"chat": {"timeout": "1m", "targets": ["demo/echo"], "models": ["*"]}}}"#;
    let versions = [toml, json].map(|text| compiled(text, &Availability::default()).0.version);
    assert_eq!((versions[0].len(), &versions[0]), (12, &versions[1]));
    let environment = [("EDGEWAY_CONFIG".to_owned(), toml.to_owned())];
    let loaded = config::load(None, environment).expect("it loads");
    assert_eq!(config::compile(&loaded, &Availability::default()).expect("it compiles").0.version, versions[0]);
}

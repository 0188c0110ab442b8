//! Where settings come from, and who wins.

use crate::Cairn;

/// The source topic of the graph: a setting that can be seen without running anything.
fn source_topic(cairn: &Cairn, words: &str, variables: &[(&str, &str)]) -> String {
    let text = cairn.run_with(&format!("topology {words}"), variables).done().stdout;
    let (_, rest) = text.split_once("Source: transactions (topic: ").unwrap();
    rest.split_once(')').unwrap().0.to_owned()
}

#[test]
fn the_command_line_wins_over_the_environment_and_that_over_the_file() {
    let cairn = Cairn::new();
    let variable = [("CAIRN_TRANSACTIONS", "of-environment")];
    assert_eq!(source_topic(&cairn, "", &[]), "transactions");
    cairn.write("cairn.toml", "transactions = 'of-file'\n");
    assert_eq!(source_topic(&cairn, "", &[]), "of-file");
    assert_eq!(source_topic(&cairn, "", &variable), "of-environment");
    assert_eq!(source_topic(&cairn, "--transactions of-flag", &variable), "of-flag");
}

#[test]
fn a_file_is_named_by_flag_or_variable_and_then_must_be_there() {
    let cairn = Cairn::new();
    cairn.write("cairn.toml", "transactions = 'default'\n");
    cairn.write("other.toml", "transactions = 'other'\n");
    assert_eq!(source_topic(&cairn, "--config other.toml", &[]), "other");
    assert_eq!(source_topic(&cairn, "", &[("CAIRN_CONFIG", "other.toml")]), "other");
    cairn.run("topology --config none.toml").refused(2, &["cannot read the settings file none.toml"]);
}

#[test]
fn switches_and_lists_can_stand_in_the_file_too() {
    let cairn = Cairn::new();
    cairn.write("cairn.toml", "json = true\nvalidator = ['north', 'south']\n");
    let keys = cairn.run("keys --output a.keys").done().json();
    assert_eq!(keys.iter().map(|key| key["id"].as_str().unwrap()).collect::<Vec<_>>(), ["north", "south"]);
    let text = cairn.run_with("keys --output b.keys --validator east", &[("CAIRN_JSON", "false")]).done().stdout;
    assert!(text.starts_with("[[validators]]\nid = \"east\"\n"), "{text}");
}

#[test]
fn what_is_wrong_in_the_file_is_told_with_its_line_and_the_nearest_key() {
    let cairn = Cairn::new();
    for (text, says) in [
        (
            "transactions = 't'\napplication-id = 'x'\n",
            ["cairn.toml:2", "`application-id`; did you mean `application_id`"],
        ),
        ("[block]\nmax_transaction = 3\n", ["cairn.toml:2", "did you mean `block.max_transactions`"]),
        ("threads = 'many'\n", ["cairn.toml:1: threads", "invalid value 'many'"]),
        ("\nformat = 'svg'\n", ["cairn.toml:2: format", "possible values: text, dot"]),
        ("json = 'perhaps'\n", ["cairn.toml:1: json", "true or false"]),
        ("rate = [1, 2]\n", ["cairn.toml:1: rate", "one value"]),
        ("fee = -1\n", ["cairn.toml:1: fee", "`-1`"]),
        ("brokers = \n", ["cairn.toml:1", "not TOML"]),
    ] {
        cairn.write("cairn.toml", text);
        cairn.run("topology").refused(2, &says);
    }
    cairn.run("topology --help").done();
}

#[test]
fn a_misspelt_variable_is_told_and_does_no_harm() {
    let cairn = Cairn::new();
    let ran = cairn.run_with("topology", &[("CAIRN_TRANSACTION", "x"), ("CAIRN_SERVICE_HOST", "10.0.0.1")]).done();
    assert!(
        ran.stderr.contains("CAIRN_TRANSACTION means nothing here; did you mean CAIRN_TRANSACTIONS?"),
        "{}",
        ran.stderr
    );
    assert!(!ran.stderr.contains("SERVICE_HOST"), "{}", ran.stderr);
}

#[test]
fn a_variable_that_is_empty_is_one_that_is_not_set() {
    let cairn = Cairn::new();
    cairn.write("cairn.toml", "transactions = 'of-file'\n");
    let empty = [("CAIRN_TRANSACTIONS", ""), ("CAIRN_CONFIG", ""), ("CAIRN_FORMAT", ""), ("CAIRN_FEE", "")];
    assert_eq!(source_topic(&cairn, "", &empty), "of-file");
    let one = [("CAIRN_BROKERS", ""), ("CAIRN_LOG", "embedded:log"), ("CAIRN_STATE_DIR", "")];
    cairn.write("one.jsonl", "{\"from\":\"a\",\"to\":\"b\",\"amount\":1}\n");
    cairn.run_with("submit one.jsonl", &one).done();
    cairn.run_with("replay", &one).refused(2, &["give --state-dir DIR"]);
}

#[test]
fn settings_that_nothing_can_run_with_are_refused_before_anything_is_made() {
    let cairn = Cairn::new();
    let run = "run --log embedded:log --state-dir state";
    cairn.run(&format!("{run} --threads 0")).refused(2, &["cannot have 0 stream threads"]);
    cairn.run(&format!("{run} --application-id {}", "a".repeat(101))).refused(2, &["application id", "1 to 100"]);
    let slow = cairn.run(&format!("{run} --commit-interval-ms 20000"));
    assert_eq!((slow.code, slow.stderr.contains("--commit-interval-ms")), (2, true), "{}", slow.stderr);
    let cluster = "run --brokers 127.0.0.1:1 --state-dir state -X security.protocol=SSL";
    cairn.run(&format!("{cluster} -X ssl.ca.location=none.pem")).refused(2, &["ssl.ca.location"]);
    assert!(!cairn.path().join("state").exists() && !cairn.path().join("log").exists());
}

#[test]
fn threads_and_standbys_are_told_by_flag_environment_and_file() {
    let cairn = Cairn::new();
    let run = "run --log embedded:log --state-dir state";
    for (flag, variable, key) in [
        ("--threads", "CAIRN_THREADS", "threads"),
        ("--standby-replicas", "CAIRN_STANDBY_REPLICAS", "standby_replicas"),
    ] {
        cairn.write("cairn.toml", &format!("{key} = 'of-file'\n"));
        let of_environment = [(variable, "of-environment")];
        cairn.run(run).refused(2, &[&format!("cairn.toml:1: {key}"), "of-file"]);
        let refused = |words: &str| cairn.run_with(words, &of_environment).stderr;
        let (of_variable, of_flag) = (refused(run), refused(&format!("{run} {flag} of-flag")));
        assert!(of_variable.contains("of-environment") && of_variable.contains(flag), "{of_variable}");
        assert!(of_flag.contains("of-flag") && of_flag.contains(flag), "{of_flag}");
    }
    cairn.write("cairn.toml", "threads = 0\n");
    cairn.run(run).refused(2, &["cannot have 0 stream threads"]);
    cairn.write("cairn.toml", "threads = 2\nstandby_replicas = 1\nuntil_end = true\n");
    cairn.run(run).done();
    let help = cairn.run("run --help").done().stdout.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(help.contains("With one partition there is that one task only"), "{help}");
}

#[test]
fn log_lines_can_be_json_and_never_stand_on_stdout() {
    let cairn = Cairn::new();
    let ran = cairn.run_with("topology --log-format json", &[("CAIRN_TRANSACTION", "x")]).done();
    let line: serde_json::Value = serde_json::from_str(ran.stderr.trim()).unwrap();
    assert_eq!(line["level"], "WARN");
    assert!(ran.stdout.starts_with("Sub-topology"), "{}", ran.stdout);
    assert!(!ran.stdout.contains('\u{1b}') && !ran.stderr.contains('\u{1b}'), "no colours without a terminal");
}

#[test]
fn chain_parameters_come_from_file_and_environment_into_a_genesis() {
    let cairn = Cairn::new();
    cairn.write("cairn.toml", "fee = 5\nbalances = 'strict'\n[block]\nmax_transactions = 3\n");
    cairn.run("keys").done();
    let text = cairn.run_with("genesis --keys validators.keys", &[("CAIRN_FEE", "7")]).done().stdout;
    for line in ["fee = 7", "balances = \"strict\"", "max_transactions = 3", "stake = 2000"] {
        assert!(text.lines().any(|found| found == line), "{line} is not in\n{text}");
    }
    cairn::chain::Genesis::from_toml(&text).unwrap();
}

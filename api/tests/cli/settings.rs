//! Configuration, help and completions, and the codes that tell them apart.

use std::io::Read;
use std::process::Stdio;

use crate::command::{Home, text};

#[test]
fn a_flag_beats_a_variable_and_that_the_file() {
    let home = Home::new();
    home.write("barrow.toml", "[server]\nlisten = '127.0.0.1:1'\n[log]\nlevel = 'warn'\n");
    let file = ["config", "--json", "--config", "barrow.toml"];
    let variable = [("BARROW_SERVER__LISTEN", "127.0.0.1:2")];
    let listen = |ended: crate::command::Ended| {
        let config = ended.check(0).json();
        assert_eq!(config["log"]["level"], "warn");
        config["server"]["listen"].as_str().unwrap().to_owned()
    };
    assert_eq!(listen(home.run(&file)), "127.0.0.1:1");
    assert_eq!(listen(home.run_with(&file, &variable)), "127.0.0.1:2");
    let flag = [&file[..], &["--listen", "127.0.0.1:3"]].concat();
    assert_eq!(listen(home.run_with(&flag, &variable)), "127.0.0.1:3");
    let set = [&file[..], &["--set", "server.listen=127.0.0.1:4"]].concat();
    assert_eq!(listen(home.run_with(&set, &variable)), "127.0.0.1:4");
    let by_variable = [("BARROW_CONFIG", "barrow.toml")];
    assert_eq!(listen(home.run_with(&["config", "--json"], &by_variable)), "127.0.0.1:1");
}

#[test]
fn a_secret_is_masked() {
    let key = "this-is-the-key-that-nobody-may-see";
    let ended = Home::new().run_with(&["config"], &[("BARROW_AUTH__SIGNING_KEY", key)]).check(0);
    assert!(ended.out.contains("signing_key = \"********\""), "{ended:?}");
    assert!(!ended.out.contains(key) && !ended.err.contains(key));
}

#[test]
fn the_printed_configuration_and_the_manual_can_be_read_again() {
    let home = Home::new();
    let defaults = home.run(&["config"]).check(0).out;
    for args in [&["config"][..], &["config", "--manual"]] {
        let printed = home.run(args).check(0).out;
        let file = home.write("printed.toml", &printed);
        assert_eq!(home.run(&["config", "--config", text(&file)]).check(0).out, defaults);
    }
}

#[test]
fn a_wrong_configuration_ends_with_3_and_names_the_key() {
    let home = Home::new();
    let set = |value| home.run(&["serve", "--set", value]).check(3);
    set("server.lisen=1").says(&["server.lisen", "--set", "did you mean server.listen?"]);
    set("server.header_timeout=10").says(&["server.header_timeout", "30s"]);
    // The feature, or the address that is missing then.
    set("stores.entities=postgres").says(&["ostgres"]);
    set("search.url=https://x").says(&["search.url", "not built in"]);
    home.run_with(&["serve"], &[("BARROW_SERVER__LISTN", "x")])
        .check(3)
        .says(&["BARROW_SERVER__LISTN", "did you mean server.listen?"]);
    home.run(&["config", "--config", "missing.toml"]).check(3).says(&["missing.toml"]);
    home.write("broken.toml", "[server\n");
    home.run(&["config", "--config", "broken.toml"]).check(3).says(&["broken.toml", "TOML"]);
    assert!(!home.path("data").exists(), "nothing was made");
}

#[test]
fn a_wrong_command_line_ends_with_2() {
    let home = Home::new();
    for args in [
        &["frobnicate"][..],
        &["serve", "--frobnicate"],
        &["import"],
        &["seed", "--products", "0"],
        &["import", "x.csv", "--currency", "EURO"],
        &["import", "x.csv", "--format", "xml"],
        &["export", "--json"],
        &["cluster"],
        &["cluster", "drain"],
    ] {
        let ended = home.run(args).check(2);
        assert!(ended.out.is_empty() && !ended.err.is_empty(), "{args:?}: {ended:?}");
    }
}

#[test]
fn every_command_explains_itself_with_an_example() {
    let home = Home::new();
    home.run(&["--version"]).check(0);
    for command in [
        "serve",
        "seed",
        "import",
        "export",
        "backup",
        "restore",
        "setup",
        "migrate",
        "cluster",
        "doctor",
        "config",
        "completions",
    ] {
        let ended = home.run(&[command, "--help"]).check(0);
        let example = format!("barrow {command}");
        assert!(ended.out.contains("Examples:") && ended.out.contains(&example), "{command}");
    }
}

#[test]
fn completions_know_the_commands() {
    for shell in ["bash", "zsh", "fish"] {
        let ended = Home::new().run(&["completions", shell]).check(0);
        assert!(ended.out.contains("doctor") && ended.out.contains("log-format"), "{shell}");
    }
}

#[test]
fn a_reader_that_goes_away_is_no_error() {
    let mut child = Home::new()
        .command(&["config", "--manual"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let mut err = String::new();
    child.stderr.take().unwrap().read_to_string(&mut err).unwrap();
    assert_eq!((child.wait().unwrap().code(), err.as_str()), (Some(0), ""));
}

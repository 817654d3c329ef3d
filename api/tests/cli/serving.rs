//! Serving: one line when it is ready, one process a data directory, and an end in time.

use std::time::{Duration, Instant};

use rustix::process::Signal;

use crate::command::{Home, until};

#[test]
fn it_says_one_line_when_it_is_ready_and_ends_when_told() {
    let home = Home::new();
    home.import_small_catalog();
    let server = home.serve();
    assert_eq!(server.get("/readyz").0, 200);
    assert_eq!(server.get("/v1/products/mug").1["title"], "Mug");
    let told = Instant::now();
    let ended = server.stop().check(0);
    assert!(told.elapsed() < Duration::from_secs(25));
    assert_eq!(ended.out, "", "standard output holds nothing but the one line");
    let ended = ended.says(&["durable", "power", "data ", "/v1", "/docs", "/metrics"]);
    let data = std::fs::canonicalize(home.path("data")).unwrap();
    ended.says(&[data.to_str().unwrap()]);
    assert!(!home.path("data/control.sock").exists());
    // A second start finds everything again.
    let server = home.serve();
    assert_eq!(server.get("/v1/products/mug").1["title"], "Mug");
}

#[test]
fn the_command_alone_serves_and_ctrl_c_ends_it() {
    let home = Home::new();
    home.import_small_catalog();
    let server = home.serve_with(&["--log-level", "info", "--log-format", "json"]);
    server.signal(Signal::INT);
    let ended = server.ended().check(0);
    let lines: Vec<serde_json::Value> =
        ended.err.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert!(lines.iter().any(|line| line["message"] == "barrow is ready"), "{ended:?}");
    assert!(lines.iter().all(|line| line["level"] == "INFO"), "{ended:?}");
}

#[test]
fn a_second_process_is_refused_and_told_who_is_there() {
    let home = Home::new();
    home.import_small_catalog();
    let server = home.serve();
    let holder = format!("barrow serve, process {}", server.process());
    for args in [
        &["serve", "--listen", "127.0.0.1:0"][..],
        &["import", "small.jsonl"],
        &["export"],
        &["seed"],
        &["restore", "small.jsonl"],
    ] {
        let ended = home.run(args).check(1);
        let ended = if args[0] == "restore" { ended } else { ended.says(&[&holder, "--data"]) };
        ended.says(&["data"]);
    }
    assert_eq!(server.get("/readyz").0, 200);
}

#[test]
fn the_data_directory_is_free_again_after_a_kill() {
    let home = Home::new();
    home.import_small_catalog();
    let server = home.serve();
    server.signal(Signal::KILL);
    assert_eq!(server.ended().code, None);
    assert!(home.path("data/control.sock").exists(), "it had no time to clean up");
    let server = home.serve();
    assert_eq!(server.get("/v1/products/mug").0, 200);
    let report = home.run(&["doctor", "--json"]).json();
    assert_eq!(report["verdict"], "ok", "{report:#}");
}

#[test]
fn a_port_in_use_is_told_with_what_to_do() {
    let home = Home::new();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let listen = taken.local_addr().unwrap().to_string();
    home.run(&["serve", "--listen", &listen]).check(1).says(&[&listen, "another process", "port"]);
    let ended = home.run(&["doctor", "--listen", &listen, "--json"]).check(1);
    let report = ended.json();
    let port = report["checks"].as_array().unwrap().iter().find(|check| check["name"] == "port");
    assert_eq!(port.unwrap()["verdict"], "fail");
}

#[test]
fn the_doctor_knows_the_running_server() {
    let home = Home::new();
    home.import_small_catalog();
    let before = home.run(&["doctor", "--listen", "127.0.0.1:0", "--json"]).check(0).json();
    assert_eq!(before["verdict"], "ok", "{before:#}");
    let server = home.serve();
    let listen = server.url.strip_prefix("http://").unwrap();
    let ended = home.run(&["doctor", "--listen", listen]).check(0);
    assert!(ended.out.contains("served by the running barrow"), "{ended:?}");
    assert!(ended.out.contains(&format!("open in process {}", server.process())), "{ended:?}");
    assert!(ended.out.contains("2 products"), "{ended:?}");
    assert!(!ended.out.contains('\u{1b}'), "no colour where nobody watches");
    home.run(&["doctor", "--set", "server.listen=nowhere"]).check(1);
}

#[test]
fn metrics_move_to_a_port_of_their_own() {
    let home = Home::new();
    home.import_small_catalog();
    let server = home.serve();
    assert_eq!(server.get("/metrics").0, 200);
    server.stop().check(0);
    let server = home.serve_with(&["--set", "ops.listen=127.0.0.1:0"]);
    assert_eq!(server.get("/metrics").0, 404);
    let ended = server.stop().check(0);
    let ops = ended.err.lines().find(|line| line.contains("/metrics")).unwrap();
    assert!(ops.contains("http://127.0.0.1:"), "{ops}");
}

#[test]
fn a_slow_client_does_not_hold_up_the_end() {
    use std::io::Write;
    let home = Home::new();
    home.import_small_catalog();
    let server = home.serve_with(&["--set", "server.shutdown_timeout=1s"]);
    let address = server.url.strip_prefix("http://").unwrap();
    let mut slow = std::net::TcpStream::connect(address).unwrap();
    slow.write_all(b"POST /v1/sessions HTTP/1.1\r\nhost: x\r\ncontent-length: 10\r\n").unwrap();
    slow.write_all(b"content-type: application/json\r\n\r\n{").unwrap();
    until("the server has its bytes", || server.get("/healthz").0 == 200);
    let told = Instant::now();
    server.stop().check(0);
    assert!(told.elapsed() < Duration::from_secs(20));
}

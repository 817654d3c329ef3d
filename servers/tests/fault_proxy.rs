//! Each fault does what it says, seen from the client and from the server.

#![expect(clippy::unwrap_used, reason = "what does not go as planned fails the test")]

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{Duration, Instant};

use barrow_servers::{BlackHole, Each, Fault, FaultProxy};

const SOON: Duration = Duration::from_secs(5);
const BRIEF: Duration = Duration::from_millis(100);

/// A server that says back what it hears; what it heard, and empty for an end, is told as well.
fn echo() -> (SocketAddr, Receiver<Vec<u8>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let (heard, told) = channel();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let (stream, heard) = (stream.unwrap(), heard.clone());
            std::thread::spawn(move || echo_on(stream, &heard));
        }
    });
    (address, told)
}

fn echo_on(mut stream: TcpStream, heard: &Sender<Vec<u8>>) {
    let mut bytes = [0; 4_096];
    loop {
        let length = stream.read(&mut bytes).unwrap_or(0);
        // The test may be over.
        let _ = heard.send(bytes[..length].to_vec());
        if length == 0 || stream.write_all(&bytes[..length]).is_err() {
            return;
        }
    }
}

fn connect(proxy: &FaultProxy) -> TcpStream {
    let stream = TcpStream::connect(proxy.address()).unwrap();
    stream.set_read_timeout(Some(SOON)).unwrap();
    stream
}

/// Says something and reads as much; what was wrong, if so.
fn ask(stream: &mut TcpStream, text: &[u8]) -> Result<Vec<u8>, ErrorKind> {
    let mut answer = vec![0; text.len()];
    stream.write_all(text).map_err(|error| error.kind())?;
    stream.read_exact(&mut answer).map_err(|error| error.kind())?;
    Ok(answer)
}

fn assert_reset(answer: Result<Vec<u8>, ErrorKind>) {
    let error = answer.expect_err("it is reset");
    assert!(matches!(error, ErrorKind::ConnectionReset | ErrorKind::BrokenPipe), "{error:?}");
}

fn assert_silent(stream: &mut TcpStream) {
    stream.set_read_timeout(Some(BRIEF)).unwrap();
    let error = stream.read(&mut [0; 16]).expect_err("nothing comes");
    assert!(matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut), "{error:?}");
    stream.set_read_timeout(Some(SOON)).unwrap();
}

#[test]
fn a_trickle_lets_all_pass_little_by_little() {
    let proxy = FaultProxy::start(echo().0);
    let mut stream = connect(&proxy);
    let each = Duration::from_millis(2);
    proxy.set(Fault::Trickle { bytes: 100, each });
    let text: Vec<u8> = (0..5_000).map(|n| n as u8).collect();
    let began = Instant::now();
    assert_eq!(ask(&mut stream, &text).unwrap(), text);
    assert!(began.elapsed() >= each * 50, "in fifty pieces at least");
    proxy.set(Fault::None);
    assert_eq!(ask(&mut stream, b"well").unwrap(), b"well");
}

#[test]
fn without_a_fault_all_passes() {
    let proxy = FaultProxy::start(echo().0);
    let mut stream = connect(&proxy);
    assert_eq!(ask(&mut stream, b"hello").unwrap(), b"hello");
    let mut writer = stream.try_clone().unwrap();
    let large: Vec<u8> = (0..1_000_000u32).map(|number| number as u8).collect();
    let said = large.clone();
    let saying = std::thread::spawn(move || writer.write_all(&said).unwrap());
    let mut answer = vec![0; large.len()];
    stream.read_exact(&mut answer).unwrap();
    saying.join().unwrap();
    assert_eq!(answer, large);
    stream.shutdown(std::net::Shutdown::Write).unwrap();
    assert_eq!(stream.read(&mut [0; 1]).unwrap(), 0, "an end is passed on, and comes back");
    assert_eq!(proxy.accepted(), 1);
}

#[test]
fn latency_is_added_each_way() {
    let proxy = FaultProxy::start(echo().0);
    let mut stream = connect(&proxy);
    ask(&mut stream, b"warm").unwrap();
    proxy.set(Fault::Latency { each: BRIEF, jitter: BRIEF });
    let began = Instant::now();
    ask(&mut stream, b"hello").unwrap();
    assert!(began.elapsed() >= 2 * BRIEF, "{:?}", began.elapsed());
}

#[test]
fn a_cut_resets_what_is_there_and_what_comes() {
    let proxy = FaultProxy::start(echo().0);
    let mut stream = connect(&proxy);
    ask(&mut stream, b"hello").unwrap();
    proxy.set(Fault::Cut);
    let error = stream.read(&mut [0; 1]).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ConnectionReset, "even where nothing is said");
    if let Ok(mut next) = TcpStream::connect(proxy.address()) {
        assert_reset(ask(&mut next, b"hello"));
    }
    proxy.set(Fault::None);
    assert_eq!(ask(&mut connect(&proxy), b"again").unwrap(), b"again");
}

#[test]
fn a_black_hole_swallows_and_is_never_healed() {
    let (server, heard) = echo();
    let proxy = FaultProxy::start(server);
    let mut stream = connect(&proxy);
    ask(&mut stream, b"hello").unwrap();
    assert_eq!(heard.recv_timeout(SOON).unwrap(), b"hello");
    proxy.set(Fault::BlackHole(BlackHole::All));
    stream.write_all(b"lost").unwrap();
    let mut next = connect(&proxy);
    next.write_all(b"lost, too").unwrap();
    assert_silent(&mut stream);
    assert_silent(&mut next);
    assert!(heard.try_recv().is_err(), "the server hears nothing");
    proxy.set(Fault::None);
    assert_eq!(stream.read(&mut [0; 1]).unwrap_err().kind(), ErrorKind::ConnectionReset);
    assert_eq!(ask(&mut connect(&proxy), b"again").unwrap(), b"again");
}

#[test]
fn a_black_hole_of_replies_lets_the_server_hear() {
    let (server, heard) = echo();
    let proxy = FaultProxy::start(server);
    proxy.set(Fault::BlackHole(BlackHole::Replies));
    let mut stream = connect(&proxy);
    stream.write_all(b"done").unwrap();
    assert_eq!(heard.recv_timeout(SOON).unwrap(), b"done");
    assert_silent(&mut stream);
}

#[test]
fn a_slow_close_is_told_late() {
    let (server, heard) = echo();
    let proxy = FaultProxy::start(server);
    let mut stream = connect(&proxy);
    ask(&mut stream, b"hello").unwrap();
    heard.recv_timeout(SOON).unwrap();
    proxy.set(Fault::SlowClose(3 * BRIEF));
    let began = Instant::now();
    drop(stream);
    assert_eq!(heard.recv_timeout(SOON).unwrap(), b"", "the server learns of it");
    assert!(began.elapsed() >= 3 * BRIEF, "{:?}", began.elapsed());
}

#[test]
fn a_reset_comes_after_its_bytes() {
    let (server, heard) = echo();
    let proxy = FaultProxy::start(server);
    proxy.set(Fault::ResetAfter { bytes: 10 });
    let mut stream = connect(&proxy);
    assert_eq!(ask(&mut stream, b"1234").unwrap(), b"1234");
    assert_eq!(heard.recv_timeout(SOON).unwrap(), b"1234");
    assert_reset(ask(&mut stream, b"5678"));
    assert_eq!(heard.recv_timeout(SOON).unwrap(), b"56", "so much was left of the ten");
}

/// Which of them fail, for a seed.
fn fates(each: Each, seed: u64) -> Vec<bool> {
    let proxy = FaultProxy::start(echo().0);
    proxy.set(Fault::HalfFail { each, seed });
    (0..40).map(|_| ask(&mut connect(&proxy), b"hello").is_err()).collect()
}

#[test]
fn one_half_fails_the_same_for_the_same_seed() {
    for each in [Each::Connection, Each::Chunk] {
        let first = fates(each, 1);
        let failed = first.iter().filter(|failed| **failed).count();
        assert!((10..=30).contains(&failed), "{failed} of 40 failed");
        assert_eq!(first, fates(each, 1));
        assert_ne!(first, fates(each, 2));
    }
}

#[test]
fn a_server_that_is_away_resets() {
    // A port that was just free may be given to the proxy of another test, which would count us.
    let away = SocketAddr::from(([127, 0, 0, 1], 1));
    let proxy = FaultProxy::start(away);
    assert_reset(ask(&mut connect(&proxy), b"hello"));
}

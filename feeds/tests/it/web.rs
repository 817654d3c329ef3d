//! A web server with a certificate of its own, on a port of this machine: it answers what it is
//! told to, byte for byte, so that it can answer wrong, too.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

use barrow_feeds::import::HttpFetcher;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};

/// What a page answers.
pub enum Page {
    /// The bytes, and the line stays open for the next question.
    Whole(Vec<u8>),
    /// The bytes, then the line is cut without the farewell that TLS asks for.
    Cut(Vec<u8>),
}

impl Page {
    /// All is well, and this is it.
    pub fn ok(body: &[u8]) -> Page {
        let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", body.len());
        Page::Whole([head.as_bytes(), body].concat())
    }

    /// The same in pieces, whose number nobody tells beforehand.
    pub fn chunked(body: &[u8]) -> Page {
        let mut page = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n".to_vec();
        for chunk in body.chunks(64 * 1024) {
            page.extend_from_slice(format!("{:x}\r\n", chunk.len()).as_bytes());
            page.extend_from_slice(chunk);
            page.extend_from_slice(b"\r\n");
        }
        page.extend_from_slice(b"0\r\n\r\n");
        Page::Whole(page)
    }

    /// `404 Not Found` and the like, with a body of its own.
    pub fn status(status: &str) -> Page {
        let body = format!("<h1>{status}</h1>");
        let length = body.len();
        let page = format!("HTTP/1.1 {status}\r\nContent-Length: {length}\r\n\r\n{body}");
        Page::Whole(page.into_bytes())
    }

    /// It lies elsewhere.
    pub fn moved(to: &str) -> Page {
        let page = format!("HTTP/1.1 302 Found\r\nLocation: {to}\r\nContent-Length: 0\r\n\r\n");
        Page::Whole(page.into_bytes())
    }
}

type Pages = BTreeMap<&'static str, Page>;

/// The server. Its threads end with the process: no test waits for them.
pub struct Web {
    address: SocketAddr,
    root: Vec<u8>,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Web {
    /// Serves the pages by their paths, and `404` for all others.
    pub fn serve<const N: usize>(pages: [(&'static str, Page); N]) -> Web {
        Web::serve_as("127.0.0.1", pages)
    }

    /// The same with a certificate for another name than that by which it is asked.
    pub fn serve_as<const N: usize>(name: &str, pages: [(&'static str, Page); N]) -> Web {
        let pages: Arc<Pages> = Arc::new(pages.into());
        let (config, root) = certified(name);
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let asked = Arc::<Mutex<Vec<String>>>::default();
        let log = Arc::clone(&asked);
        thread::spawn(move || {
            for stream in listener.incoming() {
                let (config, pages, log) = (config.clone(), pages.clone(), log.clone());
                // Who does not trust us hangs up, and who has read enough does, too.
                thread::spawn(move || talk(stream.unwrap(), config, &pages, &log).ok());
            }
        });
        Web { address, root, asked }
    }

    /// The address of a page.
    pub fn url(&self, path: &str) -> String {
        format!("https://{}{path}", self.address)
    }

    /// A fetcher that trusts this server.
    pub fn fetcher(&self) -> HttpFetcher {
        HttpFetcher::trusting(&[&self.root])
    }

    /// The paths that were asked for, in that order.
    pub fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }
}

/// A certificate for the name, and the root that vouches for it. The cryptography is ureq's, so
/// that a lean build has one kind.
fn certified(name: &str) -> (Arc<ServerConfig>, Vec<u8>) {
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let root = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
    let key = KeyPair::generate().unwrap();
    let params = CertificateParams::new([name.to_owned()]).unwrap();
    let certificate = params.signed_by(&key, &root).unwrap();
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], key)
        .unwrap();
    (Arc::new(config), root.der().to_vec())
}

/// Answers one question after the other, until the other side hangs up.
fn talk(
    stream: TcpStream,
    config: Arc<ServerConfig>,
    pages: &Pages,
    asked: &Mutex<Vec<String>>,
) -> std::io::Result<()> {
    let tls = ServerConnection::new(config).expect("the configuration was checked");
    let mut stream = BufReader::new(StreamOwned::new(tls, stream));
    loop {
        let mut question = String::new();
        if stream.read_line(&mut question)? == 0 {
            return Ok(());
        }
        let mut header = String::new();
        while stream.read_line(&mut header)? > 0 && header != "\r\n" {
            header.clear();
        }
        let path = question.split(' ').nth(1).unwrap_or_default();
        asked.lock().unwrap().push(path.to_owned());
        let missing = Page::status("404 Not Found");
        let page = pages.get(path).unwrap_or(&missing);
        let (Page::Whole(bytes) | Page::Cut(bytes)) = page;
        stream.get_mut().write_all(bytes)?;
        stream.get_mut().flush()?;
        if matches!(page, Page::Cut(_)) {
            return Ok(());
        }
    }
}

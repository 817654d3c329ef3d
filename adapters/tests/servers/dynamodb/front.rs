//! A front before a server that speaks HTTP/1.1: it hands requests on, and breaks those it is
//! told to break, each in one of the ways in which a network or a service breaks them.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use parking_lot::Mutex;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// What becomes of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    Pass,
    /// It never reaches the server; the connection ends without a word.
    RequestLost,
    /// The server does what it is asked; its answer is lost with the connection.
    ReplyLost,
    /// The server does what it is asked; its answer never comes.
    Silence,
    /// The server does what it is asked; its answer ends in the middle.
    ReplyCut,
    /// It never reaches the server; this is answered.
    Answer(u16, &'static str),
}

type Judge = Box<dyn FnMut(&str) -> Fate + Send>;

struct Shared {
    server: SocketAddr,
    judge: Mutex<Judge>,
    seen: Mutex<Vec<String>>,
    waiting: AtomicUsize,
}

/// The front; it ends with its handle.
pub struct Front {
    address: SocketAddr,
    shared: Arc<Shared>,
    accepting: JoinHandle<()>,
}

impl Front {
    /// Before the server of `http://127.0.0.1:PORT`; all requests pass.
    pub async fn before(server: &str) -> Front {
        let server = server.strip_prefix("http://").unwrap().parse().unwrap();
        let judge: Mutex<Judge> = Mutex::new(Box::new(|_| Fate::Pass));
        let (seen, waiting) = (Mutex::default(), AtomicUsize::new(0));
        let shared = Arc::new(Shared { server, judge, seen, waiting });
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let accepted = Arc::clone(&shared);
        let accepting = tokio::spawn(async move {
            loop {
                let (client, _) = listener.accept().await.unwrap();
                tokio::spawn(serve(client, Arc::clone(&accepted)));
            }
        });
        Front { address, shared, accepting }
    }

    pub fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Says what becomes of requests from now on, by the operation that they ask for.
    pub fn judge(&self, judge: impl FnMut(&str) -> Fate + Send + 'static) {
        *self.shared.judge.lock() = Box::new(judge);
    }

    /// The operations of the requests that came since it was asked last.
    pub fn seen(&self) -> Vec<String> {
        std::mem::take(&mut *self.shared.seen.lock())
    }

    /// How many requests have got no answer and will get none.
    pub fn waiting(&self) -> usize {
        self.shared.waiting.load(Ordering::Relaxed)
    }
}

impl Drop for Front {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

/// Serves a connection until one of the three ends it.
async fn serve(client: TcpStream, shared: Arc<Shared>) {
    let mut client = BufReader::new(client);
    let Ok(server) = TcpStream::connect(shared.server).await else { return };
    let mut server = BufReader::new(server);
    while let Some((head, body)) = message(&mut client).await {
        let operation = head.lines().find_map(|line| {
            let (name, value) = line.split_once(": ")?;
            let is_target = name.eq_ignore_ascii_case("x-amz-target");
            is_target.then(|| value.rsplit('.').next().unwrap_or_default().to_owned())
        });
        let operation = operation.unwrap_or_default();
        let fate = (shared.judge.lock())(&operation);
        shared.seen.lock().push(operation);
        if let Fate::Answer(status, code) = fate {
            let answer = answer(status, code);
            if client.write_all(answer.as_bytes()).await.is_err() {
                return;
            }
            continue;
        }
        if fate == Fate::RequestLost {
            return;
        }
        let request = [head.as_bytes(), &body].concat();
        if server.write_all(&request).await.is_err() {
            return;
        }
        let Some((head, body)) = message(&mut server).await else { return };
        let mut reply = [head.as_bytes(), &body].concat();
        match fate {
            Fate::ReplyLost => return,
            Fate::Silence => {
                shared.waiting.fetch_add(1, Ordering::Relaxed);
                std::future::pending::<()>().await;
            }
            Fate::ReplyCut => reply.truncate(head.len() + body.len() / 2),
            _ => {}
        }
        if client.write_all(&reply).await.is_err() || fate == Fate::ReplyCut {
            return;
        }
    }
}

fn answer(status: u16, code: &str) -> String {
    let body = match code {
        "" => "<html>the gateway has a bad day</html>".to_owned(),
        code => format!(
            "{{\"__type\":\"com.amazonaws.dynamodb.v20120810#{code}\",\"message\":\"planned\"}}"
        ),
    };
    let length = body.len();
    format!(
        "HTTP/1.1 {status} Planned\r\nContent-Type: application/x-amz-json-1.0\r\n\
         Content-Length: {length}\r\n\r\n{body}"
    )
}

/// The head of a request or an answer, with its empty line, and the body; `None` at the end.
async fn message(stream: &mut BufReader<TcpStream>) -> Option<(String, Vec<u8>)> {
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        if stream.read_line(&mut head).await.ok()? == 0 {
            return None;
        }
    }
    let length = head.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse().ok())?
    });
    let mut body = vec![0; length.unwrap_or(0)];
    stream.read_exact(&mut body).await.ok()?;
    Some((head, body))
}

//! A front before a server that speaks HTTP/1.1: it hands requests on, and breaks those it is
//! told to break, each in one of the ways in which a network or a service breaks them.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
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
    /// It never reaches the server, and has no answer.
    Stuck,
    /// It waits until the front is told to release it, then it passes.
    Held,
    /// It never reaches the server; this refusal is answered, by its code.
    Refused(u16, &'static str),
    /// It never reaches the server; this is answered as a success.
    Answered(&'static str),
}

type Judge = Box<dyn FnMut(&str) -> Fate + Send>;

struct Shared {
    server: SocketAddr,
    judge: Mutex<Judge>,
    seen: Mutex<Vec<String>>,
    waiting: AtomicUsize,
    released: Semaphore,
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
        let released = Semaphore::new(0);
        let shared = Arc::new(Shared { server, judge, seen, waiting, released });
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

    /// Waits until so many requests in all are stuck, silenced or held.
    pub async fn until_waiting(&self, requests: usize) {
        while self.waiting() < requests {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }

    pub fn waiting(&self) -> usize {
        self.shared.waiting.load(Ordering::Relaxed)
    }

    /// Lets one request that is held pass.
    pub fn release(&self) {
        self.shared.released.add_permits(1);
    }
}

impl Drop for Front {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

impl Shared {
    async fn wait_for_ever(&self) {
        self.waiting.fetch_add(1, Ordering::Relaxed);
        std::future::pending::<()>().await;
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
        let answered = match fate {
            Fate::Refused(status, code) => Some(refusal(status, code)),
            Fate::Answered(body) => Some(answer(200, body)),
            _ => None,
        };
        if let Some(answer) = answered {
            if client.write_all(answer.as_bytes()).await.is_err() {
                return;
            }
            continue;
        }
        match fate {
            Fate::RequestLost => return,
            Fate::Stuck => shared.wait_for_ever().await,
            Fate::Held => {
                shared.waiting.fetch_add(1, Ordering::Relaxed);
                shared.released.acquire().await.unwrap().forget();
            }
            _ => {}
        }
        let request = [head.as_bytes(), &body].concat();
        if server.write_all(&request).await.is_err() {
            return;
        }
        let Some((head, body)) = message(&mut server).await else { return };
        let mut reply = [head.as_bytes(), &body].concat();
        match fate {
            Fate::ReplyLost => return,
            Fate::Silence => shared.wait_for_ever().await,
            Fate::ReplyCut => reply.truncate(head.len() + body.len() / 2),
            _ => {}
        }
        if client.write_all(&reply).await.is_err() || fate == Fate::ReplyCut {
            return;
        }
    }
}

fn refusal(status: u16, code: &str) -> String {
    match code {
        "" => answer(status, "<html>the gateway has a bad day</html>"),
        code => {
            let code = format!("com.amazonaws.dynamodb.v20120810#{code}");
            answer(status, &format!("{{\"__type\":\"{code}\",\"message\":\"planned\"}}"))
        }
    }
}

fn answer(status: u16, body: &str) -> String {
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

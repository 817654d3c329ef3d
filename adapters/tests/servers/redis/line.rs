//! A line to Redis that lets no answer through before so many questions have come. So it shows
//! how many are asked at once, however busy the machine is.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;

/// The command of a question.
const QUESTION: &[u8] = b"ZRANGEBYSCORE";

/// The line.
pub struct SlowLine {
    port: u16,
    gate: Arc<Gate>,
}

/// What is counted, and when answers pass.
struct Gate {
    questions: AtomicU64,
    every: AtomicU64,
    news: Notify,
}

impl Gate {
    fn is_open(&self) -> bool {
        let asked = self.questions.load(Ordering::SeqCst);
        asked.is_multiple_of(self.every.load(Ordering::SeqCst))
    }

    async fn opens(&self) {
        loop {
            let news = self.news.notified();
            if self.is_open() {
                return;
            }
            news.await;
        }
    }
}

impl SlowLine {
    /// A line to a server of this machine, on which every answer passes at once.
    pub async fn start(server: u16) -> SlowLine {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let gate = Arc::new(Gate {
            questions: AtomicU64::new(0),
            every: AtomicU64::new(1),
            news: Notify::new(),
        });
        let shared = Arc::clone(&gate);
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let server = TcpStream::connect(("127.0.0.1", server)).await.unwrap();
                let (from_client, to_client) = client.into_split();
                let (from_server, to_server) = server.into_split();
                tokio::spawn(ask(from_client, to_server, Arc::clone(&shared)));
                tokio::spawn(answer(from_server, to_client, Arc::clone(&shared)));
            }
        });
        SlowLine { port, gate }
    }

    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// From now on answers pass when the questions are a multiple of this.
    pub fn answers_every(&self, questions: u64) {
        self.gate.every.store(questions, Ordering::SeqCst);
        self.gate.news.notify_waiters();
    }
}

async fn ask(mut client: OwnedReadHalf, mut server: OwnedWriteHalf, gate: Arc<Gate>) {
    // A question may come in two pieces.
    let mut seen = Vec::new();
    let mut buffer = [0; 16_384];
    while let Ok(read @ 1..) = client.read(&mut buffer).await {
        seen.extend_from_slice(&buffer[..read]);
        let asked = seen.windows(QUESTION.len()).filter(|window| *window == QUESTION).count();
        seen.drain(..seen.len().saturating_sub(QUESTION.len() - 1));
        gate.questions.fetch_add(asked as u64, Ordering::SeqCst);
        gate.news.notify_waiters();
        if server.write_all(&buffer[..read]).await.is_err() {
            return;
        }
    }
}

async fn answer(mut server: OwnedReadHalf, mut client: OwnedWriteHalf, gate: Arc<Gate>) {
    let mut buffer = [0; 16_384];
    while let Ok(read @ 1..) = server.read(&mut buffer).await {
        gate.opens().await;
        if client.write_all(&buffer[..read]).await.is_err() {
            return;
        }
    }
}

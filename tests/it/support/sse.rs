//! Reads an event stream as a browser does.

use std::time::Duration;

use serde_json::Value;

use super::client::Call;

/// One event, or a comment.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Event {
    pub event: String,
    pub id: Option<String>,
    pub data: String,
    pub comment: String,
    pub retry: String,
}

impl Event {
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.data).unwrap()
    }
}

/// An open stream.
pub struct Events {
    response: reqwest::Response,
    buffer: Vec<u8>,
}

impl Events {
    /// Opens it; expects 200 and the right type.
    pub async fn open(call: Call) -> Events {
        let response = call.stream().await;
        assert_eq!(response.status().as_u16(), 200);
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        assert_eq!(response.headers()["cache-control"], "no-store");
        Events { response, buffer: Vec::new() }
    }

    /// The next event; `None` where the stream ended.
    pub async fn next(&mut self) -> Option<Event> {
        loop {
            if let Some(end) = self.buffer.windows(2).position(|pair| pair == b"\n\n") {
                let block: Vec<u8> = self.buffer.drain(..end + 2).collect();
                return Some(parse(std::str::from_utf8(&block).unwrap()));
            }
            let chunk = tokio::time::timeout(Duration::from_secs(40), self.response.chunk());
            let chunk = chunk.await.expect("a stream says something every 15 s").unwrap();
            self.buffer.extend_from_slice(&chunk?);
        }
    }

    /// The next event of a name.
    pub async fn wait_for(&mut self, name: &str) -> Event {
        loop {
            let event = self.next().await.unwrap_or_else(|| panic!("it ended before {name}"));
            if event.event == name {
                return event;
            }
        }
    }
}

fn parse(block: &str) -> Event {
    let mut event = Event::default();
    for line in block.lines().filter(|line| !line.is_empty()) {
        let (field, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value).to_owned();
        match field {
            "" => event.comment = value,
            "event" => event.event = value,
            "id" => event.id = Some(value),
            "data" => event.data = value,
            "retry" => event.retry = value,
            other => panic!("{other} is no field of an event"),
        }
    }
    event
}

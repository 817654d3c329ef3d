//! Server-sent events, read as slowly as their reader likes: what is not read is not made.

use axum::body::{Body, BodyDataStream};
use futures::StreamExt;
use http::Response;

pub struct Events {
    body: BodyDataStream,
    unread: String,
}

impl Events {
    pub fn of(response: Response<Body>) -> Events {
        Events { body: response.into_body().into_data_stream(), unread: String::new() }
    }

    /// The data of the next event that shows the cart; `None` once the stream has ended.
    pub async fn next(&mut self) -> Option<String> {
        loop {
            while let Some(end) = self.unread.find("\n\n") {
                let event: String = self.unread.drain(..end + 2).collect();
                if event.starts_with("event: cart\n") {
                    let data = event.lines().find_map(|line| line.strip_prefix("data: "));
                    return data.map(str::to_owned);
                }
            }
            let chunk = self.body.next().await?.ok()?;
            self.unread.push_str(std::str::from_utf8(&chunk).expect("events are UTF-8"));
        }
    }
}

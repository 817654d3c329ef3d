//! Announcements through a server that comes and goes.

use std::time::Duration;

use barrow_adapters::redis::RedisAnnouncements;
use barrow_engine::ports::{Announcement, Announcements, Heard, Listener};
use barrow_servers::{Redis, or_skip};
use rustix::process::Signal;

use super::support::servers;

/// A silence is noticed after three seconds, and a server that is back after one.
const SOON: Duration = Duration::from_secs(8);

fn news(version: u64) -> Announcement {
    Announcement { key: "product/1".to_owned(), version }
}

async fn next(listener: &mut Box<dyn Listener>) -> Heard {
    let heard = tokio::time::timeout(SOON, listener.next()).await;
    heard.expect("something is heard").expect("the channel stands")
}

/// Announces until it is taken.
async fn announce(channel: &RedisAnnouncements, version: u64) {
    let taken = async {
        while channel.announce(news(version)).await.is_err() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(SOON, taken).await.expect("the announcement is taken");
}

#[tokio::test]
async fn who_listens_learns_that_news_may_have_been_missed() {
    let Some(mut redis) = or_skip("Redis", Redis::start()) else { return };
    let channel = RedisAnnouncements::new(&servers(&redis.url()), "shop").unwrap();
    let mut listener = channel.listen();
    assert_eq!(next(&mut listener).await, Heard::Missed);
    announce(&channel, 1).await;
    assert_eq!(next(&mut listener).await, Heard::Announced(news(1)));

    redis.kill();
    assert_eq!(next(&mut listener).await, Heard::Missed, "the loss itself is heard");
    assert!(channel.announce(news(2)).await.is_err(), "and nobody takes news");
    redis.restart().unwrap();
    assert_eq!(next(&mut listener).await, Heard::Missed, "and that the line stands again");
    announce(&channel, 3).await;
    assert_eq!(next(&mut listener).await, Heard::Announced(news(3)));
}

/// A connection that looks healthy and carries nothing.
#[tokio::test]
async fn a_silent_line_is_given_up() {
    let Some(redis) = or_skip("Redis", Redis::start()) else { return };
    let channel = RedisAnnouncements::new(&servers(&redis.url()), "shop").unwrap();
    let mut listener = channel.listen();
    assert_eq!(next(&mut listener).await, Heard::Missed);
    redis.process().signal(Signal::STOP).unwrap();
    assert_eq!(next(&mut listener).await, Heard::Missed, "the silence is heard");
    redis.process().signal(Signal::CONT).unwrap();
    assert_eq!(next(&mut listener).await, Heard::Missed, "and that the line stands again");
    announce(&channel, 3).await;
    assert_eq!(next(&mut listener).await, Heard::Announced(news(3)));
}

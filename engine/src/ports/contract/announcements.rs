//! The promises of announcements.

use super::{Names, Wait};
use crate::ports::{ANNOUNCEMENT_KEY_BYTES_MAX, Announcement, Announcements, Heard, Listener};

/// More than any listener has waiting for it.
const FLOOD: u64 = 10_000;

/// Runs every promise. `elsewhere` is a second node's end of the same channel.
pub async fn announcements(
    here: &dyn Announcements,
    elsewhere: &dyn Announcements,
    seed: u64,
    wait: Wait<'_>,
) {
    let names = Names { seed };
    let news = |index: u64, version| Announcement { key: names.text(index), version };
    let announce = async |news: Announcement| {
        here.announce(news).await.expect("an announcement is made");
    };
    let (mut near, mut far) = (here.listen(), elsewhere.listen());
    for listener in [&mut near, &mut far] {
        assert_eq!(listener.next().await, Some(Heard::Missed), "first, the past was missed");
    }
    announce(news(1, 7)).await;
    announce(news(1, u64::MAX)).await;
    announce(news(2, 0)).await;
    for listener in [&mut near, &mut far] {
        for expected in [news(1, 7), news(1, u64::MAX), news(2, 0)] {
            hears(listener, &names, &expected).await;
        }
    }
    let longest = Announcement { key: "k".repeat(ANNOUNCEMENT_KEY_BYTES_MAX), version: seed };
    announce(longest.clone()).await;
    hears(&mut far, &names, &longest).await;
    elsewhere.announce(news(3, 1)).await.expect("either end announces");
    hears(&mut near, &names, &news(3, 1)).await;

    let mut late = here.listen();
    assert_eq!(late.next().await, Some(Heard::Missed), "who comes late has missed what was");
    announce(news(4, 1)).await;
    let first = next_of(&mut late, &names, &news(4, 1)).await;
    assert_eq!(first, Heard::Announced(news(4, 1)), "and hears what comes");

    who_does_not_listen_is_told(here, elsewhere, names, wait).await;
}

/// A listener that takes nothing for long costs no memory without end, and learns that it missed
/// some.
async fn who_does_not_listen_is_told(
    here: &dyn Announcements,
    elsewhere: &dyn Announcements,
    names: Names,
    wait: Wait<'_>,
) {
    let mut slow = elsewhere.listen();
    assert_eq!(slow.next().await, Some(Heard::Missed), "first, the past was missed");
    for version in 0..FLOOD {
        let news = Announcement { key: names.text(5), version };
        here.announce(news).await.expect("an announcement is made");
    }
    wait(super::LAG_STEP).await;
    let (mut heard, mut missed) = (0, false);
    loop {
        match slow.next().await.expect("the channel stands") {
            Heard::Missed => missed = true,
            Heard::Announced(news) if news.key == names.text(5) => {
                heard += 1;
                if news.version == FLOOD - 1 {
                    break;
                }
            }
            Heard::Announced(_) => {}
        }
    }
    assert!(missed || heard == FLOOD, "{heard} of {FLOOD} heard, and nothing said of the others");
}

/// Waits for this announcement; others of this run must not come before it.
async fn hears(listener: &mut Box<dyn Listener>, names: &Names, expected: &Announcement) {
    let heard = next_of(listener, names, expected).await;
    assert_eq!(heard, Heard::Announced(expected.clone()), "all hear it, in the order of its maker");
}

/// The next thing that is of this run: others may share the channel.
async fn next_of(
    listener: &mut Box<dyn Listener>,
    names: &Names,
    expected: &Announcement,
) -> Heard {
    let ours: Vec<String> = (1..=5).map(|index| names.text(index)).collect();
    loop {
        let heard = listener.next().await.expect("the channel stands");
        match &heard {
            Heard::Announced(news) if *news != *expected && !ours.contains(&news.key) => {}
            _ => return heard,
        }
    }
}

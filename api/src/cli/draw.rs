//! Draws the sample's pictures ahead of the import that wants them, on every core. Drawing is
//! most of the work of a first start, and the import asks for one picture at a time.

use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use barrow_feeds::record::{Field, MakeContent, MediaContent, MediaRecord, Record, Row};

/// Pictures that wait to be drawn: enough that no core runs dry between two products.
const WAITING_MAX: usize = 64;

/// A picture on its way from a thread that draws to the import.
struct Picture {
    make: MakeContent,
    state: Mutex<State>,
}

enum State {
    Waiting,
    Drawn(Result<Vec<u8>, String>),
    /// It was handed over; who asks again has it drawn again.
    Fetched,
}

impl Picture {
    fn draw(&self) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if matches!(*state, State::Waiting) {
            *state = State::Drawn((self.make)());
        }
    }

    /// Waits for it where it is being drawn, and draws it here where nobody has begun.
    fn fetch(&self) -> Result<Vec<u8>, String> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        match std::mem::replace(&mut *state, State::Fetched) {
            State::Drawn(drawn) => drawn,
            State::Waiting | State::Fetched => (self.make)(),
        }
    }
}

/// The same rows; what has to be drawn for them is begun when they come by.
pub fn ahead(rows: impl Iterator<Item = Row> + Send) -> impl Iterator<Item = Row> + Send {
    let queue = start_threads();
    rows.map(move |mut row| {
        match &mut row.outcome {
            Ok(Record::Product(product)) => {
                if let Field::Set(media) = &mut product.media {
                    media.iter_mut().for_each(|one| begin(one, &queue));
                }
            }
            Ok(Record::Collection(collection)) => {
                if let Field::Set(Some(image)) = &mut collection.image {
                    begin(image, &queue);
                }
            }
            _ => {}
        }
        row
    })
}

fn begin(media: &mut MediaRecord, queue: &SyncSender<Arc<Picture>>) {
    let MediaContent::Made(make) = &media.content else { return };
    let picture = Arc::new(Picture { make: Arc::clone(make), state: Mutex::new(State::Waiting) });
    // If no thread is left to draw it, it is drawn when it is fetched.
    let _ = queue.send(Arc::clone(&picture));
    media.content = MediaContent::Made(Arc::new(move || picture.fetch()));
}

/// The threads end when the queue does.
fn start_threads() -> SyncSender<Arc<Picture>> {
    let (queue, waiting) = sync_channel(WAITING_MAX);
    let waiting = Arc::new(Mutex::new(waiting));
    for _ in 0..thread::available_parallelism().map_or(1, usize::from) {
        let waiting = Arc::clone(&waiting);
        thread::spawn(move || {
            while let Some(picture) = next(&waiting) {
                picture.draw();
            }
        });
    }
    queue
}

fn next(waiting: &Mutex<Receiver<Arc<Picture>>>) -> Option<Arc<Picture>> {
    waiting.lock().unwrap_or_else(PoisonError::into_inner).recv().ok()
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use barrow_engine::catalog::MediaKind;
    use barrow_feeds::record::{ProductRecord, SlugSource};

    use super::*;

    #[test]
    fn each_picture_is_drawn_once_and_is_what_it_was() {
        let count = Arc::new(AtomicUsize::new(0));
        let picture = |n: u32| {
            let count = Arc::clone(&count);
            let make = move || {
                count.fetch_add(1, Ordering::SeqCst);
                Ok(n.to_be_bytes().to_vec())
            };
            let content = MediaContent::Made(Arc::new(make));
            MediaRecord { content, ..MediaRecord::at(MediaKind::Image, format!("{n}.png")) }
        };
        let name: Arc<str> = "sample".into();
        let made: Vec<Row> = (0..300u32)
            .map(|n| {
                let slug = SlugSource::Given(format!("p{n}").parse().unwrap());
                let mut record = ProductRecord::new(slug);
                record.media = Field::Set(vec![picture(n)]);
                Row::made(&name, n.into(), Record::Product(Box::new(record)))
            })
            .collect();
        let fetched: Vec<Vec<u8>> = ahead(made.into_iter())
            .map(|row| {
                let Ok(Record::Product(product)) = row.outcome else { panic!("a product went in") };
                let Field::Set(media) = product.media else { panic!("with a picture") };
                let MediaContent::Made(make) = &media[0].content else { panic!("a made one") };
                make().unwrap()
            })
            .collect();
        assert_eq!(fetched, (0..300u32).map(|n| n.to_be_bytes().to_vec()).collect::<Vec<_>>());
        assert_eq!(count.load(Ordering::SeqCst), 300);
    }
}

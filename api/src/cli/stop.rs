//! Being told to stop: Ctrl-C in a long command ends it after what is under way; a second one
//! ends it at once.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::signal::unix::{Signal, SignalKind, signal};

use super::failure::Exit;
use super::output::complain;

/// Whether the command was told to stop.
#[derive(Debug, Clone, Default)]
pub struct Stop(Arc<AtomicBool>);

impl Stop {
    /// Listens for SIGINT and SIGTERM from now on. Needs a running tokio runtime.
    pub fn listen(what: &'static str) -> std::io::Result<Stop> {
        let stop = Stop::default();
        let mut signals = Signals::listen()?;
        let told = stop.clone();
        tokio::spawn(async move {
            signals.next().await;
            told.0.store(true, Ordering::Relaxed);
            complain(&format!("stopping after {what}; again to end at once"));
            signals.next().await;
            std::process::exit(Exit::Refused as i32);
        });
        Ok(stop)
    }

    pub fn is_told(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// SIGINT and SIGTERM, whichever comes.
pub struct Signals {
    interrupt: Signal,
    terminate: Signal,
}

impl Signals {
    pub fn listen() -> std::io::Result<Signals> {
        Ok(Signals {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
        })
    }

    /// Waits for the next one and says its name.
    pub async fn next(&mut self) -> &'static str {
        tokio::select! {
            _ = self.interrupt.recv() => "SIGINT",
            _ = self.terminate.recv() => "SIGTERM",
        }
    }
}

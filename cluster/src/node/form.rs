//! The form of what is stored, where members are of two builds: it is raised once all of them have
//! read the later one for a while, and a node that does not read it does not become a member.

use std::time::Duration;

use super::{Ended, Node};
use crate::View;

impl Node {
    /// Raises the form if that is due. The time counts on this node's own clock, from when it
    /// first saw that all members read the later form: until it is over, and all the while
    /// somebody does not read it, builds may go back.
    pub(super) fn raise_form(&mut self, next: &mut View, uptime: Duration) {
        let to_come = self.view.form_to_come();
        if self.to_come.map(|(form, _)| form) != to_come {
            self.to_come = to_come.map(|form| (form, uptime));
        }
        let Some((form, since)) = self.to_come else { return };
        let wait = self.settings.form_wait.saturating_add(self.delay(uptime));
        if uptime.saturating_sub(since) >= wait {
            tracing::info!(form, "all members read a later form: rows are written in it from now");
            next.form = form;
        }
    }

    /// Ends without having been a member: the others may have written what it cannot read.
    pub(super) fn refuse(&mut self, form: u8) {
        let reads = self.me.reads;
        tracing::error!(form, reads, "the shop is stored in a form that this build does not read");
        self.too_late = Some(form);
        self.change = None;
        self.removals.get_or_insert(0);
    }

    /// How a node ends that is no member.
    pub(super) fn departure(&self) -> Ended {
        self.too_late.map_or(Ended::Left, |form| Ended::TooOld { form })
    }
}

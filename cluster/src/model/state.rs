//! What there is: the table, the nodes and what each of them knows, and calls on their way.
//!
//! Nothing counts without end. A row's version is told only by who knows the present one: the
//! row's own node is level with it or one beat behind, and a watcher's version is fresh or not.
//! Times are ages, up to the age at which nothing changes any more.

pub const NODES: usize = 3;
pub const SHARDS: usize = 2;

pub type Id = usize;

/// What all agree in: [`crate::View`], without what only the plan looks at.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct View {
    pub version: u8,
    pub owner: [u8; SHARDS],
    pub epoch: [u8; SHARDS],
    pub members: [bool; NODES],
}

impl View {
    pub fn give(&mut self, shard: usize, owner: Id) {
        self.owner[shard] = owner as u8;
        self.epoch[shard] += 1;
    }

    pub fn is_owner(&self, id: Id, shard: usize) -> bool {
        usize::from(self.owner[shard]) == id
    }

    pub fn bury(&mut self, dead: Id, heir: Id) {
        self.members[dead] = false;
        for shard in 0..SHARDS {
            if self.is_owner(dead, shard) {
                self.give(shard, heir);
            }
        }
    }
}

/// A heartbeat row, seen from its own node.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Row {
    /// At the version that the node knows.
    Known,
    /// The beat after that was written, and the node does not know it yet.
    Ahead,
    Gone,
}

/// What a node was told of another's row by a read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Read {
    Gone,
    Row {
        /// The same version as the read before.
        is_same: bool,
        /// Still the version in the table.
        is_fresh: bool,
    },
}

/// What a node knows of another's row: `node::watch`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Seen {
    Row {
        is_fresh: bool,
        silent: u8,
    },
    /// Found gone, that long ago.
    Gone(u8),
    /// Removed by this node, which had watched the silence.
    Killed,
    /// No member any more.
    Nobody,
}

/// A beat that is not known to be written: `node::heart`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Beat {
    /// How long ago it was last sent.
    pub sent: u8,
    /// How long ago the first was sent that may have been written.
    pub doubtful: Option<u8>,
    pub call: BeatCall,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum BeatCall {
    Idle,
    Sent,
    /// From here on: answered, and the answer is on its way.
    Written,
    Found,
    Lost,
}

/// The call under way beside beats: one at a time.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Step {
    Idle,
    /// Read, and the answer is on its way.
    Reading(View, [Read; NODES]),
    Killing(Id, KillCall),
    Changing(ChangeCall),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum KillCall {
    Sent { is_fresh: bool },
    Removed,
    Survived { is_fresh: bool },
    Vanished,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum ChangeCall {
    Sent,
    Written,
    Conflict(View),
}

/// A shard on its way out, and the epoch of the term that ends: `node::handoff`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Handoff {
    Idle,
    Draining(usize, u8),
    Drained(usize, u8),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Life {
    Up,
    /// It does nothing, and its clock runs on.
    Paused,
    /// Crashed or evicted. It never comes back: it would be another member.
    Ended,
}

/// Writes that nobody waits for any more, and that may yet be applied.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct Strays {
    pub beat: bool,
    pub kills: [bool; NODES],
    pub change: Option<View>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Node {
    pub life: Life,
    /// How long its lease is still valid.
    pub lease: u8,
    /// In this tick.
    pub has_beaten: bool,
    pub has_polled: bool,
    pub beat: Option<Beat>,
    /// How long ago the last read succeeded, if none failed since.
    pub read: Option<u8>,
    pub view: View,
    pub seen: [Seen; NODES],
    pub step: Step,
    /// The next view, as it was sent and until its outcome is known: `node::changes`.
    pub change: Option<View>,
    pub handoff: Handoff,
    /// Shards of which something may be in memory.
    pub undrained: [bool; SHARDS],
    pub strays: Strays,
    /// It has beaten whenever the table let it.
    pub is_steady: bool,
    /// Its clock is a tick ahead of the slowest.
    pub is_ahead: bool,
}

impl Node {
    pub fn new(me: Id, view: &View) -> Node {
        let seen = Seen::Row { is_fresh: true, silent: 0 };
        Node {
            life: Life::Up,
            lease: super::LEASE,
            has_beaten: true,
            has_polled: true,
            beat: None,
            read: Some(0),
            view: view.clone(),
            seen: std::array::from_fn(|id| if id == me { Seen::Nobody } else { seen }),
            step: Step::Idle,
            change: None,
            handoff: Handoff::Idle,
            undrained: std::array::from_fn(|shard| view.is_owner(me, shard)),
            strays: Strays::default(),
            is_steady: true,
            is_ahead: false,
        }
    }

    /// All that an ended node knew is forgotten, so that states which differ in nothing else are
    /// one.
    pub fn ended(strays: Strays) -> Node {
        Node {
            life: Life::Ended,
            lease: 0,
            has_beaten: false,
            has_polled: false,
            beat: None,
            read: None,
            view: View::default(),
            seen: [Seen::Nobody; NODES],
            step: Step::Idle,
            change: None,
            handoff: Handoff::Idle,
            undrained: [false; SHARDS],
            strays,
            is_steady: false,
            is_ahead: false,
        }
    }

    pub fn is_beating(&self) -> bool {
        self.beat.as_ref().is_some_and(|beat| beat.call != BeatCall::Idle)
    }

    pub fn has_beat_sent(&self) -> bool {
        self.has_beaten || self.is_beating()
    }

    /// `Node::may_act`: a valid lease, and what it has just read.
    pub fn may_act(&self) -> bool {
        self.life == Life::Up
            && self.step == Step::Idle
            && self.lease > 0
            && self.has_polled
            && self.read.is_some()
    }

    fn is_closed(&self, shard: usize) -> bool {
        matches!(self.handoff, Handoff::Draining(at, _) | Handoff::Drained(at, _) if at == shard)
    }

    /// Whether it would answer a request for that shard now. A paused node may wake and do so.
    pub fn serves(&self, me: Id, shard: usize) -> bool {
        self.life != Life::Ended
            && self.lease > 0
            && self.view.is_owner(me, shard)
            && !self.is_closed(shard)
    }
}

/// What may still go wrong, or is done at will.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Budget {
    /// Calls that are not answered at once.
    pub slow: u8,
    pub pauses: u8,
    pub crashes: u8,
    /// Rows that somebody else removes, at any moment.
    pub lost_rows: u8,
    pub outages: u8,
    pub handoffs: u8,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct State {
    pub view: View,
    pub rows: [Row; NODES],
    /// Nobody reaches the table.
    pub is_out: bool,
    pub nodes: [Node; NODES],
    pub left: Budget,
    /// Ticks since the start, where they end.
    pub clock: u8,
    /// A node was killed that had beaten whenever the table let it.
    pub has_killed_steady: bool,
}

impl State {
    /// Who serves a shard.
    pub fn servers(&self, shard: usize) -> usize {
        let nodes = self.nodes.iter().enumerate();
        nodes.filter(|(id, node)| node.serves(*id, shard)).count()
    }

    pub fn are_all_served(&self) -> bool {
        (0..SHARDS).all(|shard| self.servers(shard) == 1)
    }

    /// Whether somebody under a valid lease still holds something of a shard that the table
    /// gives to another.
    pub fn is_given_away_undrained(&self, shard: usize) -> bool {
        self.nodes.iter().enumerate().any(|(id, node)| {
            node.life != Life::Ended
                && node.lease > 0
                && node.undrained[shard]
                && !self.view.is_owner(id, shard)
        })
    }

    /// The version of this row that others know is not the present one any more.
    pub fn outdate(&mut self, row: Id) {
        self.nodes[row].strays.beat = false;
        for node in &mut self.nodes {
            node.strays.kills[row] = false;
            if let Seen::Row { is_fresh, .. } = &mut node.seen[row] {
                *is_fresh = false;
            }
            match &mut node.step {
                Step::Reading(_, rows) => {
                    if let Read::Row { is_fresh, .. } = &mut rows[row] {
                        *is_fresh = false;
                    }
                }
                Step::Killing(
                    id,
                    KillCall::Sent { is_fresh } | KillCall::Survived { is_fresh },
                ) if *id == row => {
                    *is_fresh = false;
                }
                _ => {}
            }
        }
    }
}

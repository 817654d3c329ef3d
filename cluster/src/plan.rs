//! Which shards should be elsewhere: a pure function of the view, so that everybody computes the
//! same from the same view.
//!
//! **What has to move.** A shard that nobody owns, and a shard of a member that drains, goes to a
//! member that takes shards, to the one with the least load for its weight.
//!
//! **A deploy is under way** while members that host shards differ in their build, or while any
//! member drains. Nothing else moves then: what is balanced between two steps of a deploy is
//! moved again by the next. What has to move prefers the newest build (that of the taker which
//! joined last), because members of the others are about to leave. So a deploy of like nodes that
//! starts a new one before it stops an old one moves each shard once, and a few once more to
//! balance them in the end. One that stops first moves the shards of its first node twice, for
//! there was no new node to take them, and its last node gets its share of such as moved once.
//! Where nodes of unlike weight stop first, a few shards may move a third time: between a stop
//! and the next start all is at rest, and balanced, without the node that is to come.
//!
//! **The preference ends at twice a member's share** of all shards, the share being by weight
//! among all that take shards: a single new node of ten is not given all. Like nodes that are
//! replaced one by one come to about one share, so the bound does not touch them.
//! What is beyond it goes to whoever has the least load; shards that moved most are the last to
//! be beyond it, because they would move once more than others.
//!
//! **At rest** each member's load is within a tenth of its share, or within one shard. Where it
//! is not, the fewest moves that mend it are made, from the most loaded to the least loaded; a
//! member gives away the shards that moved least. With every such move one shard less is above
//! the upper bounds, if any is, and one more is there below the lower bounds, if any is missing;
//! and none is made beyond. So a plan that is carried out, by whomever first, leaves nothing.

use crate::view::{MEMBERS_MAX, SHARDS};
use crate::{Member, MemberId, View};

/// By how much of its share a member's load may differ from it at rest, as a divisor.
const TOLERANCE: i128 = 10;

/// How many of its shares a member is given for the sake of its build.
const SHARES_PREFERRED: u128 = 2;

/// A shard that should be elsewhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Move {
    pub shard: u16,
    /// `None` where nobody owns it: whoever changes the view gives it away at once. A member's
    /// shard is handed over by that member alone.
    pub from: Option<MemberId>,
    pub to: MemberId,
}

/// Why a node does not become a member.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum JoinError {
    #[error("the cluster has {MEMBERS_MAX} members already")]
    Full,
    /// It would meet rows that it cannot read.
    #[error("the shop is stored in form {form}, which this build does not read")]
    TooOld { form: u8 },
}

/// The moves that this view wants, in the order of their shards.
pub fn plan(view: &View) -> Vec<Move> {
    let mut board = Board::new(view);
    if board.takers.is_empty() {
        return Vec::new();
    }
    board.place(is_deploying(view));
    if !is_deploying(view) {
        board.level();
    }
    board.moves()
}

/// What `me` has to hand over, at most `batch` shards of it. After each batch it asks again: the
/// view may have changed.
pub fn outgoing(view: &View, me: MemberId, batch: usize) -> Vec<(u16, MemberId)> {
    let own = plan(view).into_iter().filter(|wanted| wanted.from == Some(me));
    own.take(batch).map(|wanted| (wanted.shard, wanted.to)).collect()
}

/// Begins the terms that these moves lead to.
pub fn apply(view: &mut View, moves: &[Move]) {
    moves.iter().for_each(|wanted| view.give(wanted.shard, Some(wanted.to)));
}

/// Whether nothing is to be done: no deploy is under way, and every shard is where it should be.
pub fn is_at_rest(view: &View) -> bool {
    !is_deploying(view) && plan(view).is_empty()
}

/// Adds a member, which gets its part of what nobody owns. One that is there already changes
/// nothing else.
///
/// The very first one decides in which form the shop begins. From then on nobody becomes a member
/// who does not read the form of the view; since that is raised only as far as all members read,
/// every member reads what any of them may have written.
///
/// A new build that joins a cluster at rest begins a deploy, so moves are counted anew. But if
/// the deploy stops first, it began with the stop before, and that is what was counted last: no
/// shard moved twice, and the youngest member still has some that did not move at all. After a
/// whole deploy, or after a join alone, it has none of these.
pub fn join(view: &mut View, member: Member) -> Result<(), JoinError> {
    if view.member(member.id).is_none() {
        if view.version == 0 && view.members.is_empty() {
            view.form = member.reads;
        }
        if member.reads < view.form {
            return Err(JoinError::TooOld { form: view.form });
        }
        if view.members.len() >= MEMBERS_MAX {
            return Err(JoinError::Full);
        }
        let youngest = view.members.iter().rfind(|other| other.weight > 0);
        let is_new = youngest.is_some_and(|other| other.build != member.build);
        let follows_stop = youngest.is_some_and(|youngest| {
            let stayed = |shard: u16| view.terms[usize::from(shard)].moves == 0;
            view.terms.iter().all(|term| term.moves <= 1) && view.shards_of(youngest.id).any(stayed)
        });
        if is_new && member.weight > 0 && !follows_stop && is_at_rest(view) {
            count_anew(view);
        }
        view.members.push(member);
    }
    give_ownerless(view);
    Ok(())
}

/// Marks a member that is about to leave: its shards are to go to others.
pub fn drain(view: &mut View, id: MemberId) {
    begin_stop(view, id);
    let marked = view.members.iter_mut().filter(|member| member.id == id);
    marked.for_each(|member| member.draining = true);
}

/// Removes a member that has handed over its shards. If it could not hand over all, and serves
/// none of them any more, the rest goes to others at once.
pub fn leave(view: &mut View, id: MemberId) {
    begin_stop(view, id);
    view.remove(id);
    give_ownerless(view);
}

/// Removes a member that is known to be dead, and gives its shards to the living at once.
pub fn bury(view: &mut View, id: MemberId) {
    leave(view, id);
}

/// A stop that takes shards from a cluster at rest begins a deploy, as far as anybody can tell.
fn begin_stop(view: &mut View, id: MemberId) {
    if view.shards_of(id).next().is_some() && is_at_rest(view) {
        count_anew(view);
    }
}

fn count_anew(view: &mut View) {
    view.terms.iter_mut().for_each(|term| term.moves = 0);
}

fn give_ownerless(view: &mut View) {
    let mut moves = plan(view);
    moves.retain(|wanted| wanted.from.is_none());
    apply(view, &moves);
}

/// Whether members that host shards differ in their build, or one drains.
pub fn is_deploying(view: &View) -> bool {
    let mut hosts = view.members.iter().filter(|member| member.weight > 0);
    let build = hosts.next().map(|member| &member.build);
    hosts.any(|member| Some(&member.build) != build)
        || view.members.iter().any(|member| member.draining)
}

/// A member, and how many shards it will have.
struct Seat<'a> {
    member: &'a Member,
    load: u64,
}

impl Seat<'_> {
    fn weight(&self) -> u128 {
        u128::from(self.member.weight)
    }

    /// Whether it has less for its weight than another, each with half a shard more: whoever has
    /// least of it gets the next shard, which rounds each share to the nearest number.
    fn is_below(&self, other: &Seat) -> bool {
        let load = |seat: &Seat| u128::from(2 * seat.load + 1);
        load(self) * other.weight() < load(other) * self.weight()
    }
}

/// The plan in the making. Members are told by their places among the members of the view.
struct Board<'a> {
    view: &'a View,
    seats: Vec<Seat<'a>>,
    /// Those who take shards.
    takers: Vec<usize>,
    /// The weight of all takers.
    weight: u64,
    /// Who owns each shard.
    from: Vec<Option<usize>>,
    /// Who will own it.
    to: Vec<Option<usize>>,
}

impl<'a> Board<'a> {
    fn new(view: &'a View) -> Board<'a> {
        let seats = view.members.iter().map(|member| Seat { member, load: 0 });
        let mut seats: Vec<Seat> = seats.collect();
        let mut ids: Vec<(MemberId, usize)> = Vec::with_capacity(seats.len());
        ids.extend(seats.iter().enumerate().map(|(place, seat)| (seat.member.id, place)));
        ids.sort_unstable();
        let takers = (0..seats.len()).filter(|place| seats[*place].member.takes_shards());
        let takers: Vec<usize> = takers.collect();
        let weight = takers.iter().map(|place| u64::from(seats[*place].member.weight)).sum();
        let (mut from, mut to) = (vec![None; SHARDS], vec![None; SHARDS]);
        for (shard, term) in view.terms.iter().enumerate() {
            let Some(owner) = term.owner else { continue };
            let Ok(found) = ids.binary_search_by(|(id, _)| id.cmp(&owner)) else { continue };
            let place = ids[found].1;
            from[shard] = Some(place);
            if seats[place].member.takes_shards() {
                to[shard] = Some(place);
                seats[place].load += 1;
            }
        }
        Board { view, seats, takers, weight, from, to }
    }

    /// Finds a place for each shard that has none.
    fn place(&mut self, prefers_newest: bool) {
        let mut without: Vec<usize> = (0..SHARDS).filter(|at| self.to[*at].is_none()).collect();
        if without.is_empty() {
            return;
        }
        let newest = self.takers.last().map(|place| self.seats[*place].member.build.as_str());
        let newest = newest.filter(|_| prefers_newest);
        let (mut preferred, mut others) = (Vec::new(), Vec::new());
        for _ in &without {
            let choice = self.least(|seat| {
                Some(seat.member.build.as_str()) == newest && self.may_be_preferred(seat)
            });
            match choice {
                Some(place) => preferred.push(place),
                None => others.extend(self.least(|_| true)),
            }
            let chosen = choice.or(others.last().copied()).expect("somebody takes shards");
            self.seats[chosen].load += 1;
        }
        // Those that moved most go to the newest build, and last: by then loads are level, so
        // that each of them gets of these by its weight, and can keep them when all is done.
        without.sort_by_key(|shard| self.view.terms[*shard].moves);
        for (shard, place) in without.into_iter().zip(others.into_iter().chain(preferred)) {
            self.to[shard] = Some(place);
        }
    }

    /// Whether one shard more for the sake of its build is within the bound. One always is.
    fn may_be_preferred(&self, seat: &Seat) -> bool {
        let shares = SHARES_PREFERRED * SHARDS as u128 * seat.weight();
        seat.load == 0 || u128::from(seat.load + 1) * u128::from(self.weight) <= shares
    }

    /// The taker with the least load for its weight, the one that joined first among equals.
    fn least(&self, is_asked: impl Fn(&Seat) -> bool) -> Option<usize> {
        let mut least: Option<usize> = None;
        for &place in &self.takers {
            let seat = &self.seats[place];
            if is_asked(seat) && least.is_none_or(|least| seat.is_below(&self.seats[least])) {
                least = Some(place);
            }
        }
        least
    }

    /// Moves shards until every load is within its bounds.
    fn level(&mut self) {
        let mut excess: Vec<Excess> = self.takers.iter().map(|at| self.excess(*at)).collect();
        if excess.iter().all(Excess::is_within) {
            return;
        }
        let mut given = self.by_reluctance();
        // A shard moves once at most: whoever is given one is not above its share then.
        for _ in 0..SHARDS {
            let (mut most, mut least) = (0, 0);
            for at in 1..excess.len() {
                if excess[most].is_below(&excess[at]) {
                    most = at;
                }
                if excess[at].is_below(&excess[least]) {
                    least = at;
                }
            }
            if excess[most].is_within() && excess[least].is_within() {
                return;
            }
            let (giver, getter) = (self.takers[most], self.takers[least]);
            let Some(shard) = given[giver].pop() else { return };
            self.to[shard] = Some(getter);
            self.seats[giver].load -= 1;
            self.seats[getter].load += 1;
            excess[most] = self.excess(giver);
            excess[least] = self.excess(getter);
        }
    }

    /// The shards of each member; those that it gives away first are last: such as move anyway,
    /// then such as moved least, then those with the lowest numbers.
    fn by_reluctance(&self) -> Vec<Vec<usize>> {
        let mut order: Vec<usize> = (0..SHARDS).collect();
        order.sort_by_key(|shard| {
            let stays = self.from[*shard] == self.to[*shard];
            std::cmp::Reverse((stays, self.view.terms[*shard].moves, *shard))
        });
        let mut given = vec![Vec::new(); self.seats.len()];
        for shard in order {
            if let Some(place) = self.to[shard] {
                given[place].push(shard);
            }
        }
        given
    }

    fn excess(&self, place: usize) -> Excess {
        let (all, shards) = (i128::from(self.weight), SHARDS as i128);
        let share = shards * i128::from(self.seats[place].member.weight);
        let load = all * i128::from(self.seats[place].load);
        Excess { above: TOLERANCE * (load - share), slack: share.max(TOLERANCE * all) }
    }

    /// What differs from the view.
    fn moves(&self) -> Vec<Move> {
        let mut moves = Vec::new();
        for shard in 0..SHARDS {
            let id = |place: usize| self.seats[place].member.id;
            let (from, to) = (self.from[shard], self.to[shard]);
            if let Some(to) = to.filter(|_| from != to) {
                moves.push(Move { shard: shard as u16, from: from.map(id), to: id(to) });
            }
        }
        moves
    }
}

/// How far a load is above its share, and how far from it it may be. Both are multiplied by
/// `TOLERANCE` and the weight of all, to stay whole.
struct Excess {
    above: i128,
    slack: i128,
}

impl Excess {
    fn is_within(&self) -> bool {
        self.above.abs() <= self.slack
    }

    fn is_below(&self, other: &Excess) -> bool {
        self.above * other.slack < other.above * self.slack
    }
}

#[cfg(test)]
mod tests;

//! Which shards should be elsewhere: a pure function of the view, so that everybody computes the
//! same from the same view.
//!
//! **What has to move.** A shard that nobody owns, and a shard of a member that drains, goes to a
//! member that takes shards, to the one with the least load for its weight.
//!
//! **A deploy is under way** while members that host shards differ in their build, or while any
//! member drains. Nothing else moves then: what is balanced between two steps of a deploy is
//! moved again by the next. What has to move prefers the newest build (that of the taker which
//! joined last), because members of the others are about to leave. So a deploy that starts a new
//! node before it stops an old one moves each shard once. One that stops first moves the shards
//! of its first node twice: there was no new node to take them.
//!
//! **The preference ends at twice a member's share** of all shards, the share being by weight
//! among all that take shards: a single new node of ten is not given all. Nodes that are replaced
//! one by one by nodes of their weight come to about one share, so the bound does not touch them.
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
const SHARES_PREFERRED: u64 = 2;

/// A shard that should be elsewhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Move {
    pub shard: u16,
    /// `None` where nobody owns it: whoever changes the view gives it away at once. A member's
    /// shard is handed over by that member alone.
    pub from: Option<MemberId>,
    pub to: MemberId,
}

/// The view holds as many members as it can.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the cluster has {MEMBERS_MAX} members already")]
pub struct ClusterFull;

/// The moves that this view wants, in the order of their shards.
pub fn plan(view: &View) -> Vec<Move> {
    let mut board = Board::new(view);
    if board.seats.is_empty() {
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
/// A new build that joins a cluster at rest begins a deploy, so moves are counted anew. But if
/// the deploy stops first, it began with the stop before, and that is what was counted last: no
/// shard moved twice, and the youngest member still has some that did not move at all. After a
/// whole deploy, or after a join alone, it has none of these.
pub fn join(view: &mut View, member: Member) -> Result<(), ClusterFull> {
    if view.member(member.id).is_none() {
        if view.members.len() >= MEMBERS_MAX {
            return Err(ClusterFull);
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

fn is_deploying(view: &View) -> bool {
    let mut hosts = view.members.iter().filter(|member| member.weight > 0);
    let build = hosts.next().map(|member| &member.build);
    hosts.any(|member| Some(&member.build) != build)
        || view.members.iter().any(|member| member.draining)
}

/// A member that takes shards, and how many it has.
struct Seat<'a> {
    member: &'a Member,
    weight: u64,
    load: u64,
}

impl Seat<'_> {
    /// What its load for its weight would be with half a shard more, as a fraction: whoever has
    /// least of it gets the next shard, which rounds each share to the nearest number.
    fn level(&self) -> (u128, u128) {
        (u128::from(2 * self.load + 1), u128::from(self.weight))
    }
}

/// The plan in the making.
struct Board<'a> {
    view: &'a View,
    /// In the order in which they joined.
    seats: Vec<Seat<'a>>,
    /// The weight of all seats.
    weight: u64,
    /// For each shard the owner in the view, if it is a member, and the seat that it has or will
    /// have.
    shards: Vec<(Option<MemberId>, Option<usize>)>,
}

impl<'a> Board<'a> {
    fn new(view: &'a View) -> Board<'a> {
        let takers = view.members.iter().filter(|member| member.takes_shards());
        let seat = |member: &'a Member| Seat { member, weight: u64::from(member.weight), load: 0 };
        let mut seats: Vec<Seat> = takers.map(seat).collect();
        let weight = seats.iter().map(|seat| seat.weight).sum();
        let mut ids: Vec<(MemberId, Option<usize>)> =
            view.members.iter().map(|member| (member.id, None)).collect();
        let mut next = 0;
        for (place, member) in view.members.iter().enumerate() {
            if member.takes_shards() {
                ids[place].1 = Some(next);
                next += 1;
            }
        }
        ids.sort_unstable();
        let mut shards = Vec::with_capacity(view.terms.len());
        for term in &view.terms {
            let known = term.owner.and_then(|owner| {
                let found = ids.binary_search_by_key(&owner, |(id, _)| *id);
                found.ok().map(|place| ids[place])
            });
            let seat = known.and_then(|(_, seat)| seat);
            if let Some(seat) = seat {
                seats[seat].load += 1;
            }
            shards.push((known.map(|(id, _)| id), seat));
        }
        Board { view, seats, weight, shards }
    }

    /// Finds a seat for each shard that has none.
    fn place(&mut self, prefers_newest: bool) {
        let without = (0..self.shards.len()).filter(|shard| self.shards[*shard].1.is_none());
        let mut without: Vec<usize> = without.collect();
        // A stable sort: those that moved most come first, in the order of their numbers.
        without.sort_by_key(|shard| std::cmp::Reverse(self.view.terms[*shard].moves));
        let build = self.seats.last().map(|seat| seat.member.build.as_str());
        let newest = build.filter(|_| prefers_newest);
        for shard in without {
            let is_preferred = |seat: &Seat| {
                let shares = SHARES_PREFERRED * SHARDS as u64;
                let bound = u128::from(shares) * u128::from(seat.weight) / u128::from(self.weight);
                let is_below = u128::from(seat.load) < bound.max(1);
                is_below && newest == Some(seat.member.build.as_str())
            };
            let seat = self.least(is_preferred).or_else(|| self.least(|_| true));
            let seat = seat.expect("there is a seat");
            self.seats[seat].load += 1;
            self.shards[shard].1 = Some(seat);
        }
    }

    /// The least loaded of some seats, the one that joined first among equals.
    fn least(&self, is_asked: impl Fn(&Seat) -> bool) -> Option<usize> {
        let asked = self.seats.iter().enumerate().filter(|(_, seat)| is_asked(seat));
        let least = asked.min_by(|(_, one), (_, other)| {
            let ((load, weight), (other_load, other_weight)) = (one.level(), other.level());
            (load * other_weight).cmp(&(other_load * weight))
        });
        least.map(|(place, _)| place)
    }

    /// Moves shards until every load is within its bounds.
    fn level(&mut self) {
        if self.seats.iter().all(|seat| self.is_within(seat)) {
            return;
        }
        let mut given = self.by_reluctance();
        // Each round brings a load nearer to its bounds, so there are fewer rounds than shards.
        for _ in 0..SHARDS {
            let compare = |one: &usize, other: &usize| {
                let excess = |seat: &usize| self.excess(&self.seats[*seat]);
                let ((above, slack), (other_above, other_slack)) = (excess(one), excess(other));
                (above * other_slack).cmp(&(other_above * slack))
            };
            let (most, least) = {
                // `min_by` takes the first among equals, `max_by` the last.
                let most = (0..self.seats.len()).rev().max_by(compare);
                (most, (0..self.seats.len()).min_by(compare))
            };
            let (Some(most), Some(least)) = (most, least) else { return };
            if self.is_within(&self.seats[most]) && self.is_within(&self.seats[least]) {
                return;
            }
            let Some(shard) = given[most].pop() else { return };
            self.shards[shard].1 = Some(least);
            self.seats[most].load -= 1;
            self.seats[least].load += 1;
        }
    }

    /// The shards of each seat; those that it gives away first are last: such as move anyway,
    /// then such as moved least, then those with the lowest numbers.
    fn by_reluctance(&self) -> Vec<Vec<usize>> {
        let mut order: Vec<usize> = (0..self.shards.len()).collect();
        order.sort_by_key(|shard| {
            let (owner, seat) = self.shards[*shard];
            let stays = seat.is_some_and(|seat| owner == Some(self.seats[seat].member.id));
            std::cmp::Reverse((stays, self.view.terms[*shard].moves, *shard))
        });
        let mut given = vec![Vec::new(); self.seats.len()];
        for shard in order {
            if let (_, Some(seat)) = self.shards[shard] {
                given[seat].push(shard);
            }
        }
        given
    }

    /// How far a load is above its share, and how far it may be. Both are multiplied by
    /// `TOLERANCE` and the weight of all, to stay whole.
    fn excess(&self, seat: &Seat) -> (i128, i128) {
        let (all, shards) = (i128::from(self.weight), SHARDS as i128);
        let share = shards * i128::from(seat.weight);
        let above = TOLERANCE * (all * i128::from(seat.load) - share);
        (above, share.max(TOLERANCE * all))
    }

    fn is_within(&self, seat: &Seat) -> bool {
        let (above, slack) = self.excess(seat);
        above.abs() <= slack
    }

    /// What differs from the view.
    fn moves(&self) -> Vec<Move> {
        let shards = self.shards.iter().enumerate();
        let moves = shards.filter_map(|(shard, (from, seat))| {
            let to = self.seats[(*seat)?].member.id;
            (*from != Some(to)).then_some(Move { shard: shard as u16, from: *from, to })
        });
        moves.collect()
    }
}

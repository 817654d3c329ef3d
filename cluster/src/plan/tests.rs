//! What a plan promises, in clusters of any shape and history.

use std::collections::BTreeMap;

use proptest::prelude::*;
use proptest::sample::Index;

use super::*;

fn node(id: u128, weight: u32, build: &str) -> Member {
    let (name, build) = (format!("node {id}"), build.to_owned());
    Member { id: MemberId(id), name, weight, build, reads: 1, draining: false }
}

/// Numbers for whole views: drawn one by one they would take longer than the plans.
struct Noise(u64);

impl Noise {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963);
        (self.0 >> 33) as usize % bound
    }
}

/// Nodes of one build, each shard with any of those that take shards, moved any number of times.
fn scattered(weights: &[u32], noise: &mut Noise) -> View {
    let nodes = weights.iter().zip(1..);
    let members: Vec<Member> = nodes.map(|(weight, id)| node(id, *weight, "1")).collect();
    let hosts: Vec<MemberId> =
        members.iter().filter(|member| member.weight > 0).map(|member| member.id).collect();
    let mut view = View { version: 1, members, ..View::default() };
    // Few of them have most.
    let crowd = 1 + noise.below(hosts.len().max(1));
    for term in &mut view.terms {
        let among = if noise.below(4) > 0 { crowd } else { hosts.len() };
        term.owner = (!hosts.is_empty()).then(|| hosts[noise.below(among)]);
        term.epoch = 1 + noise.below(9) as u64;
        term.moves = noise.below(4) as u8;
    }
    view
}

/// Carries the whole plan out.
fn settle(view: &mut View) {
    let moves = plan(view);
    apply(view, &moves);
    assert_eq!(plan(view), [], "a plan that is carried out leaves nothing");
}

/// A cluster at rest, its loads where the plan left them, which is at their bounds.
fn at_rest(weights: &[u32], noise: &mut Noise) -> View {
    let mut view = scattered(weights, noise);
    settle(&mut view);
    assert!(is_at_rest(&view));
    view
}

fn loads(view: &View) -> BTreeMap<MemberId, f64> {
    let mut loads: BTreeMap<_, _> = view.members.iter().map(|member| (member.id, 0.0)).collect();
    for owner in view.terms.iter().filter_map(|term| term.owner) {
        *loads.get_mut(&owner).expect("an owner is a member") += 1.0;
    }
    loads
}

/// What each member that takes shards should have.
fn shares(view: &View) -> BTreeMap<MemberId, f64> {
    let takers = || view.members.iter().filter(|member| member.takes_shards());
    let weight: f64 = takers().map(|member| f64::from(member.weight)).sum();
    let share = |member: &Member| SHARDS as f64 * f64::from(member.weight) / weight;
    takers().map(|member| (member.id, share(member))).collect()
}

/// The least and the most that a member with that share may have, in whole shards.
fn bounds(share: f64) -> (f64, f64) {
    let slack = (share / 10.0).max(1.0);
    ((share - slack - 1e-9).ceil(), (share + slack + 1e-9).floor())
}

fn assert_balanced(view: &View) {
    let loads = loads(view);
    for (id, share) in shares(view) {
        let (low, high) = bounds(share);
        assert!((low..=high).contains(&loads[&id]), "{id} has {} of {share}", loads[&id]);
    }
}

/// Up to 100 nodes, mostly few.
fn weights(least: u32) -> impl Strategy<Value = Vec<u32>> {
    let sizes = prop_oneof![7 => 1usize..=12, 1 => 13usize..=100];
    sizes.prop_flat_map(move |size| prop::collection::vec(least..=8, size))
}

#[derive(Debug, Clone)]
enum Event {
    Join { weight: u32, build: u8 },
    Drain(Index),
    Leave(Index),
    Die(Index),
    HandOver(Index, usize),
}

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        (0u32..=8, 1u8..=2).prop_map(|(weight, build)| Event::Join { weight, build }),
        any::<Index>().prop_map(Event::Drain),
        any::<Index>().prop_map(Event::Leave),
        any::<Index>().prop_map(Event::Die),
        (any::<Index>(), 0usize..200).prop_map(|(who, batch)| Event::HandOver(who, batch)),
    ]
}

fn happen(view: &mut View, event: &Event, id: u128) {
    let pick = |who: &Index, view: &View| match view.members.is_empty() {
        true => MemberId(0),
        false => who.get(&view.members).id,
    };
    match event {
        Event::Join { weight, build } => {
            join(view, node(id, *weight, &build.to_string())).expect("there is room");
        }
        Event::Drain(who) => drain(view, pick(who, view)),
        Event::Leave(who) => leave(view, pick(who, view)),
        Event::Die(who) => bury(view, pick(who, view)),
        Event::HandOver(who, batch) => {
            let own = outgoing(view, pick(who, view), *batch);
            assert!(own.len() <= *batch);
            own.into_iter().for_each(|(shard, to)| view.give(shard, Some(to)));
        }
    }
}

/// What holds after whatever happens.
fn check_step(before: &View, view: &View, event: &Event) {
    let members: BTreeMap<MemberId, bool> =
        view.members.iter().map(|member| (member.id, member.takes_shards())).collect();
    let somebody_takes = members.values().any(|takes| *takes);
    for (old, new) in before.terms.iter().zip(&view.terms) {
        assert!(new.epoch >= old.epoch, "epochs never go back");
        let owner = new.owner;
        let takes = owner.map(|owner| *members.get(&owner).expect("an owner is a member"));
        assert!(owner.is_some() || !somebody_takes, "nobody owns a shard that somebody could");
        if old.owner != owner {
            assert!(new.epoch > old.epoch, "each owner has a term of its own");
            assert!(takes != Some(false), "it went to one who takes none");
            let is_left = old.owner.is_none_or(|owner| !members.contains_key(&owner));
            assert!(is_left || matches!(event, Event::HandOver(..)), "taken from the living");
        }
    }
}

/// Members hand over in batches, in any order, and then all that is left; answers how many shards
/// moved.
fn hand_over_all(view: &mut View, noise: &mut Noise) -> usize {
    let mut moved = 0;
    for _ in 0..4 {
        let moves = plan(view);
        let Some(wanted) = moves.get(noise.below(moves.len().max(1))) else { return moved };
        let sender = wanted.from.expect("what nobody owns was given away at once");
        let own = outgoing(view, sender, 1 + noise.below(300));
        assert!(!own.is_empty());
        moved += own.len();
        own.into_iter().for_each(|(shard, to)| view.give(shard, Some(to)));
    }
    let moves = plan(view);
    apply(view, &moves);
    assert_eq!(plan(view), [], "a plan that is carried out leaves nothing");
    moved + moves.len()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(3_500))]

    /// Whatever happens, what is to be served is owned; and once nothing happens any more, all
    /// comes to rest with no more moves than were planned, in whatever order they are made.
    #[test]
    fn any_history_comes_to_rest(
        weights in weights(0),
        events in prop::collection::vec(event(), 1..8),
        seed: u64,
    ) {
        let noise = &mut Noise(seed);
        let mut view = at_rest(&weights, noise);
        for (event, id) in events.iter().zip(1_000..) {
            let before = view.clone();
            happen(&mut view, event, id);
            check_step(&before, &view, event);
        }
        let planned = plan(&view).len();
        prop_assert_eq!(hand_over_all(&mut view, noise), planned);
        for member in &view.members {
            let owned = view.shards_of(member.id).count();
            let is_left = !view.members.iter().any(Member::takes_shards);
            prop_assert!(owned == 0 || member.takes_shards() || is_left);
        }
        if is_at_rest(&view) {
            assert_balanced(&view);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_500))]

    /// Loads out of bounds come within them by the fewest moves; nobody both gives and gets; and
    /// of what a member has, it gives what moved least.
    #[test]
    fn balance_is_mended_by_the_fewest_moves(
        weights in weights(0), seed: u64,
    ) {
        let before = scattered(&weights, &mut Noise(seed));
        let moves = plan(&before);
        let (mut excess, mut lack, loads) = (0.0, 0.0, loads(&before));
        for (id, share) in shares(&before) {
            let (low, high) = bounds(share);
            excess += (loads[&id] - high).max(0.0);
            lack += (low - loads[&id]).max(0.0);
        }
        prop_assert_eq!(moves.len() as f64, f64::max(excess, lack));
        let mut given: BTreeMap<MemberId, (u8, u16)> = BTreeMap::new();
        for wanted in &moves {
            let from = wanted.from.expect("all are owned");
            let cost = (before.terms[usize::from(wanted.shard)].moves, wanted.shard);
            given.entry(from).and_modify(|most| *most = cost.max(*most)).or_insert(cost);
        }
        prop_assert!(moves.iter().all(|wanted| !given.contains_key(&wanted.to)));
        let mut view = before.clone();
        settle(&mut view);
        assert_balanced(&view);
        for (giver, most) in given {
            let kept = |shard: u16| (before.terms[usize::from(shard)].moves, shard);
            prop_assert!(view.shards_of(giver).all(|shard| kept(shard) > most));
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_500))]

    /// A new node of the same build gets its share, and others move at most by what rounding
    /// leaves them; a death moves nothing but what the dead had, and what a smaller cluster has
    /// to mend for the same reason.
    #[test]
    fn a_join_moves_a_share_and_a_death_what_the_dead_had(
        weights in weights(1), weight in 1u32..=8, who: Index,
        seed: u64,
    ) {
        let rest = at_rest(&weights, &mut Noise(seed));
        let mut joined = rest.clone();
        join(&mut joined, node(500, weight, "1")).unwrap();
        let share = shares(&joined)[&MemberId(500)];
        let moves = plan(&joined);
        prop_assert!(moves.len() as f64 <= share * 1.1 + joined.members.len() as f64);
        settle(&mut joined);
        assert_balanced(&joined);

        let mut fewer = rest.clone();
        let dead = who.get(&rest.members).id;
        bury(&mut fewer, dead);
        for (old, new) in rest.terms.iter().zip(&fewer.terms) {
            prop_assert!((old.owner == Some(dead)) == (old.owner != new.owner));
        }
    }
}

/// How a service is rolled.
#[derive(Debug, Clone, Copy)]
struct Roll {
    starts_first: bool,
    /// Old nodes are killed rather than stopped.
    kills: bool,
}

/// Replaces every node by one of its weight and a new build; answers how often each shard moved
/// until all was at rest.
fn deploy(view: &mut View, roll: Roll, base: u128) -> Vec<usize> {
    let mut moved = vec![0; SHARDS];
    let mut last: Vec<_> = view.terms.iter().map(|term| term.owner).collect();
    let mut step = |view: &mut View, change: &dyn Fn(&mut View)| {
        change(view);
        settle(view);
        for (shard, term) in view.terms.iter().enumerate() {
            if term.owner.is_some() && term.owner != last[shard] {
                moved[shard] += 1;
                last[shard] = term.owner;
            }
        }
    };
    let old = view.members.clone();
    for (former, id) in old.iter().zip(base..) {
        let successor = || node(id, former.weight, &base.to_string());
        let start = |view: &mut View| join(view, successor()).expect("there is room");
        if roll.starts_first {
            step(view, &start);
        }
        if !roll.kills {
            step(view, &|view| drain(view, former.id));
        }
        step(view, &|view| if roll.kills { bury(view, former.id) } else { leave(view, former.id) });
        if !roll.starts_first {
            step(view, &start);
        }
    }
    assert!(is_at_rest(view));
    assert_balanced(view);
    moved
}

fn roll() -> impl Strategy<Value = Roll> {
    (any::<bool>(), any::<bool>()).prop_map(|(starts_first, kills)| Roll { starts_first, kills })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(250))]

    /// Two deploys in a row, so that the second one finds what the first one counted.
    #[test]
    fn a_deploy_moves_each_shard_twice_at_most(
        nodes in 2usize..=10, weight in 1u32..=8, rolls in [roll(), roll()], seed: u64,
    ) {
        let mut view = at_rest(&vec![weight; nodes], &mut Noise(seed));
        for (roll, base) in rolls.into_iter().zip([100, 200]) {
            let moved = deploy(&mut view, roll, base);
            let most = moved.iter().max().copied();
            prop_assert!(most <= Some(2), "{most:?} in {roll:?}");
            if roll.starts_first {
                let twice = moved.iter().filter(|count| **count > 1).count();
                prop_assert!(twice <= SHARDS / 20, "{twice} moved twice");
            }
        }
    }

    /// Nodes of very different weights, in any order; some take nothing. Where one stops first,
    /// the cluster is at rest without it before its successor comes, and may be balanced for
    /// that: then a few shards move once more.
    #[test]
    fn a_deploy_of_unlike_nodes_moves_few_shards_more(
        weights in prop::collection::vec(0u32..=8, 2..=10), roll in roll(), seed: u64,
    ) {
        let mut view = at_rest(&weights, &mut Noise(seed));
        let moved = deploy(&mut view, roll, 100);
        let most = if roll.starts_first { 2 } else { 3 };
        prop_assert!(moved.iter().all(|count| *count <= most), "{:?}", moved.iter().max());
        let more = moved.iter().filter(|count| **count > 2).count();
        prop_assert!(more <= SHARDS / 20, "{more} moved more than twice");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    /// During a deploy only what has to move does; it goes to the newest build, whose members
    /// get up to twice their share for that.
    #[test]
    fn the_newest_build_is_preferred_within_its_bound(
        weights in weights(0), new in 1usize..20,
        draining in prop::collection::vec(any::<Index>(), 1..20), seed: u64,
    ) {
        let mut view = at_rest(&weights, &mut Noise(seed));
        let old = view.members.len();
        for id in 0..new as u128 {
            join(&mut view, node(500 + id, 1 + id as u32 % 3, "2")).unwrap();
        }
        draining.iter().for_each(|who| drain(&mut view, MemberId(1 + who.index(old) as u128)));
        let moves = plan(&view);
        let drains = |id| view.member(id).is_some_and(|member| member.draining);
        prop_assert!(moves.iter().all(|wanted| wanted.from.is_some_and(drains)));
        let before = loads(&view);
        apply(&mut view, &moves);
        let (after, shares) = (loads(&view), shares(&view));
        let is_new = |id: MemberId| id >= MemberId(500);
        if shares.keys().all(|id| is_new(*id)) {
            return Ok(());
        }
        let bound = |id: &MemberId| (2.0 * shares[id] + 1e-9).floor().max(1.0);
        for id in shares.keys().filter(|id| is_new(**id)) {
            prop_assert!(after[id] <= bound(id).max(before[id]));
        }
        if moves.iter().any(|wanted| !is_new(wanted.to)) {
            let mut preferred = shares.keys().filter(|id| is_new(**id));
            prop_assert!(preferred.all(|id| after[id] >= bound(id)));
        }
    }
}

#[test]
fn nobody_gets_shards_where_nobody_takes_any() {
    let mut view = View::default();
    assert_eq!(plan(&view), []);
    join(&mut view, node(1, 0, "1")).unwrap();
    assert!(view.terms.iter().all(|term| term.owner.is_none()));
    join(&mut view, node(2, 1, "1")).unwrap();
    assert_eq!(view.shards_of(MemberId(2)).count(), SHARDS);
    drain(&mut view, MemberId(2));
    assert_eq!(plan(&view), [], "it keeps them for want of another");
    leave(&mut view, MemberId(2));
    assert!(view.terms.iter().all(|term| term.owner.is_none()));
    join(&mut view, node(3, 1, "2")).unwrap();
    assert_eq!(view.shards_of(MemberId(3)).count(), SHARDS);
}

#[test]
fn an_owner_that_is_no_member_is_none() {
    let mut view = View { members: vec![node(1, 1, "1")], ..View::default() };
    view.give(7, Some(MemberId(9)));
    let wanted = Move { shard: 7, from: None, to: MemberId(1) };
    assert!(plan(&view).contains(&wanted));
}

#[test]
fn a_cluster_has_an_end_and_who_joined_once_is_in_it_once() {
    let members = (1..=MEMBERS_MAX as u128).map(|id| node(id, 0, "1")).collect();
    let mut view = View { members, ..View::default() };
    let full = view.clone();
    assert_eq!(join(&mut view, node(5_000, 1, "1")), Err(JoinError::Full));
    assert_eq!(join(&mut view, node(7, 0, "1")), Ok(()));
    assert_eq!(view, full);
}

#[test]
fn who_does_not_read_the_form_of_the_view_is_no_member() {
    let mut view = View { version: 1, form: 2, ..View::default() };
    let before = view.clone();
    assert_eq!(join(&mut view, node(1, 1, "1")), Err(JoinError::TooOld { form: 2 }));
    assert_eq!(view, before);
    assert_eq!(join(&mut view, Member { reads: 3, ..node(1, 1, "1") }), Ok(()));
    assert_eq!(view.form, 2);
}

#[test]
fn moves_are_counted_from_where_a_deploy_begins() {
    let counts = |view: &View| {
        let count = |moves| view.terms.iter().filter(|term| term.moves == moves).count();
        (count(0), count(1), count(2))
    };
    let mut view = View::default();
    (1..=2).for_each(|id| {
        join(&mut view, node(id, 1, "1")).unwrap();
        settle(&mut view);
    });
    let (stayed, moved, _) = counts(&view);
    assert!(stayed > 500 && moved > 400, "a second node got its share");
    let mut starts_first = view.clone();
    join(&mut starts_first, node(3, 1, "2")).unwrap();
    assert_eq!(counts(&starts_first), (SHARDS, 0, 0));

    // A stop begins to count as well, and a new build that follows it goes on with that.
    leave(&mut view, MemberId(1));
    assert_eq!(counts(&view), (moved, stayed, 0));
    join(&mut view, node(3, 1, "2")).unwrap();
    assert_eq!(counts(&view), (moved, stayed, 0));
    drain(&mut view, MemberId(2));
    settle(&mut view);
    leave(&mut view, MemberId(2));
    assert_eq!(counts(&view), (0, moved, stayed));

    join(&mut view, node(4, 1, "2")).unwrap();
    let twice: Vec<u16> =
        (0..SHARDS as u16).filter(|at| view.terms[usize::from(*at)].moves == 2).collect();
    settle(&mut view);
    assert!(twice.iter().all(|shard| view.owner(*shard) == Some(MemberId(3))), "not a third time");
}

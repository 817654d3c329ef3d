//! What is told of a view and its heartbeat rows: as columns for people, and as JSON.

use std::collections::BTreeMap;
use std::time::Duration;

use barrow_cluster::{Member, MemberId, Peer, View, plan};
use serde::Serialize;

/// The fewest digits of an id that are shown.
const ID_DIGITS_MIN: usize = 8;

/// A heartbeat row, as it was watched.
#[derive(Debug, Clone, Default)]
pub struct Row {
    /// `None` where this build cannot read it.
    pub peer: Option<Peer>,
    /// Since when a new version of it is known; `None` if there was none.
    pub beat_age: Option<Duration>,
}

/// What became of a node's beats.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Heartbeat {
    Beats,
    Silent,
    /// A member without a row: dead, or it has just left.
    Gone,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Node {
    pub id: String,
    pub name: String,
    /// Host and port of its peer listener.
    pub address: Option<String>,
    /// `None` for one that has a row, and is no member yet.
    pub weight: Option<u32>,
    pub build: Option<String>,
    /// The newest form of stored rows that it reads.
    pub reads: Option<u8>,
    pub draining: bool,
    pub shards: usize,
    pub heartbeat: Heartbeat,
    pub beat_age_ms: Option<u64>,
    /// Names of members that it did not reach lately.
    pub unreachable: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Status {
    pub view_version: u64,
    /// What rows are written in.
    pub form: u8,
    /// What they will be written in: all members read it.
    pub form_to_come: Option<u8>,
    pub nodes: Vec<Node>,
    pub shards_without_owner: usize,
    /// Shards that are to go elsewhere.
    pub shards_to_move: usize,
    /// Builds differ, or a node drains: nothing moves but what has to.
    pub deploying: bool,
    pub balanced: bool,
}

impl Status {
    pub fn of(view: &View, rows: &BTreeMap<MemberId, Row>) -> Status {
        let members = view.members.iter().map(|member| {
            let shards = view.shards_of(member.id).count();
            node(member.id, Some(member), shards, rows.get(&member.id))
        });
        let joining = rows.iter().filter(|(id, _)| view.member(**id).is_none());
        let joining = joining.map(|(id, row)| node(*id, None, 0, Some(row)));
        Status {
            view_version: view.version,
            form: view.form,
            form_to_come: view.form_to_come(),
            nodes: members.chain(joining).collect(),
            shards_without_owner: without_owner(view).count(),
            shards_to_move: plan::plan(view).len(),
            deploying: plan::is_deploying(view),
            balanced: !view.members.is_empty() && plan::is_at_rest(view),
        }
    }

    pub fn text(&self) -> String {
        let heads = [
            "NODE",
            "ID",
            "ADDRESS",
            "WEIGHT",
            "BUILD",
            "READS",
            "SHARDS",
            "BEAT",
            "STATE",
            "REACHES NOT",
        ];
        let digits = digits_needed(self.nodes.iter().map(|node| node.id.as_str()));
        let mut lines = vec![heads.map(str::to_owned)];
        lines.extend(self.nodes.iter().map(|node| node.cells(digits)));
        let members = self.nodes.iter().filter(|node| node.weight.is_some()).count();
        let balance = match self.balanced {
            true => "balanced".to_owned(),
            false => format!("{} shards to move", self.shards_to_move),
        };
        let form = match self.form_to_come {
            Some(to_come) => format!("form {}, form {to_come} to come", self.form),
            None => format!("form {}", self.form),
        };
        format!(
            "{}view {}, {form}: {members} members, {} shards without owner, {} under way, \
             {balance}\n",
            columns(&lines),
            self.view_version,
            self.shards_without_owner,
            if self.deploying { "a deploy" } else { "no deploy" },
        )
    }
}

impl Node {
    fn cells(&self, digits: usize) -> [String; 10] {
        let or_dash = |text: Option<String>| text.unwrap_or_else(|| "-".to_owned());
        let beat = match (self.heartbeat, self.beat_age_ms) {
            (Heartbeat::Beats, Some(age)) => format!("{:.1} s ago", age as f64 / 1e3),
            (Heartbeat::Gone, _) => "no row".to_owned(),
            _ => "silent".to_owned(),
        };
        let state = match (self.weight, self.draining) {
            (None, _) => "joining",
            (_, true) => "draining",
            _ => "member",
        };
        [
            self.name.clone(),
            self.id[..digits].to_owned(),
            or_dash(self.address.clone()),
            or_dash(self.weight.map(|weight| weight.to_string())),
            or_dash(self.build.clone()),
            or_dash(self.reads.map(|reads| reads.to_string())),
            self.shards.to_string(),
            beat,
            state.to_owned(),
            self.unreachable.join(", "),
        ]
    }
}

fn node(id: MemberId, member: Option<&Member>, shards: usize, row: Option<&Row>) -> Node {
    let peer = row.and_then(|row| row.peer.as_ref());
    let name = member.map(|member| &member.name).or(peer.map(|peer| &peer.name));
    let beat_age = row.and_then(|row| row.beat_age);
    Node {
        id: id.to_string(),
        name: name.cloned().unwrap_or_default(),
        address: peer.map(|peer| peer.address.clone()),
        weight: member.map(|member| member.weight),
        build: member.map(|member| member.build.clone()),
        reads: member.map(|member| member.reads),
        draining: member.is_some_and(|member| member.draining),
        shards,
        heartbeat: match (row, beat_age) {
            (None, _) => Heartbeat::Gone,
            (_, Some(_)) => Heartbeat::Beats,
            (_, None) => Heartbeat::Silent,
        },
        beat_age_ms: beat_age.map(|age| u64::try_from(age.as_millis()).unwrap_or(u64::MAX)),
        unreachable: peer.map(|peer| peer.unreachable.clone()).unwrap_or_default(),
    }
}

/// Who owns which shards.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Shards {
    pub view_version: u64,
    pub owners: Vec<Owner>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Owner {
    /// `None` for those that nobody owns.
    pub id: Option<String>,
    pub name: Option<String>,
    pub shards: Vec<Shard>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Shard {
    pub shard: u16,
    pub epoch: u64,
}

impl Shards {
    /// Those of all, or of one.
    pub fn of(view: &View, only: Option<MemberId>) -> Shards {
        let with_epochs = |shards: &mut dyn Iterator<Item = u16>| {
            let epoch = |shard: u16| view.terms[usize::from(shard)].epoch;
            shards.map(|shard| Shard { shard, epoch: epoch(shard) }).collect()
        };
        let members = view.members.iter().filter(|member| only.is_none_or(|id| id == member.id));
        let mut owners: Vec<Owner> = members
            .map(|member| Owner {
                id: Some(member.id.to_string()),
                name: Some(member.name.clone()),
                shards: with_epochs(&mut view.shards_of(member.id)),
            })
            .collect();
        let mut nobodys = without_owner(view).peekable();
        if only.is_none() && nobodys.peek().is_some() {
            owners.push(Owner { id: None, name: None, shards: with_epochs(&mut nobodys) });
        }
        Shards { view_version: view.version, owners }
    }

    pub fn text(&self) -> String {
        let digits = digits_needed(self.owners.iter().filter_map(|owner| owner.id.as_deref()));
        let mut lines = vec![["NODE", "ID", "SHARDS", "WHICH"].map(str::to_owned)];
        lines.extend(self.owners.iter().map(|owner| {
            let id = owner.id.as_ref().map_or("-".to_owned(), |id| id[..digits].to_owned());
            let name = owner.name.clone().unwrap_or_else(|| "nobody".to_owned());
            [name, id, owner.shards.len().to_string(), ranges(&owner.shards)]
        }));
        format!("{}view {}\n", columns(&lines), self.view_version)
    }
}

fn without_owner(view: &View) -> impl Iterator<Item = u16> {
    let terms = view.terms.iter().enumerate().filter(|(_, term)| term.owner.is_none());
    terms.map(|(shard, _)| shard as u16)
}

/// `0-255, 300`.
fn ranges(shards: &[Shard]) -> String {
    let mut ranges: Vec<(u16, u16)> = Vec::new();
    for Shard { shard, .. } in shards {
        match ranges.last_mut() {
            Some((_, last)) if *last + 1 == *shard => *last = *shard,
            _ => ranges.push((*shard, *shard)),
        }
    }
    let texts = ranges.iter().map(|(first, last)| match first == last {
        true => first.to_string(),
        false => format!("{first}-{last}"),
    });
    texts.collect::<Vec<_>>().join(", ")
}

/// How many digits tell these ids apart.
fn digits_needed<'a>(ids: impl Iterator<Item = &'a str>) -> usize {
    let mut ids: Vec<&str> = ids.collect();
    ids.sort_unstable();
    let shared = ids.windows(2).map(|pair| {
        pair[0].bytes().zip(pair[1].bytes()).take_while(|(one, other)| one == other).count()
    });
    shared.max().map_or(0, |shared| shared + 1).clamp(ID_DIGITS_MIN, 32)
}

/// Lines whose cells begin below each other.
fn columns<const N: usize>(lines: &[[String; N]]) -> String {
    let width = |column: usize| lines.iter().map(|line| line[column].chars().count()).max();
    let widths: [usize; N] = std::array::from_fn(|column| width(column).unwrap_or(0));
    let text = lines.iter().map(|line| {
        let cells = line.iter().zip(widths).map(|(cell, width)| format!("{cell:<width$}  "));
        format!("{}\n", cells.collect::<String>().trim_end())
    });
    text.collect()
}

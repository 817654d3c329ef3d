//! The view: who is a member, and which of them owns each shard. One row of the control table,
//! changed only by compare-and-set.

use crate::{Member, MemberId};

/// How many shards there are, for ever: it is part of what entities are stored under.
pub const SHARDS: usize = 1_024;

/// The most members a view holds.
pub const MEMBERS_MAX: usize = 1_000;

/// The key of its row.
pub const VIEW_KEY: &str = "view";

/// The form that shops began with.
pub const FIRST_FORM: u8 = 1;

/// Who owns a shard, and in which term of office.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Term {
    pub owner: Option<MemberId>,
    /// Higher with each new owner.
    pub epoch: u64,
    /// How often it moved since the cluster was last at rest.
    pub moves: u8,
}

/// What all members agree in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct View {
    /// The version of its row; 0 where there is none yet.
    pub version: u64,
    /// What everything that is stored may be written in: every member reads it. It only grows.
    pub form: u8,
    /// In the order in which they joined.
    pub members: Vec<Member>,
    /// One term for each shard.
    pub terms: Vec<Term>,
}

/// A row that this build cannot read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ViewError {
    #[error("the shop is stored in form {found}; the newest that this build reads is {reads}")]
    FutureForm { found: u8, reads: u8 },
    #[error("the view is damaged: {0}")]
    Damaged(&'static str),
}

impl Default for View {
    /// Before the first node: no members, and nobody owns anything.
    fn default() -> View {
        let terms = vec![Term::default(); SHARDS];
        View { version: 0, form: FIRST_FORM, members: Vec::new(), terms }
    }
}

impl View {
    pub fn member(&self, id: MemberId) -> Option<&Member> {
        self.members.iter().find(|member| member.id == id)
    }

    pub fn owner(&self, shard: u16) -> Option<MemberId> {
        self.terms[usize::from(shard)].owner
    }

    /// The shards of a member.
    pub fn shards_of(&self, owner: MemberId) -> impl Iterator<Item = u16> {
        let terms = self.terms.iter().enumerate();
        terms.filter(move |(_, term)| term.owner == Some(owner)).map(|(shard, _)| shard as u16)
    }

    /// Begins a new term of a shard.
    pub fn give(&mut self, shard: u16, owner: Option<MemberId>) {
        let term = &mut self.terms[usize::from(shard)];
        // That it has nobody for a while is no move of its own, and neither is its first term.
        let is_move = owner.is_some() && term.epoch > 0;
        let moves = term.moves.saturating_add(u8::from(is_move));
        *term = Term { owner, epoch: term.epoch + 1, moves };
    }

    /// Removes a member; what it owned belongs to nobody then.
    pub fn remove(&mut self, id: MemberId) {
        self.members.retain(|member| member.id != id);
        let owned: Vec<u16> = self.shards_of(id).collect();
        owned.into_iter().for_each(|shard| self.give(shard, None));
    }

    /// The form that this one may be raised to: the newest that every member reads, if it is a
    /// later one.
    pub fn form_to_come(&self) -> Option<u8> {
        let newest = self.members.iter().map(|member| member.reads).min();
        newest.filter(|newest| *newest > self.form)
    }

    /// As it is stored: the form, which is that of this row too, the members as JSON with their
    /// length before them, and for each shard the place of its owner among them (0 for nobody),
    /// its epoch and its moves. About 4 KB for a few members: what a strongly consistent read
    /// costs is counted in 4 KB.
    pub fn encode(&self) -> Vec<u8> {
        let members = serde_json::to_vec(&self.members).expect("members are plain data");
        let mut out = Vec::with_capacity(members.len() + 4 * SHARDS);
        out.push(self.form);
        put(&mut out, members.len() as u64);
        out.extend_from_slice(&members);
        for term in &self.terms {
            let place = term.owner.and_then(|owner| {
                self.members.iter().position(|member| member.id == owner).map(|place| place + 1)
            });
            put(&mut out, place.unwrap_or(0) as u64);
            put(&mut out, term.epoch);
            out.push(term.moves);
        }
        out
    }

    /// Reads a row of that version, for a build that reads forms up to `reads`. Whatever the bytes
    /// are, it ends in a view or an error. The row itself has looked the same in all forms so far.
    pub fn decode(version: u64, row: &[u8], reads: u8) -> Result<View, ViewError> {
        let mut rest = row;
        let form = match byte(&mut rest)? {
            0 => return Err(ViewError::Damaged("there is no form 0")),
            found if found > reads => return Err(ViewError::FutureForm { found, reads }),
            form => form,
        };
        let length = usize::try_from(varint(&mut rest)?).unwrap_or(usize::MAX);
        let members = rest.split_at_checked(length).ok_or(ViewError::Damaged("it is cut"))?;
        rest = members.1;
        let members: Vec<Member> = serde_json::from_slice(members.0)
            .map_err(|_| ViewError::Damaged("its members cannot be read"))?;
        if members.len() > MEMBERS_MAX {
            return Err(ViewError::Damaged("it has too many members"));
        }
        let mut terms = Vec::with_capacity(SHARDS);
        for _ in 0..SHARDS {
            let owner = match varint(&mut rest)? {
                0 => None,
                place => {
                    let place = usize::try_from(place - 1).unwrap_or(usize::MAX);
                    let owner = members.get(place).ok_or(ViewError::Damaged("an odd owner"))?;
                    Some(owner.id)
                }
            };
            terms.push(Term { owner, epoch: varint(&mut rest)?, moves: byte(&mut rest)? });
        }
        match rest.is_empty() {
            true => Ok(View { version, form, members, terms }),
            false => Err(ViewError::Damaged("it is longer than it should be")),
        }
    }
}

fn put(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

fn byte(rest: &mut &[u8]) -> Result<u8, ViewError> {
    let (first, others) = rest.split_first().ok_or(ViewError::Damaged("it is cut"))?;
    *rest = others;
    Ok(*first)
}

fn varint(rest: &mut &[u8]) -> Result<u64, ViewError> {
    let mut value = 0u64;
    for index in 0..10 {
        let next = byte(rest)?;
        let bits = u64::from(next & 0x7f);
        if index == 9 && bits > 1 {
            break;
        }
        value |= bits << (7 * index);
        if next & 0x80 == 0 {
            return Ok(value);
        }
    }
    Err(ViewError::Damaged("a number is too large"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn member(id: u128) -> Member {
        let name = format!("node {id}");
        Member {
            id: MemberId(id),
            name,
            weight: 1,
            build: "1".to_owned(),
            reads: 1,
            draining: false,
        }
    }

    proptest! {
        #[test]
        fn a_view_is_read_as_it_was_written(
            members in 0usize..5,
            version: u64,
            form in 1u8..=9,
            terms in prop::collection::vec((0usize..6, any::<u64>(), any::<u8>()), SHARDS),
        ) {
            let members: Vec<Member> = (0..members as u128).map(member).collect();
            let owner = |place: usize| members.get(place).map(|member| member.id);
            let terms = terms.into_iter();
            let terms = terms.map(|(place, epoch, moves)| {
                Term { owner: owner(place), epoch, moves }
            });
            let view = View { version, form, terms: terms.collect(), members: members.clone() };
            prop_assert_eq!(View::decode(version, &view.encode(), 9), Ok(view));
        }

        #[test]
        fn damage_is_an_error_and_never_more(noise: Vec<u8>, cut: prop::sample::Index, flip: u8) {
            let view = View { members: vec![member(1)], ..View::default() };
            let mut row = view.encode();
            let at = cut.index(row.len());
            let _ = View::decode(1, &noise, 9);
            prop_assert!(View::decode(1, &row[..at], 9).is_err());
            row[at] ^= flip;
            let _ = View::decode(1, &row, 9);
        }
    }

    #[test]
    fn a_row_of_a_later_build_is_told_from_a_damaged_one() {
        let mut row = View { form: 2, ..View::default() }.encode();
        let later = Err(ViewError::FutureForm { found: 2, reads: 1 });
        assert_eq!(View::decode(1, &row, 1), later);
        assert_eq!(View::decode(1, &row, 2).map(|view| view.form), Ok(2));
        row[0] = 0;
        assert!(matches!(View::decode(1, &row, 2), Err(ViewError::Damaged(_))));
        row[0] = 1;
        row.push(0);
        assert!(matches!(View::decode(1, &row, 2), Err(ViewError::Damaged(_))));
    }

    /// Nodes of other builds read these bytes.
    #[test]
    fn a_view_of_the_first_form_is_written_as_it_always_was() {
        let mut view = View { members: vec![member(255)], ..View::default() };
        view.give(0, Some(MemberId(255)));
        view.terms[1] = Term { owner: None, epoch: 300, moves: 7 };
        let members = r#"[{"id":"000000000000000000000000000000ff","name":"node 255","weight":1,"#;
        let members = format!(r#"{members}"build":"1","reads":1,"draining":false}}]"#);
        let mut row = vec![1, 111];
        row.extend_from_slice(members.as_bytes());
        row.extend_from_slice(&[1, 1, 0, 0, 0xac, 2, 7]);
        row.extend_from_slice(&[0; 3 * (SHARDS - 2)]);
        assert!(view.encode() == row, "{:?}", &view.encode()[..140]);
        assert_eq!(View::decode(0, &row, 1), Ok(view));
    }

    #[test]
    fn the_form_to_come_is_the_newest_that_everybody_reads() {
        let reads = |id: u128, reads: u8| Member { reads, ..member(id) };
        let view = |form: u8, members: &[Member]| View {
            form,
            members: members.to_vec(),
            ..View::default()
        };
        assert_eq!(view(1, &[]).form_to_come(), None);
        assert_eq!(view(1, &[reads(1, 3), reads(2, 2)]).form_to_come(), Some(2));
        assert_eq!(view(2, &[reads(1, 3), reads(2, 2)]).form_to_come(), None);
        assert_eq!(view(2, &[reads(1, 3), reads(2, 3)]).form_to_come(), Some(3));
    }

    #[test]
    fn a_shard_has_a_higher_epoch_with_each_owner_and_counts_its_moves() {
        let mut view = View { members: vec![member(1), member(2)], ..View::default() };
        view.give(7, Some(MemberId(1)));
        view.give(7, Some(MemberId(2)));
        let term = Term { owner: Some(MemberId(2)), epoch: 2, moves: 1 };
        assert_eq!(view.terms[7], term);
        view.remove(MemberId(2));
        assert_eq!(view.terms[7], Term { owner: None, epoch: 3, moves: 1 });
        assert_eq!(view.shards_of(MemberId(1)).count(), 0);
        assert_eq!(view.members.len(), 1);
    }

    #[test]
    fn a_view_of_few_members_takes_one_unit_to_read() {
        let mut view = View { members: (1..=4).map(member).collect(), ..View::default() };
        for shard in 0..SHARDS as u16 {
            view.terms[usize::from(shard)].epoch = 12_345;
            view.give(shard, Some(MemberId(1 + u128::from(shard % 4))));
        }
        let bytes = view.encode().len();
        assert!(bytes < 6_000, "{bytes}");
    }
}

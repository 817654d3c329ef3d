//! What customers say of the sample goods: put together from sentences that suit the stars and
//! the kind of goods, so that each product has its own and none contradicts itself.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::OnceLock;

use barrow_engine::catalog::Slug;
use barrow_engine::time::Timestamp;
use serde::Deserialize;

use super::build::DAY_MS;
use super::dice::Dice;
use super::source::{self, TalkLine};
use crate::record::{ProductKey, ReviewRecord};

/// Nothing of the sample is younger: 2026-11-15.
const LAST: Timestamp = Timestamp(1_794_700_800_000);

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Sentences {
    authors: Vec<String>,
    titles: Openings,
    great: Vec<String>,
    good: Vec<String>,
    fair: Vec<String>,
    poor: Vec<String>,
    lasting: Openings,
    closing: Vec<String>,
    mending: Vec<String>,
    families: BTreeMap<String, Family>,
}

/// By how many stars they suit.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Openings {
    great: Vec<String>,
    good: Vec<String>,
    fair: Vec<String>,
    poor: Vec<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Family {
    /// Such goods are gone one day: nobody says that they last.
    #[serde(default)]
    used_up: bool,
    praise: Vec<String>,
    gripe: Vec<String>,
}

fn sentences() -> &'static Sentences {
    static SENTENCES: OnceLock<Sentences> = OnceLock::new();
    SENTENCES.get_or_init(|| source::read(include_str!("data/reviews.yaml")))
}

/// Deals the cards of a pile in an order of its own, and again from the start when it is empty.
struct Pile<'a> {
    cards: Vec<&'a str>,
    next: usize,
}

impl<'a> Pile<'a> {
    fn new(cards: impl IntoIterator<Item = &'a String>, dice: &mut Dice) -> Pile<'a> {
        let mut cards: Vec<&str> = cards.into_iter().map(String::as_str).collect();
        for index in (1..cards.len()).rev() {
            cards.swap(index, dice.below(index as u64 + 1) as usize);
        }
        Pile { cards, next: 0 }
    }

    fn deal(&mut self) -> &'a str {
        let card = self.cards[self.next % self.cards.len()];
        self.next += 1;
        card
    }
}

/// The reviews of a product, oldest first.
pub fn of(slug: &Slug, talk: &TalkLine, created_at: Timestamp) -> Vec<ReviewRecord> {
    let all = sentences();
    let family = &all.families[&talk.family];
    let mut dice = Dice::new(&format!("reviews of {slug}"));
    let mut pile = |cards: &'static [String]| Pile::new(cards, &mut dice);
    let mut authors = pile(&all.authors);
    let titles = [&all.titles.poor, &all.titles.fair, &all.titles.good, &all.titles.great];
    let mut titles = titles.map(|cards| pile(cards));
    let (mut praise, mut gripe) = (pile(&family.praise), pile(&family.gripe));
    let (mut closing, mut mending) = (pile(&all.closing), pile(&all.mending));
    let lasting = &all.lasting;
    let openings = [
        (&all.poor, &lasting.poor),
        (&all.fair, &lasting.fair),
        (&all.good, &lasting.good),
        (&all.great, &lasting.great),
    ];
    let mut openings = openings.map(|(always, lasting)| {
        let lasting = lasting.iter().filter(|_| !family.used_up);
        Pile::new(always.iter().chain(lasting), &mut dice)
    });

    let span = (LAST.0 - created_at.0 - 6 * DAY_MS).max(DAY_MS) as u64;
    let mut times: Vec<u64> = (0..talk.count).map(|_| dice.below(span) / 1000 * 1000).collect();
    times.sort_unstable();
    // Some goods are liked more than others.
    let charm = dice.below(18);
    let mut said = BTreeSet::new();
    let reviews = times.into_iter().map(|time| {
        let rating = rating(&mut dice, charm);
        let group = [0, 0, 1, 2, 3][usize::from(rating) - 1];
        let mut body = vec![openings[group].deal()];
        match group {
            3 => {
                body.push(praise.deal());
                if dice.chance(25) {
                    body.push(closing.deal());
                }
            }
            2 => body.extend([praise.deal(), gripe.deal()]),
            1 => body.extend([gripe.deal(), praise.deal()]),
            _ => body.extend([gripe.deal(), mending.deal()]),
        }
        // The piles begin again after a while; nothing is said twice.
        if !said.insert(body.clone()) {
            body.push(closing.deal());
        }
        ReviewRecord {
            product: ProductKey::Slug(slug.clone()),
            rating,
            title: dice.chance(70).then(|| titles[group].deal().to_owned()),
            body: body.join(" ").replace("{thing}", &talk.noun),
            author: authors.deal().to_owned(),
            verified: dice.chance(82),
            created_at: Timestamp(created_at.0 + 5 * DAY_MS + time as i64),
        }
    });
    reviews.collect()
}

/// Most customers who write are pleased; `charm` is in percent.
fn rating(dice: &mut Dice, charm: u64) -> u8 {
    match dice.below(100) {
        roll if roll < 52 + charm => 5,
        roll if roll < 78 + charm / 2 => 4,
        roll if roll < 90 + charm / 4 => 3,
        roll if roll < 96 + charm / 8 => 2,
        _ => 1,
    }
}

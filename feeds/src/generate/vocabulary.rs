//! The words that the made-up goods are named and described with.

/// What varies between the variants of a kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Range {
    /// It comes in one form.
    Single,
    Colors,
    Sizes,
    /// In colors and two sizes.
    ColorsAndSizes,
}

/// A kind of goods.
#[derive(Debug)]
pub struct Kind {
    pub noun: &'static str,
    /// Where in [`COLLECTIONS`].
    pub collection: usize,
    /// The drawing and the accent of its picture, as in the sample.
    pub draw: &'static str,
    pub accent: &'static str,
    pub base: &'static str,
    /// In whole euro.
    pub price: (u64, u64),
    pub range: Range,
    pub materials: &'static [&'static str],
    /// In grams.
    pub weight: (u64, u64),
}

/// Slug, title and, for those that lie in another, where it is.
pub const COLLECTIONS: [(&str, &str, Option<usize>); 24] = [
    ("house", "House", None),
    ("cookware", "Cookware", Some(0)),
    ("tableware", "Tableware", Some(0)),
    ("coffee-and-tea", "Coffee & Tea", Some(0)),
    ("lamps", "Lamps", Some(0)),
    ("soft-furnishings", "Soft Furnishings", Some(0)),
    ("decoration", "Decoration", Some(0)),
    ("furniture", "Furniture", Some(0)),
    ("open-air", "Open Air", None),
    ("camping", "Camping", Some(8)),
    ("garden-tools", "Garden Tools", Some(8)),
    ("pots-and-planters", "Pots & Planters", Some(8)),
    ("office", "Office", None),
    ("desk-tools", "Desk Tools", Some(12)),
    ("paper-goods", "Paper Goods", Some(12)),
    ("writing", "Writing", Some(12)),
    ("bags-and-cases", "Bags & Cases", None),
    ("small-leather", "Small Leather", Some(16)),
    ("clothes", "Clothes", None),
    ("shoes", "Shoes", Some(18)),
    ("sound", "Sound", None),
    ("bath", "Bath", None),
    ("exercise", "Exercise", None),
    ("toys", "Toys", None),
];

const CLAY: &[&str] = &["Stoneware", "Porcelain", "Earthenware", "Bone China"];
const METAL: &[&str] = &["Steel", "Cast Iron", "Copper", "Aluminium"];
const WOOD: &[&str] = &["Oak", "Walnut", "Beech", "Ash", "Cherry", "Acacia"];
const CLOTH: &[&str] = &["Linen", "Cotton", "Wool", "Hemp", "Merino"];
const OUTER: &[&str] = &["Canvas", "Ripstop", "Nylon", "Waxed Cotton"];
const HIDE: &[&str] = &["Leather", "Suede", "Bridle Leather"];
const PAPER: &[&str] = &["Paper", "Cotton Paper", "Recycled Paper"];
const CASE: &[&str] = &["Walnut", "Aluminium", "Oak", "Steel"];
const CARE: &[&str] = &["Olive", "Pine", "Lavender", "Honey", "Sage"];

macro_rules! kinds {
    ($($noun:literal $collection:literal $draw:literal $accent:literal $base:literal
        $low:literal..$high:literal $range:ident $materials:ident
        $light:literal..$heavy:literal)*) => {
        /// All kinds; the first so many products show each of them once.
        pub const KINDS: &[Kind] = &[$(Kind {
            noun: $noun,
            collection: $collection,
            draw: $draw,
            accent: $accent,
            base: $base,
            price: ($low, $high),
            range: Range::$range,
            materials: $materials,
            weight: ($light, $heavy),
        }),*];
    };
}

kinds! {
    "Dutch Oven" 1 "dutch" "Brass" "Ember" 69..249 ColorsAndSizes METAL 2500..6500
    "Frying Pan" 1 "pan" "Oak" "Charcoal" 29..129 Sizes METAL 900..2800
    "Chef's Knife" 1 "knife chef" "Brass" "Walnut" 29..149 Single WOOD 150..300
    "Chopping Board" 1 "board stripe" "Walnut" "Oak" 19..89 Sizes WOOD 700..2600
    "Mug" 2 "mug dip" "Harbor" "Cream" 9..29 ColorsAndSizes CLAY 250..450
    "Bowl" 2 "bowl dip" "Moss" "Oat" 12..45 Colors CLAY 350..900
    "Plate" 2 "plate rim" "Harbor" "Cream" 11..39 Colors CLAY 450..800
    "Canister" 2 "canister woodlid label" "Oak" "Sage" 14..45 ColorsAndSizes CLAY 400..900
    "Kettle" 3 "kettle woodgrip" "Brass" "Slate" 39..139 Colors METAL 800..1400
    "Coffee Press" 3 "press" "Black" "Copper" 25..79 Sizes METAL 500..1100
    "Teapot" 3 "teapot band" "Honey" "Cream" 29..89 Colors CLAY 700..1300
    "Table Lamp" 4 "tablelamp ball" "Terracotta" "Linen" 49..189 Colors CLAY 1200..3200
    "Pendant" 4 "pendant dome" "Brass" "Forest" 59..219 ColorsAndSizes METAL 900..2600
    "Desk Lamp" 4 "desklamp" "Brass" "Black" 59..179 Colors METAL 1100..2600
    "Throw" 5 "throw fringe" "Cream" "Heather" 39..149 Colors CLOTH 600..1400
    "Cushion" 5 "cushion piping" "Cream" "Mustard" 19..69 ColorsAndSizes CLOTH 400..800
    "Rug" 5 "rug diamond" "Slate" "Cream" 79..399 ColorsAndSizes CLOTH 2200..7800
    "Vase" 6 "vase round stems" "Sage" "Cream" 17..89 Colors CLAY 500..1900
    "Wall Clock" 6 "wallclock ticks" "Terracotta" "Oak" 29..119 Colors WOOD 500..1300
    "Mirror" 6 "mirror round" "Brass" "Brass" 49..299 Sizes METAL 2400..9000
    "Candle" 6 "candle label" "Moss" "Cream" 12..39 Colors CARE 250..700
    "Stool" 7 "stool" "Oak" "Sage" 49..149 Colors WOOD 2200..4400
    "Armchair" 7 "armchair tuft" "Walnut" "Moss" 299..899 Colors CLOTH 16000..28000
    "Side Table" 7 "sidetable" "Terracotta" "Black" 59..229 Colors METAL 3200..8000
    "Tent" 9 "tent dome" "Mustard" "Olive" 149..599 ColorsAndSizes OUTER 1800..7600
    "Sleeping Bag" 9 "sleepingbag" "Ember" "Slate" 79..329 Sizes OUTER 800..2100
    "Bottle" 9 "flask badge loop" "Oak" "Pine" 19..49 ColorsAndSizes METAL 250..480
    "Camp Chair" 9 "campchair" "Tan" "Rust" 49..149 Colors OUTER 2400..4800
    "Lantern" 9 "lantern led" "Brass" "Forest" 29..99 Colors METAL 500..1100
    "Trowel" 10 "trowel" "Brass" "Walnut" 9..39 Single WOOD 200..420
    "Secateurs" 10 "pruner" "Black" "Cherry" 19..79 Colors METAL 180..320
    "Watering Can" 10 "wateringcan" "Brass" "Sage" 19..79 ColorsAndSizes METAL 700..1700
    "Planter" 11 "planter herb saucer" "Oak" "Terracotta" 9..89 ColorsAndSizes CLAY 700..6000
    "Hanging Pot" 11 "hangingpot" "Tan" "White" 14..49 Colors CLAY 600..1500
    "Desk Tray" 13 "tray desk" "Walnut" "Oak" 19..69 Single WOOD 400..1100
    "Pen Cup" 13 "pencup rim" "Oak" "Slate" 9..35 Colors CLAY 250..500
    "Laptop Stand" 13 "laptopstand" "Oak" "Oak" 29..99 Single WOOD 500..1200
    "Notebook" 14 "notebook elastic emboss ribbon" "Brass" "Forest" 8..32 Colors PAPER 180..480
    "Card Set" 14 "cards bloom" "Coral" "Sage" 7..24 Single PAPER 90..260
    "Sketchbook" 14 "openbook sketch" "Terracotta" "Black" 12..39 Sizes PAPER 300..800
    "Fountain Pen" 15 "pen" "Brass" "Navy" 29..189 Colors METAL 18..48
    "Ink" 15 "inkbottle" "Harbor" "Harbor" 7..25 Colors CARE 150..240
    "Pencil Set" 15 "pencils" "Cherry" "Harbor" 6..29 Single WOOD 40..160
    "Backpack" 16 "backpack flap" "Tan" "Olive" 49..229 Colors OUTER 600..1500
    "Tote" 16 "tote base pocket" "Cognac" "Navy" 19..149 Colors OUTER 250..900
    "Duffel" 16 "duffel" "Cognac" "Forest" 69..259 ColorsAndSizes OUTER 900..1900
    "Wallet" 17 "wallet slots" "Cream" "Cognac" 29..99 Colors HIDE 30..140
    "Belt" 17 "belt" "Walnut" "Cognac" 29..89 Sizes HIDE 150..280
    "Tee" 18 "tshirt pocket" "Harbor" "White" 15..49 ColorsAndSizes CLOTH 160..260
    "Sweater" 18 "sweater yoke" "Rust" "Oat" 59..189 ColorsAndSizes CLOTH 350..800
    "Raincoat" 18 "jacket hood" "Navy" "Marigold" 79..249 ColorsAndSizes OUTER 380..900
    "Beanie" 18 "beanie pom" "Cream" "Mustard" 15..45 Colors CLOTH 70..140
    "Sneaker" 19 "sneaker" "Forest" "Chalk" 49..149 ColorsAndSizes OUTER 600..900
    "Boot" 19 "boot" "Brass" "Cognac" 89..289 ColorsAndSizes HIDE 1100..1800
    "Headphones" 20 "headphones" "Tan" "Cream" 49..349 Colors CASE 180..340
    "Speaker" 20 "speaker handle" "Tan" "Sage" 59..299 Colors CASE 700..2600
    "Radio" 20 "radio handle" "Cream" "Coral" 39..199 Colors CASE 600..1800
    "Soap" 21 "soap dish band" "Cream" "Sage" 5..15 Single CARE 90..180
    "Yoga Mat" 22 "rolledmat strap" "Navy" "Lagoon" 29..99 Colors CARE 900..2400
    "Toy Car" 23 "toycar" "Cream" "Poppy" 12..39 Colors WOOD 200..480
}

/// Names of lines are made of a beginning and an ending: "Aldgrove".
pub const BEGINNINGS: [&str; 48] = [
    "Ald", "Ash", "Bar", "Bram", "Brook", "Cald", "Cole", "Corn", "Dale", "Dun", "East", "Elm",
    "Fair", "Farn", "Fern", "Glen", "Grim", "Hal", "Hart", "Haw", "Hazel", "Holl", "Ives", "Kel",
    "Lang", "Lark", "Linden", "Lyn", "Mar", "May", "Mill", "Nor", "Oak", "Old", "Pen", "Quarr",
    "Raven", "Red", "Rowan", "Sel", "Silver", "Stan", "Thorn", "Wald", "Wey", "Whit", "Win",
    "Wood",
];
pub const ENDINGS: [&str; 32] = [
    "beck", "borough", "bourne", "brook", "bury", "by", "combe", "cote", "dale", "den", "field",
    "ford", "gate", "grove", "ham", "haven", "holm", "hurst", "ley", "low", "mere", "mont", "more",
    "ridge", "shaw", "stead", "stone", "thorpe", "ton", "wick", "wold", "worth",
];

pub const BRANDS: [&str; 40] = [
    "Adler & Pike",
    "Anvil Row",
    "Bellwether",
    "Birchline",
    "Blue Ferry",
    "Borrowdale Works",
    "Cartwright Lane",
    "Cinderpath",
    "Copperbeech",
    "Crow & Sparrow",
    "Dovetail Yard",
    "Eastmoor",
    "Fallowfield",
    "Fathom Supply",
    "Fieldfare",
    "Foxley & Daughters",
    "Gablehook",
    "Greenholt",
    "Hearth & Hollow",
    "Inkwell Street",
    "Jutland Mill",
    "Kestrel House",
    "Kilnmarsh",
    "Lantern Co",
    "Larkspur",
    "Longacre",
    "Merrow",
    "Millrace",
    "Northlight",
    "Old Quay",
    "Otter & Elm",
    "Penhallow",
    "Plumbline",
    "Quarry Bank",
    "Rookery",
    "Saltmarsh",
    "Tollgate",
    "Underhill",
    "Weirside",
    "Yarrow & Son",
];

pub const CHARACTERS: [&str; 24] = [
    "Everyday", "Classic", "Compact", "Heritage", "Slim", "Round", "Tall", "Little", "Workshop",
    "Weekend", "Studio", "Harvest", "Winter", "Summer", "Quiet", "Plain", "Ribbed", "Brushed",
    "Folded", "Rustic", "Modern", "Country", "Travel", "Evening",
];

pub const COLORS: [&str; 24] = [
    "Cream",
    "Oat",
    "Sage",
    "Moss",
    "Forest",
    "Sky",
    "Harbor",
    "Navy",
    "Teal",
    "Blush",
    "Rose",
    "Coral",
    "Terracotta",
    "Rust",
    "Brick",
    "Plum",
    "Lavender",
    "Butter",
    "Mustard",
    "Tan",
    "Walnut",
    "Slate",
    "Graphite",
    "Black",
];

pub const COUNTRIES: [&str; 10] = [
    "Austria",
    "Czechia",
    "Denmark",
    "England",
    "France",
    "Germany",
    "Italy",
    "Lithuania",
    "Portugal",
    "Sweden",
];

pub const OPENINGS: [&str; 12] = [
    "Made in small runs by people who use it themselves.",
    "The simple version, done properly.",
    "Built to be used every day and looked at now and then.",
    "A quiet design that has outlived three fashions already.",
    "Somewhere between a tool and a favorite.",
    "It does one thing and does not need a manual for it.",
    "Drawn with a pencil, made with patience.",
    "The one you reach for without thinking.",
    "Good proportions, honest joints, no tricks.",
    "Started as a favor for a friend and stayed in the range.",
    "Better every year, which is more than most things can say.",
    "Small enough to like at once, sturdy enough to keep.",
];

pub const CLOSINGS: [&str; 12] = [
    "Every part can be replaced.",
    "It arrives in paper, without any plastic.",
    "Comes with a note on how to look after it.",
    "The maker's mark is where only you will find it.",
    "Tested for a year in our own homes.",
    "Repairs are free for as long as we are here.",
    "Looks best next to things that are used.",
    "Suits a present, if you can part with it.",
    "The finish deepens with time.",
    "Checked by hand before it leaves the workshop.",
    "It gets along with whatever you already own.",
    "One of those things that moves house with you.",
];

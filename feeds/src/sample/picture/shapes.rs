//! The templates of the drawn kinds, each a file of `shapes/`.

/// The template of a kind.
pub fn template(name: &str) -> Option<&'static str> {
    let found = SHAPES.binary_search_by_key(&name, |(known, _)| known);
    found.ok().map(|index| SHAPES[index].1)
}

/// All kinds, in the order of their names.
pub fn names() -> impl Iterator<Item = &'static str> {
    SHAPES.iter().map(|(name, _)| *name)
}

macro_rules! shapes {
    ($($name:literal)*) => {
        /// Sorted, so that a kind is found by halving.
        const SHAPES: &[(&str, &str)] =
            &[$(($name, include_str!(concat!("../shapes/", $name, ".svg")))),*];
    };
}

shapes! {
    "apron"
    "armchair"
    "axe"
    "basket"
    "binoculars"
    "board"
    "bowl"
    "bulb"
    "campchair"
    "candle"
    "canister"
    "carafe"
    "compass"
    "cooler"
    "cushion"
    "cutlery"
    "deskclock"
    "desklamp"
    "drybag"
    "dutch"
    "espresso"
    "flask"
    "floorlamp"
    "frame"
    "gooseneck"
    "grinder"
    "hammock"
    "headlamp"
    "hikepack"
    "kettle"
    "knife"
    "lantern"
    "mirror"
    "mug"
    "multitool"
    "mushroom"
    "pan"
    "pendant"
    "pillows"
    "plate"
    "press"
    "rolledmat"
    "rollingpin"
    "rug"
    "scale"
    "sconce"
    "sidetable"
    "sleepingbag"
    "stool"
    "storagejars"
    "stove"
    "stringlights"
    "tablelamp"
    "teapot"
    "tent"
    "throw"
    "towel"
    "vase"
    "wallclock"
}

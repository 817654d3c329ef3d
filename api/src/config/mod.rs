//! The configuration: one TOML file, the environment, and flags, heavier in this order; explicit
//! keys beat the profile. Unknown keys are refused by name, values carry their units, and every
//! problem is told at once with its key, its origin and what to do.

mod capability;
mod error;
#[cfg(test)]
mod fuzz;
mod inventory;
mod layers;
mod legal;
mod payments;
mod print;
mod section;
mod sections;
mod units;
mod validate;

pub use error::{ConfigError, Origin, Problem};
pub use inventory::{Inventory, ReserveOn};
pub use layers::Origins;
pub use legal::Legal;
pub use payments::{Capture, Gateway, Payments, Stripe};
pub use print::{manual, to_toml};
pub use sections::{
    Actors, Auth, Cache, Cluster, Commerce, CommerceBackend, Config, Control, Dynamodb,
    EntityBackend, Limits, Log, LogFormat, Media, Ops, ProductBackend, Profile, Server, Service,
    Stores,
};
pub use units::{Address, MASK, Network, Secret, ServerUrl, Size, Span};

use std::path::{Path, PathBuf};

use serde_json::{Map, Value};

use capability::Build;
use layers::{Layers, from_toml};

/// What the names of our variables begin with: `BARROW_SERVER__LISTEN` sets `server.listen`.
pub const VARIABLE_PREFIX: &str = "BARROW_";

/// Variables that begin like ours and set no key: the file itself, and what our tests read.
const OTHER_VARIABLES: &[&str] = &["CONFIG", "TEST_"];

/// A key set on the command line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FlagValue {
    /// As it was written: `--listen`.
    pub flag: String,
    /// The key it sets: `server.listen`.
    pub key: String,
    pub text: String,
}

/// Everything a configuration is read from.
#[derive(Debug, Clone, Default)]
pub struct Sources {
    pub file: Option<PathBuf>,
    /// Names and values; those that do not begin with [`VARIABLE_PREFIX`] are ignored.
    pub environment: Vec<(String, String)>,
    pub flags: Vec<FlagValue>,
}

/// A configuration that can be used, and where its values came from.
#[derive(Debug, Clone)]
pub struct Loaded {
    pub config: Config,
    pub origins: Origins,
}

/// Reads, merges and checks. Either everything is well, or every problem is told.
pub fn load(sources: &Sources) -> Result<Loaded, ConfigError> {
    load_for(sources, Build::THIS)
}

fn load_for(sources: &Sources, build: Build) -> Result<Loaded, ConfigError> {
    let defaults = serde_json::to_value(Config::default()).expect("the defaults are plain data");
    let file = sources.file.as_deref().map(read_file).transpose()?;
    let texts = texts(sources);

    let mut layers = Layers::new(defaults);
    let profile = chosen_profile(file.as_ref(), &texts);
    if profile == "aws" {
        layers.lay(aws_profile(), &Origin::Profile("aws"));
    }
    if let (Some(path), Some(tree)) = (&sources.file, file) {
        layers.lay(tree, &Origin::File(path.display().to_string()));
    }
    for (path, text, origin) in &texts {
        layers.lay_text(path, text, origin);
    }
    let (values, origins, mut problems) = layers.finish();

    match serde_path_to_error::deserialize::<_, Config>(values) {
        Err(error) => {
            let key = error.path().to_string();
            let what = error.inner().to_string();
            problems.push(Problem { origin: origins.of(&key), key, what, hint: None });
        }
        Ok(config) if problems.is_empty() => {
            problems.extend(capability::lacking(&config, &origins, build));
            problems.extend(validate::validate(&config, &origins));
            if problems.is_empty() {
                return Ok(Loaded { config, origins });
            }
        }
        Ok(_) => {}
    }
    Err(ConfigError { problems })
}

/// What the profile `aws` sets.
fn aws_profile() -> Map<String, Value> {
    let profile = serde_json::json!({
        "stores": {"entities": "dynamodb", "products": "dynamodb", "commerce": "postgres"},
        "cluster": {"control": "dynamodb"},
    });
    match profile {
        Value::Object(tree) => tree,
        _ => unreachable!("it was written as a table"),
    }
}

/// The heaviest mention of the profile. A wrong name is found when the value is read.
fn chosen_profile(file: Option<&Map<String, Value>>, texts: &[Text]) -> String {
    let by_text = texts.iter().rev().find(|(path, ..)| path == &["profile"]);
    let by_file = || file?.get("profile")?.as_str();
    by_text.map(|(_, text, _)| text.as_str()).or_else(by_file).unwrap_or("embedded").to_owned()
}

/// A key's path, its text and where it came from.
type Text = (Vec<String>, String, Origin);

/// What the environment and the flags say, the heavier later.
fn texts(sources: &Sources) -> Vec<Text> {
    let mut variables: Vec<Text> = sources
        .environment
        .iter()
        .filter_map(|(name, value)| {
            let key = name.strip_prefix(VARIABLE_PREFIX).filter(|key| is_key(key))?;
            let path = key.split("__").map(str::to_lowercase).collect();
            Some((path, value.clone(), Origin::Environment(name.clone())))
        })
        .collect();
    variables.sort_by(|a, b| a.0.cmp(&b.0));
    let flags = sources.flags.iter().map(|flag| {
        let path = flag.key.split('.').map(str::to_owned).collect();
        (path, flag.text.clone(), Origin::Flag(flag.flag.clone()))
    });
    variables.into_iter().chain(flags).collect()
}

/// Whether a variable means a key. Kubernetes hands every container the addresses of services:
/// for a service named `barrow`, `BARROW_SERVICE_HOST` and `BARROW_PORT_8080_TCP` and the like.
fn is_key(name: &str) -> bool {
    let linked = (name.starts_with("SERVICE_") || name == "PORT" || name.starts_with("PORT_"))
        && !name.contains("__");
    let other = OTHER_VARIABLES
        .iter()
        .any(|other| if other.ends_with('_') { name.starts_with(other) } else { name == *other });
    !linked && !other
}

fn read_file(path: &Path) -> Result<Map<String, Value>, ConfigError> {
    let wrong = |what: String, hint: Option<&str>| {
        let origin = Origin::File(path.display().to_string());
        ConfigError::one("", origin, what, hint.map(str::to_owned))
    };
    let text = std::fs::read_to_string(path)
        .map_err(|error| wrong(format!("cannot be read: {error}"), Some("check --config")))?;
    let table: toml::Table = text.parse().map_err(|error: toml::de::Error| {
        // The error's own text shows the line, and there may be a secret in it.
        let line = error.span().map_or(1, |span| 1 + text[..span.start].matches('\n').count());
        wrong(format!("is not TOML at line {line}: {}", error.message()), None)
    })?;
    match from_toml(toml::Value::Table(table)) {
        Value::Object(tree) => Ok(tree),
        _ => unreachable!("a table stays a table"),
    }
}

#[cfg(test)]
mod tests;

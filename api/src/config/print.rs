//! The configuration as text: the effective one as TOML that can be read again, and the manual.

use serde_json::Value;

use super::inventory::Inventory;
use super::legal::Legal;
use super::payments::{Payments, Stripe};
use super::sections::{
    Actors, Auth, Cache, Cluster, Commerce, Config, Dynamodb, Limits, Log, Media, Ops, Server,
    Stores,
};

/// The effective configuration as TOML, secrets masked. Keys that are not set are left out.
pub fn to_toml(config: &Config) -> String {
    let value = serde_json::to_value(config).expect("a configuration is plain data");
    let table = into_toml(value).expect("the top is a table");
    toml::to_string_pretty(&table).expect("a table of plain values can be written")
}

/// TOML knows no null: such a key is left out. Values go before tables, as TOML demands.
fn into_toml(value: Value) -> Option<toml::Value> {
    Some(match value {
        Value::Null => return None,
        Value::Bool(flag) => toml::Value::Boolean(flag),
        Value::Number(number) => match number.as_i64() {
            Some(whole) => toml::Value::Integer(whole),
            None => toml::Value::Float(number.as_f64()?),
        },
        Value::String(text) => toml::Value::String(text),
        Value::Array(items) => {
            toml::Value::Array(items.into_iter().filter_map(into_toml).collect())
        }
        Value::Object(table) => toml::Value::Table(
            table.into_iter().filter_map(|(key, value)| Some((key, into_toml(value)?))).collect(),
        ),
    })
}

type Manual = &'static [(&'static str, &'static str)];

/// The sections in the order they are explained.
const SECTIONS: &[(&str, Manual)] = &[
    ("server", Server::MANUAL),
    ("limits", Limits::MANUAL),
    ("auth", Auth::MANUAL),
    ("stores", Stores::MANUAL),
    ("commerce", Commerce::MANUAL),
    ("cache", Cache::MANUAL),
    ("dynamodb", Dynamodb::MANUAL),
    ("media", Media::MANUAL),
    ("inventory", Inventory::MANUAL),
    ("payments", Payments::MANUAL),
    ("payments.stripe", Stripe::MANUAL),
    ("legal", Legal::MANUAL),
    ("actors", Actors::MANUAL),
    ("cluster", Cluster::MANUAL),
    ("ops", Ops::MANUAL),
    ("log", Log::MANUAL),
];

/// Every key with its default and its meaning: a file to begin one's own with.
pub fn manual() -> String {
    let defaults = serde_json::to_value(Config::default()).expect("the defaults are plain data");
    let mut out = String::from(
        "# Every key of Barrow's configuration with its default. A key can be set in a file\n\
         # (--config FILE), in the environment (BARROW_SERVER__LISTEN for server.listen) or by\n\
         # a flag (--set server.listen=...); flags are heaviest, the file lightest.\n\n",
    );
    for (key, about) in Config::MANUAL {
        if !defaults[key].is_object() {
            write_key(&mut out, key, about, &defaults[key]);
        }
    }
    for (section, keys) in SECTIONS {
        let tops = Config::MANUAL.iter().chain(Payments::MANUAL);
        let name = section.rsplit('.').next();
        let about = tops.into_iter().find(|(key, _)| Some(*key) == name).map(|(_, about)| about);
        write_comment(&mut out, about.expect("every section is a key of the configuration"));
        out.push_str(&format!("[{section}]\n"));
        let defaults = defaults.pointer(&format!("/{}", section.replace('.', "/")));
        let defaults = defaults.expect("every section has its defaults");
        for (key, about) in keys.iter().filter(|(key, _)| !defaults[key].is_object()) {
            write_key(&mut out, key, about, &defaults[key]);
        }
    }
    let about = Config::MANUAL.iter().find(|(key, _)| *key == "shop").map(|(_, about)| about);
    write_comment(&mut out, about.expect("the shop is a key of the configuration"));
    let shop = into_toml(serde_json::json!({"shop": defaults["shop"]})).expect("it is a table");
    out.push_str(&toml::to_string(&shop).expect("a table of plain values can be written"));
    out
}

fn write_key(out: &mut String, key: &str, about: &str, default: &Value) {
    write_comment(out, about);
    match into_toml(default.clone()) {
        Some(value) => out.push_str(&format!("{key} = {value}\n\n")),
        None => out.push_str(&format!("# {key} = (not set)\n\n")),
    }
}

fn write_comment(out: &mut String, text: &str) {
    for line in text.trim_end().lines() {
        out.push_str(&format!("#{}\n", line.trim_end()));
    }
}

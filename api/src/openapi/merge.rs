//! One object out of several that are to hold together.
//!
//! A variant of a tagged shape is described as its fields and, beside them, its tag. Each of the
//! two closes itself to all fields but its own, so nothing would satisfy both: they are made one.

use std::collections::{BTreeMap, BTreeSet};

use utoipa::openapi::schema::{Components, Object, Schema};
use utoipa::openapi::{Paths, Ref, RefOr};

type Schemas = BTreeMap<String, RefOr<Schema>>;

/// Merges the variants of each tagged shape, and leaves out what is named by nothing any more.
pub fn merge_variants(components: &mut Components, paths: &Paths) {
    let known = components.schemas.clone();
    let mut parts: BTreeSet<String> = BTreeSet::new();
    for schema in components.schemas.values_mut() {
        let RefOr::T(Schema::OneOf(variants)) = schema else { continue };
        for variant in &mut variants.items {
            if let Some(merged) = merged(variant, &known) {
                parts.extend(names(variant));
                *variant = RefOr::T(Schema::Object(merged));
            }
        }
    }
    let json = |it: serde_json::Result<String>| it.expect("a description is plain data");
    let text = json(serde_json::to_string(paths)) + &json(serde_json::to_string(components));
    let is_named = |name: &str| text.contains(&format!("\"#/components/schemas/{name}\""));
    components.schemas.retain(|name, _| !parts.contains(name) || is_named(name));
}

/// The shapes that a variant is made of.
fn names(variant: &RefOr<Schema>) -> Vec<String> {
    let RefOr::T(Schema::AllOf(parts)) = variant else { return Vec::new() };
    let names = parts.items.iter().filter_map(|part| match part {
        RefOr::Ref(Ref { ref_location, .. }) => ref_location.rsplit('/').next(),
        RefOr::T(_) => None,
    });
    names.map(str::to_owned).collect()
}

/// `None` where there is nothing to merge, or where a part is no object.
fn merged(variant: &RefOr<Schema>, known: &Schemas) -> Option<Object> {
    let RefOr::T(Schema::AllOf(parts)) = variant else { return None };
    let mut merged = Object::default();
    merged.description.clone_from(&parts.description);
    for part in &parts.items {
        let part = object(part, known)?;
        merged.properties.extend(part.properties.clone());
        merged.required.extend(part.required.iter().cloned());
        if part.additional_properties.is_some() {
            merged.additional_properties.clone_from(&part.additional_properties);
        }
    }
    Some(merged)
}

fn object<'a>(part: &'a RefOr<Schema>, known: &'a Schemas) -> Option<&'a Object> {
    match part {
        RefOr::T(Schema::Object(object)) => Some(object),
        RefOr::T(_) => None,
        RefOr::Ref(Ref { ref_location, .. }) => {
            object(known.get(ref_location.rsplit('/').next()?)?, known)
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use crate::openapi::document_json;

    /// As a client that makes requests from the description has to.
    #[test]
    fn no_action_of_a_cart_is_described_by_parts_that_exclude_each_other() {
        let document: Value = serde_json::from_str(document_json()).unwrap();
        let variants = document["components"]["schemas"]["CartAction"]["oneOf"].as_array().unwrap();
        for variant in variants {
            assert!(variant.get("allOf").is_none(), "{variant}");
            assert_eq!(variant["additionalProperties"], false, "{variant}");
            assert!(variant["properties"]["type"]["enum"].is_array(), "{variant}");
        }
        let add = &variants[0]["properties"];
        assert!(add["sku"].is_object() && add["quantity"].is_object(), "{add}");
    }
}

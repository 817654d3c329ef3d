//! The stored form of products, collections and reviews: JSON, with a format number beside it,
//! so that a later build can tell what it reads.

use barrow_engine::ports::ProductStoreError;
use serde::Serialize;
use serde::de::DeserializeOwned;

/// The form in which documents are written today.
pub(crate) const FORMAT: u8 = 1;

#[cfg(any(feature = "dynamodb", feature = "postgres"))]
pub(crate) fn to_json<T: Serialize>(document: &T) -> Result<String, ProductStoreError> {
    serde_json::to_string(document).map_err(|error| unwritable(&error))
}

/// Reads a document of this format; `what` names it in the error.
pub(crate) fn from_json<T: DeserializeOwned>(
    format: u8,
    json: &[u8],
    what: &str,
) -> Result<T, ProductStoreError> {
    if format != FORMAT {
        return Err(ProductStoreError::Damaged(format!(
            "a {what} has format {format}, which is newer than {FORMAT}, the newest of this build"
        )));
    }
    serde_json::from_slice(json)
        .map_err(|error| ProductStoreError::Damaged(format!("a {what}: {error}")))
}

/// The format number and the JSON in one.
pub(crate) fn encode<T: Serialize>(document: &T) -> Result<Vec<u8>, ProductStoreError> {
    let mut bytes = vec![FORMAT];
    serde_json::to_writer(&mut bytes, document).map_err(|error| unwritable(&error))?;
    Ok(bytes)
}

pub(crate) fn decode<T: DeserializeOwned>(
    bytes: &[u8],
    what: &str,
) -> Result<T, ProductStoreError> {
    match bytes.split_first() {
        Some((format, json)) => from_json(*format, json, what),
        None => Err(ProductStoreError::Damaged(format!("a {what} is empty"))),
    }
}

fn unwritable(error: &serde_json::Error) -> ProductStoreError {
    ProductStoreError::Damaged(format!("it cannot be written: {error}"))
}

//! Which items DynamoDB removes by itself: a table's TTL names the attribute that holds, in
//! seconds, when an item expires. It is no part of how a table is made, and no backup keeps it.

use aws_sdk_dynamodb::types::{TimeToLiveSpecification, TimeToLiveStatus};

use super::client::Dynamo;
use super::tables::{SetupError, Step, is_unknown, refused};

#[derive(Debug, Clone, PartialEq, Eq)]
enum Ttl {
    Off,
    /// By this attribute.
    On(String),
    /// The server does not know of it at all.
    Unknown,
}

/// What has to be done until the table's items expire by this attribute.
pub(super) async fn missing(
    dynamo: &Dynamo,
    table: &str,
    attribute: &'static str,
) -> Result<Option<Step>, SetupError> {
    let differs = |how| Some(Step::Differs { table: table.to_owned(), how });
    Ok(match describe(dynamo, table).await? {
        Ttl::On(found) if found == attribute => None,
        Ttl::Off => Some(Step::EnableTtl { table: table.to_owned(), attribute }),
        // A table has one, and another that is on was wanted by somebody.
        Ttl::On(found) => {
            differs(format!("has its TTL on '{found}' instead of '{attribute}': no row expires"))
        }
        Ttl::Unknown => {
            differs("is on a server that knows no TTL: no row expires by itself".to_owned())
        }
    })
}

pub(super) async fn enable(
    dynamo: &Dynamo,
    table: &str,
    attribute: &'static str,
) -> Result<(), SetupError> {
    let enabled = TimeToLiveSpecification::builder().attribute_name(attribute).enabled(true);
    let enabled = enabled.build().expect("name and state are set");
    let update = dynamo.tables().update_time_to_live().table_name(table);
    match update.time_to_live_specification(enabled).send().await {
        Ok(_) => Ok(()),
        Err(error) if is_unknown(&error) => Ok(()),
        // Another process may just have done it, which is refused like any other mistake.
        Err(error) => match describe(dynamo, table).await? {
            Ttl::On(found) if found == attribute => Ok(()),
            _ => Err(refused("enable the TTL of", table, &error)),
        },
    }
}

async fn describe(dynamo: &Dynamo, table: &str) -> Result<Ttl, SetupError> {
    let asked = dynamo.tables().describe_time_to_live().table_name(table).send().await;
    let answer = match asked {
        Ok(answer) => answer,
        Err(error) if is_unknown(&error) => return Ok(Ttl::Unknown),
        Err(error) => return Err(refused("describe the TTL of", table, &error)),
    };
    let found = answer.time_to_live_description.filter(|found| {
        // It takes DynamoDB up to an hour to begin.
        let status = found.time_to_live_status();
        matches!(status, Some(TimeToLiveStatus::Enabled | TimeToLiveStatus::Enabling))
    });
    Ok(found.and_then(|found| found.attribute_name).map_or(Ttl::Off, Ttl::On))
}

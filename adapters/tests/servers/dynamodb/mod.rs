//! DynamoDB: against an implementation in this process and against AWS's own for tests.

mod entities;
mod front;
mod products;
mod suites;

use barrow_adapters::dynamodb::{Dynamo, DynamoEndpoint, tables};
use barrow_servers::{ACCESS_KEY, DynamoDb, DynamoDbLocal, REGION, SECRET_KEY, or_skip};

/// A client of that endpoint.
pub async fn client(url: &str) -> Dynamo {
    let endpoint =
        DynamoEndpoint { url, region: REGION, access_key: ACCESS_KEY, secret_key: SECRET_KEY };
    Dynamo::at(endpoint, "test-").await
}

/// A client of a server that has all tables.
pub async fn with_tables(url: &str) -> Dynamo {
    let dynamo = client(url).await;
    tables::create(&dynamo).await.unwrap();
    dynamo
}

/// The server in this process.
pub fn in_process() -> DynamoDb {
    DynamoDb::start().unwrap()
}

/// AWS's own, where Java and Maven are installed.
pub fn local() -> Option<DynamoDbLocal> {
    or_skip("DynamoDB Local", DynamoDbLocal::start())
}

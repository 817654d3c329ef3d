//! DynamoDB: against an implementation in this process and against AWS's own for tests.

mod due;
mod entities;
mod front;
mod products;
mod suites;
mod ttl;

use std::sync::OnceLock;

use barrow_adapters::dynamodb::{Dynamo, DynamoEndpoint, tables};
use barrow_servers::{ACCESS_KEY, DynamoDb, DynamoDbLocal, REGION, SECRET_KEY, or_skip};

/// Each test has tables of its own, that bear its name: its thread has it.
pub fn table_prefix() -> String {
    let thread = std::thread::current();
    let test = thread.name().expect("a test's thread bears its name");
    format!("{}-", test.replace("::", "-"))
}

/// A client of that endpoint.
pub async fn client(url: &str) -> Dynamo {
    let endpoint =
        DynamoEndpoint { url, region: REGION, access_key: ACCESS_KEY, secret_key: SECRET_KEY };
    Dynamo::at(endpoint, &table_prefix()).await
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

/// AWS's own, where Java and Maven are installed. One for all tests: it takes seconds to start.
pub fn local() -> Option<&'static DynamoDbLocal> {
    static SERVER: OnceLock<Option<DynamoDbLocal>> = OnceLock::new();
    SERVER.get_or_init(|| or_skip("DynamoDB Local", DynamoDbLocal::start())).as_ref()
}

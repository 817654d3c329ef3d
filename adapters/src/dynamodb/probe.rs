//! How DynamoDB is: whether it lets us in, how long it takes, and what time it is there. A clock
//! that is minutes off makes signatures that nobody takes.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant, SystemTime};

use aws_sdk_dynamodb::config::interceptors::BeforeDeserializationInterceptorContextRef;
use aws_sdk_dynamodb::config::{ConfigBag, Intercept, RuntimeComponents};
use aws_sdk_dynamodb::error::BoxError;

use super::client::Dynamo;
use super::errors::text_of;
use crate::probe::Probe;

/// Reads the time from the head of each answer.
#[derive(Debug, Clone, Default)]
struct Watch(Arc<Mutex<Option<SystemTime>>>);

impl Intercept for Watch {
    fn name(&self) -> &'static str {
        "Watch"
    }

    fn read_before_deserialization(
        &self,
        context: &BeforeDeserializationInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let date = context.response().headers().get("date");
        if let Some(time) = date.and_then(|date| httpdate::parse_http_date(date).ok()) {
            *self.0.lock().unwrap_or_else(|poisoned| poisoned.into_inner()) = Some(time);
        }
        Ok(())
    }
}

impl Dynamo {
    /// Lists a table, which every role may that may read any.
    pub async fn probe(&self) -> Result<Probe, String> {
        let watch = Watch::default();
        let mut latency = Duration::MAX;
        for _ in 0..3 {
            let began = Instant::now();
            let list = self.reads().list_tables().limit(1).customize().interceptor(watch.clone());
            list.send().await.map_err(|error| text_of(&error))?;
            latency = latency.min(began.elapsed());
        }
        let seen = *watch.0.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        // One that does not tell is taken to agree.
        Ok(Probe { latency, time: seen.unwrap_or_else(SystemTime::now) })
    }
}

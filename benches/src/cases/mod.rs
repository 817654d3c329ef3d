//! The cases, in the order in which they are measured.

mod paired;
mod quote;
mod requests;

use crate::options::Options;

pub fn run(options: &Options) -> anyhow::Result<()> {
    quote::run(options);
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    requests::run(options, &runtime)
}

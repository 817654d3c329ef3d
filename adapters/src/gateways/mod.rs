//! Payment gateways: [`TestGateway`], which answers as one wants it to, and [`ManualPayment`], an
//! invoice that staff books as paid.

mod manual;
mod signature;
mod test_gateway;

pub use manual::ManualPayment;
pub use test_gateway::TestGateway;

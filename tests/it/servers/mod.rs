//! The shop on servers beside the process, each real and started for the test.

mod rounds;

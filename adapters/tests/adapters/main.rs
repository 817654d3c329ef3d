//! Every adapter against its port's suite, alone and inside each decorator; and what only the
//! embedded store promises: what is found again after a crash, and that damage is not served.

mod backup;
mod contracts;
mod crash;
mod damage;
mod faults;
mod opening;
mod support;

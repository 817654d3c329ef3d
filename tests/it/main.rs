//! Everything that is proven from outside, in one program: it is linked once.

mod runtime;
mod simulation;
mod tidy;

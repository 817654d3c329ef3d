//! Proofs of the cart.

//! Entities, products and stock in Postgres.

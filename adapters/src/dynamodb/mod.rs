//! Entities and products in DynamoDB.

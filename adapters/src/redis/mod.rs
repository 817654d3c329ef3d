//! Entities and the cache in Redis or ElastiCache.

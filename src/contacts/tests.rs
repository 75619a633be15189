//! Contacts over shards that run.

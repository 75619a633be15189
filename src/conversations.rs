//! Conversations as people and programs use them: lists, threads, sending, and the small commands.

pub mod inbox;

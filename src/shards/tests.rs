//! Tests of the shards as one: real kinds over a store in memory, with faults on order and a clock that stands still.

mod chunks;
mod closing;
mod commands;
mod commits;
mod directory;
mod effects;
mod faults;
mod feed;
mod list_members;
mod peek;
mod planter;
mod random;
mod replay;
mod rig;
mod stored_rows;
mod timers;

//! Tidegate's load driver: starts a server of its own, drives it over HTTP and websocket, counts that the work
//! was done, and tells each figure as a share of what a bare server does in the same run.

pub mod bare;
pub mod crowd;
pub mod deliveries;
pub mod drive;
pub mod frames;
pub mod listen;
pub mod machine;
pub mod options;
pub mod process;
pub mod raw;
pub mod report;
pub mod rest;
pub mod scenarios;
pub mod server;
pub mod socket;
pub mod statistics;
pub mod wire;

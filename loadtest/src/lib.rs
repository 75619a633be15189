//! Tidegate's load driver: starts a server of its own and drives it over HTTP and websocket. Scenarios play everybody's
//! roles and are judged message by message; ratios tell each figure as a share of what a bare server does in the same run.

pub mod arrivals;
pub mod bare;
mod brand;
pub mod capacity;
pub mod chance;
pub mod compare;
pub mod crowd;
pub mod deliveries;
pub mod document;
pub mod drive;
pub mod frames;
pub mod html;
pub mod listen;
pub mod machine;
pub mod measure;
pub mod options;
pub mod process;
pub mod provider;
pub mod ratios;
pub mod raw;
pub mod report;
pub mod rest;
pub mod run;
pub mod scenario;
pub mod server;
pub mod shelf;
pub mod socket;
pub mod statistics;
pub mod webhook;
pub mod wire;

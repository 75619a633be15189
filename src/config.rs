//! The configuration: plain values on a low floor, one file a section.
//!
//! Every key, its unit and its default stand in `config/default.toml`, which is compiled in. Layers: that file, the
//! operator's file, the environment (`TIDEGATE__NUMBERS__RATE_PER_SECOND`), the command line
//! (`--set numbers.rate_per_second=90`); the later one wins. Whoever needs a section gets that section by value; nobody
//! keeps the whole. Nothing here knows who reads it.

pub mod arguments;
pub mod units;

mod actors;
mod check;
mod cql;
mod cross;
mod layers;
mod limits;
mod load;
mod log;
mod numbers;
mod problem;
mod providers;
mod push;
mod reader;
mod sandbox;
mod seed;
mod server;
mod setting;
mod store;
mod windows;

pub use actors::Actors;
pub use check::{check, load_for};
pub use cql::Cql;
pub use limits::Limits;
pub use load::{Config, load};
pub use log::{Log, LogFormat};
pub use numbers::Numbers;
pub use problem::ConfigProblem;
pub use providers::Providers;
pub use push::Push;
pub use reader::EffectiveKey;
pub use sandbox::Sandbox;
pub use seed::Seed;
pub use server::{ClockMode, Server};
pub use store::{Engine, Store};
pub use units::Size;
pub use windows::Windows;

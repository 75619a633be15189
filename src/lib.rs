//! **Tidegate**, an actor-based real-time messaging router.
//!
//! The modules stand in their total order, top to bottom: a module imports only modules below it.

pub mod app;
pub mod http;
pub mod ingress;
pub mod push;

pub mod broadcasts;
pub mod contacts;
pub mod conversations;
pub mod limits;
pub mod numbers;
pub mod workspaces;

pub mod shards;
pub mod store;

pub mod providers;

pub mod broken;

pub mod channels;

pub mod actors;
pub mod telemetry;

pub mod config;

pub mod clock;
pub mod domain;
pub mod packed;

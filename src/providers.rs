//! Who carries a call to a platform: one HTTP client, and the sandbox, a Meta-shaped server for trying and testing.

pub mod http;
pub mod sandbox;

//! WhatsApp Cloud API: webhooks in, calls to `/messages` out (`channels.md` §1).

pub mod answer;
pub mod encode;
mod error_table;
pub mod parse;
pub mod template;
#[cfg(test)]
mod tests;
pub mod validate;
pub mod verify;

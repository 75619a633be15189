//! The pure core: words, ids, time, and the state machines that keep the rules.
//!
//! A *channel* is a platform's language (WhatsApp, LINE). A *channel account* is one connected
//! number, page or bot. A *provider* is who carries a call. A *delivery* is our attempt to get one
//! message out. A *receipt* is what the platform says became of it. An *agent* is a person at a
//! websocket, a *bot* a program.
//!
//! Nothing here awaits, reads a clock, draws a random number or touches the world.

pub mod access;
pub mod author;
pub mod broadcast;
pub mod consent;
pub mod contact;
pub mod content;
pub mod conversation;
pub mod effect;
pub mod entity;
pub mod ids;
pub mod inbound;
pub mod limit;
pub mod message;
pub mod number;
pub mod outbound;
pub mod pace;
pub mod recall;
pub mod refusal;
pub mod role;
pub mod rules;
pub mod secret;
pub mod status;
pub mod template_form;
pub mod time;
pub mod window;
pub mod workspace;

#[cfg(test)]
mod golden;

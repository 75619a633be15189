#![doc = include_str!("push/protocol.md")]

mod admission;
pub mod body;
pub mod client;
pub mod close;
mod connection;
mod counts;
pub mod cursor;
pub mod entry;
pub mod frame;
mod guard;
pub mod handle;
pub mod hub;
mod incoming;
mod outgoing;
pub mod ports;
mod room;
pub mod session;
pub mod settings;
pub mod signal;
pub mod socket;
mod tail;
#[cfg(test)]
mod tests;
mod verdict;
pub mod window;

pub use close::Close;
pub use cursor::Cursor;
pub use entry::{Audience, EventId, EventParts, FeedEntry, Viewer};
pub use handle::HubHandle;
pub use hub::Hub;
pub use ports::{CommandPort, Denial, FeedReader, Gatekeeper, Grant, Identity, Page, Ports, Problem, Token};
pub use session::{UpgradeError, start};
pub use settings::Settings;
pub use signal::Signal;
pub use socket::configure_socket;

//! What clients write and read about conversations, in JSON: the same over REST, on the agents' socket and in events.

mod answer;
mod line;
mod message;
mod moment;
mod request;
mod strict;

pub use answer::{AccountStanding, Assigned, Changed, ConsentStanding, Explained, RefusalShown, Sent, Verdict};
pub use line::{AddressShown, Detail, HandlerShown, Line};
pub use message::{Attempt, Direction, FailureShown, MessageShown, ThreadMessage};
pub use moment::Moment;
pub use request::{
    AssignRequest, CollaborateRequest, HandOverRequest, NoFields, NoteRequest, ReadRequest, SendRequest, SnoozeRequest,
    StartRequest, To,
};
pub use strict::content as read_content;

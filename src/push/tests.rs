//! Real sockets against a real server in this process, with everything plugged in being fake.

mod fakes;
mod protocol;
mod replay;
mod slow;

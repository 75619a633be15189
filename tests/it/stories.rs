//! Stories: real HTTP and websockets against a whole server, one story a file.

mod bad_deliveries;
mod killed_twenty_times;
mod reply_leaves_once;
mod webhook_becomes_durable;

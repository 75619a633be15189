//! Stories: real HTTP and websockets against a whole server, one story a file.

mod bulk;
mod contacts;
mod webhook_becomes_durable;

//! Stories: real HTTP and websockets against a whole server, one story a file.

mod webhook_becomes_durable;

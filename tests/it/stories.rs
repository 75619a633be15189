//! Stories: real HTTP and websockets against a whole server, one story a file.

mod agents_answer;
mod the_desk;
mod the_feed;
mod webhook_becomes_durable;

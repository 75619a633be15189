//! Stories: real HTTP and websockets against a whole server, one story a file.

mod accounts_are_connected;
mod agents_answer;
mod bad_deliveries;
mod bulk;
mod contacts;
mod killed_twenty_times;
mod members_sign_in;
mod openapi;
mod reply_leaves_once;
mod the_desk;
mod the_feed;
mod webhook_becomes_durable;
mod workspaces_begin;

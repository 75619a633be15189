//! Stories: real HTTP and websockets against a whole server, one story a file.

mod account_events;
mod accounts_are_connected;
mod agents_answer;
mod bad_deliveries;
mod bulk;
mod contacts;
mod killed_twenty_times;
mod members_sign_in;
mod meta_form;
mod one_person;
mod provider_fails;
mod reply_leaves_once;
mod stop_opts_out;
mod the_desk;
mod the_feed;
mod token_dies;
mod waits_too_long;
mod webhook_becomes_durable;
mod window_shuts;
mod workspaces_begin;

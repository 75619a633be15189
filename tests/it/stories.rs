//! Stories: real HTTP and websockets against a whole server, one story a file.

mod accounts_are_connected;
mod agents_answer;
mod an_unprocessable_item;
mod bad_deliveries;
mod bulk;
mod contacts;
mod killed_twenty_times;
mod members_sign_in;
mod reply_leaves_once;
mod stops_in_order;
mod the_command;
mod the_desk;
mod the_disk_is_full;
mod the_feed;
mod the_store_fails;
mod too_much_at_once;
mod webhook_becomes_durable;
mod webhooks_in_any_order;
mod what_it_says_of_itself;
mod workspaces_begin;

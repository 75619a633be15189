//! Committed events as the entries that sockets show.

use crate::conversations::events;
use crate::domain::conversation::Summary;
use crate::http::entry_of;
use crate::push::FeedEntry;
use crate::shards::News;

/// Adds what a turn says to the public.
pub(super) fn write(news: &News<'_>, before: Option<&Summary>, batch: &mut Vec<FeedEntry>) {
    for event in events::public_events(news, before) {
        match entry_of(&event) {
            Ok(entry) => batch.push(entry),
            Err(error) => tracing::error!(%error, word = event.word, "failed to write an event's body"),
        }
    }
}

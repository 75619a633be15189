//! Committed events as the entries that sockets show.

use crate::conversations::events::public_events;
use crate::domain::conversation::Summary;
use crate::http;
use crate::push::FeedEntry;
use crate::shards::News;

/// Adds what a turn says to the public.
pub(super) fn write(news: &News<'_>, before: Option<&Summary>, batch: &mut Vec<FeedEntry>) {
    for event in public_events(news, before) {
        match http::entry(event) {
            Ok(entry) => batch.push(entry),
            Err(error) => tracing::error!(%error, "an event cannot be written"),
        }
    }
}

//! Committed events as the entries that sockets show.

use crate::domain::conversation::Summary;
use crate::push::FeedEntry;
use crate::shards::News;

/// Adds what a turn says to the public.
pub(super) fn write(_news: &News<'_>, _before: Option<&Summary>, _batch: &mut Vec<FeedEntry>) {}

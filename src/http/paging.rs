//! Lists in pages: `?limit=` and `?cursor=`, answered with the items and the cursor of the next page.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::Problem;

/// The items of a page where none are asked for.
pub(super) const LIMIT_DEFAULT: usize = 50;
/// The most items of a page.
pub(super) const LIMIT_MAX: usize = 200;

/// Which page is asked for.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Paging {
    /// How many items, 1 to 200.
    pub(super) limit: Option<usize>,
    /// Where the page before ended.
    pub(super) cursor: Option<String>,
}

impl Paging {
    /// How many items.
    ///
    /// # Errors
    /// 422 outside 1 to 200.
    pub(super) fn limit(&self) -> Result<usize, Problem> {
        limit_of(self.limit)
    }

    /// The place after which to go on, as [`Listed::new`] wrote it.
    ///
    /// # Errors
    /// 422 where this server did not write it.
    pub(super) fn after<P: DeserializeOwned>(&self) -> Result<Option<P>, Problem> {
        self.cursor.as_deref().map(read_cursor).transpose()
    }
}

/// A limit within its bounds, or the default.
pub(super) fn limit_of(asked: Option<usize>) -> Result<usize, Problem> {
    match asked {
        None => Ok(LIMIT_DEFAULT),
        Some(limit @ 1..=LIMIT_MAX) => Ok(limit),
        Some(_) => Err(Problem::invalid("limit", format_args!("it must be 1 to {LIMIT_MAX}"))),
    }
}

/// The place that a cursor names.
pub(super) fn read_cursor<P: DeserializeOwned>(text: &str) -> Result<P, Problem> {
    let read = URL_SAFE_NO_PAD.decode(text).ok().and_then(|raw| crate::packed::read(&raw).ok());
    read.ok_or_else(|| Problem::invalid("cursor", "it is not a cursor of this list"))
}

/// The text of a place.
pub(super) fn write_cursor<P: Serialize>(place: &P) -> Option<String> {
    rmp_serde::to_vec(place).ok().map(|raw| URL_SAFE_NO_PAD.encode(raw))
}

/// One page of a list.
#[derive(Debug, Serialize)]
pub(super) struct Listed<T> {
    /// The items.
    pub(super) items: Vec<T>,
    /// The cursor of the next page; none at the end.
    pub(super) next: Option<String>,
}

impl<T> Listed<T> {
    /// A page that goes on after a place.
    pub(super) fn new<P: Serialize>(items: Vec<T>, next: Option<P>) -> Self {
        Self { items, next: next.and_then(|place| write_cursor(&place)) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::ids::ConversationId;
    use crate::domain::time::Timestamp;

    #[test]
    fn a_cursor_names_its_place_and_nothing_else_does() {
        let place = (Timestamp(-5), ConversationId(9));
        let page = Listed::new(vec![1], Some(place));
        let paging = Paging { limit: Some(200), cursor: page.next };
        assert_eq!(paging.after().unwrap(), Some(place));
        assert_eq!(paging.limit().unwrap(), 200);
        let strange = Paging { limit: Some(0), cursor: Some("nothing".into()) };
        assert!(strange.after::<(Timestamp, ConversationId)>().is_err() && strange.limit().is_err());
        assert_eq!(Paging::default().limit().unwrap(), LIMIT_DEFAULT);
    }
}

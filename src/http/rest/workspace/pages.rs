//! Pages of what a workspace holds in memory, by id.

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::http::Problem;
use crate::http::paging::Paging;

/// The ids of one page of a list in the order of its ids, and the last one where more follow.
pub(super) fn page<K>(ids: impl Iterator<Item = K>, paging: &Paging) -> Result<(Vec<K>, Option<K>), Problem>
where
    K: Copy + Ord + Serialize + DeserializeOwned,
{
    let (limit, after) = (paging.limit()?, paging.after::<K>()?);
    let mut found: Vec<K> = ids.filter(|id| after.is_none_or(|after| *id > after)).take(limit + 1).collect();
    let more = found.len() > limit;
    found.truncate(limit);
    let next = if more { found.last().copied() } else { None };
    Ok((found, next))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::ids::TeamId;
    use crate::http::paging::Listed;

    #[test]
    fn pages_follow_each_other_to_the_end() {
        let all: Vec<TeamId> = (1..=5).map(TeamId).collect();
        let mut paging = Paging { limit: Some(2), cursor: None };
        let mut seen = Vec::new();
        for wanted in [2, 2, 1] {
            let (ids, next) = page(all.iter().copied(), &paging).unwrap();
            assert_eq!(ids.len(), wanted);
            seen.extend(ids);
            paging.cursor = Listed::new(Vec::<u8>::new(), next).next;
        }
        assert_eq!((seen, paging.cursor), (all, None));
    }
}

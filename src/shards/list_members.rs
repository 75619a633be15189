//! Who is on a list of contacts: a row a contact, in 256 slices, so that no partition holds a list of millions.
//!
//! A row says yes or no and none is deleted: an older addition that comes after a removal does not bring anybody back.
//! Of two of one moment the addition stays, for its bytes are the larger.

use super::error::CommandError;
use super::facts::read;
use super::placement::Shards;
use super::rows;
use crate::domain::ids::{ContactId, ListId};
use crate::domain::refusal::Refusal;
use crate::domain::time::Timestamp;
use crate::store::{RowKey, ScanRange, Store, Table};

/// The most contacts that one call puts on a list or takes off.
pub const LIST_CHANGES_MAX: usize = 1_000;

/// Slices of a list: one for each last byte of an id.
pub(super) const SLICES: usize = 256;

/// The slice of a list in which a contact is: the last byte of its id, which is chance.
#[must_use]
pub const fn member_slice(contact: ContactId) -> u8 {
    contact.0.to_be_bytes()[15]
}

impl Shards {
    /// Puts contacts on a list, or takes them off, as of `at`; durable when `Ok`. What was said later stays.
    ///
    /// # Errors
    /// `TooMany` over 1,000 contacts; else the store did not take it.
    pub async fn set_list_members(
        &self,
        list: ListId,
        contacts: &[ContactId],
        member: bool,
        at: Timestamp,
    ) -> Result<(), CommandError> {
        if contacts.len() > LIST_CHANGES_MAX {
            return Err(Refusal::TooMany { what: "contacts", allowed: LIST_CHANGES_MAX }.into());
        }
        let put = |contact: &ContactId| rows::put(member_key(list, *contact), &member, at.micros());
        self.write(read(contacts.iter().map(put).collect())?).await
    }

    /// The members in one slice of a list after a contact, by id; at most `limit`, 1 to 10,000. Beside them the place
    /// after which to go on, none at the slice's end: a page may be shorter, even empty, while there are more.
    ///
    /// # Errors
    /// The store did not answer.
    pub async fn list_members(
        &self,
        list: ListId,
        slice: u8,
        after: Option<ContactId>,
        limit: usize,
    ) -> Result<(Vec<ContactId>, Option<ContactId>), CommandError> {
        let mut range = ScanRange::first(limit.clamp(1, 10_000));
        if let Some(after) = after {
            range = range.after(after.0.to_be_bytes().to_vec());
        }
        let page = read(self.node().store.scan(Table::ListMember, &slice_pk(list, slice), range).await)?;
        let (mut members, mut last) = (Vec::with_capacity(page.rows.len()), None);
        for row in &page.rows {
            let Ok(raw) = row.ck.as_slice().try_into() else { continue };
            let contact = ContactId(u128::from_be_bytes(raw));
            last = Some(contact);
            if read(rows::value(Table::ListMember, &row.value))? {
                members.push(contact);
            }
        }
        Ok((members, last.filter(|_| page.more)))
    }
}

fn member_key(list: ListId, contact: ContactId) -> RowKey {
    RowKey::new(Table::ListMember, &slice_pk(list, member_slice(contact)), &contact.0.to_be_bytes())
}

fn slice_pk(list: ListId, slice: u8) -> [u8; 17] {
    let mut pk = [slice; 17];
    pk[..16].copy_from_slice(&list.0.to_be_bytes());
    pk
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::encoding;

    #[test]
    fn the_bytes_of_a_row_stay() {
        let key = member_key(ListId(0x0102), ContactId(0x0304));
        let stored = "150011000000000000000000000000000001020400000000000000000000000000000304";
        assert_eq!(hex::encode(key.as_bytes()), stored);
        assert_eq!(encoding::encode(&true).unwrap(), [1, 0xc3]);
        assert_eq!(encoding::encode(&false).unwrap(), [1, 0xc2]);
    }
}

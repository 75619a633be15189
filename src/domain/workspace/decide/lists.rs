//! Lists of contacts: which there are. Who is on them no workspace decides.

use super::{Done, LISTS_MAX, Turn, not_found, room, slots};
use crate::domain::ids::ListId;
use crate::domain::workspace::event::WorkspaceFact;

impl Turn<'_> {
    pub(super) fn make_list(&mut self, id: ListId, name: &str) -> Done {
        if self.workspace.lists.contains(&id) {
            return Ok(());
        }
        room(self.workspace.lists.len(), "lists", LISTS_MAX)?;
        self.facts.push(WorkspaceFact::ListCreated(id));
        self.name(slots::list_slot(id), name)
    }

    pub(super) fn rename_list(&mut self, id: ListId, name: &str) -> Done {
        self.known_list(id)?;
        self.facts.push(WorkspaceFact::ListRenamed(id));
        self.name(slots::list_slot(id), name)
    }

    pub(super) fn remove_list(&mut self, id: ListId) -> Done {
        self.known_list(id)?;
        self.facts.push(WorkspaceFact::ListRemoved(id));
        self.rows.push((slots::list_slot(id), None));
        self.row(slots::list_removed_slot(id), "1");
        Ok(())
    }

    fn known_list(&self, id: ListId) -> Done {
        if self.workspace.lists.contains(&id) { Ok(()) } else { Err(not_found("list")) }
    }
}

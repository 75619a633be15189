//! Who may see and change a contact: the one access rule, over the contact as a whole.

use super::Contacts;
use crate::domain::access::{Action, Grants, Subject, may};
use crate::domain::contact::Person;
use crate::domain::ids::AccountId;
use crate::domain::refusal::Refusal;
use crate::domain::workspace::Scope;
use crate::workspaces::Caller;

impl Contacts {
    /// Whether somebody may do this with a contact.
    pub(super) fn may(&self, caller: &Caller, person: &Person, action: Action) -> bool {
        let Some(account) = account(&caller.grants, person) else { return false };
        let assignment = &person.assignment;
        let subject = Subject {
            account,
            owner: assignment.owner,
            team: assignment.team,
            collaborators: &assignment.collaborators,
            mentions: &[],
        };
        may(&caller.grants, &subject, action, self.shards.node().surroundings.clock.now())
    }
}

/// The account by which the rule judges a contact. One account that the asker may use is enough: a person who
/// also writes elsewhere is no less theirs. A contact without conversations is on no account, so dedicated
/// channels hide nothing of it. A mention opens one conversation, never its contact.
fn account(grants: &Grants, person: &Person) -> Option<AccountId> {
    if person.conversations.is_empty() {
        return Some(grants.dedicated.first().copied().unwrap_or(AccountId(0)));
    }
    person.conversations.values().copied().find(|account| grants.may_use(*account))
}

/// Refuses who may not read contacts.
pub(super) fn needs_read(caller: &Caller) -> Result<(), Refusal> {
    if caller.may(Scope::ContactsRead) { Ok(()) } else { Err(Refusal::Forbidden { what: "read contacts" }) }
}

/// Refuses who may not change contacts.
pub(super) fn needs_write(caller: &Caller) -> Result<(), Refusal> {
    if caller.may(Scope::ContactsWrite) { Ok(()) } else { Err(Refusal::Forbidden { what: "change contacts" }) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::access::Role;
    use crate::domain::ids::{ConversationId, MemberId, WorkspaceId};
    use crate::domain::time::Timestamp;

    fn grants(dedicated: &[u128]) -> Grants {
        Grants {
            member: MemberId(1),
            role: Role::Staff,
            teams: Vec::new(),
            team_members: Vec::new(),
            dedicated: dedicated.iter().copied().map(AccountId).collect(),
        }
    }

    fn person(accounts: &[u128]) -> Person {
        let mut person = Person::new(WorkspaceId(1), Timestamp(0));
        for account in accounts {
            person.conversations.insert(ConversationId(*account), AccountId(*account));
        }
        person
    }

    #[test]
    fn one_account_that_the_asker_may_use_is_enough() {
        let cases: [(&[u128], &[u128], bool); 6] = [
            (&[], &[], true),
            (&[], &[7], true),
            (&[7], &[], true),
            (&[7], &[], true),
            (&[8], &[7, 8], true),
            (&[9], &[7, 8], false),
        ];
        for (dedicated, accounts, seen) in cases {
            let (grants, person) = (grants(dedicated), person(accounts));
            let found = account(&grants, &person);
            assert_eq!(found.is_some_and(|account| grants.may_use(account)), seen, "{dedicated:?} {accounts:?}");
        }
    }
}

//! Beginning a conversation: with an address that somebody typed, or with a contact.

use super::api::{Line, StartRequest, To};
use super::desk::on_terms;
use super::{Conversations, HOPS_MAX, invalid, not_found};
use crate::domain::access::{Action, Subject, may};
use crate::domain::contact::Contact;
use crate::domain::content::AddressDetails;
use crate::domain::conversation::{Answer, Command, Conversation, Origin, Start};
use crate::domain::effect::Assignment;
use crate::domain::ids::{AccountId, AddressId, ContactId, ConversationId};
use crate::domain::inbound::{Address, AddressSpace};
use crate::domain::message::Channel;
use crate::domain::recall::{Asked, CommandKey};
use crate::domain::refusal::Refusal;
use crate::shards::CommandError;
use crate::workspaces::Caller;

/// The longest address, in bytes.
const ADDRESS_BYTES_MAX: usize = 128;

/// Somebody to write to.
struct Customer {
    contact: ContactId,
    addresses: Vec<(AddressId, AddressDetails)>,
    /// The conversation there is already on the account.
    known: Option<ConversationId>,
}

impl Conversations {
    /// Begins a conversation, or opens the one there is; says whether it is new. A key begins one conversation: the
    /// same request with it is answered the same.
    ///
    /// # Errors
    /// The account, the contact or the conversation is not the caller's to see; the address is none.
    pub async fn start(
        &self,
        caller: &Caller,
        asked: Asked,
        request: StartRequest,
    ) -> Result<(Line, bool), CommandError> {
        let StartRequest { account, to, contact } = request;
        let workspace = self.workspaces.find(caller.workspace);
        let channel = workspace
            .as_ref()
            .and_then(|workspace| workspace.accounts.get(&account))
            .filter(|_| caller.grants.may_use(account))
            .map(|details| details.channel)
            .ok_or(Refusal::NotFound { what: "account" })?;
        let customer = match (to, contact) {
            (Some(to), None) => self.by_address(caller, account, to).await?,
            (None, Some(contact)) => self.by_contact(caller, account, channel, contact).await?,
            _ => return Err(invalid("to", "give either `to` or `contact`")),
        };
        let Some((first, _)) = customer.addresses.first() else {
            return Err(invalid("contact", "no address of this contact is known on the account's channel"));
        };
        let id = customer.known.unwrap_or_else(|| self.shards.node().keys.conversation(account, *first));
        let id = match asked.key {
            Some(key) => self.named_by(caller, key, account, id).await?,
            None => id,
        };
        let origin = Origin { workspace: caller.workspace, account, channel, contact: customer.contact, group: false };
        let start = Start { author: asked.author, origin, addresses: customer.addresses, open: true };
        self.begin(caller, asked, id, start).await
    }

    /// The conversation that a key begins. It is bound to the key before anything begins, so that another body is
    /// refused wherever its conversation would be.
    async fn named_by(
        &self,
        caller: &Caller,
        key: CommandKey,
        account: AccountId,
        to: ConversationId,
    ) -> Result<ConversationId, CommandError> {
        let workspace = caller.workspace;
        let id = self.shards.node().keys.keyed(workspace, "start", &format!("{:032x}", key.key));
        let command = Command::NameStart { key, workspace, account, to };
        match self.shards.ask::<Conversation>(id, command).await? {
            Answer::Forward { to } => Ok(to),
            _ => Err(CommandError::unavailable()),
        }
    }

    async fn begin(
        &self,
        caller: &Caller,
        asked: Asked,
        id: ConversationId,
        start: Start,
    ) -> Result<(Line, bool), CommandError> {
        let (mut at, mut created) = (id, true);
        for _ in 0..HOPS_MAX {
            // One that is there is looked at first: opening it is no way around the access rule.
            if let Some(line) = self.current(caller.workspace, at).await? {
                (at, created) = (line.id, false);
                self.line(caller, at, Action::Change).await?;
            }
            self.shards.takes_commands(at.0)?;
            let command = on_terms(asked, Command::Start(Box::new(start.clone())));
            match self.shards.ask::<Conversation>(at.0, command).await {
                Err(CommandError::Refused(Refusal::Moved { to })) => at = ConversationId(to),
                outcome => {
                    outcome?;
                    let line = self.current(caller.workspace, at).await?.ok_or_else(not_found)?;
                    // A repeat finds what the first time began, and is answered like it.
                    let created = match asked.key.filter(|_| !created) {
                        Some(key) => {
                            self.shards.view::<Conversation, _>(line.id.0, move |state| state.was_begun_by(key)).await?
                        }
                        None => created,
                    };
                    return Ok((Line::from(&*line), created));
                }
            }
        }
        Err(CommandError::unavailable())
    }

    async fn by_address(&self, caller: &Caller, account: AccountId, to: To) -> Result<Customer, CommandError> {
        let address = normal(&to)?;
        let keys = &self.shards.node().keys;
        let id = keys.address(caller.workspace, address.space.word(), &address.text);
        let named = keys.contact(caller.workspace, id);
        let known = self.person(named).await?;
        if let Some((_, assignment, _)) = &known {
            self.sees(caller, account, assignment)?;
        }
        let (contact, known) = known.map_or((named, None), |(contact, _, person)| {
            (contact, person.into_iter().find(|(_, on)| *on == account).map(|(conversation, _)| conversation))
        });
        // One person has one conversation on an account: it learns the address.
        let details = AddressDetails { address, name: None, username: None };
        Ok(Customer { contact, addresses: vec![(id, details)], known })
    }

    async fn by_contact(
        &self,
        caller: &Caller,
        account: AccountId,
        channel: Channel,
        contact: ContactId,
    ) -> Result<Customer, CommandError> {
        let unknown = || CommandError::from(Refusal::NotFound { what: "contact" });
        let (contact, assignment, conversations) = self.person(contact).await?.ok_or_else(unknown)?;
        self.sees(caller, account, &assignment)?;
        let (workspace, ids) = self
            .shards
            .view::<Contact, _>(contact.0, move |state| {
                state.person().map(|person| {
                    let on_channel = person.identities.iter().filter(|(_, channels)| channels.contains(&channel));
                    (person.workspace, on_channel.map(|(id, _)| *id).collect::<Vec<_>>())
                })
            })
            .await?
            .ok_or_else(unknown)?;
        if workspace != caller.workspace {
            return Err(unknown());
        }
        let details = self.shards.addresses(&ids).await?;
        let mut addresses: Vec<_> =
            ids.into_iter().zip(details).filter_map(|(id, details)| Some((id, details?))).collect();
        addresses.sort_by_key(|(_, details)| details.address.space);
        let known = conversations.into_iter().find(|(_, on)| *on == account).map(|(conversation, _)| conversation);
        Ok(Customer { contact, addresses, known })
    }

    /// A person, followed where they were merged: whose they are, and their conversations.
    async fn person(
        &self,
        contact: ContactId,
    ) -> Result<Option<(ContactId, Assignment, Vec<(ConversationId, AccountId)>)>, CommandError> {
        let mut asked = contact;
        for _ in 0..HOPS_MAX {
            let (moved, person) = self
                .shards
                .view::<Contact, _>(asked.0, |contact| {
                    let of = |person: &crate::domain::contact::Person| {
                        let conversations = person.conversations.iter().map(|(id, account)| (*id, *account));
                        (person.assignment.clone(), conversations.collect::<Vec<_>>())
                    };
                    (contact.moved_to(), contact.person().map(of))
                })
                .await?;
            match moved {
                Some(to) => asked = to,
                None => {
                    return Ok(person.map(|(assignment, conversations)| (asked, assignment, conversations)));
                }
            }
        }
        Err(CommandError::unavailable())
    }

    fn sees(&self, caller: &Caller, account: AccountId, assignment: &Assignment) -> Result<(), CommandError> {
        let subject = Subject {
            account,
            owner: assignment.owner,
            team: assignment.team,
            collaborators: &assignment.collaborators,
            mentions: &[],
        };
        if may(&caller.grants, &subject, Action::See, self.now()) {
            Ok(())
        } else {
            Err(Refusal::NotFound { what: "contact" }.into())
        }
    }
}

/// An address as platforms write it: phones as digits alone.
fn normal(to: &To) -> Result<Address, CommandError> {
    let text = to.address.trim();
    let text = match to.space {
        AddressSpace::Phone => {
            let digits: String = text.chars().filter(char::is_ascii_digit).collect();
            let spelled = text.chars().all(|letter| letter.is_ascii_digit() || " +-().".contains(letter));
            if !spelled || !(7..=15).contains(&digits.len()) || digits.starts_with('0') {
                return Err(invalid("to.address", "a phone number is in E.164: + and 7 to 15 digits"));
            }
            digits
        }
        AddressSpace::Bsuid | AddressSpace::Platform => text.to_owned(),
        AddressSpace::Group => return Err(invalid("to.space", "groups are shown, not answered")),
    };
    if text.is_empty() || text.len() > ADDRESS_BYTES_MAX {
        return Err(invalid("to.address", "it has 1 to 128 bytes"));
    }
    Ok(Address { space: to.space, text })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn phones_become_digits_and_what_is_none_is_refused() {
        let read =
            |space, address: &str| normal(&To { space, address: address.into() }).map(|address| address.text).ok();
        assert_eq!(read(AddressSpace::Phone, "+351 912-345-678").as_deref(), Some("351912345678"));
        assert_eq!(read(AddressSpace::Phone, "00351912345678"), None);
        assert_eq!(read(AddressSpace::Phone, "call me"), None);
        assert_eq!(read(AddressSpace::Phone, "12345"), None);
        assert_eq!(read(AddressSpace::Bsuid, " PT.13491208655302741918 ").as_deref(), Some("PT.13491208655302741918"));
        assert_eq!(read(AddressSpace::Platform, ""), None);
        assert_eq!(read(AddressSpace::Group, "120363@g.us"), None);
    }
}

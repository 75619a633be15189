//! Freezing an audience: contacts stream by, those who are to get it are deduplicated and written in chunks. Memory is
//! bounded by a few bytes a recipient, and nobody is woken.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use super::Audience;
use super::draft::PropertyNames;
use super::fill::{self, Values};
use super::run::Run;
use crate::domain::broadcast::chunk::Chunk;
use crate::domain::broadcast::job::{Broadcast, FrozenAudience};
use crate::domain::broadcast::{
    CHUNK_MAX, CompiledMessage, FrozenRecipient, PAGE_RECIPIENTS, RecipientState, SkipReason,
};
use crate::domain::consent::MARKETING;
use crate::domain::contact::{Contact, Person, PropertyKey};
use crate::domain::ids::{AddressId, BroadcastId, ContactId, ListId};
use crate::domain::inbound::Address;
use crate::domain::message::Channel;
use crate::shards::CommandError;

/// Contacts that are looked at together.
const TOGETHER: usize = 256;
/// Pages that are written together: one chunk.
const PAGES_TOGETHER: usize = (CHUNK_MAX / PAGE_RECIPIENTS) as usize;
/// Slices of a list.
const SLICES: u16 = 256;
/// Redirects that are followed.
const HOPS_MAX: usize = 8;

/// What freezing knows while it goes.
struct Freezing<'a> {
    run: &'a Run,
    wanted: &'a Audience,
    message: &'a CompiledMessage,
    /// Each variable of the message, and the property it is.
    variables: BTreeMap<&'a str, PropertyKey>,
    channel: Channel,
    marketing: bool,
    needs_opt_in: bool,
    /// Who is in it: half of each id is chance enough.
    contacts: HashSet<u64>,
    addresses: HashSet<u64>,
    page: Vec<FrozenRecipient>,
    pages: Vec<(u128, u16, Vec<FrozenRecipient>)>,
    frozen: FrozenAudience,
}

impl Run {
    /// Freezes the audience. Begun again after a crash it writes the same rows anew: nothing was claimed yet.
    pub(super) async fn freeze(
        self: &Arc<Self>,
        wanted: &Audience,
        message: &CompiledMessage,
        names: &PropertyNames,
    ) -> Result<FrozenAudience, CommandError> {
        let plan = self.steered().plan;
        let workspace = self.broadcasts.workspaces.find(self.workspace);
        let mut freezing = Freezing {
            run: self,
            wanted,
            message,
            variables: fill::variables(message, names),
            channel: plan.channel,
            marketing: plan.marketing,
            needs_opt_in: workspace.is_none_or(|workspace| workspace.settings.marketing_needs_opt_in),
            contacts: HashSet::new(),
            addresses: HashSet::new(),
            page: Vec::new(),
            pages: Vec::new(),
            frozen: FrozenAudience::default(),
        };
        if let Some(failed_of) = wanted.failed_of {
            freezing.failed(failed_of).await?;
        } else if wanted.lists.is_empty() {
            freezing.everybody().await?;
        } else {
            for list in &wanted.lists {
                freezing.list(*list).await?;
            }
        }
        freezing.end().await
    }
}

impl Freezing<'_> {
    async fn everybody(&mut self) -> Result<(), CommandError> {
        let shards = &self.run.broadcasts.shards;
        for shard in 0..shards.count() {
            let mut after = None;
            loop {
                let places = shards.contacts_of(self.run.workspace, shard, after, TOGETHER).await?;
                self.look_at(places.iter().map(|(_, id)| *id).collect()).await?;
                if places.len() < TOGETHER {
                    break;
                }
                after = places.last().copied();
            }
        }
        Ok(())
    }

    async fn list(&mut self, list: ListId) -> Result<(), CommandError> {
        let shards = &self.run.broadcasts.shards;
        let mut together = Vec::new();
        for slice in 0..SLICES {
            let mut after = None;
            loop {
                let (members, next) = shards.list_members(list, slice as u8, after, TOGETHER).await?;
                together.extend(members);
                if together.len() >= TOGETHER {
                    self.look_at(std::mem::take(&mut together)).await?;
                }
                match next {
                    Some(next) => after = Some(next),
                    None => break,
                }
            }
        }
        self.look_at(together).await
    }

    /// Those who failed in another broadcast.
    async fn failed(&mut self, of: BroadcastId) -> Result<(), CommandError> {
        let broadcasts = &self.run.broadcasts;
        let audience = broadcasts.shards.view::<Broadcast, _>(of.0, |state| state.audience().copied()).await?;
        for chunk in 0..audience.map_or(0, |audience| audience.chunks) {
            let id = broadcasts.chunk(of, chunk);
            let failed = |chunk: &Chunk| {
                let count = chunk.frozen().map_or(0, |frozen| frozen.recipients);
                let failed =
                    |index: &u16| chunk.recipient(*index).is_some_and(|view| view.state == RecipientState::Failed);
                (0..count).filter(failed).collect::<Vec<u16>>()
            };
            let failed = broadcasts.shards.view::<Chunk, _>(id, failed).await?;
            if failed.is_empty() {
                continue;
            }
            let rows = broadcasts.shards.recipients(id).await?;
            let contacts: Vec<_> =
                failed.iter().filter_map(|index| rows.get(usize::from(*index))).map(|row| row.contact).collect();
            for some in contacts.chunks(TOGETHER) {
                self.look_at(some.to_vec()).await?;
            }
        }
        Ok(())
    }

    /// Looks at contacts: those who fit are taken.
    async fn look_at(&mut self, ids: Vec<ContactId>) -> Result<(), CommandError> {
        let mut people = self.people(ids).await?;
        people.retain(|(_, person)| self.wanted.fits_labels(person));
        let values = self.values(&people).await?;
        let mut taken = Vec::with_capacity(people.len());
        for ((id, person), values) in people.into_iter().zip(values) {
            let fits = self.wanted.fits_values(|key| values.get(&key));
            if fits && let Some(address) = self.addresses_of(&person) {
                taken.push((id, person, values, address));
            }
        }
        let asked: Vec<AddressId> = taken.iter().flat_map(|(.., addresses)| addresses.iter().copied()).collect();
        let mut details = self.run.broadcasts.shards.addresses(&asked).await?.into_iter();
        for (id, person, values, addresses) in taken {
            // Every address is asked about, also where an earlier one will do: the answers come in that order.
            let mut known: Vec<(AddressId, Address)> =
                addresses.iter().filter_map(|address| Some((*address, details.next().flatten()?.address))).collect();
            known.sort_by_key(|(_, address)| address.space);
            match known.into_iter().next() {
                Some(address) => self.take(id, &person, &values, address).await?,
                None => self.frozen.unreachable += 1,
            }
        }
        // Others on the arbiter have their turn.
        tokio::task::yield_now().await;
        Ok(())
    }

    /// The people behind ids, redirects followed, each once.
    async fn people(&mut self, ids: Vec<ContactId>) -> Result<Vec<(ContactId, Person)>, CommandError> {
        let shards = &self.run.broadcasts.shards;
        let mut people = Vec::with_capacity(ids.len());
        let mut asked = ids;
        for _ in 0..HOPS_MAX {
            let mut moved = Vec::new();
            let mut by_shard: BTreeMap<u16, Vec<u128>> = BTreeMap::new();
            for id in asked {
                by_shard.entry(shards.shard_of(id.0)).or_default().push(id.0);
            }
            for (shard, ids) in by_shard {
                let states = shards.peek::<Contact>(shard, ids.clone()).await?;
                for (id, state) in ids.into_iter().zip(states) {
                    match state {
                        Contact::Person(person) if person.workspace == self.run.workspace => {
                            if self.contacts.insert(id as u64) {
                                people.push((ContactId(id), *person));
                            } else {
                                self.frozen.duplicates += 1;
                            }
                        }
                        Contact::Moved { to, .. } => moved.push(to),
                        _ => {}
                    }
                }
            }
            if moved.is_empty() {
                break;
            }
            asked = moved;
        }
        Ok(people)
    }

    /// The values that the message and the conditions ask for, for each person.
    async fn values(&self, people: &[(ContactId, Person)]) -> Result<Vec<Values>, CommandError> {
        let mut keys = self.wanted.asks_for();
        keys.extend(self.variables.values().copied());
        fill::values(&self.run.broadcasts.shards, &keys, people).await
    }

    /// The addresses by which a person may be written to on the channel; none where consent says no, or they have none.
    fn addresses_of(&mut self, person: &Person) -> Option<Vec<AddressId>> {
        let mut addresses: Vec<AddressId> = person.addresses_on(self.channel).collect();
        if addresses.is_empty() {
            self.frozen.unreachable += 1;
            return None;
        }
        if self.marketing {
            addresses.retain(|address| match person.consent(self.channel, *address, MARKETING) {
                Some(consent) => !consent.withdrawn,
                None => !self.needs_opt_in,
            });
            if addresses.is_empty() {
                self.frozen.without_consent += 1;
                return None;
            }
        }
        Some(addresses)
    }

    async fn take(
        &mut self,
        contact: ContactId,
        person: &Person,
        values: &Values,
        (address, to): (AddressId, Address),
    ) -> Result<(), CommandError> {
        if !self.addresses.insert(address.0 as u64) {
            self.frozen.duplicates += 1;
            return Ok(());
        }
        let keys = &self.run.broadcasts.shards.node().keys;
        let first = keys.conversation(self.run.account, address);
        let known = person.conversations.iter().filter(|(_, account)| **account == self.run.account).map(|(id, _)| *id);
        let conversation = if person.conversations.contains_key(&first) { first } else { known.min().unwrap_or(first) };
        let (texts, skip) = match fill::texts(self.message, &self.variables, values) {
            Ok(texts) => (texts, None),
            Err(_) => (Vec::new(), Some(SkipReason::VariableMissing)),
        };
        self.page.push(FrozenRecipient { contact, conversation, address, to, texts, skip });
        self.frozen.recipients += 1;
        if self.page.len() == usize::from(PAGE_RECIPIENTS) {
            self.turn_page();
            if self.pages.len() >= PAGES_TOGETHER {
                self.write().await?;
            }
        }
        Ok(())
    }

    fn turn_page(&mut self) {
        let first = self.frozen.recipients - self.page.len() as u32;
        let (chunk, index) = (first / u32::from(CHUNK_MAX), (first % u32::from(CHUNK_MAX)) as u16);
        let page = std::mem::take(&mut self.page);
        self.pages.push((self.run.broadcasts.chunk(self.run.id, chunk), index, page));
    }

    async fn write(&mut self) -> Result<(), CommandError> {
        self.run.broadcasts.shards.keep_recipients(&std::mem::take(&mut self.pages)).await
    }

    async fn end(mut self) -> Result<FrozenAudience, CommandError> {
        if !self.page.is_empty() {
            self.turn_page();
        }
        self.write().await?;
        self.frozen.chunks = self.frozen.recipients.div_ceil(u32::from(CHUNK_MAX));
        Ok(self.frozen)
    }
}

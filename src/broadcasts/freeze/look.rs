//! Looking at contacts: who is to get it, and where.

use std::collections::{BTreeMap, BTreeSet};

use futures_util::future::LocalBoxFuture;
use futures_util::stream::{FuturesOrdered, StreamExt};
use tokio::sync::mpsc;

use crate::broadcasts::Audience;
use crate::broadcasts::fill::{self, Values};
use crate::broadcasts::run::Run;
use crate::domain::broadcast::chunk::Chunk;
use crate::domain::broadcast::job::Broadcast;
use crate::domain::broadcast::{CompiledMessage, FrozenRecipient, RecipientState, SkipReason};
use crate::domain::consent::MARKETING;
use crate::domain::contact::{Contact, Person, PropertyKey};
use crate::domain::ids::{AddressId, BroadcastId, ContactId, ConversationId};
use crate::domain::message::Channel;
use crate::shards::CommandError;

/// Contacts that are looked at together.
const TOGETHER: usize = 512;
/// Batches of them that are read side by side.
const SIDE_BY_SIDE: usize = 3;
/// Redirects that are followed.
const HOPS_MAX: usize = 8;

/// A contact that was looked at.
pub(super) struct Looked {
    pub(super) contact: ContactId,
    pub(super) found: Found,
}

/// What was found.
pub(super) enum Found {
    /// The conditions do not hold.
    Unfit,
    /// There is no address on the channel.
    Unreachable,
    /// Nobody said that they may be written to.
    WithoutConsent,
    /// Gets it, unless somebody else has the address.
    Recipient(FrozenRecipient),
}

/// How it is looked at contacts.
pub(super) struct Look<'a> {
    run: &'a Run,
    wanted: &'a Audience,
    message: &'a CompiledMessage,
    /// Each variable of the message, and the property it is.
    variables: &'a BTreeMap<&'a str, PropertyKey>,
    /// What the message and the conditions ask for.
    keys: BTreeSet<PropertyKey>,
    channel: Channel,
    marketing: bool,
    needs_opt_in: bool,
}

/// Batches that are being read, in their order, and where they go.
struct Reading<'a> {
    under_way: FuturesOrdered<LocalBoxFuture<'a, Result<Vec<Looked>, CommandError>>>,
    read: mpsc::Sender<Vec<Looked>>,
}

impl<'a> Look<'a> {
    pub(super) fn new(
        run: &'a Run,
        wanted: &'a Audience,
        message: &'a CompiledMessage,
        variables: &'a BTreeMap<&'a str, PropertyKey>,
    ) -> Self {
        let plan = run.steered().plan;
        let workspace = run.broadcasts.workspaces.find(run.workspace);
        let mut keys = wanted.asks_for();
        keys.extend(variables.values().copied());
        Self {
            run,
            wanted,
            message,
            variables,
            keys,
            channel: plan.channel,
            marketing: plan.marketing,
            needs_opt_in: workspace.is_none_or(|workspace| workspace.settings.marketing_needs_opt_in),
        }
    }

    /// Looks at whom the audience names; some are told more than once.
    pub(super) async fn at_all(&self, read: mpsc::Sender<Vec<Looked>>) -> Result<(), CommandError> {
        let mut reading = Reading { under_way: FuturesOrdered::new(), read };
        if let Some(failed_of) = self.wanted.failed_of {
            self.failed(failed_of, &mut reading).await?;
        } else if self.wanted.lists.is_empty() {
            self.everybody(&mut reading).await?;
        } else {
            for list in &self.wanted.lists {
                let mut members = self.run.broadcasts.shards.list_in_order(*list).await?;
                loop {
                    let some = members.next(TOGETHER).await?;
                    if some.is_empty() {
                        break;
                    }
                    reading.begin(Box::pin(self.at(some))).await?;
                }
            }
        }
        reading.at_most(0).await
    }

    async fn everybody<'r>(&'r self, reading: &mut Reading<'r>) -> Result<(), CommandError> {
        let shards = &self.run.broadcasts.shards;
        for shard in 0..shards.count() {
            let mut after = None;
            loop {
                let places = shards.contacts_of(self.run.workspace, shard, after, TOGETHER).await?;
                reading.begin(Box::pin(self.at(places.iter().map(|(_, id)| *id).collect()))).await?;
                if places.len() < TOGETHER {
                    break;
                }
                after = places.last().copied();
            }
        }
        Ok(())
    }

    /// Those who failed in another broadcast.
    async fn failed<'r>(&'r self, of: BroadcastId, reading: &mut Reading<'r>) -> Result<(), CommandError> {
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
                reading.begin(Box::pin(self.at(some.to_vec()))).await?;
            }
        }
        Ok(())
    }

    async fn at(&self, ids: Vec<ContactId>) -> Result<Vec<Looked>, CommandError> {
        let mut looked = Vec::with_capacity(ids.len());
        let mut people = self.people(ids).await?;
        people.retain(|(contact, person)| {
            let fits = self.wanted.fits_labels(person);
            if !fits {
                looked.push(Looked { contact: *contact, found: Found::Unfit });
            }
            fits
        });
        let shards = &self.run.broadcasts.shards;
        let values = fill::values(shards, &self.keys, &people).await?;
        let mut reachable = Vec::with_capacity(people.len());
        for ((contact, person), values) in people.into_iter().zip(values) {
            match self.addresses_of(&person, &values) {
                Ok(addresses) => reachable.push((contact, person, values, addresses)),
                Err(found) => looked.push(Looked { contact, found }),
            }
        }
        let asked: Vec<AddressId> = reachable.iter().flat_map(|(.., addresses)| addresses.iter().copied()).collect();
        let mut details = shards.addresses(&asked).await?.into_iter();
        for (contact, person, values, addresses) in reachable {
            // The answers come in the order asked, so each of a person's addresses takes its own.
            let known = addresses.into_iter().zip(details.by_ref());
            let known = known.filter_map(|(address, details)| Some((address, details?.address)));
            let found = match known.min_by_key(|(_, address)| address.space) {
                Some((address, to)) => {
                    let (texts, skip) = match fill::texts(self.message, self.variables, &values) {
                        Ok(texts) => (texts, None),
                        Err(_) => (Vec::new(), Some(SkipReason::VariableMissing)),
                    };
                    let conversation = self.conversation_of(&person, address);
                    Found::Recipient(FrozenRecipient { contact, conversation, address, to, texts, skip })
                }
                None => Found::Unreachable,
            };
            looked.push(Looked { contact, found });
        }
        Ok(looked)
    }

    /// The people behind ids, redirects followed.
    async fn people(&self, ids: Vec<ContactId>) -> Result<Vec<(ContactId, Person)>, CommandError> {
        let mut people = Vec::with_capacity(ids.len());
        let mut asked = ids;
        for _ in 0..HOPS_MAX {
            let mut moved = Vec::new();
            let ids: Vec<u128> = asked.iter().map(|id| id.0).collect();
            let states = self.run.broadcasts.shards.peek::<Contact>(&ids).await?;
            for (id, state) in asked.into_iter().zip(states) {
                match state {
                    Contact::Person(person) if person.workspace == self.run.workspace => people.push((id, *person)),
                    Contact::Moved { to, .. } => moved.push(to),
                    _ => {}
                }
            }
            if moved.is_empty() {
                break;
            }
            asked = moved;
        }
        Ok(people)
    }

    /// The addresses by which a person may be written to on the channel, or why not.
    fn addresses_of(&self, person: &Person, values: &Values) -> Result<Vec<AddressId>, Found> {
        if !self.wanted.fits_values(|key| values.get(&key)) {
            return Err(Found::Unfit);
        }
        let mut addresses: Vec<AddressId> = person.addresses_on(self.channel).collect();
        if addresses.is_empty() {
            return Err(Found::Unreachable);
        }
        if self.marketing {
            addresses.retain(|address| match person.consent(self.channel, *address, MARKETING) {
                Some(consent) => !consent.withdrawn,
                None => !self.needs_opt_in,
            });
        }
        if addresses.is_empty() { Err(Found::WithoutConsent) } else { Ok(addresses) }
    }

    /// The conversation that a message to the address belongs to.
    fn conversation_of(&self, person: &Person, address: AddressId) -> ConversationId {
        let first = self.run.broadcasts.shards.node().keys.conversation(self.run.account, address);
        if person.conversations.contains_key(&first) {
            return first;
        }
        let known = person.conversations.iter().filter(|(_, account)| **account == self.run.account).map(|(id, _)| *id);
        known.min().unwrap_or(first)
    }
}

impl<'a> Reading<'a> {
    /// Begins to read one more batch, once few enough are under way.
    async fn begin(
        &mut self,
        batch: LocalBoxFuture<'a, Result<Vec<Looked>, CommandError>>,
    ) -> Result<(), CommandError> {
        self.under_way.push_back(batch);
        self.at_most(SIDE_BY_SIDE).await
    }

    /// Hands over what was read until at most so many batches are under way.
    async fn at_most(&mut self, batches: usize) -> Result<(), CommandError> {
        while self.under_way.len() > batches
            && let Some(looked) = self.under_way.next().await
        {
            // Nobody takes it where taking failed, and that error is told there.
            let _ = self.read.send(looked?).await;
        }
        Ok(())
    }
}

//! A small world around conversations: rows, lookups, and effects that travel between them.

use std::collections::{BTreeMap, BTreeSet};

use super::super::*;
use crate::domain::author::Author;
use crate::domain::content::{AddressDetails, Content, StoredMessage};
use crate::domain::effect::Effect;
use crate::domain::ids::{AccountId, AddressId, ConversationId, Keyring, MemberId, MessageId, WorkspaceId};
use crate::domain::inbound::{Address, AddressSpace, TemplateStatus};
use crate::domain::message::{MessageContent, MessageContext, MessageRef, MessageStatus, ProviderMessageId};
use crate::domain::outbound::SendOutcome;
use crate::domain::rules::Rules;
use crate::domain::window::billing::Category;
use crate::domain::window::profiles::Switches;

pub(super) const WORKSPACE: WorkspaceId = WorkspaceId(1);
pub(super) const ACCOUNT: AccountId = AccountId(2);
pub(super) const AGENT: Author = Author::Member(MemberId(3));
/// 2026-11-20T09:00:00Z.
pub(super) const T0: Timestamp = Timestamp::from_seconds(1_795_165_200);
pub(super) const SECOND: i64 = 1_000;
pub(super) const MINUTE: i64 = 60 * SECOND;
pub(super) const HOUR: i64 = 60 * MINUTE;

pub(super) fn after(ms: i64) -> Timestamp {
    Timestamp(T0.0 + ms)
}

/// What broadcasts would read of a gate: the last write by time wins.
type Gate<T> = (Timestamp, T);

pub(super) struct World {
    pub(super) keys: Keyring,
    pub(super) rules: Rules,
    pub(super) now: Timestamp,
    pub(super) channel: Channel,
    pub(super) live: BTreeMap<ConversationId, Conversation>,
    pub(super) effects: Vec<Effect>,
    pub(super) done: Vec<Effect>,
    pub(super) messages: BTreeMap<(ConversationId, MessageRef), StoredMessage>,
    pub(super) receipts: BTreeMap<(ConversationId, MessageId, u16, MessageStatus), MessageRef>,
    pub(super) refs: BTreeMap<ProviderMessageId, (ConversationId, MessageRef, u16)>,
    pub(super) windows: BTreeMap<ConversationId, Gate<Option<Timestamp>>>,
    pub(super) consents: BTreeMap<AddressId, Gate<bool>>,
    pub(super) events: Vec<(ConversationId, ConversationEvent)>,
}

impl World {
    pub(super) fn new() -> Self {
        Self {
            keys: Keyring::new([9; 16]),
            rules: Rules::default(),
            now: T0,
            channel: Channel::WhatsApp,
            live: BTreeMap::new(),
            effects: Vec::new(),
            done: Vec::new(),
            messages: BTreeMap::new(),
            receipts: BTreeMap::new(),
            refs: BTreeMap::new(),
            windows: BTreeMap::new(),
            consents: BTreeMap::new(),
            events: Vec::new(),
        }
    }

    pub(super) fn address(&self, name: &str) -> AddressId {
        self.keys.address(WORKSPACE, "phone", name)
    }

    pub(super) fn of(&self, name: &str) -> ConversationId {
        self.keys.conversation(ACCOUNT, self.address(name))
    }

    pub(super) fn named(&self, names: &[&str]) -> Vec<(AddressId, AddressDetails)> {
        let details = |name: &str| AddressDetails {
            address: Address { space: AddressSpace::Phone, text: name.to_owned() },
            name: None,
            username: None,
        };
        names.iter().map(|name| (self.address(name), details(name))).collect()
    }

    pub(super) fn origin(&self, name: &str) -> Origin {
        let contact = self.keys.contact(WORKSPACE, self.address(name));
        Origin { workspace: WORKSPACE, account: ACCOUNT, channel: self.channel, contact, group: false }
    }

    pub(super) fn inbound(&self, names: &[&str], provider_id: &str, at: Timestamp, text: &str) -> ReceiveMessage {
        ReceiveMessage {
            origin: self.origin(names[0]),
            addresses: self.named(names),
            provider_id: ProviderMessageId(provider_id.to_owned()),
            message: MessageRef { at, id: self.keys.inbound_message(ACCOUNT, provider_id) },
            content: MessageContent::Text { body: text.to_owned() },
            context: MessageContext::default(),
            opens_window: true,
            free_entry: false,
            arrived_at: self.now,
            seen: None,
        }
    }

    /// A customer's message, asked where its first address says.
    pub(super) fn hear(&mut self, names: &[&str], provider_id: &str, at: Timestamp, text: &str) -> Answer {
        let inbound = self.inbound(names, provider_id, at, text);
        self.ask(self.of(names[0]), Command::ReceiveMessage(Box::new(inbound))).unwrap()
    }

    pub(super) fn text(&self, author: Author, client_id: &str, body: &str) -> SendMessage {
        SendMessage {
            author,
            client_id: client_id.to_owned(),
            content: MessageContent::Text { body: body.to_owned() },
            reply_to: None,
            quoted: None,
            epoch: None,
            tag: None,
            template: None,
            switches: Switches::default(),
        }
    }

    pub(super) fn template(&self, client_id: &str, category: Category, status: TemplateStatus) -> SendMessage {
        SendMessage {
            content: MessageContent::Template { name: "t".into(), language: "pt_PT".into(), fills: Vec::new() },
            template: Some(TemplateFacts { category, status }),
            ..self.text(AGENT, client_id, "")
        }
    }

    pub(super) fn send(&mut self, name: &str, client_id: &str, body: &str) -> MessageRef {
        let send = self.text(AGENT, client_id, body);
        match self.ask(self.of(name), Command::Send(Box::new(send))) {
            Ok(Answer::Sent { message, .. }) => message,
            other => panic!("{other:?}"),
        }
    }

    pub(super) fn outcome(&self, thread: ConversationId, message: MessageId, outcome: SendOutcome) -> Command {
        let at = self.now;
        Command::RecordOutcome(Box::new(RecordOutcome { thread, message, attempt: 1, outcome, at, known: None }))
    }

    pub(super) fn accepted(provider_id: &str) -> SendOutcome {
        let provider_id = ProviderMessageId(provider_id.to_owned());
        SendOutcome::Accepted { provider_id, addresses: Vec::new(), held: false }
    }

    pub(super) fn receipt(&self, thread: ConversationId, status: MessageStatus, at: Timestamp) -> RecordReceipt {
        RecordReceipt {
            account: ACCOUNT,
            thread,
            message: None,
            provider_id: ProviderMessageId("wamid.none".into()),
            status,
            at,
            failure: None,
            pricing: None,
            known: None,
        }
    }

    /// Asks one conversation, without following where it sends us.
    pub(super) fn ask_one(&mut self, id: ConversationId, command: Command) -> Result<Answer, Refusal> {
        let state = self.live.entry(id).or_default().clone();
        let command = match state.lookup(&command) {
            Some(lookup) => Conversation::found(command, self.look_up(&lookup)),
            None => command,
        };
        let context = Context { now: self.now, id: id.0, keys: &self.keys, rules: &self.rules, broadcasts: &[] };
        let decision = state.decide(command, &context)?;
        let mut next = state;
        for event in &decision.events {
            // Through its bytes, as the log keeps it.
            let bytes = rmp_serde::to_vec(event).unwrap();
            next.apply(&rmp_serde::from_slice(&bytes).unwrap());
            self.events.push((id, event.clone()));
        }
        self.live.insert(id, next);
        decision.content.into_iter().for_each(|row| self.write(row));
        self.effects.extend(decision.effects);
        Ok(decision.answer)
    }

    pub(super) fn ask(&mut self, id: ConversationId, command: Command) -> Result<Answer, Refusal> {
        let (mut at, mut command) = (id, command);
        for _ in 0..10 {
            let again = command.clone();
            match self.ask_one(at, command)? {
                Answer::Forward { to } => (at, command) = (to, again),
                answer => return Ok(answer),
            }
        }
        panic!("forwarded in a circle");
    }

    fn look_up(&self, lookup: &Lookup) -> Found {
        let statuses = |conversation: &ConversationId, message: &MessageId| {
            let from = (*conversation, *message, 0, MessageStatus::Queued);
            let to = (*conversation, *message, u16::MAX, MessageStatus::Read);
            self.receipts.range(from..=to).map(|((_, _, attempt, status), at)| (*at, (*attempt, *status))).collect()
        };
        match lookup {
            Lookup::Message { conversation, at } => Found::Message(self.messages.contains_key(&(*conversation, *at))),
            Lookup::Receipts { conversation, message } => {
                let rows: Vec<(MessageRef, (u16, MessageStatus))> = statuses(conversation, message);
                Found::Receipts(rows.first().map(|row| row.0), rows.iter().map(|row| row.1).collect())
            }
            Lookup::ProviderRef { provider_id, .. } => match self.refs.get(provider_id) {
                None => Found::ProviderRef(None, Vec::new()),
                Some(known) => {
                    let rows = statuses(&known.0, &known.1.id);
                    Found::ProviderRef(Some(*known), rows.iter().map(|row| row.1).collect())
                }
            },
        }
    }

    fn write(&mut self, row: Content) {
        match row {
            Content::Message { conversation, at, message } => {
                let met = self.messages.insert((conversation, at), *message);
                assert!(met.is_none(), "a message was written twice");
            }
            Content::Receipt { conversation, message, attempt, status, .. } => {
                self.receipts.insert((conversation, message.id, attempt, status), message);
            }
            Content::ProviderRef { provider_id, conversation, message, attempt, .. } => {
                self.refs.insert(provider_id, (conversation, message, attempt));
            }
            Content::WindowGate { conversation, opened_at, at } => {
                let gate = self.windows.entry(conversation).or_insert((at, opened_at));
                *gate = (*gate).max((at, opened_at));
            }
            Content::ConsentGate { address, withdrawn, at, .. } => {
                let gate = self.consents.entry(address).or_insert((at, withdrawn));
                *gate = (*gate).max((at, withdrawn));
            }
            Content::Address { .. }
            | Content::Private { .. }
            | Content::ThreadReference { .. }
            | Content::BlockOutcome { .. } => {}
        }
    }

    /// Carries out one of the waiting effects; false if it has to come again.
    pub(super) fn carry_out(&mut self, index: usize) {
        let effect = self.effects.remove(index);
        let asked = match effect.clone() {
            Effect::LinkConversation { to, from, first_inbound, workspace, account, at } => {
                let link = Link { from, first_inbound, workspace, account, at };
                self.ask(to, Command::Link(link))
            }
            Effect::AbsorbConversation { to, from, payload } => self.ask(to, Command::Absorb { from, payload }),
            _ => Ok(Answer::Unmatched),
        };
        asked.unwrap();
        self.done.push(effect);
    }

    /// Carries out effects until none waits.
    pub(super) fn settle(&mut self) {
        let mut turns = 0;
        while !self.effects.is_empty() {
            self.carry_out(0);
            turns += 1;
            assert!(turns < 10_000, "effects never come to rest");
        }
    }

    /// Where a name's conversation is now.
    pub(super) fn root(&self, name: &str) -> ConversationId {
        let mut at = self.of(name);
        while let Some(to) = self.live.get(&at).and_then(Conversation::moved_to) {
            at = to;
        }
        at
    }

    pub(super) fn state(&self, name: &str) -> &Conversation {
        &self.live[&self.root(name)]
    }

    pub(super) fn summary(&self, name: &str) -> Summary {
        self.state(name).summary(self.now).unwrap()
    }

    /// The ids of a person's messages, in thread order, over all threads read through the root.
    pub(super) fn thread(&self, name: &str) -> Vec<MessageRef> {
        let root = self.root(name);
        let threads: BTreeSet<ConversationId> =
            self.state(name).absorbed().iter().copied().chain(std::iter::once(root)).collect();
        let rows = self.messages.keys().filter(|(conversation, _)| threads.contains(conversation));
        let mut refs: Vec<MessageRef> = rows.map(|(_, at)| *at).collect();
        refs.sort();
        refs
    }

    /// Every conversation again from its events alone.
    pub(super) fn assert_replay(&self) {
        let mut again: BTreeMap<ConversationId, Conversation> = BTreeMap::new();
        for (id, event) in &self.events {
            again.entry(*id).or_default().apply(event);
        }
        for (id, state) in &self.live {
            assert_eq!(again.get(id).cloned().unwrap_or_default(), *state);
            let bytes = rmp_serde::to_vec(state).unwrap();
            assert_eq!(rmp_serde::from_slice::<Conversation>(&bytes).unwrap(), *state);
        }
    }
}

//! One durable event as it is pushed: its id, who may see it, and its body for all readers.

use std::fmt;
use std::str::FromStr;
use std::sync::{Arc, OnceLock};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Serialize;

use super::body::{Body, BodyError};
use crate::domain::ids::{AccountId, ConversationId, MemberId, TeamId, WorkspaceId};
use crate::domain::time::Timestamp;

/// The name of one event: where in which shard's log it stands. Sockets, outgoing webhooks and
/// the pull feed carry the same id. Ordered within a shard, never across shards.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EventId {
    /// The shard.
    pub shard: u16,
    /// The record's position in the shard's log.
    pub position: u64,
    /// The index of the event within the record.
    pub index: u16,
}

/// `ev_` and 16 characters that mean nothing to clients.
impl fmt::Display for EventId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut raw = [0; 12];
        raw[..2].copy_from_slice(&self.shard.to_be_bytes());
        raw[2..10].copy_from_slice(&self.position.to_be_bytes());
        raw[10..].copy_from_slice(&self.index.to_be_bytes());
        write!(f, "ev_{}", URL_SAFE_NO_PAD.encode(raw))
    }
}

impl Serialize for EventId {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// The text is not an event's id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not the id of an event")]
pub struct InvalidEventId;

impl FromStr for EventId {
    type Err = InvalidEventId;
    fn from_str(text: &str) -> Result<Self, InvalidEventId> {
        let text = text.strip_prefix("ev_").filter(|rest| rest.len() == 16).ok_or(InvalidEventId)?;
        let raw = URL_SAFE_NO_PAD.decode(text).map_err(|_| InvalidEventId)?;
        let [s0, s1, p0, p1, p2, p3, p4, p5, p6, p7, i0, i1] =
            <[u8; 12]>::try_from(raw.as_slice()).map_err(|_| InvalidEventId)?;
        Ok(Self {
            shard: u16::from_be_bytes([s0, s1]),
            position: u64::from_be_bytes([p0, p1, p2, p3, p4, p5, p6, p7]),
            index: u16::from_be_bytes([i0, i1]),
        })
    }
}

/// What an event is about, as far as the one access function asks.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Audience {
    /// The channel account it happened on.
    pub account: Option<AccountId>,
    /// The contact's owner.
    pub owner: Option<MemberId>,
    /// The contact's team.
    pub team: Option<TeamId>,
    /// Who else may reply.
    pub collaborators: Vec<MemberId>,
    /// Who was mentioned.
    pub mentions: Vec<MemberId>,
}

/// What one member may see: the access function over that member's grants. Asked for every entry
/// and session on the arbiter's thread, so it must neither block nor allocate.
pub trait Viewer {
    /// Whether the member may see what is about `audience`.
    fn sees(&self, audience: &Audience) -> bool;
}

/// What an event says, before it is serialised.
pub struct EventParts<'a> {
    /// Its id.
    pub id: EventId,
    /// What happened, past tense with its noun: `message.received`.
    pub kind: &'a str,
    /// When it happened.
    pub at: Timestamp,
    /// The tenant.
    pub workspace: WorkspaceId,
    /// The conversation it belongs to, if any.
    pub conversation: Option<ConversationId>,
    /// The entity's version after it.
    pub version: u64,
    /// Whom it is about, after it.
    pub audience: Arc<Audience>,
    /// Whom it was about before, where the event changed that: who saw it before and does not
    /// now gets `conversation.removed` instead.
    pub previous_audience: Option<Arc<Audience>>,
}

/// One durable event with its body, cheap to clone and shared by all sockets.
#[derive(Clone)]
pub struct FeedEntry(Arc<Shared>);

struct Shared {
    id: EventId,
    at: Timestamp,
    workspace: WorkspaceId,
    conversation: Option<ConversationId>,
    version: u64,
    audience: Arc<Audience>,
    previous_audience: Option<Arc<Audience>>,
    body: Body,
    removed: OnceLock<Body>,
}

/// The body of an event, in the order of the wire.
#[derive(Serialize)]
struct EventBody<'a, D> {
    id: EventId,
    #[serde(rename = "type")]
    kind: &'a str,
    at: String,
    workspace: WorkspaceId,
    #[serde(skip_serializing_if = "Option::is_none")]
    conversation: Option<ConversationId>,
    version: u64,
    data: D,
}

impl FeedEntry {
    /// Serialises the event once, with `data` as its content.
    ///
    /// # Errors
    /// When `data` does not serialise to JSON.
    pub fn new(parts: EventParts<'_>, data: &impl Serialize) -> Result<Self, BodyError> {
        let EventParts { id, kind, at, workspace, conversation, version, audience, previous_audience } = parts;
        let body = Body::new(&EventBody { id, kind, at: at.to_string(), workspace, conversation, version, data })?;
        let removed = OnceLock::new();
        Ok(Self(Arc::new(Shared {
            id,
            at,
            workspace,
            conversation,
            version,
            audience,
            previous_audience,
            body,
            removed,
        })))
    }

    /// Its id.
    #[must_use]
    pub fn id(&self) -> EventId {
        self.0.id
    }

    /// The tenant.
    #[must_use]
    pub fn workspace(&self) -> WorkspaceId {
        self.0.workspace
    }

    /// The conversation it belongs to.
    #[must_use]
    pub fn conversation(&self) -> Option<ConversationId> {
        self.0.conversation
    }

    /// The body for those who see it.
    #[must_use]
    pub fn body(&self) -> &Body {
        &self.0.body
    }

    /// What `viewer` gets of it.
    #[must_use]
    pub fn seen_by(&self, viewer: &dyn Viewer) -> Sight {
        if viewer.sees(&self.0.audience) {
            Sight::Whole
        } else if self.0.conversation.is_some()
            && self.0.previous_audience.as_ref().is_some_and(|before| viewer.sees(before))
        {
            Sight::Removed
        } else {
            Sight::Nothing
        }
    }

    /// The body for those who saw the conversation until this event.
    pub(super) fn removed(&self) -> &Body {
        self.0.removed.get_or_init(|| {
            let body = EventBody {
                id: self.0.id,
                kind: "conversation.removed",
                at: self.0.at.to_string(),
                workspace: self.0.workspace,
                conversation: self.0.conversation,
                version: self.0.version,
                data: serde_json::Map::new(),
            };
            // Strings and numbers always serialise.
            Body::new(&body).unwrap_or_else(|_| Body::trusted(r#"{"type":"conversation.removed"}"#.to_owned()))
        })
    }

    /// What keeping it costs, in bytes.
    pub(super) fn cost_bytes(&self) -> usize {
        size_of::<Shared>() + self.0.body.len_bytes()
    }
}

/// What a viewer gets of an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sight {
    /// The event.
    Whole,
    /// A last `conversation.removed`.
    Removed,
    /// Nothing; only the cursor moves.
    Nothing,
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    struct Owner(MemberId);
    impl Viewer for Owner {
        fn sees(&self, audience: &Audience) -> bool {
            audience.owner == Some(self.0)
        }
    }

    fn entry(now: Option<MemberId>, before: Option<MemberId>) -> FeedEntry {
        let audience = |owner: Option<MemberId>| Arc::new(Audience { owner, ..Audience::default() });
        FeedEntry::new(
            EventParts {
                id: EventId { shard: 3, position: 9, index: 1 },
                kind: "conversation.assigned",
                at: Timestamp(0),
                workspace: WorkspaceId(1),
                conversation: Some(ConversationId(2)),
                version: 7,
                audience: audience(now),
                previous_audience: before.map(|owner| audience(Some(owner))),
            },
            &serde_json::json!({"to": "somebody"}),
        )
        .unwrap()
    }

    #[test]
    fn who_loses_sight_gets_the_removal_and_nothing_of_the_event() {
        let (ann, bob, eve) = (MemberId(1), MemberId(2), MemberId(3));
        let moved = entry(Some(bob), Some(ann));
        assert_eq!(moved.seen_by(&Owner(bob)), Sight::Whole);
        assert_eq!(moved.seen_by(&Owner(ann)), Sight::Removed);
        assert_eq!(moved.seen_by(&Owner(eve)), Sight::Nothing);
        let removed: serde_json::Value = serde_json::from_str(moved.removed().json()).unwrap();
        assert_eq!(removed["type"], "conversation.removed");
        assert_eq!(removed["id"], EventId { shard: 3, position: 9, index: 1 }.to_string());
        assert_eq!(removed["data"], serde_json::json!({}));
    }

    proptest! {
        #[test]
        fn ids_survive_their_text(shard: u16, position: u64, index: u16) {
            let id = EventId { shard, position, index };
            prop_assert_eq!(id.to_string().parse::<EventId>(), Ok(id));
        }

        #[test]
        fn any_text_is_an_id_or_refused(text in "(ev_)?\\PC{0,24}") {
            if let Ok(id) = text.parse::<EventId>() {
                prop_assert_eq!(id.to_string(), text);
            }
        }
    }
}

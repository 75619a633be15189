//! Every id is a type of its own: 128 bits, shown as a prefix and ULID text.
//!
//! Ids are never used for order (lists go by creation time, threads by time and id), so a
//! hash and a ULID are equally good ids. Hashed ids are keyed with a secret made with the
//! store: whoever knows a phone number cannot compute the id of its conversation.

use std::fmt;
use std::str::FromStr;

use serde::de::{self, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use siphasher::sip128::{Hasher128, SipHasher24};

/// Crockford's base 32, the alphabet of ULID text.
const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/// Length of the text of an id without its prefix, in characters.
pub const ULID_TEXT_LEN: usize = 26;

/// Why a text is not an id of the wanted kind.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not an id of the form `{prefix}_` and 26 characters of Crockford's base 32")]
pub struct InvalidId {
    /// The prefix that the wanted kind of id has.
    pub prefix: &'static str,
}

/// Writes 128 bits as 26 characters of ULID text.
#[must_use]
pub fn to_ulid_text(value: u128) -> [u8; ULID_TEXT_LEN] {
    let mut out = [b'0'; ULID_TEXT_LEN];
    let mut rest = value;
    for slot in out.iter_mut().rev() {
        *slot = ALPHABET[(rest & 31) as usize];
        rest >>= 5;
    }
    out
}

/// Reads 26 characters of ULID text; lower case is accepted, overflow and other letters are not.
#[must_use]
pub fn from_ulid_text(text: &str) -> Option<u128> {
    let bytes = text.as_bytes();
    if bytes.len() != ULID_TEXT_LEN || bytes[0] > b'7' {
        return None;
    }
    let mut value: u128 = 0;
    for byte in bytes {
        let upper = byte.to_ascii_uppercase();
        let digit = ALPHABET.iter().position(|letter| *letter == upper)?;
        value = (value << 5) | digit as u128;
    }
    Some(value)
}

macro_rules! id_type {
    ($(#[$doc:meta])* $name:ident, $prefix:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub u128);

        impl $name {
            /// The text before the underscore.
            pub const PREFIX: &'static str = $prefix;

            /// The 26 characters after the prefix, as used inside callback tokens.
            #[must_use]
            pub fn ulid_text(&self) -> String {
                String::from_utf8_lossy(&to_ulid_text(self.0)).into_owned()
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(concat!($prefix, "_"))?;
                f.write_str(&self.ulid_text())
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }

        impl FromStr for $name {
            type Err = InvalidId;
            fn from_str(text: &str) -> Result<Self, InvalidId> {
                text.strip_prefix(concat!($prefix, "_"))
                    .and_then(from_ulid_text)
                    .map(Self)
                    .ok_or(InvalidId { prefix: $prefix })
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                if serializer.is_human_readable() {
                    serializer.collect_str(self)
                } else {
                    serializer.serialize_bytes(&self.0.to_be_bytes())
                }
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                struct IdVisitor;
                impl Visitor<'_> for IdVisitor {
                    type Value = $name;
                    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                        f.write_str(concat!("an id with the prefix ", $prefix))
                    }
                    fn visit_str<E: de::Error>(self, text: &str) -> Result<$name, E> {
                        text.parse().map_err(E::custom)
                    }
                    fn visit_bytes<E: de::Error>(self, bytes: &[u8]) -> Result<$name, E> {
                        <[u8; 16]>::try_from(bytes)
                            .map(|raw| $name(u128::from_be_bytes(raw)))
                            .map_err(|_| E::invalid_length(bytes.len(), &"16 bytes"))
                    }
                }
                if deserializer.is_human_readable() {
                    deserializer.deserialize_str(IdVisitor)
                } else {
                    deserializer.deserialize_bytes(IdVisitor)
                }
            }
        }
    };
}

id_type!(
    /// One company account, the tenant.
    WorkspaceId, "wsp"
);
id_type!(
    /// A person who is a member of a workspace: an agent, a team admin or an admin.
    MemberId, "mbr"
);
id_type!(
    /// A group of members.
    TeamId, "tea"
);
id_type!(
    /// A program that answers in conversations.
    BotId, "bot"
);
id_type!(
    /// A key for programs that call the API.
    ApiKeyId, "key"
);
id_type!(
    /// Our registration with a platform: a secret and a verify token.
    AppId, "app"
);
id_type!(
    /// One connected number, page or bot.
    AccountId, "cha"
);
id_type!(
    /// The business portfolio that owns a messaging limit.
    LimitScopeId, "lim"
);
id_type!(
    /// One person.
    ContactId, "cnt"
);
id_type!(
    /// One contact on one channel account.
    ConversationId, "cnv"
);
id_type!(
    /// One message of a conversation.
    MessageId, "msg"
);
id_type!(
    /// The keyed hash of one platform address (a phone number, a business-scoped user id).
    AddressId, "adr"
);
id_type!(
    /// An approved message form.
    TemplateId, "tpl"
);
id_type!(
    /// A word that brands put on contacts.
    LabelId, "lbl"
);
id_type!(
    /// A typed property that a workspace defined for its contacts.
    PropertyId, "prp"
);
id_type!(
    /// A list that contacts are put on.
    ListId, "lst"
);
id_type!(
    /// A broadcast.
    BroadcastId, "brd"
);
id_type!(
    /// A webhook delivery, or one item of it, that could not be handed to an actor.
    DeliveryId, "dlv"
);
id_type!(
    /// One request, carried from the edge to the log lines.
    RequestId, "req"
);

/// The secret under which natural keys become ids. Made once, with the store.
#[derive(Clone)]
pub struct Keyring {
    key: [u8; 16],
}

impl Keyring {
    /// A ring from the 16 secret bytes kept in the store.
    #[must_use]
    pub fn new(key: [u8; 16]) -> Self {
        Self { key }
    }

    /// The address of one person on one platform space (`phone`, `bsuid`, `psid`, …), per workspace.
    ///
    /// `text` is the normalised form: digits without `+` for phones.
    #[must_use]
    pub fn address(&self, workspace: WorkspaceId, space: &str, text: &str) -> AddressId {
        AddressId(self.hash(b"address", &[&workspace.0.to_be_bytes(), space.as_bytes(), text.as_bytes()]))
    }

    /// The conversation that an address opens on an account.
    #[must_use]
    pub fn conversation(&self, account: AccountId, address: AddressId) -> ConversationId {
        ConversationId(self.hash(b"conversation", &[&account.0.to_be_bytes(), &address.0.to_be_bytes()]))
    }

    /// The contact that an address names first.
    #[must_use]
    pub fn contact(&self, workspace: WorkspaceId, address: AddressId) -> ContactId {
        ContactId(self.hash(b"contact", &[&workspace.0.to_be_bytes(), &address.0.to_be_bytes()]))
    }

    /// The message that a provider's id names on an account.
    #[must_use]
    pub fn inbound_message(&self, account: AccountId, provider_id: &str) -> MessageId {
        MessageId(self.hash(b"inbound", &[&account.0.to_be_bytes(), provider_id.as_bytes()]))
    }

    /// The message that a client message id names in a conversation.
    #[must_use]
    pub fn client_message(&self, conversation: ConversationId, client_id: &str) -> MessageId {
        MessageId(self.hash(b"client", &[&conversation.0.to_be_bytes(), client_id.as_bytes()]))
    }

    /// The thing of a kind that a keyed command makes in a workspace.
    #[must_use]
    pub fn keyed(&self, workspace: WorkspaceId, kind: &str, key: &str) -> u128 {
        self.hash(b"keyed", &[&workspace.0.to_be_bytes(), kind.as_bytes(), key.as_bytes()])
    }

    /// 128 keyed bits over length-prefixed parts, so that no two lists of parts collide by shifting.
    #[must_use]
    pub fn hash(&self, purpose: &[u8], parts: &[&[u8]]) -> u128 {
        use std::hash::Hasher as _;
        let mut hasher = SipHasher24::new_with_key(&self.key);
        hasher.write_u8(purpose.len() as u8);
        hasher.write(purpose);
        for part in parts {
            hasher.write_u32(part.len() as u32);
            hasher.write(part);
        }
        hasher.finish128().as_u128()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_round_trips() {
        for value in [0, 1, u128::MAX, 0x0123_4567_89ab_cdef_0123_4567_89ab_cdef] {
            let id = ConversationId(value);
            assert_eq!(id.to_string().parse::<ConversationId>(), Ok(id));
        }
    }

    #[test]
    fn foreign_prefixes_overflow_and_strange_letters_are_refused() {
        assert!("cnt_00000000000000000000000000".parse::<ConversationId>().is_err());
        assert!("cnv_80000000000000000000000000".parse::<ConversationId>().is_err());
        assert!("cnv_0000000000000000000000000U".parse::<ConversationId>().is_err());
        assert!("cnv_0".parse::<ConversationId>().is_err());
    }

    #[test]
    fn parts_do_not_run_into_each_other() {
        let ring = Keyring::new([7; 16]);
        assert_ne!(ring.hash(b"x", &[b"ab", b"c"]), ring.hash(b"x", &[b"a", b"bc"]));
        assert_ne!(ring.hash(b"x", &[b"ab"]), Keyring::new([8; 16]).hash(b"x", &[b"ab"]));
    }
}

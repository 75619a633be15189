//! The bytes of rows that are maps by name, and what this version makes of a newer one's.

use serde::Serialize;
use serde_json::{Value, json};

use super::super::deliveries::{DeferredItem, KeptDelivery, KeptReason};
use super::super::record::{self, EntryOf, EntryView, RecordWriter};
use super::super::rows;
use crate::domain::author::Author;
use crate::domain::broadcast::{BroadcastPlace, FrozenRecipient, SkipReason};
use crate::domain::content::{AddressDetails, Content, StoredMessage};
use crate::domain::conversation::ConversationEvent;
use crate::domain::effect::Effect;
use crate::domain::ids::{
    AccountId, AddressId, AppId, BroadcastId, ContactId, ConversationId, MemberId, MessageId, WorkspaceId,
};
use crate::domain::inbound::{
    AccountRef, Address, AddressSpace, InboundItem, InboundKind, InboundMessage, Person as Sender,
};
use crate::domain::message::{
    Channel, Media, MediaKind, MessageContent, MessageContext, MessageRef, ProviderMessageId, TemplateFill,
    TemplateParameter, TemplateSlot,
};
use crate::domain::time::Timestamp;
use crate::store::contract::golden;
use crate::store::{Row, StoreError, Table, encoding};

const AT: Timestamp = Timestamp(1_795_165_200_123);

fn stored(author: Author, content: MessageContent) -> StoredMessage {
    StoredMessage {
        author,
        content,
        context: MessageContext { quoted: Some(ProviderMessageId("wamid.q".into())), ..MessageContext::default() },
        provider_id: Some(ProviderMessageId("wamid.x".into())),
        sender: Some(AddressId(9)),
        arrived_at: AT,
    }
}

fn picture() -> Media {
    Media { provider_id: Some("m1".into()), caption: Some("A cat".into()), ..Media::default() }
}

fn messages() -> Vec<StoredMessage> {
    let fill = TemplateFill {
        slot: TemplateSlot::Button { sub_type: "url".into(), index: 1 },
        parameters: vec![TemplateParameter::Media { kind: MediaKind::Image, media: picture() }],
    };
    vec![
        stored(Author::Customer, MessageContent::Text { body: "Olá".into() }),
        stored(Author::Customer, MessageContent::Media { kind: MediaKind::Image, media: picture() }),
        stored(
            Author::Member(MemberId(4)),
            MessageContent::Template { name: "n".into(), language: "pt_PT".into(), fills: vec![fill] },
        ),
        stored(Author::System, MessageContent::Note { body: "Look".into(), mentions: vec![MemberId(5)] }),
        stored(Author::Customer, MessageContent::Unsupported { kind: "poll".into(), raw: "{}".into() }),
    ]
}

fn row_of(message: &StoredMessage) -> Row {
    let at = MessageRef { at: AT, id: MessageId(7) };
    let put =
        rows::to_put(&Content::Message { conversation: ConversationId(1), at, message: Box::new(message.clone()) })
            .expect("encodes");
    Row { ck: put.key.ck().to_vec(), value: put.value.expect("has one"), ts_us: put.ts_us }
}

fn read(value: &[u8]) -> Result<StoredMessage, StoreError> {
    let row = Row { value: value.to_vec(), ..row_of(&messages()[0]) };
    rows::read_message(&row).map(|(_, message)| message)
}

/// A message row as a version to come may write it: more fields at every depth, and other kinds.
#[derive(Serialize)]
struct NewerMessage {
    author: Author,
    content: Value,
    context: Value,
    provider_id: Option<&'static str>,
    sender: Option<AddressId>,
    arrived_at: Timestamp,
    translated: Option<&'static str>,
}

fn newer(content: Value) -> Vec<u8> {
    let context = json!({"quoted": "wamid.q", "forwarded": false, "thread": {"id": 1}});
    let (author, translated) = (Author::Customer, Some("Hello"));
    let provider_id = Some("wamid.x");
    let message =
        NewerMessage { author, content, context, provider_id, sender: Some(AddressId(9)), arrived_at: AT, translated };
    encoding::encode_named(&message).expect("encodes")
}

#[test]
fn message_rows_have_the_bytes_they_always_had() {
    let rows: Vec<_> = messages().iter().map(|message| row_of(message).value).collect();
    golden("message_rows.hex", &rows);
    for (bytes, message) in rows.iter().zip(messages()) {
        assert_eq!(read(bytes).expect("reads"), message);
    }
}

#[test]
fn message_rows_of_a_newer_version_are_read() {
    let text = json!({"type": "text", "body": "Olá", "mood": "glad"});
    let media = json!({"provider_id": "m1", "caption": "A cat", "voice": false, "animated": false, "width": 640});
    let picture = json!({"type": "media", "kind": "image", "media": media});
    let hologram = json!({"type": "hologram", "depth": 3, "parts": [{"a": null}]});
    let rows = vec![newer(text), newer(picture), newer(hologram.clone())];
    golden("message_rows_newer.hex", &rows);
    let known = messages();
    assert_eq!(read(&rows[0]).expect("reads"), known[0]);
    assert_eq!(read(&rows[1]).expect("reads"), known[1]);
    let MessageContent::Unsupported { kind, raw } = read(&rows[2]).expect("reads").content else {
        panic!("it is kept")
    };
    assert_eq!((kind.as_str(), serde_json::from_str::<Value>(&raw).expect("JSON")), ("hologram", hologram));
    let nameless = read(&newer(json!({"body": "x"}))).expect_err("names no kind");
    assert!(nameless.to_string().contains("message"), "{nameless}");
}

#[test]
fn other_rows_by_name_are_read_with_more_fields() {
    fn with_more<T: Serialize>(value: &T) -> Vec<u8> {
        // A map of up to 15 fields has its count in the first byte after the version.
        let mut bytes = encoding::encode_named(value).expect("encodes");
        assert!((0x80..0x8f).contains(&bytes[1]), "a small map");
        bytes[1] += 1;
        bytes.extend_from_slice(&[0xa4, b'm', b'o', b'r', b'e', 0x92, 1, 0xc0]);
        bytes
    }
    let address = AddressDetails {
        address: Address { space: AddressSpace::Phone, text: "351912345678".into() },
        name: Some("Amália".into()),
        username: None,
    };
    let put = rows::to_put(&Content::Address { id: AddressId(1), details: address.clone(), at: AT }).expect("encodes");
    assert_eq!(put.value, Some(encoding::encode_named(&address).expect("encodes")));
    assert_eq!(encoding::decode::<AddressDetails>("address", &with_more(&address)).expect("reads"), address);
    let kept = KeptDelivery {
        reason: KeptReason::Unrouted,
        channel: Channel::WhatsApp,
        app: AppId(2),
        workspace: None,
        arrived_at: AT,
        item_id: None,
        raw: "{}".into(),
    };
    assert_eq!(encoding::decode::<KeptDelivery>("delivery", &with_more(&kept)).expect("reads"), kept);
    let message = InboundMessage {
        from: Sender { addresses: vec![address.address], ..Sender::default() },
        group: None,
        provider_id: ProviderMessageId("wamid.x".into()),
        at: AT,
        content: MessageContent::Text { body: "Olá".into() },
        context: MessageContext::default(),
        opens_window: true,
        free_entry: false,
    };
    let (workspace, account) = (WorkspaceId(1), AccountId(3));
    let deferred = DeferredItem {
        workspace,
        account,
        channel: Channel::WhatsApp,
        app: AppId(2),
        arrived_at: AT,
        panics: 0,
        tries: 0,
        item: InboundItem {
            account: AccountRef::Account("1".into()),
            item_id: "wamid.x".into(),
            kind: InboundKind::Message(message),
            at: None,
        },
    };
    assert_eq!(encoding::decode::<DeferredItem>("ingress", &with_more(&deferred)).expect("reads"), deferred);
}

/// An event or effect that this version does not know must stop it, never be passed over.
#[test]
fn what_the_log_holds_of_a_newer_version_is_an_error() {
    let mut writer = RecordWriter::new();
    let message = MessageRef { at: AT, id: MessageId(7) };
    let events = [ConversationEvent::NoticeRecorded { message }, ConversationEvent::WindowShut { at: AT }];
    let effects = [Effect::MarkRead { account: AccountId(3), conversation: ConversationId(1), message }];
    let of = EntryOf { kind: 1, id: 1, workspace: WorkspaceId(1), version: 0 };
    writer.entry(of, &events, &effects).expect("encodes");
    let bytes = writer.into_bytes();
    let parts = |record: &[u8]| {
        let read = record::entries(record).expect("is whole");
        let [EntryView::Decided { events, effects, .. }] = &read[..] else { panic!("one entry") };
        (record::read::<Vec<ConversationEvent>>(events), record::read::<Vec<Effect>>(effects))
    };
    assert!(matches!(parts(&bytes), (Ok(read), Ok(done)) if read == events && done == effects));
    for (tag, of_event) in [(tag_of(&events[0]), true), (tag_of(&events[1]), true), (tag_of(&effects[0]), false)] {
        let at = bytes.windows(tag.len()).position(|part| part == tag).expect("it is written");
        let mut foreign = bytes.clone();
        foreign[at + 1..at + tag.len()].copy_from_slice(&b"~~~~"[..tag.len() - 1]);
        let (events, effects) = parts(&foreign);
        let error = if of_event { events.map(drop) } else { effects.map(drop) }.expect_err("is unknown");
        assert!(error.to_string().contains("unknown variant `~~`"), "{error}");
    }
    // One field more than this version knows: what it means for the state is not known either.
    let written = |fields: Value| rmp_serde::to_vec(&[json!({ "wc": fields })]).expect("encodes");
    let read = |fields| record::read::<Vec<ConversationEvent>>(&written(fields));
    assert_eq!(read(json!([AT.0])).expect("reads"), events[1..]);
    assert!(read(json!([AT.0, 1])).is_err());
}

/// The stored tag of an event or effect: the string that its one-field map begins with, with its length byte.
fn tag_of<T: Serialize>(value: &T) -> Vec<u8> {
    let bytes = rmp_serde::to_vec(value).expect("encodes");
    bytes[1..2 + usize::from(bytes[1] & 0x1f)].to_vec()
}

#[test]
fn rows_of_broadcasts_have_the_bytes_they_always_had() {
    let place = BroadcastPlace { broadcast: BroadcastId(2), chunk: 3, index: 258, attempt: 1, claim: 4 };
    let reference = Content::ThreadReference { conversation: ConversationId(1), at: AT, place };
    let provider_ids = vec![(258, ProviderMessageId("wamid.x".into()))];
    let outcome = Content::BlockOutcome { chunk: 5, claim: 4, first: 258, provider_ids, at: AT };
    let puts: Vec<_> = [reference, outcome].iter().map(|row| rows::to_put(row).expect("encodes")).collect();
    let recipient = FrozenRecipient {
        contact: ContactId(6),
        conversation: ConversationId(1),
        address: AddressId(9),
        to: Address { space: AddressSpace::Phone, text: "15550100001".into() },
        texts: vec!["Ann".into()],
        skip: Some(SkipReason::VariableMissing),
    };
    let page = encoding::encode(&vec![recipient.clone()]).expect("encodes");
    let mut bytes: Vec<Vec<u8>> = puts.iter().map(|put| put.value.clone().expect("has one")).collect();
    bytes.extend(puts.iter().map(|put| put.key.as_bytes().to_vec()));
    bytes.push(page.clone());
    golden("broadcast_rows.hex", &bytes);
    let row = Row { ck: puts[0].key.ck().to_vec(), value: bytes[0].clone(), ts_us: puts[0].ts_us };
    assert_eq!(rows::read_thread_reference(&row).expect("reads"), (AT, place));
    let read: Vec<FrozenRecipient> = rows::value(Table::Recipient, &page).expect("reads");
    assert!(read == [recipient]);
}

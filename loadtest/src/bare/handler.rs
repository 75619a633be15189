//! The bare handler: an actix-web route that reads a delivery, checks its HMAC and parses its JSON, and
//! answers 200. It runs on as many threads as Tidegate and with the same allocator.

use std::borrow::Cow;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use actix_web::{App, HttpRequest, HttpResponse, HttpServer, web};
use anyhow::Result;
use hmac::{Hmac, Mac};
use serde::Deserialize;
use sha2::Sha256;

use crate::deliveries::keyed;
use crate::machine;

/// A delivery, as far as a router must read it.
#[derive(Deserialize)]
struct Delivery<'a> {
    #[serde(borrow)]
    entry: Vec<Entry<'a>>,
}

#[derive(Deserialize)]
struct Entry<'a> {
    #[serde(borrow)]
    changes: Vec<Change<'a>>,
}

#[derive(Deserialize)]
struct Change<'a> {
    #[serde(borrow)]
    value: Value<'a>,
}

#[derive(Deserialize)]
struct Value<'a> {
    #[serde(borrow)]
    metadata: Metadata<'a>,
    #[serde(borrow, default)]
    contacts: Vec<Contact<'a>>,
    #[serde(borrow, default)]
    messages: Vec<Message<'a>>,
    #[serde(borrow, default)]
    statuses: Vec<Status<'a>>,
}

#[derive(Deserialize)]
struct Metadata<'a> {
    #[serde(borrow)]
    phone_number_id: Cow<'a, str>,
}

#[derive(Deserialize)]
struct Contact<'a> {
    #[serde(borrow)]
    wa_id: Cow<'a, str>,
    #[serde(borrow)]
    profile: Profile<'a>,
}

#[derive(Deserialize)]
struct Profile<'a> {
    #[serde(borrow)]
    name: Cow<'a, str>,
}

#[derive(Deserialize)]
struct Message<'a> {
    #[serde(borrow)]
    from: Cow<'a, str>,
    #[serde(borrow)]
    id: Cow<'a, str>,
    #[serde(borrow)]
    timestamp: Cow<'a, str>,
    #[serde(borrow)]
    text: Text<'a>,
}

#[derive(Deserialize)]
struct Status<'a> {
    #[serde(borrow)]
    id: Cow<'a, str>,
    #[serde(borrow)]
    status: Cow<'a, str>,
    #[serde(borrow)]
    timestamp: Cow<'a, str>,
    #[serde(borrow)]
    recipient_id: Cow<'a, str>,
    #[serde(borrow)]
    biz_opaque_callback_data: Cow<'a, str>,
}

#[derive(Deserialize)]
struct Text<'a> {
    #[serde(borrow)]
    body: Cow<'a, str>,
}

impl Delivery<'_> {
    /// Items that have all that a message or a receipt needs.
    fn items(&self) -> u64 {
        let whole = |message: &&Message<'_>| {
            [&message.from, &message.id, &message.timestamp, &message.text.body].iter().all(|part| !part.is_empty())
        };
        let said = |status: &&Status<'_>| {
            let parts =
                [&status.id, &status.status, &status.timestamp, &status.recipient_id, &status.biz_opaque_callback_data];
            parts.iter().all(|part| !part.is_empty())
        };
        let named = |contact: &Contact<'_>| !contact.wa_id.is_empty() && !contact.profile.name.is_empty();
        let values = self.entry.iter().flat_map(|entry| &entry.changes).map(|change| &change.value);
        values
            .filter(|value| !value.metadata.phone_number_id.is_empty() && value.contacts.iter().all(named))
            .map(|value| value.messages.iter().filter(whole).count() + value.statuses.iter().filter(said).count())
            .map(|items| items as u64)
            .sum()
    }
}

struct Shared {
    key: Hmac<Sha256>,
    items: AtomicU64,
}

/// Runs it until whoever started it is gone.
///
/// # Errors
/// It cannot listen.
pub fn run() -> Result<()> {
    super::end_with_starter();
    actix_web::rt::System::new().block_on(async {
        let shared = web::Data::from(Arc::new(Shared { key: keyed(), items: AtomicU64::new(0) }));
        let (listener, addr) = super::loopback()?;
        let server = HttpServer::new(move || {
            App::new()
                .app_data(shared.clone())
                .route("/items", web::get().to(items))
                .route("/webhooks/{channel}/{app}", web::post().to(receive))
        })
        .workers(machine::cores())
        .listen(listener)?
        .run();
        super::tell(&format!("listening {addr}"))?;
        Ok(server.await?)
    })
}

async fn receive(shared: web::Data<Shared>, request: HttpRequest, body: web::Bytes) -> HttpResponse {
    let signed = request.headers().get("x-hub-signature-256").map(actix_web::http::header::HeaderValue::as_bytes);
    match signed.and_then(|header| accept(&shared.key, header, &body)) {
        Some(items) => {
            shared.items.fetch_add(items, Ordering::Relaxed);
            HttpResponse::Ok().finish()
        }
        None => HttpResponse::Unauthorized().finish(),
    }
}

/// The items of a body that is signed and can be read.
fn accept(key: &Hmac<Sha256>, header: &[u8], body: &[u8]) -> Option<u64> {
    let mut signature = [0; 32];
    hex::decode_to_slice(header.strip_prefix(b"sha256=")?, &mut signature).ok()?;
    let mut mac = key.clone();
    mac.update(body);
    mac.verify_slice(&signature).ok()?;
    serde_json::from_slice::<Delivery<'_>>(body).ok().map(|delivery| delivery.items())
}

async fn items(shared: web::Data<Shared>) -> String {
    shared.items.load(Ordering::Relaxed).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::deliveries::Deliveries;

    #[test]
    fn it_takes_what_is_signed_and_nothing_else() {
        let request = Deliveries::new("/x".into()).request(0..3);
        let text = String::from_utf8(request).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        let signature = head.rsplit_once("x-hub-signature-256: ").unwrap().1;
        let key = keyed();
        assert_eq!(accept(&key, signature.as_bytes(), body.as_bytes()), Some(3));
        assert_eq!(accept(&key, signature.as_bytes(), body.replace("Hello", "Hallo").as_bytes()), None);
        assert_eq!(accept(&key, b"sha256=00", body.as_bytes()), None);
    }
}

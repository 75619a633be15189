//! What Meta would push.

use hmac::{Hmac, Mac};
use serde_json::{Value, json};
use sha2::Sha256;
use tidegate::domain::time::Timestamp;

/// The number that the seed connects.
pub(crate) const PHONE_NUMBER_ID: &str = "106540352242922";
/// The business account that holds it.
pub(crate) const BUSINESS_ID: &str = "102290129340398";

/// The signature of a body.
pub(crate) fn signature(secret: &str, body: &[u8]) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).expect("any key does");
    mac.update(body);
    format!("sha256={}", hex::encode(mac.finalize().into_bytes()))
}

/// A customer's text.
pub(crate) fn text(from: &str, wamid: &str, at: Timestamp, body: &str) -> Value {
    json!({
        "from": from, "id": wamid, "timestamp": (at.0 / 1_000).to_string(), "type": "text", "text": {"body": body}
    })
}

/// A receipt.
pub(crate) fn receipt(wamid: &str, to: &str, status: &str, at: Timestamp, token: Option<&str>) -> Value {
    let mut receipt = json!({
        "id": wamid, "status": status, "timestamp": (at.0 / 1_000).to_string(), "recipient_id": to
    });
    if let Some(token) = token {
        receipt["biz_opaque_callback_data"] = json!(token);
    }
    receipt
}

/// A delivery of customers' messages, each with its profile, and of receipts.
pub(crate) fn delivery(messages: &[Value], receipts: &[Value]) -> Value {
    delivery_to(PHONE_NUMBER_ID, messages, receipts)
}

/// The same for another number.
pub(crate) fn delivery_to(phone_number_id: &str, messages: &[Value], receipts: &[Value]) -> Value {
    let mut value = json!({
        "messaging_product": "whatsapp",
        "metadata": {"display_phone_number": "15550783881", "phone_number_id": phone_number_id},
    });
    if !messages.is_empty() {
        let contacts: Vec<Value> = messages
            .iter()
            .map(|message| json!({"profile": {"name": "Customer"}, "wa_id": message["from"]}))
            .collect();
        value["contacts"] = json!(contacts);
        value["messages"] = json!(messages);
    }
    if !receipts.is_empty() {
        value["statuses"] = json!(receipts);
    }
    json!({
        "object": "whatsapp_business_account",
        "entry": [{"id": BUSINESS_ID, "changes": [{"field": "messages", "value": value}]}],
    })
}

/// What Meta says of the seeded business account.
pub(crate) fn account_change(field: &str, at: Timestamp, value: &Value) -> Value {
    json!({
        "object": "whatsapp_business_account",
        "entry": [{"id": BUSINESS_ID, "time": at.0 / 1_000, "changes": [{"field": field, "value": value}]}],
    })
}

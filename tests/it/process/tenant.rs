//! A workspace made over REST on a plain server: one number of the sandbox's, an admin and agents.

use std::net::SocketAddr;

use serde_json::{Value, json};

use crate::house::http;
use crate::house::whatsapp::{BUSINESS_ID, PHONE_NUMBER_ID, signature};

/// The secret that signs this workspace's webhooks.
pub(crate) const SECRET: &str = "the app's secret";

/// A workspace.
pub(crate) struct Tenant {
    /// The admin's token.
    pub(crate) admin: String,
    /// The agents' tokens.
    pub(crate) agents: Vec<String>,
    /// Where its webhooks are posted.
    pub(crate) webhook_path: String,
}

impl Tenant {
    /// Makes it on a server; its number's calls go to `base_url`.
    pub(crate) async fn make(addr: SocketAddr, operator: &str, base_url: &str, agents: usize) -> Self {
        let workspace = json!({"name": "Acme", "admin": {"name": "Ada", "email": "ada@acme.example"}});
        let made = post(addr, operator, "/v1/workspaces", &workspace).await;
        let admin = made["token"].as_str().expect("the admin's token").to_owned();
        let app = json!({"channel": "whatsapp", "secret": SECRET, "verify_token": "verify me"});
        let app = post(addr, &admin, "/v1/apps", &app).await;
        let account = json!({
            "channel": "whatsapp", "app": app["id"], "provider_id": PHONE_NUMBER_ID, "business_id": BUSINESS_ID,
            "display": "15550783881", "portfolio": "acme", "base_url": base_url, "access_token": "access",
            "rate_per_second": 1000,
        });
        post(addr, &admin, "/v1/accounts", &account).await;
        let mut tokens = Vec::new();
        for number in 0..agents {
            let member = json!({"name": format!("Agent {number}"), "role": "staff"});
            let member = post(addr, &admin, "/v1/members", &member).await;
            let id = member["id"].as_str().expect("an id");
            let token = post(addr, &admin, &format!("/v1/members/{id}/tokens"), &json!({})).await;
            tokens.push(token["token"].as_str().expect("a token").to_owned());
        }
        Self { admin, agents: tokens, webhook_path: app["webhook_path"].as_str().expect("a path").to_owned() }
    }

    /// Pushes a signed delivery; none if nobody answered.
    pub(crate) async fn push(&self, addr: SocketAddr, delivery: &Value) -> Option<u16> {
        let body = delivery.to_string().into_bytes();
        let signature = signature(SECRET, &body);
        let headers = [("x-hub-signature-256", signature.as_str())];
        http::try_call(addr, "POST", &self.webhook_path, &headers, body).await.map(|answer| answer.status)
    }

    /// Sends an agent's reply; its message's id.
    pub(crate) async fn reply(&self, addr: SocketAddr, conversation: &str, client_id: &str) -> String {
        let said = json!({"client_id": client_id, "content": {"type": "text", "body": "An answer"}});
        let path = format!("/v1/conversations/{conversation}/messages");
        let queued = post(addr, &self.agents[0], &path, &said).await;
        queued["message"].as_str().expect("a message").to_owned()
    }

    /// The status of a message.
    pub(crate) async fn status(&self, addr: SocketAddr, conversation: &str, message: &str) -> String {
        let bearer = format!("Bearer {}", self.admin);
        let path = format!("/v1/conversations/{conversation}/messages/{message}");
        let shown = http::call(addr, "GET", &path, &[("authorization", &bearer)], Vec::new()).await.expect(200);
        shown["status"].as_str().unwrap_or_default().to_owned()
    }
}

pub(crate) async fn post(addr: SocketAddr, token: &str, path: &str, body: &Value) -> Value {
    let bearer = format!("Bearer {token}");
    let headers = [("authorization", bearer.as_str()), ("content-type", "application/json")];
    let answer = http::call(addr, "POST", path, &headers, body.to_string().into_bytes()).await;
    assert!((200..300).contains(&answer.status), "{path}: {}", String::from_utf8_lossy(&answer.body));
    answer.json()
}

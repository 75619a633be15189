//! What a brand has on the server before anything is timed: a template, numbers, contacts on lists, drafts.

use std::net::SocketAddr;
use std::ops::Range;

use anyhow::{Context, Result, bail};
use hyper::Method;
use serde_json::{Value, json};

use crate::rest::Rest;

/// The template that is sent: two variables, and no opt-in is needed.
pub(crate) const TEMPLATE: &str = "order_on_its_way";
/// The business account that all numbers are of.
pub(crate) const BUSINESS_ID: &str = "209900112233445";
/// Numbers of a portfolio.
pub(crate) const PORTFOLIO: u32 = 10;
/// What the server shows the provider.
pub(crate) const ACCESS_TOKEN: &str = "sandbox-access-token";
/// Contacts of one request: on a list go as many at once.
const CONTACTS_MAX: u64 = 1_000;

/// Makes the template.
pub(crate) async fn template(rest: &mut Rest) -> Result<()> {
    let template = json!({
        "name": TEMPLATE,
        "language": "en_US",
        "category": "utility",
        "business_id": BUSINESS_ID,
        "components": [{
            "type": "BODY",
            "text": "Hello {{1}}, your order {{2}} is on its way.",
            "example": {"body_text": [["Ada", "1042"]]},
        }],
    });
    rest.post("/v1/templates", &template).await.map(drop)
}

/// A number to be connected.
pub(crate) struct NewNumber<'a> {
    /// The app whose webhooks tell of it.
    pub(crate) app: &'a str,
    /// Its place among all numbers; ten in a row share a portfolio.
    pub(crate) index: u32,
    /// Where its sends go.
    pub(crate) provider: SocketAddr,
    /// Messages a second.
    pub(crate) rate_per_second: u32,
    /// The portfolio's messaging limit; 0 is none.
    pub(crate) tier: u32,
}

/// The provider's id of a number, by its place.
pub(crate) fn provider_id(index: u32) -> String {
    format!("2065403522{index:05}")
}

/// Connects a number and gives its portfolio its limit; the server's id of its account.
pub(crate) async fn connect(rest: &mut Rest, new: &NewNumber<'_>) -> Result<String> {
    let account = json!({
        "channel": "whatsapp",
        "app": new.app,
        "provider_id": provider_id(new.index),
        "business_id": BUSINESS_ID,
        "portfolio": format!("loadtest-{}", new.index / PORTFOLIO),
        "base_url": format!("http://{}/v25.0", new.provider),
        "access_token": ACCESS_TOKEN,
        "rate_per_second": new.rate_per_second,
    });
    let connected = rest.post("/v1/accounts", &account).await?;
    if new.index.is_multiple_of(PORTFOLIO) {
        let limit = text(&connected, "limit_scope")?;
        let tier = if new.tier == 0 { json!("unlimited") } else { json!(new.tier) };
        rest.put(&format!("/v1/limits/{limit}/tier"), &json!({"tier": tier})).await?;
    }
    text(&connected, "id")
}

/// Makes contacts and puts them on a list of their own; the list's id. `lines` writes some of them for the bulk route.
pub(crate) async fn list(
    rest: &mut Rest,
    name: &str,
    people: Range<u64>,
    lines: impl Fn(Range<u64>) -> String,
) -> Result<String> {
    let list = text(&rest.post("/v1/lists", &json!({"name": name})).await?, "id")?;
    let mut next = people.start;
    while next < people.end {
        let until = (next + CONTACTS_MAX).min(people.end);
        let made = rest.text(Method::POST, "/v1/contacts/bulk", lines(next..until).into()).await?;
        let ids = ids(&made)?;
        let added = rest.post(&format!("/v1/lists/{list}/members"), &json!({"add": ids})).await?;
        if added["added"] != until - next {
            bail!("{} contacts were put on a list so: {added}", until - next);
        }
        next = until;
    }
    Ok(list)
}

/// Drafts a broadcast of the template to these lists; its id.
pub(crate) async fn draft(rest: &mut Rest, name: &str, account: &str, lists: &[&str]) -> Result<String> {
    let parameters =
        [json!({"type": "text", "text": "{{first_name|friend}}"}), json!({"type": "text", "text": "1042"})];
    let draft = json!({
        "name": name,
        "account": account,
        "audience": {"lists": lists},
        "content": {
            "type": "template",
            "name": TEMPLATE,
            "language": "en_US",
            "fills": [{"slot": {"type": "body"}, "parameters": parameters}],
        },
    });
    text(&rest.post("/v1/broadcasts", &draft).await?, "id")
}

/// So many in parts that are as even as they can be.
pub(crate) fn shares(all: u64, parts: u64) -> impl Iterator<Item = u64> {
    (0..parts).map(move |part| all / parts + u64::from(part < all % parts))
}

/// A text of what was shown.
///
/// # Errors
/// It has none of that name.
pub(crate) fn text(shown: &Value, field: &str) -> Result<String> {
    shown[field].as_str().map(str::to_owned).with_context(|| format!("`{field}` in {shown}"))
}

/// The ids that the bulk route answers.
fn ids(answer: &str) -> Result<Vec<String>> {
    answer.lines().map(|line| text(&serde_json::from_str(line)?, "id").with_context(|| line.to_owned())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_add_up_and_differ_by_one_at_most() {
        for (all, parts) in [(100_000, 100), (1_003, 100), (7, 7), (250, 3), (10, 3)] {
            let shares: Vec<u64> = shares(all, parts).collect();
            assert_eq!((shares.len() as u64, shares.iter().sum::<u64>()), (parts, all));
            assert!(shares.iter().max().unwrap() - shares.iter().min().unwrap() <= 1);
            assert!(shares.is_sorted_by(|one, next| one >= next));
        }
    }

    #[test]
    fn ids_are_read_and_a_failed_line_is_told() {
        let made = "{\"line\":1,\"status\":\"created\",\"id\":\"con_1\"}\n{\"line\":2,\"status\":\"created\",\"id\":\"con_2\"}\n";
        assert_eq!(ids(made).unwrap(), ["con_1", "con_2"]);
        let failed = "{\"line\":1,\"status\":\"failed\",\"problem\":{\"code\":\"invalid\"}}\n";
        assert!(format!("{:#}", ids(failed).unwrap_err()).contains("invalid"));
    }
}

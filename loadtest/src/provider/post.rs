//! Posts what is due to the webhook, and again until it is taken, as Meta does.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, sleep, timeout};

use super::book::{Batch, Owed};
use super::events;
use super::refusal::title;
use super::schedule::{Kind, STATUSES};
use super::state::{Ready, State};
use crate::webhook::{self, Failure, Item};
use crate::wire::Connection;

/// Posts at a time.
pub(super) const CONNECTIONS_MAX: usize = 64;
/// How long a post may take.
const POST_WITHIN: Duration = Duration::from_secs(10);
/// How long after a refusal it comes again, and at most.
const AGAIN_AFTER: Duration = Duration::from_millis(50);
const AGAIN_AFTER_MAX: Duration = Duration::from_secs(2);
/// How often somebody with nothing to do looks, and somebody who is not wanted.
const LOOK_EVERY: Duration = Duration::from_millis(10);
const LOOK_EVERY_UNWANTED: Duration = Duration::from_millis(100);
/// A connection that is idle for so long may be closed by the server, just as a post goes out on it.
const IDLE_MAX: Duration = Duration::from_secs(2);

/// Posts for as long as the provider runs.
pub(super) async fn post_all(state: Arc<State>) {
    let posters: Vec<_> = (0..CONNECTIONS_MAX).map(|index| tokio::spawn(post_as(Arc::clone(&state), index))).collect();
    for poster in posters {
        // They do not end.
        let _ = poster.await;
    }
}

/// A kept connection, and when it was last of use.
type Kept = Option<(SocketAddr, Connection, Instant)>;

async fn post_as(state: Arc<State>, index: usize) {
    let mut kept: Kept = None;
    loop {
        let ready = state.ready();
        if ready.webhook.is_none() || index >= ready.plan.receipts.connections {
            kept = None;
            sleep(LOOK_EVERY_UNWANTED).await;
            continue;
        }
        let due = state.book().due(&ready.plan);
        match due {
            Ok(batch) => deliver(&state, &batch, &mut kept).await,
            Err(wait_us) => sleep(Duration::from_micros(wait_us).clamp(Duration::from_millis(1), LOOK_EVERY)).await,
        }
    }
}

/// Posts a batch until it is taken, given up or of a round that ended. The plan is looked at each time: a server that
/// was started again may listen elsewhere.
async fn deliver(state: &State, batch: &Batch, kept: &mut Kept) {
    let first = Instant::now();
    let mut pause = AGAIN_AFTER;
    loop {
        let ready = state.ready();
        if let Some((addr, request)) = request(&ready, batch) {
            state.book().posted(batch);
            let status = match timeout(POST_WITHIN, call(kept, addr, &request)).await {
                Ok(Ok(200)) => return state.book().settle(batch, true),
                Ok(Ok(status)) => status,
                Ok(Err(_)) | Err(_) => 0,
            };
            // Whoever refuses may close the connection, too.
            *kept = None;
            state.book().refused(batch, status);
        }
        let is_over = first.elapsed() + pause > Duration::from_secs(ready.plan.receipts.give_up_s);
        if is_over || !state.book().is_of(batch) {
            return state.book().settle(batch, false);
        }
        sleep(pause).await;
        pause = (pause * 2).min(AGAIN_AFTER_MAX);
    }
}

async fn call(kept: &mut Kept, addr: SocketAddr, request: &[u8]) -> anyhow::Result<u16> {
    let reused = kept.take().filter(|(to, _, used)| *to == addr && used.elapsed() < IDLE_MAX);
    let mut connection = match reused {
        Some((_, connection, _)) => connection,
        None => Connection::open(addr).await?,
    };
    let status = connection.call(request).await?;
    *kept = Some((addr, connection, Instant::now()));
    Ok(status)
}

/// Where a batch goes, and the bytes of it.
fn request(ready: &Ready, batch: &Batch) -> Option<(SocketAddr, Vec<u8>)> {
    let webhook = ready.webhook.as_ref()?;
    let extras: Vec<Extra> = batch.items.iter().map(|item| extra(ready, item)).collect();
    let items: Vec<Item<'_>> =
        batch.items.iter().zip(&extras).map(|(item, extra)| written(ready, item, extra)).collect();
    Some((webhook.addr, webhook::request(&webhook.path, &webhook.secret, &items)))
}

/// What an item needs besides, and does not have itself.
struct Extra {
    name: String,
    field: Option<(&'static str, serde_json::Value)>,
}

fn extra(ready: &Ready, item: &Owed) -> Extra {
    let name = match item.kind {
        Kind::Reply => format!("Customer {}", item.customer),
        _ => String::new(),
    };
    let field = item.event.as_ref().map(|event| events::field(event, ready.number(&item.number).display, item.at));
    Extra { name, field }
}

fn written<'a>(ready: &'a Ready, item: &'a Owed, extra: &'a Extra) -> Item<'a> {
    let number = ready.number(&item.number);
    if let Some((field, value)) = &extra.field {
        return Item::Field { business_id: number.business_id, time: item.at, field, value };
    }
    if item.kind == Kind::Reply {
        return Item::Message {
            number,
            from: &item.customer,
            name: &extra.name,
            wamid: &item.wamid,
            timestamp: item.at,
            text: item.text,
            context: item.quoted.as_deref(),
        };
    }
    let category = if item.is_template { "marketing" } else { "service" };
    Item::Status {
        number,
        wamid: &item.wamid,
        status: STATUSES.get(item.kind as usize).copied().unwrap_or_default(),
        timestamp: item.at,
        recipient: &item.customer,
        token: item.token.as_deref(),
        category: matches!(item.kind, Kind::Sent | Kind::Delivered).then_some(category),
        error: (item.code != 0).then(|| Failure {
            code: item.code,
            title: title(item.code),
            details: "The message was not delivered, on order.",
        }),
    }
}

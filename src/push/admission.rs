//! From `hello` to `ready` or `resumed`: who it is, what it may see, where it reads on.

use std::rc::Rc;

use serde_json::json;
use tokio::time::timeout;

use super::body::Body;
use super::client::Entrance;
use super::close::Close;
use super::connection::{Connection, Member, Phase, Replay};
use super::counts;
use super::cursor::Cursor;
use super::hub::Hub;
use super::ports::{Denial, Identity, Token};
use super::room::Room;

/// How often rights may change while somebody enters before that is put off.
const RENEWALS_MAX: usize = 3;

/// Why somebody does not get in: what `invalid` says, if anything, and how the socket closes.
struct Turned(Option<&'static str>, Close);

/// Who gets in, and where.
struct Admitted {
    member: Member,
    from: Option<Cursor>,
    gap: bool,
}

impl From<Denial> for Turned {
    fn from(denial: Denial) -> Self {
        match denial {
            Denial::Refused(word) => Self(Some(word), Close::NotAdmitted),
            Denial::TryLater => Self(None, Close::TryLater),
        }
    }
}

impl Hub {
    /// The first object on every socket.
    pub(super) fn hello(&self) -> Body {
        let settings = &self.0.settings;
        let hello = json!({
            "type": "hello",
            "server_time": self.0.clock.now().to_string(),
            "heartbeat_ms": settings.heartbeat.as_millis() as u64,
            "identify_within_ms": settings.identify_within.as_millis() as u64,
            "limits": {
                "frame_in_max_bytes": settings.frame_in_bytes_max,
                "commands_in_flight_max": settings.commands_in_flight_max,
                "interest_max": settings.interest_max,
                "window_objects": settings.window.objects,
                "window_bytes": settings.window.bytes,
            },
        });
        Body::trusted(hello.to_string())
    }

    /// Lets somebody in, or says why not and closes.
    pub(super) async fn admit(self, connection: Rc<Connection>, entrance: Entrance) {
        let Entrance { token, cursor, interest } = entrance;
        let outcome = self.judge(connection.number, token, cursor).await;
        if !self.is_present(&connection) {
            return;
        }
        match outcome {
            Ok(admitted) => {
                connection.state.borrow_mut().interest = interest;
                enter(&connection, admitted);
            }
            Err(Turned(reason, close)) => {
                if let Some(reason) = reason {
                    connection.tell(&json!({ "type": "invalid", "reason": reason }));
                }
                connection.close(close);
            }
        }
    }

    async fn judge(&self, session: u64, token: Token, cursor: Option<String>) -> Result<Admitted, Turned> {
        let mut changes = self.0.access_changes.get();
        let mut grant = self.in_time(self.0.ports.gatekeeper.admit(token)).await??;
        let room = self.room(grant.workspace);
        let identity = Identity { workspace: grant.workspace, member: grant.member, session };
        let from = cursor.map(|text| Cursor::parse(&text)).transpose();
        let from = from.map_err(|_| Turned(Some("unreadable_cursor"), Close::UnreadableCursor))?;
        let mut opened = room.opened.subscribe();
        self.in_time(opened.wait_for(|open| *open)).await?.map_err(|_| Turned(None, Close::TryLater))?;
        let (from, gap) = self.checked_against_feed(&room, from).await?;
        // Rights that changed while we waited are asked for again: the notice found nobody here.
        for _ in 0..RENEWALS_MAX {
            if changes == self.0.access_changes.get() {
                let member = Member { identity, viewer: grant.viewer, room };
                return Ok(Admitted { member, from, gap });
            }
            changes = self.0.access_changes.get();
            grant = self.in_time(self.0.ports.gatekeeper.renew(identity)).await??;
        }
        Err(Turned(None, Close::TryLater))
    }

    async fn in_time<T>(&self, asked: impl Future<Output = T>) -> Result<T, Turned> {
        timeout(self.0.settings.port_within, asked).await.map_err(|_| Turned(None, Close::TryLater))
    }

    /// A cursor ahead of our tail may come from an arbiter that is ahead of us, or from a store
    /// that has since been put back: then what it names never happened, and that is a gap.
    async fn checked_against_feed(&self, room: &Room, from: Option<Cursor>) -> Result<(Option<Cursor>, bool), Turned> {
        let Some(cursor) = from else { return Ok((None, false)) };
        if room.tail.borrow().end_cursor().covers(&cursor) {
            return Ok((Some(cursor), false));
        }
        let head = self.in_time(self.0.ports.feed.head(room.workspace)).await?;
        let head = head.map_err(|_| Turned(None, Close::TryLater))?;
        let gap = !head.covers(&cursor);
        Ok((Some(if gap { cursor.earlier_of(&head) } else { cursor }), gap))
    }
}

/// Sits down in the room: from here on the hub's notices find the connection.
fn enter(connection: &Rc<Connection>, admitted: Admitted) {
    let Admitted { member, from, gap } = admitted;
    {
        let mut state = connection.state.borrow_mut();
        let tail = member.room.tail.borrow();
        state.signal = member.room.signals.borrow().last();
        state.heard_at = tokio::time::Instant::now();
        let end = tail.end_index();
        state.phase = match from {
            // The tail may have been closed again since we looked.
            None if !tail.is_open() => {
                state.closing.get_or_insert(Close::TryLater);
                Phase::Admitting
            }
            None => {
                let Identity { workspace, member, .. } = member.identity;
                let cursor = tail.end_cursor().to_string();
                state.tell(&json!({ "type": "ready", "workspace": workspace, "member": member, "cursor": cursor }));
                Phase::Live { next: end, skip: None, news_from: end }
            }
            Some(cursor) => {
                counts::resumed();
                state.replayed = Some(0);
                if gap {
                    state.tell_gap();
                }
                Phase::Replaying(Replay::from(cursor))
            }
        };
        drop(tail);
        member.room.join(connection);
        state.member = Some(member);
    }
    connection.wake();
}

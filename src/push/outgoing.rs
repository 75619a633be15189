//! What a socket gets next: everything that waits for it, in one frame, as far as the window goes.

use std::collections::VecDeque;
use std::mem;

use serde_json::json;

use super::body::Body;
use super::close::Close;
use super::connection::{Connection, Phase, Replay, State};
use super::cursor::Cursor;
use super::entry::FeedEntry;
use super::frame::{Frame, FrameWriter, Scratch};
use super::settings::Settings;
use super::signal::Signals;
use super::tail::Tail;
use super::verdict::Verdict;
use super::window::Proof;
use crate::broken::{self, Fault};
use crate::domain::time::Timestamp;

/// How many empty pages in a row, none of which reached the tail, end a replay with a gap.
const EMPTY_PAGES_MAX: u8 = 8;

/// What the actor does next.
#[derive(Default)]
pub(super) struct Outgoing {
    pub(super) frame: Option<Frame>,
    /// How many events are in it.
    pub(super) events: u64,
    pub(super) ping: Option<Proof>,
    pub(super) close: Option<Close>,
    /// More waits and could go at once.
    pub(super) more: bool,
    /// Read on from here, and give the page to the connection.
    pub(super) load: Option<Cursor>,
}

/// A frame in the making and what may still go into it.
struct Sheet<'a> {
    writer: FrameWriter<'a>,
    left: u64,
    events: u64,
    full: bool,
}

impl Sheet<'_> {
    /// Whether there is room for `body`; if only the frame is full, another follows.
    fn takes(&mut self, body: &Body) -> bool {
        self.full |= self.left > 0 && !self.writer.has_room_for(body);
        self.left > 0 && !self.full
    }

    fn push(&mut self, seq: Option<u64>, body: &Body) {
        self.writer.push(seq, body);
        self.left -= 1;
        self.events += u64::from(seq.is_some());
    }
}

impl Connection {
    /// Takes what goes next. `now` is business time, for heartbeats.
    pub(super) fn outgoing(&self, scratch: &mut Scratch, settings: &Settings, now: Timestamp) -> Outgoing {
        let state = &mut *self.state.borrow_mut();
        let mut outgoing = Outgoing { close: state.closing, ..Outgoing::default() };
        if matches!(outgoing.close, Some(Close::SlowReader | Close::Flood | Close::Unresponsive)) {
            return outgoing;
        }
        let writer = FrameWriter::new(scratch, self.encoding, settings.frame_out_bytes_max);
        let mut sheet = Sheet { writer, left: state.window.room(settings.window), events: 0, full: false };
        state.write_controls(&mut sheet);
        if outgoing.close.is_none()
            && let Some(room) = state.member.as_ref().map(|member| std::rc::Rc::clone(&member.room))
        {
            let tail = room.tail.borrow();
            if state.ping_due {
                state.write_heartbeat(&mut sheet, &tail, now);
            }
            if !state.held {
                state.write_signals(&mut sheet, &room.signals.borrow());
                outgoing.load = state.write_entries(&mut sheet, &tail);
                state.write_outside(&mut sheet);
            }
        }
        outgoing.events = sheet.events;
        let objects = u64::from(sheet.writer.objects());
        outgoing.more = sheet.full || state.closing != outgoing.close;
        outgoing.frame = sheet.writer.finish();
        if let Some(frame) = &outgoing.frame {
            outgoing.ping = state.window.count(objects, frame.len_bytes() as u64, settings.window);
        }
        if mem::take(&mut state.ping_due) && outgoing.ping.is_none() {
            outgoing.ping = Some(state.window.ping());
        }
        outgoing
    }
}

impl State {
    fn write_controls(&mut self, sheet: &mut Sheet<'_>) {
        while let Some(body) = self.controls.front() {
            if !sheet.takes(body) {
                return;
            }
            sheet.push(None, body);
            self.controls.pop_front();
        }
        self.controls.shrink_to(4);
    }

    /// The whole cursor, so that clients move on where they see nothing.
    fn write_heartbeat(&mut self, sheet: &mut Sheet<'_>, tail: &Tail, now: Timestamp) {
        let Phase::Live { .. } = self.phase else { return };
        let Some(cursor) = self.whole_cursor(tail) else { return };
        let beat = json!({ "type": "heartbeat", "cursor": cursor.to_string(), "server_time": now.to_string() });
        let body = Body::trusted(beat.to_string());
        if sheet.takes(&body) {
            sheet.push(None, &body);
        }
    }

    fn write_signals(&mut self, sheet: &mut Sheet<'_>, signals: &Signals) {
        let Some(member) = &self.member else { return };
        while let Some((number, signal)) = signals.after(self.signal) {
            if signal.seen_by(&*member.viewer) {
                if !sheet.takes(signal.body()) {
                    return;
                }
                sheet.push(None, signal.body());
            }
            self.signal = number;
        }
    }

    fn write_outside(&mut self, sheet: &mut Sheet<'_>) {
        if self.outside == self.outside_told {
            return;
        }
        let body = Body::trusted(json!({ "type": "outside", "events": self.outside }).to_string());
        if sheet.takes(&body) {
            sheet.push(None, &body);
            self.outside_told = self.outside;
        }
    }

    fn write_entries(&mut self, sheet: &mut Sheet<'_>, tail: &Tail) -> Option<Cursor> {
        match mem::replace(&mut self.phase, Phase::Admitting) {
            Phase::Live { next, skip, news_from } => {
                self.phase = self.write_live(sheet, tail, next, skip, news_from);
                None
            }
            Phase::Replaying(replay) => self.write_replay(sheet, tail, replay),
            before @ (Phase::Greeting | Phase::Admitting) => {
                self.phase = before;
                None
            }
        }
    }

    /// Writes one entry as far as this reader gets it; false if it has to wait.
    fn write_entry(&mut self, sheet: &mut Sheet<'_>, entry: &FeedEntry, replaying: bool) -> bool {
        let body = match self.judge(entry) {
            Verdict::Nothing if entry.conversation().is_some() && broken::happens(Fault::LeakConversation) => {
                entry.body()
            }
            Verdict::Nothing => return true,
            Verdict::Outside => {
                self.outside += 1;
                return true;
            }
            Verdict::Whole => entry.body(),
            Verdict::Removed => entry.removed(),
        };
        if !sheet.takes(body) {
            return false;
        }
        self.seq += if broken::happens(Fault::SkipSeq) { 2 } else { 1 };
        sheet.push(Some(self.seq), body);
        if let (true, Some(replayed)) = (replaying, &mut self.replayed) {
            *replayed += 1;
        }
        true
    }

    fn write_live(
        &mut self,
        sheet: &mut Sheet<'_>,
        tail: &Tail,
        mut next: u64,
        mut skip: Option<Cursor>,
        news_from: u64,
    ) -> Phase {
        loop {
            if next < tail.first_index() {
                self.closing.get_or_insert(Close::SlowReader);
                break;
            }
            if next >= news_from && self.replayed.is_some() && !self.write_resumed(sheet, tail, next, skip.as_ref()) {
                break;
            }
            let Some(entry) = tail.get(next) else { break };
            let read = skip.as_ref().is_some_and(|skip| skip.includes(entry.id()));
            if !read && !self.write_entry(sheet, entry, next < news_from) {
                break;
            }
            next += 1;
        }
        if next == tail.end_index() && skip.as_ref().is_some_and(|skip| tail.end_cursor().covers(skip)) {
            skip = None;
        }
        Phase::Live { next, skip, news_from }
    }

    fn write_resumed(&mut self, sheet: &mut Sheet<'_>, tail: &Tail, next: u64, skip: Option<&Cursor>) -> bool {
        let (Some(replayed), Some(member)) = (self.replayed, &self.member) else { return true };
        let mut cursor = tail.cursor_at(next);
        if let Some(skip) = skip {
            cursor.merge(skip);
        }
        let resumed = json!({
            "type": "resumed",
            "workspace": member.identity.workspace,
            "member": member.identity.member,
            "replayed": replayed,
            "cursor": cursor.to_string(),
        });
        let body = Body::trusted(resumed.to_string());
        if !sheet.takes(&body) {
            return false;
        }
        sheet.push(None, &body);
        self.replayed = None;
        true
    }

    fn write_replay(&mut self, sheet: &mut Sheet<'_>, tail: &Tail, mut replay: Replay) -> Option<Cursor> {
        while let Some(entry) = replay.backlog.front() {
            if !replay.cursor.includes(entry.id()) {
                if !self.write_entry(sheet, entry, true) {
                    self.phase = Phase::Replaying(replay);
                    return None;
                }
                replay.cursor.advance(entry.id());
            }
            replay.backlog.pop_front();
        }
        if let Some(next) = replay.page_next.take() {
            replay.cursor.merge(&next);
            replay.backlog = VecDeque::new();
            replay.permit = None;
        }
        if !replay.loading && tail.covers(&replay.cursor) {
            let news_from = if self.replayed.is_some() { tail.end_index() } else { tail.first_index() };
            self.phase = self.write_live(sheet, tail, tail.first_index(), Some(replay.cursor), news_from);
            return None;
        }
        if !replay.loading && tail.is_open() && replay.empty_pages >= EMPTY_PAGES_MAX {
            self.tell_gap();
            sheet.full = true;
            let end = tail.end_index();
            self.phase = Phase::Live { next: end, skip: None, news_from: end };
            return None;
        }
        // A closed tail is opened by the hub, which then wakes everybody.
        let wait = replay.loading || (!tail.is_open() && replay.empty_pages > 0);
        let load = (!wait).then(|| replay.cursor.clone());
        replay.loading |= !wait;
        self.phase = Phase::Replaying(replay);
        load
    }
}

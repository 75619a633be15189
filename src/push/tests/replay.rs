//! A reader, a tail and a store in every order of steps: what is seen is what happened, once, in
//! the order of each shard, or the reader is cut.

use std::rc::Rc;
use std::sync::Arc;

use proptest::prelude::*;
use serde_json::{Value, json};
use tokio::sync::Semaphore;

use super::super::body::Body;
use super::super::connection::{Connection, Member, Phase, Replay};
use super::super::frame::{Encoding, Frame, Scratch};
use super::super::room::Room;
use super::super::tail::Tail;
use super::super::*;
use super::fakes::*;
use crate::domain::time::Timestamp;

#[derive(Clone, Debug)]
enum Step {
    /// An event on a shard, seen by the reader or not.
    Happen(u16, bool),
    /// The same, but its batch never reaches the hub, which learns that it missed something.
    Miss(u16),
    /// The reader is asked for what it gets next, and proves that it reads.
    Read,
    /// The page it waits for comes.
    Load,
    /// The tail's head comes.
    Open,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        6 => (0..3_u16, any::<bool>()).prop_map(|(shard, seen)| Step::Happen(shard, seen)),
        1 => (0..3_u16).prop_map(Step::Miss),
        4 => Just(Step::Read),
        3 => Just(Step::Load),
        2 => Just(Step::Open),
    ];
    proptest::collection::vec(step, 1..120)
}

struct Model {
    stored: Vec<FeedEntry>,
    room: Rc<Room>,
    connection: Rc<Connection>,
    scratch: Scratch,
    settings: Settings,
    asked: Option<Cursor>,
    seen: Vec<EventId>,
    cut: bool,
}

impl Model {
    fn head(&self) -> Cursor {
        self.stored.iter().map(FeedEntry::id).collect()
    }

    fn happen(&mut self, shard: u16, seen: bool) -> FeedEntry {
        let position = self.stored.len() as u64 + 1;
        let entry = event_at(shard, position, (!seen).then_some(BOB), None);
        self.stored.push(entry.clone());
        entry
    }

    fn step(&mut self, step: &Step) {
        match step {
            Step::Happen(shard, seen) => {
                let entry = self.happen(*shard, *seen);
                self.room.tail.borrow_mut().push(entry);
                self.connection.news(&self.room.tail.borrow(), &self.room.signals.borrow(), self.settings.window);
            }
            Step::Miss(shard) => {
                self.happen(*shard, true);
                self.connection.leave_tail(&self.room.tail.borrow());
                self.room.restart();
            }
            Step::Read => self.read(),
            Step::Load => {
                let Some(after) = self.asked.take() else { return };
                let rest = self.stored.iter().filter(|entry| !after.includes(entry.id()));
                let entries: Vec<FeedEntry> = rest.take(self.settings.page_entries).cloned().collect();
                let mut next = after;
                entries.iter().for_each(|entry| next.advance(entry.id()));
                let permit = Arc::new(Semaphore::new(1)).try_acquire_owned().unwrap();
                self.connection.page(Page { entries, next, gap: false }, permit);
            }
            Step::Open if !self.room.tail.borrow().is_open() => {
                let head = self.head();
                self.room.tail.borrow_mut().open(&head);
            }
            Step::Open => {}
        }
    }

    fn read(&mut self) {
        let outgoing = self.connection.outgoing(&mut self.scratch, &self.settings, Timestamp(0));
        if let Some(after) = outgoing.load {
            assert!(self.asked.is_none(), "one page at a time");
            self.asked = Some(after);
        }
        self.cut |= outgoing.close.is_some();
        if let Some(ping) = outgoing.ping {
            self.connection.pong(&ping);
        }
        let objects = match outgoing.frame {
            Some(Frame::Text(text)) => match serde_json::from_str(&text).unwrap() {
                Value::Array(objects) => objects,
                object => vec![object],
            },
            _ => return,
        };
        for object in objects {
            if object["type"] == "gap" {
                panic!("nothing was lost, so nothing is to be announced");
            }
            if let Some(seq) = object["seq"].as_u64() {
                self.seen.push(object["id"].as_str().unwrap().parse().unwrap());
                assert_eq!(seq, self.seen.len() as u64);
            }
        }
    }
}

proptest! {
    #[test]
    fn no_event_is_lost_repeated_or_out_of_order(
        before in 0_usize..20,
        read_before in 0_usize..20,
        tail_max in 1_usize..12,
        page_entries in 1_usize..6,
        frame_out_bytes_max in prop_oneof![Just(1_usize), Just(1_000), Just(64 * 1024)],
        steps in steps(),
    ) {
        let settings = Settings { page_entries, frame_out_bytes_max, ..Settings::default() };
        let room = Room::new(WORKSPACE, Tail::new(tail_max, usize::MAX));
        let hello = Body::new(&json!({ "type": "hello" })).unwrap();
        let connection = Connection::new(1, Encoding::Json, hello);
        let mut model = Model {
            stored: Vec::new(),
            room: Rc::clone(&room),
            connection: Rc::clone(&connection),
            scratch: Scratch::default(),
            settings,
            asked: None,
            seen: Vec::new(),
            cut: false,
        };
        for number in 0..before {
            model.happen(number as u16 % 3, number % 4 > 0);
        }
        let start: Cursor = model.stored.iter().take(read_before).map(FeedEntry::id).collect();
        {
            let mut state = connection.state.borrow_mut();
            let identity = Identity { workspace: WORKSPACE, member: ANN, session: 1 };
            state.member = Some(Member { identity, viewer: Rc::new(Own(ANN)), room });
            state.phase = Phase::Replaying(Replay::from(start.clone()));
            state.replayed = Some(0);
        }
        for step in &steps {
            model.step(step);
        }
        // In the end everything that it waits for comes.
        for _ in 0..400 {
            model.step(&Step::Open);
            model.step(&Step::Read);
            model.step(&Step::Load);
        }
        let told: Vec<EventId> = model
            .stored
            .iter()
            .filter(|entry| !start.includes(entry.id()) && entry.seen_by(&Own(ANN)) == entry::Sight::Whole)
            .map(FeedEntry::id)
            .collect();
        for shard in 0..3 {
            let of_shard = |ids: &[EventId]| ids.iter().filter(|id| id.shard == shard).copied().collect::<Vec<_>>();
            let (told, seen) = (of_shard(&told), of_shard(&model.seen));
            if model.cut {
                prop_assert!(told.starts_with(&seen), "{told:?} {seen:?}");
            } else {
                prop_assert_eq!(told, seen);
            }
        }
    }
}

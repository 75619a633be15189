use std::collections::{BTreeMap, HashSet};

use super::*;
use crate::provider::send::{Call, read};

fn plan(toml: &str) -> Plan {
    Plan::from_toml(&format!("{toml}\n[webhook]\nurl = 'http://127.0.0.1:9/w'\nsecret = 's'\n")).unwrap()
}

fn take(book: &mut Book, plan: &Plan, at_us: u64, to: u32, token: &str) -> Taken {
    let body = format!(
        r#"{{"messaging_product":"whatsapp","to":"+1556{to:07}","type":"template",
        "template":{{"name":"promo","language":{{"code":"en"}}}},"biz_opaque_callback_data":"{token}"}}"#
    );
    let Call::Send(send) = read(body.as_bytes()).unwrap() else { panic!("a mark") };
    book.take_at(plan, "2065", &send, at_us)
}

fn lines(book: &Book) -> Vec<Line<'_>> {
    book.lines(0, usize::MAX).collect()
}

fn codes(book: &Book) -> Vec<Option<u32>> {
    book.lines(0, usize::MAX).map(|line| line.code).collect()
}

/// All that is due until then, taken by the webhook.
fn settled(book: &mut Book, plan: &Plan, at_us: u64) -> Vec<Owed> {
    let mut items = Vec::new();
    while let Ok(batch) = book.due_at(plan, at_us) {
        book.posted(&batch);
        book.settle(&batch, true);
        items.extend(batch.items);
    }
    items
}

#[test]
fn a_send_is_kept_and_its_receipts_are_counted() {
    let (mut book, plan) = (Book::new(), plan("[replies]\npercent = 100\nafter_ms = 5"));
    let taken = take(&mut book, &plan, 10, 7, "b1.A");
    assert_eq!(taken.outcome, Outcome::Accepted { fails: None });
    assert_eq!((book.owed(), book.counts().receipts.scheduled), (4, 3));
    let items = settled(&mut book, &plan, 1_000_000);
    let kinds: Vec<Kind> = items.iter().map(|item| item.kind).collect();
    assert_eq!(kinds, [Kind::Sent, Kind::Delivered, Kind::Read, Kind::Reply]);
    assert_eq!((&*items[0].wamid, items[0].token.as_deref(), &*items[0].number), (&*taken.wamid, Some("b1.A"), "2065"));
    let line = &lines(&book)[0];
    assert_eq!(
        (&*line.to, line.token.as_deref(), line.template.as_deref()),
        ("15560000007", Some("b1.A"), Some("promo"))
    );
    assert_eq!((line.n, line.at_us, &*line.verdict, line.wamid.as_deref()), (0, 10, "accepted", Some(&*taken.wamid)));
    let receipts: Vec<_> = line.receipts.iter().map(|of| (&*of.status, of.owed, of.taken)).collect();
    assert_eq!(receipts, [("sent", 1, 1), ("delivered", 1, 1), ("read", 1, 1)]);
    let inbound: Vec<_> = book.inbound(0, 9).collect();
    assert_eq!((&*inbound[0].from, inbound[0].taken, &*inbound[0].answers), ("15560000007", 1, &*taken.wamid));
    assert_eq!((&*inbound[0].wamid, &*inbound[0].text), (&*items[3].wamid, items[3].text));
    assert_eq!(book.owed(), 0);
    let told = serde_json::to_string(line).unwrap();
    assert_eq!(serde_json::from_str::<Line<'_>>(&told).unwrap(), *line);
}

#[test]
fn the_cap_of_a_number_is_exact_in_every_second() {
    let (mut book, plan) = (Book::new(), plan("rate_per_second = 80"));
    for index in 0..3_000_u32 {
        take(&mut book, &plan, u64::from(index) * 3_000, index, &format!("t{index}"));
    }
    let accepted: Vec<u64> = lines(&book).iter().filter(|line| line.code.is_none()).map(|line| line.at_us).collect();
    for (index, from) in accepted.iter().enumerate() {
        assert!(accepted[index..].iter().filter(|at| *at - from < 1_000_000).count() <= 80);
    }
    // Nine seconds of it, and what is accepted is all that may be.
    assert_eq!((accepted.len(), book.counts().refused[&130_429]), (720, 2_280));
    let of = book.counts().numbers["2065"];
    assert_eq!((of.accepted, of.recipients, of.busiest_second, of.busiest_second_asked), (720, 720, 80, 334));
}

#[test]
fn a_pair_is_bounded_by_itself() {
    let (mut book, plan) = (Book::new(), plan("pair = { interval_ms = 6000, burst = 2 }"));
    for (at, to) in [(0, 1), (1, 1), (2, 1), (3, 2), (6_000_000, 1)] {
        take(&mut book, &plan, at, to, "");
    }
    assert_eq!(codes(&book), [None, None, Some(131_056), None, None]);
}

#[test]
fn one_seed_treats_people_alike_in_any_order_and_by_any_token() {
    let plan = plan(
        "seed = 11\nerror = 10\nthrottled = 10\nsilent = 10\nundeliverable = 10\n\
         [receipts]\nsent_ms = 50\ndelivered_ms = 90\nspread = 0.5\nloss_percent = 10\nrepeat_percent = 10\n\
         shuffle_percent = 10\n[replies]\npercent = 20\nstop_percent = 50\n",
    );
    let fates = |plan: &Plan, order: &[u32], run: &str| -> BTreeMap<String, String> {
        let mut book = Book::new();
        for to in order {
            take(&mut book, plan, 1_000, *to, &format!("{run}{to}"));
        }
        let mut fates: BTreeMap<String, String> = BTreeMap::new();
        for line in lines(&book) {
            *fates.entry(line.to.to_string()).or_default() += &format!("{} {:?} ", line.verdict, line.code);
        }
        let mut due = std::mem::take(&mut book.due).into_sorted_vec();
        due.reverse();
        for Reverse(due) in due {
            let to = lines(&book)[due.n as usize].to.to_string();
            *fates.get_mut(&to).unwrap() += &format!(" {:?} {} {}", due.kind, due.post_us, due.happened_us);
        }
        fates
    };
    // Each of them twice: the second time is drawn by itself.
    let order: Vec<u32> = (0..1_000).map(|at| at % 500).collect();
    let other: Vec<u32> = order.iter().map(|at| (at * 7 + 3) % 500).collect();
    let fate = fates(&plan, &order, "one");
    assert_eq!(fate, fates(&plan, &other, "other"));
    assert_ne!(fate, fates(&Plan { seed: 12, ..plan }, &order, "one"));
    for word in ["accepted None", "accepted Some(131026)", "silent", "refused Some(4)", "Reply"] {
        assert!(fate.values().any(|fate| fate.contains(word)), "{word}");
    }
}

#[test]
fn an_error_does_not_stay_with_its_message() {
    let (mut book, plan) = (Book::new(), plan("error = 50"));
    let mut accepted =
        |to: u32| matches!(take(&mut book, &plan, 0, to, &format!("t{to}")).outcome, Outcome::Accepted { .. });
    let refused: Vec<u32> = (0..200).filter(|to| !accepted(*to)).collect();
    assert!((70..130).contains(&refused.len()), "{}", refused.len());
    // A message meets the same error once in 2^20 times.
    let last: Vec<u32> = refused.into_iter().filter(|to| !(0..20).any(|_| accepted(*to))).collect();
    assert_eq!(last, [0; 0]);
    let wamids: HashSet<_> = lines(&book).iter().filter_map(|line| line.wamid.clone()).collect();
    assert_eq!(wamids.len(), 200);
}

#[test]
fn what_a_bound_refuses_moves_no_draw_and_a_wrong_template_stays_wrong() {
    let free = plan("error = 50");
    let bounded = Plan { rate_per_second: 1, ..free.clone() };
    let met = |plan: &Plan, to: u32| -> Vec<Option<u32>> {
        let mut book = Book::new();
        for time in 0..300 {
            take(&mut book, plan, time * 300_000, to, "t");
        }
        codes(&book).into_iter().filter(|code| *code != Some(130_429)).collect()
    };
    for to in 0..3 {
        let (free, bounded) = (met(&free, to), met(&bounded, to));
        assert!((100..250).contains(&bounded.len()), "{}", bounded.len());
        assert_eq!(bounded, free[..bounded.len()]);
    }
    let (mut book, plan) = (Book::new(), plan("template_error = 50"));
    for to in (0..200).flat_map(|to| [to, to]) {
        take(&mut book, &plan, 0, to, "t");
    }
    let codes = codes(&book);
    assert!(codes.chunks(2).filter(|two| two[0].is_some()).all(|two| two[0] == two[1]));
}

#[test]
fn an_episode_lasts_as_long_as_it_does() {
    let (mut book, plan) = (Book::new(), plan("[[episodes]]\nfrom_ms = 10\nfor_ms = 5\ntemplate_error = 100\n"));
    for at_ms in [9, 10, 14, 15] {
        take(&mut book, &plan, at_ms * 1_000, 1, "t");
    }
    assert_eq!(codes(&book), [None, Some(132_001), Some(132_001), None]);
}

#[test]
fn marketing_is_what_is_listed() {
    let (mut book, listed) = (Book::new(), plan("marketing_cap = 100\nmarketing_templates = ['pro']"));
    take(&mut book, &listed, 0, 1, "t");
    take(&mut book, &Plan { marketing_templates: vec!["order".into()], ..listed }, 0, 1, "t");
    assert_eq!(codes(&book), [Some(131_049), None]);
    let line = &lines(&book)[0];
    assert_eq!((&*line.verdict, &*line.receipts[0].status, line.receipts.len()), ("accepted", "failed", 1));
}

#[test]
fn a_batch_leaves_when_it_has_waited_and_is_bounded() {
    let (mut book, plan) = (Book::new(), plan("[receipts]\nbatch_max = 4\nbatch_ms = 25\nread_percent = 0"));
    assert_eq!(book.due_at(&plan, 0).unwrap_err(), u64::MAX);
    for to in 0..3 {
        take(&mut book, &plan, 100, to, "");
    }
    assert_eq!(book.due_at(&plan, 20_100).unwrap_err(), 5_000);
    let lengths: Vec<usize> =
        std::iter::from_fn(|| book.due_at(&plan, 25_200).ok()).map(|batch| batch.items.len()).collect();
    assert_eq!(lengths, [4, 2]);
}

#[test]
fn what_is_given_up_is_no_longer_owed_and_what_comes_again_is_not_counted_twice() {
    let (mut book, plan) = (Book::new(), plan("[receipts]\nread_percent = 0"));
    take(&mut book, &plan, 0, 1, "t");
    let batch = book.due_at(&plan, 1_000_000).unwrap();
    book.posted(&batch);
    book.refused(&batch, 503);
    assert_eq!(book.owed(), 2);
    book.posted(&batch);
    book.settle(&batch, false);
    let counts = book.counts();
    assert_eq!((counts.owed, counts.receipts), (0, Tally { scheduled: 2, posted: 4, taken: 0, given_up: 2 }));
    assert_eq!((counts.posts, counts.refused_posts, counts.last_refusal), (2, 1, 503));
}

#[test]
fn a_start_forgets_all_but_its_events() {
    let (mut book, plan) = (Book::new(), plan("[[events]]\nat_ms = 5\nnumber = '7'\nkind = 'quality'\n"));
    let before = take(&mut book, &plan, 0, 1, "t");
    let batch = book.due_at(&plan, 1_000_000).unwrap();
    book.start(&plan);
    book.settle(&batch, true);
    assert_eq!((book.counts().sends, book.counts().receipts, book.owed()), (0, Tally::default(), 0));
    assert_ne!(take(&mut book, &plan, 0, 1, "t").wamid, before.wamid);
    let items = settled(&mut book, &plan, 1_000_000);
    let event = items.iter().find(|item| item.kind == Kind::Event).unwrap();
    assert_eq!((&*event.number, event.at), ("7", (book.began_ms + 5) / 1_000));
    assert_eq!((book.counts().events.taken, book.owed()), (1, 0));
}

#[test]
fn a_full_ledger_refuses_and_tells() {
    let (mut book, plan) = (Book::new(), Plan::default());
    book.sends_max = 2;
    let outcomes: Vec<Outcome> = (0..3).map(|to| take(&mut book, &plan, 0, to, "").outcome).collect();
    assert!(matches!(outcomes[2], Outcome::Refused(refusal) if refusal.status().as_u16() == 503), "{outcomes:?}");
    let counts = book.counts();
    assert_eq!((counts.sends, counts.accepted, counts.ledger_full, counts.refused[&FULL]), (2, 2, 1, 1));
    assert_eq!((counts.owed, book.lines(1, 5).count(), book.lines(9, 5).count()), (0, 1, 0));
}

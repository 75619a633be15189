//! Rows: which write stays, what a scan gives, how long a row lives.

use std::ops::Bound;
use std::time::Duration;

use super::{Bench, Put, Row, RowKey, ScanRange, StoreError, Table, on_every_engine};
use crate::store::Store;

on_every_engine!(
    every_order_of_writes_ends_the_same,
    the_same_put_twice_changes_nothing,
    in_order_tables_take_the_last_write,
    bounds_and_direction_choose_the_rows,
    a_cursor_is_steady_under_inserts,
    any_bytes_are_keys,
    a_scan_is_bounded,
    many_are_read_in_the_order_asked,
    a_row_lives_as_long_as_it_was_told,
    an_expired_row_hides_older_ones,
    facts_of_many_writers_converge,
    facts_outlive_the_process,
    a_key_that_no_engine_takes_is_refused,
);

fn keys(page: &super::Page) -> Vec<&[u8]> {
    page.rows.iter().map(|row| row.ck.as_slice()).collect()
}

fn with_ttl(mut put: Put, ttl_s: u32) -> Put {
    put.ttl_s = ttl_s;
    put
}

/// Tables where writes may come in any order.
const ANY_ORDER: [Table; 5] =
    [Table::Address, Table::WindowGate, Table::ConsentGate, Table::Private, Table::ListMember];

async fn every_order_of_writes_ends_the_same(bench: Bench) {
    let value = |bytes: &[u8], ts_us| Put::new(Table::Private, b"", b"", bytes.to_vec(), ts_us);
    let delete = |ts_us| Put::delete(Table::Private, b"", b"", ts_us);
    // Each of these is stronger than all before it.
    let ladder = [
        value(b"z", 1),
        delete(1),
        value(b"a", 2),
        value(b"b", 2),
        with_ttl(value(b"a", 2), 60),
        delete(2),
        value(b"a", 3),
    ];
    let mut round = 0_u32;
    for table in ANY_ORDER {
        for first in 0..ladder.len() {
            for second in 0..ladder.len() {
                round += 1;
                let pk = round.to_be_bytes();
                for (nth, step) in [first, second].into_iter().enumerate() {
                    let mut put = ladder[step].clone();
                    put.key = RowKey::new(table, &pk, b"k");
                    // Now in one batch, now in two.
                    if nth == 0 && round.is_multiple_of(2) {
                        let mut other = ladder[second].clone();
                        other.key = put.key.clone();
                        bench.put(vec![put, other]).await;
                        break;
                    }
                    bench.put(vec![put]).await;
                }
                let winner = &ladder[first.max(second)];
                assert_eq!(bench.get(table, &pk, b"k").await, winner.value, "{table:?}: {first} then {second}");
            }
        }
    }
}

async fn the_same_put_twice_changes_nothing(bench: Bench) {
    let put = with_ttl(Put::new(Table::Receipt, b"p", b"c", b"v".to_vec(), 7), 60);
    for _ in 0..2 {
        bench.put(vec![put.clone(), put.clone()]).await;
        let row = bench.store.get(&put.key).await.expect("reads").expect("is there");
        assert_eq!(row, Row { ck: b"c".to_vec(), value: b"v".to_vec(), ts_us: 7 });
    }
    assert_eq!(bench.scan(Table::Receipt, b"p", ScanRange::first(9)).await.rows.len(), 1);
}

async fn in_order_tables_take_the_last_write(bench: Bench) {
    let put = |value: &[u8], ts_us| Put::new(Table::Inbox, b"p", b"c", value.to_vec(), ts_us);
    bench.put(vec![put(b"1", 1), put(b"2", 2)]).await;
    assert_eq!(bench.get(Table::Inbox, b"p", b"c").await, Some(b"2".to_vec()));
    bench.put(vec![Put::delete(Table::Inbox, b"p", b"c", 3)]).await;
    assert_eq!(bench.get(Table::Inbox, b"p", b"c").await, None);
    bench.put(vec![put(b"4", 4)]).await;
    assert_eq!(bench.get(Table::Inbox, b"p", b"c").await, Some(b"4".to_vec()));
    bench.put(vec![put(b"5", 5), Put::delete(Table::Inbox, b"p", b"c", 6)]).await;
    assert_eq!(bench.get(Table::Inbox, b"p", b"c").await, None);
}

async fn bounds_and_direction_choose_the_rows(bench: Bench) {
    let row = |pk: &[u8], ck: &[u8]| Put::new(Table::Message, pk, ck, ck.to_vec(), 1);
    let mut rows: Vec<Put> = [b"a", b"b", b"c", b"d"].iter().map(|ck| row(b"p", *ck)).collect();
    // Neighbours on every side.
    rows.extend([row(b"o", b"z"), row(b"p\x00", b"a"), row(b"q", b""), row(b"\x00", b"p")]);
    rows.push(Put::new(Table::Receipt, b"p", b"b", vec![], 1));
    bench.put(rows).await;
    let key = |byte: &[u8; 1]| byte.to_vec();
    let cases: [(Bound<_>, Bound<_>, usize, &str, bool); 9] = [
        (Bound::Unbounded, Bound::Unbounded, 9, "abcd", false),
        (Bound::Unbounded, Bound::Unbounded, 4, "abcd", false),
        (Bound::Unbounded, Bound::Unbounded, 3, "abc", true),
        (Bound::Included(key(b"b")), Bound::Included(key(b"c")), 9, "bc", false),
        (Bound::Excluded(key(b"b")), Bound::Unbounded, 1, "c", true),
        (Bound::Unbounded, Bound::Excluded(key(b"b")), 9, "a", false),
        (Bound::Excluded(key(b"b")), Bound::Excluded(key(b"c")), 9, "", false),
        (Bound::Included(key(b"d")), Bound::Included(key(b"a")), 9, "", false),
        (Bound::Excluded(key(b"b")), Bound::Excluded(key(b"b")), 9, "", false),
    ];
    for (from, to, limit, expected, more) in cases {
        let range = ScanRange { from, to, reverse: false, limit };
        let page = bench.scan(Table::Message, b"p", range.clone()).await;
        assert_eq!(keys(&page).concat(), expected.as_bytes(), "{range:?}");
        assert_eq!(page.more, more, "{range:?}");
        let all = bench.scan(Table::Message, b"p", ScanRange { limit: 9, ..range.clone() }).await;
        let back = bench.scan(Table::Message, b"p", ScanRange { reverse: true, ..range.clone() }).await;
        let last: Vec<_> = all.rows.iter().rev().take(limit).cloned().collect();
        assert_eq!(back.rows, last, "backwards, {range:?}");
        assert_eq!(back.more, more, "backwards, {range:?}");
    }
    let end = bench.scan(Table::Message, b"p", ScanRange::last(2)).await;
    assert_eq!(keys(&end).concat(), b"dc");
    let before = bench.scan(Table::Message, b"p", ScanRange::last(9).after(b"c".to_vec())).await;
    assert_eq!(keys(&before).concat(), b"ba");
    assert_eq!(bench.scan(Table::Message, b"nobody", ScanRange::first(5)).await, super::Page::default());
}

async fn a_cursor_is_steady_under_inserts(bench: Bench) {
    let row = |number: u16| Put::new(Table::Feed, b"p", &number.to_be_bytes(), vec![], 1);
    bench.put((0..20).map(|number| row(number * 10)).collect()).await;
    let mut seen = Vec::new();
    let mut range = ScanRange::first(7);
    loop {
        let page = bench.scan(Table::Feed, b"p", range.clone()).await;
        seen.extend(page.rows.iter().map(|row| u16::from_be_bytes([row.ck[0], row.ck[1]])));
        let Some(last) = seen.last().copied().filter(|_| page.more) else { break };
        // One before the cursor, which must not come; one after it, which must.
        bench.put(vec![row(last - 1), row(last + 1)]).await;
        range = range.after(last.to_be_bytes().to_vec());
    }
    let expected: Vec<u16> = (0..20).map(|number| number * 10).chain([61, 111, 161]).collect();
    let mut sorted = seen.clone();
    sorted.sort_unstable();
    assert_eq!(seen, sorted, "in order");
    assert!(expected.iter().take(20).all(|number| seen.contains(number)), "{seen:?}");
    assert!(seen.contains(&61) && !seen.contains(&59), "{seen:?}");
}

async fn any_bytes_are_keys(bench: Bench) {
    let odd: [&[u8]; 6] = [b"", b"\x00", b"\x00\x00", b"\xfe\xff", b"\xff", b"\xff\xff"];
    // A partition key has a byte at least: CQL knows no empty one.
    for pk in &odd[1..] {
        let rows = odd.iter().map(|ck| Put::new(Table::ContactList, pk, ck, [pk, *ck].concat(), 1));
        bench.put(rows.collect()).await;
    }
    for pk in &odd[1..] {
        let page = bench.scan(Table::ContactList, pk, ScanRange::first(99)).await;
        assert_eq!(keys(&page), odd);
        let back = bench.scan(Table::ContactList, pk, ScanRange::last(99)).await;
        assert!(back.rows.iter().rev().eq(&page.rows));
        for ck in odd {
            assert_eq!(bench.get(Table::ContactList, pk, ck).await, Some([pk, ck].concat()));
        }
    }
}

async fn a_scan_is_bounded(bench: Bench) {
    let row = |number: u32| Put::new(Table::Feed, b"p", &number.to_be_bytes(), vec![1], 1);
    bench.put((0..10_050).map(row).collect()).await;
    let page = bench.scan(Table::Feed, b"p", ScanRange::first(usize::MAX)).await;
    assert_eq!((page.rows.len(), page.more), (10_000, true));
    let rest = bench.scan(Table::Feed, b"p", ScanRange::first(10_000).after(page.rows[9_999].ck.clone())).await;
    assert_eq!((rest.rows.len(), rest.more), (50, false));
    let none = bench.scan(Table::Feed, b"p", ScanRange::first(0)).await;
    assert_eq!((none.rows.len(), none.more), (1, true), "at least one");
}

async fn many_are_read_in_the_order_asked(bench: Bench) {
    let key = |number: u16| RowKey::new(Table::Private, b"p", &number.to_be_bytes());
    let rows = (0..400_u16).map(|number| Put::new(Table::Private, b"p", &number.to_be_bytes(), vec![7], 1));
    bench.put(rows.collect()).await;
    for asked in [vec![], vec![3_u16, 900, 1, 3, 399], (0..700).rev().collect()] {
        let asked_keys: Vec<_> = asked.iter().map(|number| key(*number)).collect();
        let found = bench.store.get_many(&asked_keys).await.expect("reads");
        let found: Vec<_> = found.into_iter().map(|row| row.map(|row| row.ck)).collect();
        let expected: Vec<_> =
            asked.iter().map(|number| (*number < 400).then(|| number.to_be_bytes().to_vec())).collect();
        assert_eq!(found, expected);
    }
}

async fn a_row_lives_as_long_as_it_was_told(bench: Bench) {
    let put = |table, ttl_s, ts_us| with_ttl(Put::new(table, b"p", b"c", vec![1], ts_us), ttl_s);
    for table in [Table::Receipt, Table::Private] {
        bench.put(vec![put(table, 60, 1)]).await;
        bench.clock.advance(Duration::from_millis(59_999));
        assert!(bench.get(table, b"p", b"c").await.is_some());
        // An overwrite extends it.
        bench.put(vec![put(table, 60, 2)]).await;
        bench.clock.advance(Duration::from_secs(59));
        assert!(bench.get(table, b"p", b"c").await.is_some());
        bench.clock.advance(Duration::from_secs(2));
        assert_eq!(bench.get(table, b"p", b"c").await, None);
        assert_eq!(bench.scan(table, b"p", ScanRange::first(5)).await, super::Page::default());
        bench.put(vec![put(table, 0, 3)]).await;
        bench.clock.advance(Duration::from_secs(1_000_000_000));
        assert!(bench.get(table, b"p", b"c").await.is_some());
    }
}

async fn an_expired_row_hides_older_ones(bench: Bench) {
    let put = |value: u8, ts_us| Put::new(Table::Private, b"p", b"c", vec![value], ts_us);
    bench.put(vec![put(1, 1)]).await;
    bench.put(vec![with_ttl(put(2, 5), 10)]).await;
    bench.clock.advance(Duration::from_secs(11));
    assert_eq!(bench.get(Table::Private, b"p", b"c").await, None);
    bench.put(vec![put(3, 4)]).await;
    assert_eq!(bench.get(Table::Private, b"p", b"c").await, None, "an older write must not bring it back");
    bench.put(vec![put(4, 6)]).await;
    assert_eq!(bench.get(Table::Private, b"p", b"c").await, Some(vec![4]));
}

async fn facts_of_many_writers_converge(bench: Bench) {
    let store = &bench.store;
    let writers = (0..32_i64).map(|writer| async move {
        for nth in 0..8 {
            let ts_us = (writer * 5 + nth * 7) % 100;
            let put = Put::new(Table::WindowGate, b"p", b"", ts_us.to_be_bytes().to_vec(), ts_us);
            store.put_facts(vec![put]).await.expect("puts");
        }
    });
    futures_util::future::join_all(writers).await;
    let newest = (0..32).flat_map(|writer| (0..8).map(move |nth| (writer * 5 + nth * 7) % 100)).max();
    let row = bench.store.get(&RowKey::new(Table::WindowGate, b"p", b"")).await.expect("reads");
    assert_eq!(row.map(|row| row.ts_us), newest);
}

async fn facts_outlive_the_process(mut bench: Bench) {
    let row = |table, ck: &[u8], ts_us| Put::new(table, b"p", ck, vec![8], ts_us);
    bench.put(vec![row(Table::Message, b"m", 1), row(Table::Private, b"s", 5)]).await;
    bench.put(vec![Put::delete(Table::Private, b"p", b"s", 6)]).await;
    bench.restart().await;
    assert_eq!(bench.get(Table::Message, b"p", b"m").await, Some(vec![8]));
    bench.put(vec![row(Table::Private, b"s", 5)]).await;
    assert_eq!(bench.get(Table::Private, b"p", b"s").await, None, "the deletion is remembered");
}

async fn a_key_that_no_engine_takes_is_refused(bench: Bench) {
    let good = Put::new(Table::Message, b"p", b"c", vec![1], 1);
    let too_long = Put::new(Table::Message, b"p", &vec![b'x'; 65_535], vec![1], 1);
    let nowhere = Put::new(Table::Message, b"", b"c", vec![1], 1);
    for bad in [too_long, nowhere] {
        let refused = bench.store.put_facts(vec![good.clone(), bad]).await;
        assert!(matches!(refused, Err(StoreError::NotApplied(_))), "{refused:?}");
    }
    assert_eq!(bench.get(Table::Message, b"p", b"c").await, None, "none of them is written");
}

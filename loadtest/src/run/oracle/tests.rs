mod lies;
mod story;

use serde_json::json;

use self::story::true_story;
use super::*;

/// The rules that are broken once the story is told otherwise, by name.
fn broken(change: impl FnOnce(&mut Evidence)) -> Vec<String> {
    let mut evidence = true_story();
    change(&mut evidence);
    let broken = judge(&evidence).into_iter().filter(|rule| rule.violations > 0);
    let mut names: Vec<_> = broken.map(|rule| rule.rule).collect();
    names.sort_unstable();
    names
}

/// How much a rule looks at once the story is told otherwise.
fn looked_at(rule: &str, change: impl FnOnce(&mut Evidence)) -> u64 {
    let mut evidence = true_story();
    change(&mut evidence);
    judge(&evidence).into_iter().find(|known| known.rule == rule).unwrap().looked_at
}

#[test]
fn a_true_story_breaks_no_rule_and_each_looks_at_something() {
    assert_eq!(broken(|_| ()), Vec::<String>::new());
    for rule in judge(&true_story()) {
        assert!(rule.looked_at > 0, "{}", rule.rule);
    }
}

#[test]
fn other_true_stories_break_no_rule() {
    type Story = fn(&mut Evidence);
    let stories: [(&str, Story); 9] = [
        ("a delivery that was never taken may be anywhere", |evidence| {
            evidence.items[2].taken = None;
            evidence.threads[1].messages.clear();
            evidence.heard[0].told[2] = 0;
        }),
        ("who came late is owed nothing of before", |evidence| {
            evidence.heard[0].since = Some(Duration::from_secs(30));
            evidence.heard[0].told.clear();
        }),
        ("a call that was not answered is in doubt", |evidence| {
            evidence.calls[3].receipts.clear();
            evidence.recipients[0].1[1].state = "in_doubt".into();
            evidence.recipients[0].0["counts"] = json!({"read": 1, "in_doubt": 1, "failed": 1, "replied": 1});
        }),
        ("a server that was ended does not know of an answer that it had", |evidence| {
            evidence.troubled = true;
            evidence.calls[0].receipts.clear();
            evidence.threads[0].messages[0].status = Some("in_doubt".into());
        }),
        ("what is under way may be behind", |evidence| {
            evidence.rest = Some("receipts were still owed".into());
            evidence.threads[0].messages[0].status = Some("accepted".into());
            evidence.recipients[0].1[1].state = "accepted".into();
            evidence.recipients[0].0["counts"]["read"] = json!(0);
        }),
        ("who waits for a tier that is used up waits", |evidence| waits(evidence, "sending", &[])),
        ("an answer to a shut window fails as it leaves", |evidence| {
            evidence.items[0].written.stale = true;
            evidence.items[1].written.stale = true;
            evidence.threads[0].messages[0].status = Some("failed".into());
            evidence.calls.remove(0);
        }),
        ("who said STOP before is skipped", |evidence| {
            evidence.calls.remove(1);
            let recipients = &mut evidence.recipients[0];
            recipients.1[0].state = "skipped".into();
            recipients.0["counts"] = json!({"skipped": 1, "delivered": 1, "failed": 1, "replied": 1});
        }),
        ("a stall brings the calls of two seconds into one", |evidence| {
            let of_second = |second: u64, at_ms| Call { at_ms, ..refused_call(second) };
            let first = (0..30).map(|place| of_second(0, 5_000 + place));
            let late = (0..160).map(|place| of_second(1, 6_900 + place / 2));
            evidence.calls.extend(first.chain(late));
        }),
    ];
    for (what, story) in stories {
        assert_eq!(broken(story), Vec::<String>::new(), "{what}");
    }
}

/// The third recipient was not written to yet.
fn waits(evidence: &mut Evidence, status: &str, reasons: &[&str]) {
    evidence.calls.pop();
    let (shown, recipients) = &mut evidence.recipients[0];
    recipients[2].state = "pending".into();
    *shown = json!({"status": status, "reasons": reasons,
        "counts": {"pending": 1, "read": 1, "delivered": 1, "replied": 1}});
}

/// A call that came to nothing and says nothing of any message.
fn refused_call(place: u64) -> Call {
    let token = Some(format!("b1.X.0.{place}.1"));
    Call { number: "2065".into(), token, verdict: "refused".into(), code: Some(130_429), ..Call::default() }
}

#[test]
fn a_gap_excuses_only_what_began_before_it() {
    let forgets = |evidence: &mut Evidence| evidence.heard[0].told[1] = 0;
    let gap = |evidence: &mut Evidence, at_ms| {
        evidence.heard[0].gaps_announced = 1;
        evidence.heard[0].since = Some(Duration::from_millis(at_ms));
        forgets(evidence);
    };
    assert!(broken(|evidence| gap(evidence, 2_500)).is_empty());
    assert_eq!(broken(|evidence| gap(evidence, 1_500)), ["not_told"]);
}

#[test]
fn a_rule_that_had_nothing_to_look_at_says_so() {
    let short = |evidence: &mut Evidence| evidence.sent[0].paused_ms = Some((10_000, 12_000));
    assert_eq!(looked_at("sent_while_paused", short), 0);
    for rule in ["recipient_differs", "counters_differ", "reply_differs"] {
        assert_eq!(looked_at(rule, |evidence| evidence.rest = Some("deliveries".into())), 0, "{rule}");
    }
    let quiet = |evidence: &mut Evidence| evidence.heard.iter_mut().for_each(|heard| heard.looked = [5, 5, 0, 0]);
    assert_eq!((looked_at("out_of_order", quiet), looked_at("socket_gap", quiet)), (0, 10));
}

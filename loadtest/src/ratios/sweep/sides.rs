//! The rounds of each side, and what they say in the report.

use super::{Out, RECEIPTS_EACH, Shown};
use crate::report::{Better, Mark, Report};
use crate::statistics::{median, ratio};

/// The rounds of one side.
#[derive(Default)]
pub(super) struct Side {
    send_rates: Vec<f64>,
    all_rates: Vec<f64>,
    per_cpu_second: Vec<f64>,
    sink_cpu: Vec<f64>,
    freeze_seconds: Vec<f64>,
    sum: Out,
}

impl Side {
    pub(super) fn add(&mut self, out: &Out) {
        let sends = out.sends as f64;
        self.send_rates.push(ratio(sends, out.send_seconds));
        self.all_rates.push(ratio(sends, out.all_seconds));
        self.per_cpu_second.push(ratio(sends, out.cpu));
        self.sink_cpu.push(ratio(out.sink_cpu * 1e6, sends));
        self.freeze_seconds.push(out.freeze_seconds);
        self.sum.sends += out.sends;
        self.sum.different += out.different;
        self.sum.body_bytes += out.body_bytes;
        self.sum.receipts += out.receipts;
        self.sum.posts += out.posts;
        self.sum.refused += out.refused;
        self.sum.last_refusal = self.sum.last_refusal.max(out.last_refusal);
        self.sum.broadcasts.extend(out.broadcasts.iter().cloned());
    }

    fn broadcasts(&self, that: impl Fn(&Shown) -> bool) -> u64 {
        self.sum.broadcasts.iter().filter(|shown| that(shown)).count() as u64
    }
}

/// Puts the sides into the report: raw, sends alone, sends with receipts.
pub(super) fn tell(report: &mut Report, [bare, alone, closed]: [&Side; 3], sends: u64, broadcasts: u64) {
    for (name, side) in [("raw client", bare), ("sends alone", alone), ("closed loop", closed)] {
        report.figure(format!("{name}: rate of sends"), median(&side.send_rates), "/s");
        report.figure(format!("{name}: sends per CPU second of the sender"), median(&side.per_cpu_second), "");
        report.figure(format!("{name}: CPU of the sink, of a send"), median(&side.sink_cpu), "us");
        report.figure(format!("{name}: body"), ratio(side.sum.body_bytes as f64, side.sum.sends as f64), "bytes");
    }
    for (name, side) in [("sends alone", alone), ("closed loop", closed)] {
        report.figure(format!("{name}: rate until all is counted"), median(&side.all_rates), "/s");
        report.figure(format!("{name}: publishing and freezing, off the clock"), median(&side.freeze_seconds), "s");
    }
    report.figure("closed loop: receipts of a post", ratio(closed.sum.receipts as f64, closed.sum.posts as f64), "");
    report.figure("closed loop: posts that came again", closed.sum.refused as f64, "");
    if closed.sum.refused > 0 {
        report.figure("closed loop: status of the last refusal", closed.sum.last_refusal as f64, "");
    }
    let per_cpu =
        |ours: &Side, theirs: &Side| ratio(median(&ours.per_cpu_second), median(&theirs.per_cpu_second)) * 100.0;
    report.figure("sends alone: share per CPU second (where time was stolen)", per_cpu(alone, bare), "%");
    report.figure("closed loop: share per CPU second (where time was stolen)", per_cpu(closed, alone), "%");
    let marks = [
        ("broadcast sends ÷ raw hyper", ratio(median(&alone.send_rates), median(&bare.send_rates)), 45.0, 65.0),
        ("closed loop ÷ sends alone", ratio(median(&closed.all_rates), median(&alone.send_rates)), 35.0, 50.0),
    ];
    for (name, share, accept, aim) in marks {
        let (name, value, better, aim) = (name.to_owned(), share * 100.0, Better::Higher, Some(aim));
        report.mark(Mark { name, value, unit: "%", better, accept, aim });
    }
    report.check("raw client: sends that the sink saw", sends, bare.sum.sends);
    for (name, side) in [("sends alone", alone), ("closed loop", closed)] {
        report.check(format!("{name}: sends that the sink saw"), sends, side.sum.sends);
        report.check(format!("{name}: different tokens"), side.sum.sends, side.sum.different);
        let adding_up = side.broadcasts(|shown| shown.counted == shown.audience);
        report.check(format!("{name}: broadcasts whose counts are their audience"), broadcasts, adding_up);
        let sent = side.broadcasts(|shown| shown.status == "sent");
        report.check(format!("{name}: broadcasts that are sent"), broadcasts, sent);
        let agreeing = side.broadcasts(|shown| shown.agrees);
        report.check(format!("{name}: broadcasts whose ledger agrees"), broadcasts, agreeing);
    }
    let sum = |side: &Side, of: fn(&Shown) -> u64| side.sum.broadcasts.iter().map(of).sum();
    report.check("sends alone: recipients accepted", sends, sum(alone, |shown| shown.accepted));
    report.check("closed loop: receipts that the server took", RECEIPTS_EACH * sends, closed.sum.receipts);
    report.check("closed loop: recipients who read it", sends, sum(closed, |shown| shown.read));
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn shown(counts: &Value) -> Shown {
        Shown { agrees: true, ..Shown::of(10, &json!({"status": "sent", "counts": counts})) }
    }

    fn side(rate: f64, sends: u64, broadcast: &Shown) -> Side {
        let mut side = Side::default();
        let seconds = sends as f64 / rate;
        side.add(&Out {
            sends,
            different: sends,
            send_seconds: seconds,
            all_seconds: seconds * 2.0,
            receipts: sends * RECEIPTS_EACH,
            broadcasts: vec![broadcast.clone()],
            ..Out::default()
        });
        side
    }

    #[test]
    fn shares_are_of_the_side_before_and_a_doubled_send_is_unsound() {
        let accepted = shown(&json!({"accepted": 10}));
        let read = shown(&json!({"read": 10}));
        let (bare, closed) = (side(1_000.0, 10, &accepted), side(500.0, 10, &read));
        let mut alone = side(500.0, 10, &accepted);
        let report = |alone: &Side| {
            let mut report = Report::begin("sweep");
            tell(&mut report, [&bare, alone, &closed], 10, 1);
            report
        };
        let sound = report(&alone);
        assert!(sound.is_sound(), "{}", sound.text());
        let told: Value = serde_json::from_str(&sound.json().unwrap()).unwrap();
        assert_eq!((&told["marks"][0]["value"], &told["marks"][1]["value"]), (&json!(50.0), &json!(50.0)));
        alone.sum.different -= 1;
        assert!(!report(&alone).is_sound());
    }
}

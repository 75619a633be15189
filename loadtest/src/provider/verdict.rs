//! What a send that is within its bounds meets: drawn by itself.

use super::chance::{Chance, Draw};
use super::plan::Mood;
use super::refusal::{PAGE, Refusal};

/// What a send meets.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Verdict {
    pub(super) outcome: Outcome,
    /// How long the answer takes.
    pub(super) delay_ms: f64,
    /// Whether the pair's next send may meet something else.
    pub(super) counts: bool,
}

/// How it is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// Accepted and told; with a code it fails later.
    Accepted { fails: Option<u32> },
    /// Accepted and not told.
    Silent { closes: bool, fails: Option<u32> },
    /// Not accepted.
    Refused(Refusal),
}

/// The verdict. What is wrong with a template is wrong every time: such a refusal does not count, so that the same send
/// meets it again.
pub(super) fn of(mood: &Mood, is_template: bool, is_marketing: bool, chance: Chance) -> Verdict {
    let is_slow = chance.hits(Draw::Slow, mood.slow);
    let delay_ms = chance.latency_ms(mood.latency) + if is_slow { mood.slow_ms as f64 } else { 0.0 };
    let refused = |refusal, counts| Verdict { outcome: Outcome::Refused(refusal), delay_ms, counts };
    if is_template && chance.hits(Draw::TemplateError, mood.template_error) {
        return refused(Refusal::new(132_001, "The template does not exist, on order."), false);
    }
    if chance.hits(Draw::Throttled, mood.throttled) {
        let code = if chance.bits(Draw::ThrottledHow, 0).is_multiple_of(2) { 130_429 } else { 4 };
        return refused(Refusal::new(code, "Throttled on order."), true);
    }
    if chance.hits(Draw::Error, mood.error) {
        let code = [131_000, 2, PAGE][(chance.bits(Draw::ErrorHow, 0) % 3) as usize];
        return refused(Refusal::new(code, "An error on order."), true);
    }
    let fails = if is_marketing && chance.hits(Draw::MarketingCap, mood.marketing_cap) {
        Some(131_049)
    } else {
        chance.hits(Draw::Undeliverable, mood.undeliverable).then_some(131_026)
    };
    if chance.hits(Draw::Silent, mood.silent) {
        let closes = chance.hits(Draw::SilentCloses, mood.silent_closes_percent);
        return Verdict { outcome: Outcome::Silent { closes, fails }, delay_ms, counts: true };
    }
    Verdict { outcome: Outcome::Accepted { fails }, delay_ms, counts: true }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn codes(mood: &Mood, is_marketing: bool) -> Vec<Option<u32>> {
        let one = |key: u32| match of(mood, true, is_marketing, Chance::new(4, &key.to_le_bytes())).outcome {
            Outcome::Accepted { fails } | Outcome::Silent { fails, .. } => fails,
            Outcome::Refused(refusal) => Some(refusal.code),
        };
        (0..10_000).map(one).collect()
    }

    fn share(codes: &[Option<u32>], code: u32) -> usize {
        codes.iter().filter(|drawn| **drawn == Some(code)).count()
    }

    #[test]
    fn each_percentage_has_its_codes() {
        let near = |count: usize, expected: usize| assert!(count.abs_diff(expected) < 250, "{count} {expected}");
        let mood = Mood { template_error: 20.0, throttled: 20.0, error: 30.0, ..Mood::default() };
        let drawn = codes(&mood, false);
        near(share(&drawn, 132_001), 2_000);
        near(share(&drawn, 130_429), 800);
        near(share(&drawn, 4), 800);
        for code in [131_000, 2, PAGE] {
            near(share(&drawn, code), 640);
        }
        let mood = Mood { marketing_cap: 50.0, undeliverable: 20.0, ..Mood::default() };
        near(share(&codes(&mood, true), 131_049), 5_000);
        near(share(&codes(&mood, true), 131_026), 1_000);
        assert_eq!(share(&codes(&mood, false), 131_049), 0);
        assert!(codes(&Mood::default(), true).iter().all(Option::is_none));
    }

    #[test]
    fn all_but_a_template_that_is_wrong_may_be_otherwise_the_next_time() {
        let counts = |mood: Mood| of(&mood, true, false, Chance::new(4, b"key")).counts;
        assert!(!counts(Mood { template_error: 100.0, ..Mood::default() }));
        assert!(counts(Mood::default()));
        for word in 0..3 {
            let percent = |own| if word == own { 100.0 } else { 0.0 };
            let (throttled, error, silent) = (percent(0), percent(1), percent(2));
            assert!(counts(Mood { throttled, error, silent, ..Mood::default() }), "{word}");
        }
    }

    #[test]
    fn silence_closes_or_hangs_and_slowness_is_added() {
        let mood = Mood { silent: 50.0, silent_closes_percent: 50.0, slow: 50.0, slow_ms: 70, ..Mood::default() };
        let (mut closed, mut hung, mut slow) = (0, 0, 0);
        for key in 0..10_000_u32 {
            let verdict = of(&mood, false, false, Chance::new(4, &key.to_le_bytes()));
            match verdict.outcome {
                Outcome::Silent { closes: true, .. } => closed += 1,
                Outcome::Silent { .. } => hung += 1,
                _ => {}
            }
            slow += usize::from(verdict.delay_ms == 70.0);
        }
        for (count, expected) in [(closed, 2_500), (hung, 2_500), (slow, 5_000_usize)] {
            assert!(expected.abs_diff(count) < 250, "{count}");
        }
    }
}

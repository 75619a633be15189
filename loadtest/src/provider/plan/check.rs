//! A plan's bounds.

use std::net::SocketAddr;

use anyhow::{Context as _, Result, bail, ensure};

use super::{Event, EventKind, Latency, Plan, Webhook};

/// The longest time anything may take: a day.
const MS_MAX: u64 = 86_400_000;
/// The longest an answer may be held up on order.
const ANSWER_MS_MAX: f64 = 120_000.0;
/// Entries of each list.
const LIST_MAX: usize = 10_000;

impl Plan {
    /// Refuses what is out of its bounds.
    ///
    /// # Errors
    /// The first that is: its name, and what it may be.
    pub fn check(&self) -> Result<()> {
        if let Some(webhook) = &self.webhook {
            webhook.target()?;
            ensure!(!webhook.secret.is_empty(), "`webhook.secret` is empty");
        }
        self.latency.check("latency")?;
        let (receipts, replies) = (&self.receipts, &self.replies);
        for (name, percent) in [
            ("template_error", self.template_error),
            ("marketing_cap", self.marketing_cap),
            ("undeliverable", self.undeliverable),
            ("throttled", self.throttled),
            ("error", self.error),
            ("silent", self.silent),
            ("silent_closes_percent", self.silent_closes_percent),
            ("slow", self.slow),
            ("receipts.read_percent", receipts.read_percent),
            ("receipts.loss_percent", receipts.loss_percent),
            ("receipts.repeat_percent", receipts.repeat_percent),
            ("receipts.shuffle_percent", receipts.shuffle_percent),
            ("receipts.read_without_delivered_percent", receipts.read_without_delivered_percent),
            ("replies.percent", replies.percent),
            ("replies.stop_percent", replies.stop_percent),
        ] {
            within(name, percent, 100.0)?;
        }
        within("slow_ms", self.slow_ms as f64, ANSWER_MS_MAX)?;
        within("receipts.spread", receipts.spread, 1.0)?;
        within("replies.spread", replies.spread, 1.0)?;
        for (name, value, min, max) in [
            ("receipts.sent_ms", receipts.sent_ms, 0, MS_MAX),
            ("receipts.delivered_ms", receipts.delivered_ms, 0, MS_MAX),
            ("receipts.read_ms", receipts.read_ms, 0, MS_MAX),
            ("receipts.batch_ms", receipts.batch_ms, 0, 10_000),
            ("receipts.batch_max", receipts.batch_max as u64, 1, 1_000),
            ("receipts.connections", receipts.connections as u64, 1, super::super::post::CONNECTIONS_MAX as u64),
            ("receipts.give_up_s", receipts.give_up_s, 1, 604_800),
            ("replies.after_ms", replies.after_ms, 0, MS_MAX),
            ("numbers", self.numbers.len() as u64, 0, LIST_MAX as u64),
            ("marketing_templates", self.marketing_templates.len() as u64, 0, LIST_MAX as u64),
            ("episodes", self.episodes.len() as u64, 0, 1_000),
            ("events", self.events.len() as u64, 0, LIST_MAX as u64),
        ] {
            ensure!((min..=max).contains(&value), "`{name}` is {min} to {max}, and not {value}");
        }
        if let Some(pair) = self.pair {
            ensure!((1..=MS_MAX).contains(&pair.interval_ms), "`pair.interval_ms` is 1 to {MS_MAX}");
            ensure!((1..=100_000).contains(&pair.burst), "`pair.burst` is 1 to 100000");
        }
        for (index, number) in self.numbers.iter().enumerate() {
            ensure!(!number.id.is_empty(), "`numbers[{index}].id` is empty");
        }
        self.check_episodes()?;
        self.events.iter().enumerate().try_for_each(|(index, event)| event.check(index))
    }

    fn check_episodes(&self) -> Result<()> {
        for (index, episode) in self.episodes.iter().enumerate() {
            let named = |name: &str| format!("episodes[{index}].{name}");
            if let Some(latency) = episode.latency {
                latency.check(&named("latency"))?;
            }
            for (name, percent) in [
                ("template_error", episode.template_error),
                ("marketing_cap", episode.marketing_cap),
                ("undeliverable", episode.undeliverable),
                ("throttled", episode.throttled),
                ("error", episode.error),
                ("silent", episode.silent),
                ("silent_closes_percent", episode.silent_closes_percent),
                ("slow", episode.slow),
            ] {
                within(&named(name), percent.unwrap_or_default(), 100.0)?;
            }
            within(&named("slow_ms"), episode.slow_ms.unwrap_or_default() as f64, ANSWER_MS_MAX)?;
            ensure!(episode.for_ms > 0, "`{}` is 0: it would never be", named("for_ms"));
        }
        Ok(())
    }
}

impl Webhook {
    /// Where it listens, and the path there.
    pub(in super::super) fn target(&self) -> Result<(SocketAddr, &str)> {
        let wrong = || format!("`webhook.url` is http://ADDRESS:PORT/PATH, and not `{}`", self.url);
        let rest = self.url.strip_prefix("http://").with_context(wrong)?;
        let at = rest.find('/').with_context(wrong)?;
        let (addr, path) = rest.split_at(at);
        // The path goes into a request as it is.
        ensure!(path.bytes().all(|byte| byte.is_ascii_graphic()), wrong());
        Ok((addr.parse().with_context(wrong)?, path))
    }
}

impl Latency {
    fn check(self, name: &str) -> Result<()> {
        within(&format!("{name}.median_ms"), self.median_ms, ANSWER_MS_MAX)?;
        within(&format!("{name}.p99_ms"), self.p99_ms, ANSWER_MS_MAX)?;
        ensure!(self.p99_ms == 0.0 || self.median_ms > 0.0, "`{name}.p99_ms` needs a `{name}.median_ms` above 0");
        ensure!(self.p99_ms == 0.0 || self.p99_ms >= self.median_ms, "`{name}.p99_ms` is below `{name}.median_ms`");
        Ok(())
    }
}

impl Event {
    fn check(&self, index: usize) -> Result<()> {
        let (needed, given) = match self.kind {
            EventKind::Quality => return Ok(()),
            EventKind::Tier => ("limit", self.limit.is_some()),
            EventKind::Account => ("event", self.event.is_some()),
            EventKind::Template if self.template.is_none() => ("template", false),
            EventKind::Template => ("event", self.event.is_some()),
        };
        if given { Ok(()) } else { bail!("`events[{index}].{needed}` is needed for an event of this kind") }
    }
}

fn within(name: &str, value: f64, max: f64) -> Result<()> {
    ensure!((0.0..=max).contains(&value), "`{name}` is 0 to {max}, and not {value}");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plan_is_the_same_in_toml_and_in_json() {
        let toml = "seed = 7\nthrottled = 1.5\nerror = 2\n[webhook]\nurl = 'http://127.0.0.1:80/a/b'\nsecret = 's'\n\
                    [latency]\nmedian_ms = 5\np99_ms = 50\n[receipts]\nloss_percent = 1\n\
                    [[episodes]]\nfrom_ms = 1000\nfor_ms = 500\nerror = 100\n\
                    [[events]]\nat_ms = 5\nnumber = '1'\nkind = 'quality'\n";
        let plan = Plan::from_toml(toml).unwrap();
        assert_eq!(plan.webhook.as_ref().unwrap().target().unwrap(), ("127.0.0.1:80".parse().unwrap(), "/a/b"));
        assert_eq!((plan.receipts.batch_max, plan.receipts.read_percent, plan.seed), (100, 100.0, 7));
        assert_eq!(Plan::from_json(&serde_json::to_vec(&plan).unwrap()).unwrap(), plan);
        assert_eq!(Plan::from_toml("").unwrap(), Plan::default());
        assert_eq!(Plan::from_json(b"{}").unwrap(), Plan::default());
    }

    #[test]
    fn an_episode_replaces_what_it_names_while_it_lasts() {
        let plan = Plan::from_toml(
            "error = 1\nslow = 3\n[[episodes]]\nfrom_ms = 1000\nfor_ms = 500\nerror = 100\n\
             [[episodes]]\nfrom_ms = 1400\nfor_ms = 500\nerror = 50\nsilent = 9\n",
        )
        .unwrap();
        let at = |ms: u64| {
            let mood = plan.mood(ms * 1_000);
            (mood.error, mood.silent, mood.slow)
        };
        assert_eq!((at(999), at(1_000), at(1_399)), ((1.0, 0.0, 3.0), (100.0, 0.0, 3.0), (100.0, 0.0, 3.0)));
        assert_eq!((at(1_400), at(1_899), at(1_900)), ((50.0, 9.0, 3.0), (50.0, 9.0, 3.0), (1.0, 0.0, 3.0)));
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (wrong, named) in [
            ("throtled = 1", "throtled"),
            ("error = 101", "`error`"),
            ("silent = -1", "`silent`"),
            ("slow = nan", "`slow`"),
            ("seed = 'x'", "seed"),
            ("[latency]\nmedian_ms = 9\np99_ms = 8", "latency.p99_ms"),
            ("[latency]\np99_ms = 8", "latency.median_ms"),
            ("[receipts]\nbatch_max = 1001", "receipts.batch_max"),
            ("[receipts]\nconnections = 0", "receipts.connections"),
            ("[receipts]\nspread = 1.1", "receipts.spread"),
            ("[pair]\ninterval_ms = 0\nburst = 1", "pair.interval_ms"),
            ("[pair]\ninterval_ms = 1\nburst = 0", "pair.burst"),
            ("[webhook]\nurl = 'https://a/b'\nsecret = 's'", "webhook.url"),
            ("[webhook]\nurl = 'http://127.0.0.1:1/a b'\nsecret = 's'", "webhook.url"),
            ("[webhook]\nurl = 'http://127.0.0.1:1/a'\nsecret = ''", "webhook.secret"),
            ("[[episodes]]\nfor_ms = 1\nerror = 200", "episodes[0].error"),
            ("[[episodes]]\nfrom_ms = 1", "episodes[0].for_ms"),
            ("[[events]]\nat_ms = 1\nnumber = '1'\nkind = 'tier'", "events[0].limit"),
            ("[[events]]\nat_ms = 1\nnumber = '1'\nkind = 'template'\nevent = 'PAUSED'", "events[0].template"),
        ] {
            let error = format!("{:#}", Plan::from_toml(wrong).unwrap_err());
            assert!(error.contains(named), "{wrong}: {error}");
        }
    }
}

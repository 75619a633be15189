//! From the configuration's sections to what each part is built with.

use std::net::SocketAddr;
use std::time::Duration;

use crate::config::Config;
use crate::domain::inbound::LimitTier;
use crate::domain::pace::PairRate;
use crate::domain::rules::Rules;
use crate::domain::window::profiles::Switches;
use crate::http::EdgeSettings;
use crate::numbers::NumberSettings;
use crate::providers::http::HttpOptions;
use crate::push::{Settings, window::WindowSize};
use crate::shards::ShardOptions;
use crate::store::CqlOptions;
use crate::store::embedded::EmbeddedOptions;

pub(super) fn workers(config: &Config) -> usize {
    match config.server.workers {
        0 => std::thread::available_parallelism().map_or(1, std::num::NonZeroUsize::get),
        set => set,
    }
}

pub(super) fn cql(config: &Config) -> CqlOptions {
    let cql = &config.cql;
    CqlOptions {
        nodes: cql.nodes.clone(),
        keyspace: cql.keyspace.clone(),
        datacenter: cql.datacenter.clone(),
        replication_factor: cql.replication_factor,
        login: cql.user.clone().map(|user| (user, cql.password.clone())),
        tls: cql.tls,
        authorities: cql.authorities.clone(),
        connect_timeout: cql.connect_timeout,
        request_timeout: cql.request_timeout,
        commit_deadline: config.store.commit_deadline,
        requests_max: cql.requests_max,
    }
}

pub(super) fn shard_options(config: &Config, shards: u16) -> ShardOptions {
    ShardOptions {
        shards,
        settle_interval: config.store.settle_interval,
        settle_bytes: size(config.store.settle_bytes.0),
        sleep_after: config.actors.sleep_after,
        idle: config.actors.idle_after,
        sweep_interval: config.actors.sweep_interval,
        resident_max_per_shard: (config.actors.resident_max / usize::from(shards)).max(1),
        mailbox_max: u32::try_from(config.actors.mailbox_max).unwrap_or(u32::MAX),
        shard_mailbox_max: config.actors.shard_mailbox_max,
        answer_deadline: config.server.command_deadline,
        rules: rules(config),
    }
}

fn rules(config: &Config) -> Rules {
    let tier = config.limits.default_tier.map_or(LimitTier::Unlimited, LimitTier::Limited);
    Rules {
        rate_per_second: config.numbers.rate_per_second,
        shared_rate_per_second: config.numbers.shared_rate_per_second,
        wait_max: config.numbers.reply_max_wait,
        doubt: config.numbers.unconfirmed_after,
        margin: config.windows.margin,
        tier,
        counts_for: config.limits.period,
    }
}

pub(super) fn numbers(config: &Config) -> NumberSettings {
    NumberSettings {
        tick: config.numbers.tick,
        burst_min: config.numbers.burst_min,
        pair_rate: PairRate { interval: config.numbers.pair_interval, burst: config.numbers.pair_burst },
        in_doubt_after: config.numbers.in_doubt_after,
        replies_queued_max: config.numbers.replies_queued_max,
        calls_max: config.providers.connections_max,
        graph_url: format!("{}/{}", config.providers.graph_url, config.providers.graph_version),
        switches: switches(config),
        http: HttpOptions {
            connections_max: config.providers.connections_max,
            idle_max_ms: millis(config.providers.idle_timeout),
            connect_deadline_ms: millis(config.providers.connect_timeout),
            call_deadline_ms: millis(config.providers.call_timeout),
            answer_bytes_max: size(config.providers.answer_bytes_max.0),
        },
    }
}

pub(super) const fn switches(config: &Config) -> Switches {
    Switches {
        human_agent: config.windows.extend_messenger_human_agent,
        human_agent_on_instagram: config.windows.human_agent_on_instagram,
    }
}

/// The edge's settings, where the server listens at `addr`.
pub(super) fn edge(config: &Config, addr: SocketAddr) -> EdgeSettings {
    EdgeSettings {
        public_url: config.server.public_url.clone().unwrap_or_else(|| format!("http://{addr}")),
        body_bytes_max: size(config.server.body_bytes_max.0),
        webhook_bytes_in_flight_max: size(config.server.webhook_bytes_in_flight_max.0),
        sessions_max: config.push.sessions_max,
    }
}

pub(super) fn push(config: &Config) -> Settings {
    let push = &config.push;
    Settings {
        window: WindowSize { objects: push.window_entries_max as u64, bytes: push.window_bytes_max.0 },
        frame_in_bytes_max: size(push.frame_in_bytes_max.0),
        frame_out_bytes_max: size(push.frame_out_bytes_max.0),
        interest_max: push.interest_max,
        slow_patience: push.slow_reader_after,
        identify_within: push.identify_timeout,
        heartbeat: push.ping_interval,
        commands_in_flight_max: u16::try_from(push.commands_in_flight_max).unwrap_or(u16::MAX),
        tail_entries_max: push.feed_tail_entries_max,
        tail_bytes_max: size(push.feed_tail_bytes_max.0),
        ..Settings::default()
    }
}

pub(super) fn embedded(config: &Config) -> EmbeddedOptions {
    EmbeddedOptions {
        cache_bytes: config.store.cache_bytes_max.0,
        // Three keyspaces share the configured bound.
        write_buffer_bytes: config.store.write_buffer_bytes_max.0 / 3,
        queue_max: config.store.commit_queue_max,
        batch_rows_max: config.store.commit_rows_max,
        queue_deadline: config.store.commit_deadline,
        ..EmbeddedOptions::default()
    }
}

fn size(bytes: u64) -> usize {
    usize::try_from(bytes).unwrap_or(usize::MAX)
}

fn millis(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::config::load;
    use crate::domain::pace::BURST_MIN;

    fn config(flags: &[(&str, &str)]) -> Config {
        let flags: Vec<(String, String)> =
            flags.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        load(None, &BTreeMap::new(), &flags).unwrap()
    }

    #[test]
    fn the_default_file_has_the_figures_that_the_rules_have_by_themselves() {
        let config = config(&[]);
        assert_eq!(rules(&config), Rules::default());
        let numbers = numbers(&config);
        assert_eq!((numbers.pair_rate, numbers.burst_min), (PairRate::default(), BURST_MIN));
        let (push, alone) = (push(&config), Settings::default());
        assert_eq!(
            (push.frame_in_bytes_max, push.frame_out_bytes_max, push.interest_max),
            (alone.frame_in_bytes_max, alone.frame_out_bytes_max, alone.interest_max)
        );
        assert_eq!(embedded(&config).batch_rows_max, EmbeddedOptions::default().batch_rows_max);
    }

    #[test]
    fn what_is_set_is_what_the_parts_are_built_with() {
        let config = config(&[
            ("server.public_url", "https://chat.example.com"),
            ("store.commit_rows_max", "200"),
            ("numbers.rate_per_second", "70"),
            ("numbers.shared_rate_per_second", "10"),
            ("numbers.burst_min", "9"),
            ("numbers.pair_interval", "7s"),
            ("numbers.pair_burst", "2"),
            ("numbers.reply_max_wait", "5m"),
            ("numbers.in_doubt_after", "11s"),
            ("numbers.unconfirmed_after", "20m"),
            ("push.frame_in_bytes_max", "32KiB"),
            ("push.frame_out_bytes_max", "16KiB"),
            ("push.interest_max", "50"),
            ("limits.default_tier", "0"),
            ("limits.period", "12h"),
            ("windows.margin", "2m"),
        ]);
        let expected = Rules {
            rate_per_second: 70,
            shared_rate_per_second: 10,
            wait_max: Duration::from_secs(300),
            doubt: Duration::from_secs(1_200),
            margin: Duration::from_secs(120),
            tier: LimitTier::Unlimited,
            counts_for: Duration::from_secs(43_200),
        };
        assert_eq!(shard_options(&config, 16).rules, expected);
        let numbers = numbers(&config);
        let pair_rate = PairRate { interval: Duration::from_secs(7), burst: 2 };
        assert_eq!((numbers.burst_min, numbers.pair_rate), (9, pair_rate));
        assert_eq!(numbers.in_doubt_after, Duration::from_secs(11));
        let push = push(&config);
        assert_eq!(
            (push.frame_in_bytes_max, push.frame_out_bytes_max, push.interest_max),
            (32 * 1_024, 16 * 1_024, 50)
        );
        assert_eq!(embedded(&config).batch_rows_max, 200);
        assert_eq!(edge(&config, SocketAddr::from(([127, 0, 0, 1], 80))).public_url, "https://chat.example.com");
    }
}

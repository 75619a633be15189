//! From the configuration's sections to what each part is built with.

use std::time::Duration;

use crate::config::Config;
use crate::domain::window::profiles::Switches;
use crate::http::EdgeSettings;
use crate::numbers::NumberSettings;
use crate::providers::http::HttpOptions;
use crate::push::{Settings, window::WindowSize};
use crate::shards::ShardOptions;
use crate::store::embedded::EmbeddedOptions;

/// Keys that are read and judged, and that nothing goes by yet; `config/default.toml` says so of each.
const NOT_IN_FORCE: [&str; 21] = [
    "server.public_url",
    "store.commit_rows_max",
    "numbers.rate_per_second",
    "numbers.shared_rate_per_second",
    "numbers.burst_min",
    "numbers.pair_interval",
    "numbers.pair_burst",
    "numbers.reply_max_wait",
    "numbers.in_doubt_after",
    "numbers.unconfirmed_after",
    "numbers.broadcast_share_percent",
    "numbers.broadcast_share_for",
    "numbers.block_recipients_max",
    "numbers.blocks_claimed_max",
    "numbers.give_back_after",
    "push.frame_in_bytes_max",
    "push.frame_out_bytes_max",
    "push.interest_max",
    "limits.default_tier",
    "limits.period",
    "windows.margin",
];

/// Warns of every key that somebody set and that changes nothing.
pub(super) fn warn_of_what_is_not_in_force(config: &Config) {
    for key in config.effective.iter().filter(|key| key.source != "the default") {
        if NOT_IN_FORCE.contains(&key.key.as_str()) {
            tracing::warn!(key = %key.key, "this setting is not in force yet: the default holds");
        }
    }
}

pub(super) fn workers(config: &Config) -> usize {
    match config.server.workers {
        0 => std::thread::available_parallelism().map_or(1, std::num::NonZeroUsize::get),
        set => set,
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
    }
}

pub(super) fn numbers(config: &Config) -> NumberSettings {
    NumberSettings {
        tick: config.numbers.tick,
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

pub(super) fn edge(config: &Config) -> EdgeSettings {
    EdgeSettings {
        body_bytes_max: size(config.server.body_bytes_max.0),
        webhook_bytes_in_flight_max: size(config.server.webhook_bytes_in_flight_max.0),
        sessions_max: config.push.sessions_max,
    }
}

pub(super) fn push(config: &Config) -> Settings {
    let push = &config.push;
    Settings {
        window: WindowSize { objects: push.window_entries_max as u64, bytes: push.window_bytes_max.0 },
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
    use super::*;

    #[test]
    fn the_default_file_says_of_each_that_it_is_not_in_force() {
        let (mut section, mut before, mut said) = ("", "", Vec::new());
        for line in include_str!("../../config/default.toml").lines() {
            if let Some(name) = line.strip_prefix('[') {
                section = name.trim_end_matches(']');
            }
            if let Some((key, _)) = line.split_once(" = ").filter(|_| before.starts_with("# Not in force yet")) {
                said.push(format!("{section}.{key}"));
            }
            before = line;
        }
        assert_eq!(said, NOT_IN_FORCE);
    }
}

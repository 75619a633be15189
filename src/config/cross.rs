//! Rules between keys, each with the accident that it prevents.

use std::time::Duration;

use super::units::{Size, show_duration};
use super::{Config, ConfigProblem};

/// Every rule that the configuration breaks.
pub(super) fn check(config: &Config) -> Vec<ConfigProblem> {
    let mut broken = Broken(Vec::new());
    let (server, numbers, providers, push) = (&config.server, &config.numbers, &config.providers, &config.push);

    // The largest body alone would be over the bound, so it would be refused for ever.
    broken.unless_size(
        ("server.body_bytes_max", server.body_bytes_max),
        server.body_bytes_max <= server.webhook_bytes_in_flight_max,
        "at most server.webhook_bytes_in_flight_max",
        server.webhook_bytes_in_flight_max,
    );
    // A stop that is shorter than a call leaves every call under way in doubt.
    broken.unless_time(
        ("server.shutdown_deadline", server.shutdown_deadline),
        server.shutdown_deadline > providers.call_timeout,
        "longer than providers.call_timeout",
        providers.call_timeout,
    );
    // The whole call's deadline would end it before the connection's could say why.
    broken.unless_time(
        ("providers.connect_timeout", providers.connect_timeout),
        providers.connect_timeout < providers.call_timeout,
        "shorter than providers.call_timeout",
        providers.call_timeout,
    );
    // A send that is still under way would be called in doubt, and the next of its conversation would overtake it.
    broken.unless_time(
        ("providers.call_timeout", providers.call_timeout),
        providers.call_timeout <= numbers.in_doubt_after,
        "at most numbers.in_doubt_after",
        numbers.in_doubt_after,
    );
    // The doubt would be given up while the next message still waits for it.
    broken.unless_time(
        ("numbers.in_doubt_after", numbers.in_doubt_after),
        numbers.in_doubt_after < numbers.unconfirmed_after,
        "shorter than numbers.unconfirmed_after",
        numbers.unconfirmed_after,
    );
    // A full frame would never fit the window, so it would never be sent.
    broken.unless_size(
        ("push.frame_out_bytes_max", push.frame_out_bytes_max),
        push.frame_out_bytes_max <= push.window_bytes_max,
        "at most push.window_bytes_max",
        push.window_bytes_max,
    );
    // A reader that is well could not prove it in time.
    broken.unless_time(
        ("push.ping_interval", push.ping_interval),
        push.ping_interval < push.slow_reader_after,
        "shorter than push.slow_reader_after",
        push.slow_reader_after,
    );
    // Two listeners on one port: the second cannot start.
    let sandbox = &config.sandbox;
    if sandbox.enabled && sandbox.listen == server.listen && server.listen.port() != 0 {
        broken.add("sandbox.listen", format!("must differ from server.listen, got `{}` for both", sandbox.listen));
    }
    broken.0
}

struct Broken(Vec<ConfigProblem>);

impl Broken {
    fn unless_size(&mut self, (key, size): (&str, Size), kept: bool, must: &str, other: Size) {
        if !kept {
            self.add(key, format!("must be {must} (`{other}`), got `{size}`"));
        }
    }

    fn unless_time(&mut self, (key, span): (&str, Duration), kept: bool, must: &str, other: Duration) {
        if !kept {
            self.add(key, format!("must be {must} (`{}`), got `{}`", show_duration(other), show_duration(span)));
        }
    }

    fn add(&mut self, key: &str, problem: String) {
        self.0.push(ConfigProblem { key: key.to_owned(), problem, source: None });
    }
}

//! What the process says about itself: log lines and metrics. Never a body, a number, a name or a token.

use std::io::IsTerminal as _;

use metrics_exporter_prometheus::{BuildError, PrometheusBuilder, PrometheusHandle};
use tracing_subscriber::Layer as _;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

use crate::config::{Log, LogFormat};

/// The bounds of every histogram of seconds: from a tenth of a millisecond to ten seconds.
const SECONDS: [f64; 14] =
    [0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 2.5, 10.0];

/// Starts the log; a second call changes nothing, so that several servers of one test share it.
pub fn start_log(log: &Log) {
    let filter = log.level.parse().unwrap_or_else(|_| Targets::new().with_default(tracing::Level::INFO));
    // It warns of the short keepalive with which a stopped node is noticed in 2 s, at every start.
    let filter = filter.with_target("scylla::client::session_builder", tracing::Level::ERROR);
    // Colours are for people: a file or a collector gets the plain text.
    let lines = tracing_subscriber::fmt::layer()
        .with_target(false)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal());
    let lines = match log.format {
        LogFormat::Text => lines.boxed(),
        LogFormat::Json => lines.json().boxed(),
    };
    // A process has one log; who comes second writes to the first.
    let _ = tracing_subscriber::registry().with(lines.with_filter(filter)).try_init();
}

/// Starts the metrics of this process; none if they run already.
///
/// # Errors
/// The recorder cannot be built.
pub fn start_metrics() -> Result<Option<PrometheusHandle>, BuildError> {
    let recorder = PrometheusBuilder::new().set_buckets(&SECONDS)?.build_recorder();
    let handle = recorder.handle();
    // A process has one recorder; who comes second reads nothing of its own.
    Ok(metrics::set_global_recorder(recorder).is_ok().then_some(handle))
}

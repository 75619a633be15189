//! Latencies as the document holds them, in microseconds.

use std::io::Cursor;

use anyhow::{Context, Result, anyhow};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hdrhistogram::Histogram;
use hdrhistogram::serialization::Deserializer;
use serde::{Deserialize, Serialize};

/// Latencies of one kind of work.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Timing {
    /// Its name, as thresholds call it.
    pub name: String,
    /// From what to what it is measured, in a sentence.
    pub about: String,
    /// How many there were.
    pub count: u64,
    /// Since the work was to begin: what a user sees of a server that cannot keep up.
    pub corrected: Latencies,
    /// Since the work did begin: without the generator's own delay and without the wait for a free place.
    pub uncorrected: Latencies,
    /// The corrected latency of each second that had any, in order of time, by when the work ended.
    pub by_second: Vec<Second>,
}

/// A distribution in microseconds, right to three digits; zeros where there was no sample.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Latencies {
    /// The shortest.
    pub min_us: u64,
    /// The mean.
    pub mean_us: f64,
    /// What half of them do not exceed.
    pub p50_us: u64,
    /// What 90 % do not exceed.
    pub p90_us: u64,
    /// What 99 % do not exceed.
    pub p99_us: u64,
    /// What 99.9 % do not exceed.
    pub p99_9_us: u64,
    /// What 99.99 % do not exceed.
    pub p99_99_us: u64,
    /// The longest.
    pub max_us: u64,
    /// The whole histogram: HdrHistogram's compressed V2 form in base64, as its usual tools read it.
    pub hdr: String,
}

impl Latencies {
    /// The whole histogram.
    ///
    /// # Errors
    /// The text is no histogram of this form.
    pub fn histogram(&self) -> Result<Histogram<u64>> {
        let bytes = STANDARD.decode(&self.hdr).context("`hdr` is not base64")?;
        Deserializer::new()
            .deserialize(&mut Cursor::new(bytes))
            .map_err(|error| anyhow!("`hdr` is no histogram of HdrHistogram's V2 form: {error:?}"))
    }

    /// The percentiles that are told, as share and microseconds, in ascending order.
    #[must_use]
    pub const fn percentiles(&self) -> [(f64, u64); 5] {
        [(0.5, self.p50_us), (0.9, self.p90_us), (0.99, self.p99_us), (0.999, self.p99_9_us), (0.999_9, self.p99_99_us)]
    }
}

/// One second of a timing, right to two digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Second {
    /// Which: whole seconds since the start of the run.
    pub s: u64,
    /// How many ended in it.
    pub count: u64,
    /// What half of them do not exceed, in microseconds.
    pub p50_us: u64,
    /// What 99 % do not exceed, in microseconds.
    pub p99_us: u64,
    /// The longest, in microseconds.
    pub max_us: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_histogram_is_told() {
        for hdr in ["%", "", "aGVsbG8="] {
            let latencies = Latencies { hdr: hdr.into(), ..Latencies::default() };
            assert!(latencies.histogram().unwrap_err().to_string().contains("`hdr`"), "{hdr}");
        }
    }
}

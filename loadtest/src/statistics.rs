//! Medians, percentiles and ratios of what was measured.

/// The value below which `share` (0 to 1) of the samples lie, by the nearest rank; 0 of no samples.
#[must_use]
pub fn percentile(samples: &mut [u32], share: f64) -> u32 {
    if samples.is_empty() {
        return 0;
    }
    let last = samples.len() - 1;
    let rank = (share.clamp(0.0, 1.0) * samples.len() as f64).ceil() as usize;
    let (_, found, _) = samples.select_nth_unstable(rank.saturating_sub(1).min(last));
    *found
}

/// The middle of the figures; the mean of the two middle ones of an even count; 0 of none.
#[must_use]
pub fn median(figures: &[f64]) -> f64 {
    let mut sorted = figures.to_vec();
    sorted.sort_by(f64::total_cmp);
    let half = sorted.len() / 2;
    match (sorted.get(half), sorted.len() % 2) {
        (None, _) => 0.0,
        (Some(middle), 1) => *middle,
        (Some(upper), _) => f64::midpoint(sorted[half - 1], *upper),
    }
}

/// `part ÷ whole`; 0 where there is no whole, so that nothing measured is never good news.
#[must_use]
pub fn ratio(part: f64, whole: f64) -> f64 {
    if whole > 0.0 { part / whole } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_samples_by_nearest_rank() {
        let mut hundred: Vec<u32> = (1..=100).rev().collect();
        for (share, expected) in [(0.0, 1), (0.5, 50), (0.99, 99), (0.991, 100), (1.0, 100), (7.0, 100)] {
            assert_eq!(percentile(&mut hundred, share), expected, "{share}");
        }
        assert_eq!(percentile(&mut [7], 0.99), 7);
        assert_eq!(percentile(&mut [], 0.5), 0);
    }

    #[test]
    fn medians_do_not_mind_the_order_nor_one_wild_round() {
        for (figures, expected) in
            [(vec![], 0.0), (vec![3.0], 3.0), (vec![9.0, 1.0], 5.0), (vec![1_000.0, 2.0, 1.0], 2.0)]
        {
            assert!((median(&figures) - expected).abs() < f64::EPSILON, "{figures:?}");
        }
    }

    #[test]
    fn a_ratio_to_nothing_is_nothing() {
        assert!(ratio(5.0, 0.0).abs() < f64::EPSILON);
        assert!((ratio(3.0, 4.0) - 0.75).abs() < f64::EPSILON);
    }
}

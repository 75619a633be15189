//! One actor a channel account: its rate, its queue of replies, their claims and outcomes.

pub mod bucket;
pub mod queue;

//! How broadcasts go, as signals to the sockets of their workspace.

use std::sync::Arc;

use serde_json::json;

use crate::broadcasts::{Broadcasts, Progress};
use crate::domain::broadcast::RecipientState;
use crate::push::{HubHandle, Signal};

/// Lets sockets hear how broadcasts go.
pub(super) fn tell(broadcasts: &Broadcasts, hub: HubHandle) {
    broadcasts.on_progress(move |progress| {
        if hub.sessions() == 0 {
            return;
        }
        match signal(progress) {
            Ok(signal) => hub.signal(&Arc::new(signal)),
            Err(error) => tracing::error!(%error, "failed to write a broadcast's progress"),
        }
    });
}

fn signal(progress: &Progress) -> Result<Signal, crate::push::body::BodyError> {
    let tally = &progress.tally;
    let data = json!({
        "status": progress.status,
        "recipients": tally.recipients(),
        "pending": tally.of(RecipientState::Pending),
        "delivered": tally.delivered(),
        "read": tally.of(RecipientState::Read),
        "replied": tally.replied,
        "failed": tally.of(RecipientState::Failed),
        "rate_per_second": progress.rate_per_second,
        "seconds_left": progress.seconds_left,
        "limited_by": progress.limited_by.word(),
    });
    Signal::new(progress.workspace, "broadcast.progress", &progress.broadcast.to_string(), None, &data)
}

//! What clients hear.

use serde::Serialize;

use super::line::HandlerShown;
use super::moment::Moment;
use crate::domain::ids::{ContactId, MemberId, MessageId, TeamId};
use crate::domain::message::MessageStatus;
use crate::domain::refusal::Refusal;

/// A message or note was taken, now or before under the same client id.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Sent {
    /// The message.
    pub message: MessageId,
    /// Its place in the thread.
    pub at: Moment,
    /// How far it has come.
    pub status: MessageStatus,
    /// The conversation's version.
    pub version: u64,
    /// The ownership epoch.
    pub epoch: u64,
}

/// Where a conversation stands after a change.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Changed {
    /// Whether anything changed.
    pub changed: bool,
    /// The version.
    pub version: u64,
    /// The ownership epoch.
    pub epoch: u64,
}

/// Whom a contact belongs to now. Its conversations follow in a moment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Assigned {
    /// The contact.
    pub contact: ContactId,
    /// The contact's version.
    pub contact_version: u64,
    /// The owner.
    pub owner: Option<MemberId>,
    /// The team.
    pub team: Option<TeamId>,
    /// Who else may reply.
    pub collaborators: Vec<MemberId>,
}

/// Why something may or may not be sent now.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Explained {
    /// Something may be sent.
    pub may_send: bool,
    /// What is no template.
    pub free_form: Verdict,
    /// An approved template.
    pub template: Verdict,
    /// When the reply window ends or ended.
    pub window_closes_at: Option<Moment>,
    /// What the customer said about marketing.
    pub consent: ConsentStanding,
    /// Who handles the conversation.
    pub handler: HandlerShown,
    /// The ownership epoch.
    pub epoch: u64,
    /// The number.
    pub account: AccountStanding,
}

/// Whether one form of message may be sent.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Verdict {
    /// It may.
    pub allowed: bool,
    /// The rule that says no.
    pub refusal: Option<RefusalShown>,
}

impl<T> From<Result<T, Refusal>> for Verdict {
    fn from(judged: Result<T, Refusal>) -> Self {
        let refusal = judged.err().as_ref().map(RefusalShown::from);
        Self { allowed: refusal.is_none(), refusal }
    }
}

/// A rule that says no.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RefusalShown {
    /// The stable code.
    pub code: &'static str,
    /// What it means and what can be done.
    pub detail: String,
    /// When the window closed.
    pub closed_at: Option<Moment>,
    /// What may be sent instead.
    pub instead: Vec<&'static str>,
}

impl From<&Refusal> for RefusalShown {
    fn from(refusal: &Refusal) -> Self {
        let (closed_at, instead) = match refusal {
            Refusal::WindowClosed { closed_at, instead } => (*closed_at, instead.as_slice()),
            _ => (None, [].as_slice()),
        };
        Self {
            code: refusal.code(),
            detail: refusal.to_string(),
            closed_at: closed_at.map(Moment),
            instead: instead.iter().map(|form| form.word()).collect(),
        }
    }
}

/// What a customer said about marketing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct ConsentStanding {
    /// Marketing is not wanted.
    pub marketing_withdrawn: bool,
}

/// Whether a number sends.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct AccountStanding {
    /// It sends answers.
    pub may_send: bool,
    /// It sends outside a window.
    pub may_initiate: bool,
    /// Why not.
    pub refusal: Option<RefusalShown>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::refusal::Instead;
    use crate::domain::time::Timestamp;

    #[test]
    fn a_verdict_names_the_rule_and_what_to_do() {
        let closed = Refusal::WindowClosed { closed_at: Some(Timestamp(0)), instead: vec![Instead::Template] };
        let verdict = serde_json::to_value(Verdict::from(Err::<(), _>(closed))).unwrap();
        assert_eq!(verdict["allowed"], false);
        assert_eq!(verdict["refusal"]["code"], "window_closed");
        assert_eq!(verdict["refusal"]["closed_at"], "1970-01-01T00:00:00.000Z");
        assert_eq!(verdict["refusal"]["instead"], serde_json::json!(["template"]));
        assert_eq!(Verdict::from(Ok(())), Verdict { allowed: true, refusal: None });
    }
}

//! Why something may or may not be sent: the conversation's own judgement and the number's.

use super::Conversations;
use super::api::{AccountStanding, ConsentStanding, Explained, Moment, RefusalShown, Verdict};
use crate::domain::access::Action;
use crate::domain::conversation::Conversation;
use crate::domain::ids::ConversationId;
use crate::domain::number::Number;
use crate::domain::window::Form;
use crate::domain::window::billing::Category;
use crate::shards::CommandError;
use crate::workspaces::Caller;

impl Conversations {
    /// What the caller may send now, and which rule says no. A template is judged as a utility one; one of
    /// marketing needs consent too.
    ///
    /// # Errors
    /// See [`Self::line`].
    pub async fn explain_send(&self, caller: &Caller, id: ConversationId) -> Result<Explained, CommandError> {
        let line = self.line(caller, id, Action::Send).await?;
        let (by, switches, now) = ((caller.author, None), self.switches, self.now());
        let rules = self.shards.node().options.rules;
        let (free_form, template) = self
            .shards
            .view::<Conversation, _>(line.id.0, move |state| {
                let judge = |form| state.may_send(form, by, switches, &rules, now);
                (judge(Form::Free), judge(Form::Template(Category::Utility)))
            })
            .await?;
        let (may_send, may_initiate) = self
            .shards
            .view::<Number, _>(line.account.0, move |number| (number.may_send(now), number.may_initiate(now)))
            .await?;
        let refusal = may_send.as_ref().err().or(may_initiate.as_ref().err()).map(RefusalShown::from);
        let account = AccountStanding { may_send: may_send.is_ok(), may_initiate: may_initiate.is_ok(), refusal };
        let (free_form, template) = (Verdict::from(free_form), Verdict::from(template));
        Ok(Explained {
            may_send: account.may_send && (free_form.allowed || template.allowed),
            free_form,
            template,
            window_closes_at: line.window_closes_at.map(Moment),
            consent: ConsentStanding { marketing_withdrawn: line.marketing_withdrawn },
            handler: line.handler.into(),
            epoch: line.epoch,
            account,
        })
    }
}

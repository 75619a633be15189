//! What a member sees of the feed: the one access rule over an event's audience.

use std::sync::Arc;

use crate::domain::access::{Action, Grants, Subject, may};
use crate::domain::ids::AccountId;
use crate::domain::time::Timestamp;
use crate::push::{Audience, Viewer};
use crate::workspaces::Caller;

/// One caller's sight.
pub(in crate::http) struct Sight(Arc<Grants>);

impl Sight {
    /// What this caller sees.
    pub(in crate::http) fn of(caller: &Caller) -> Self {
        Self(Arc::clone(&caller.grants))
    }
}

impl Viewer for Sight {
    fn sees(&self, audience: &Audience) -> bool {
        let grants = &*self.0;
        // What happened on no account is no matter of the channels that somebody may use.
        let any = grants.dedicated.first().copied().unwrap_or(AccountId(0));
        let account = audience.account.unwrap_or(any);
        let (owner, team) = (audience.owner, audience.team);
        let subject = Subject { account, owner, team, collaborators: &audience.collaborators, mentions: &[] };
        let mentioned = || grants.may_use(account) && audience.mentions.contains(&grants.member);
        // Mentions that are over have left the audience already, so the time does not matter.
        may(grants, &subject, Action::See, Timestamp(0)) || mentioned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::conversations::events;
    use crate::domain::access::Role;
    use crate::domain::ids::{MemberId, TeamId};
    use crate::http::entry::audience;

    fn sight(role: Role, dedicated: Vec<AccountId>) -> Sight {
        let (member, teams, team_members) = (MemberId(1), vec![TeamId(10)], Vec::new());
        Sight(Arc::new(Grants { member, role, teams, team_members, dedicated }))
    }

    #[test]
    fn an_audience_is_judged_by_the_access_rule() {
        let staff = sight(Role::Staff, Vec::new());
        let owned = |owner: u128| Audience { owner: Some(MemberId(owner)), ..Audience::default() };
        assert!(staff.sees(&Audience::default()) && staff.sees(&owned(1)) && !staff.sees(&owned(2)));
        assert!(staff.sees(&Audience { collaborators: vec![MemberId(1)], ..owned(2) }));
        assert!(staff.sees(&Audience { mentions: vec![MemberId(1)], ..owned(2) }));
        assert!(staff.sees(&Audience { team: Some(TeamId(10)), ..Audience::default() }));
        assert!(!staff.sees(&Audience { team: Some(TeamId(11)), ..Audience::default() }));
    }

    #[test]
    fn dedicated_channels_bind_except_where_there_is_no_channel() {
        let bound = sight(Role::Admin, vec![AccountId(7)]);
        let on = |account: u128| Audience { account: Some(AccountId(account)), ..Audience::default() };
        assert!(bound.sees(&on(7)) && !bound.sees(&on(8)) && bound.sees(&Audience::default()));
        assert!(!bound.sees(&Audience { mentions: vec![MemberId(1)], ..on(8) }));
    }

    #[test]
    fn what_is_for_admins_is_for_nobody_else() {
        let admins = audience(&events::Audience::admins());
        assert!(sight(Role::Admin, vec![AccountId(7)]).sees(&admins));
        assert!(!sight(Role::TeamAdmin, Vec::new()).sees(&admins));
        assert!(!sight(Role::Staff, Vec::new()).sees(&admins));
        assert!(sight(Role::Staff, Vec::new()).sees(&audience(&events::Audience::everybody())));
    }
}

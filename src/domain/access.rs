//! The one access rule: who may see and do what, for push, listing, search, sending and export.

use std::time::Duration;

use super::ids::{AccountId, MemberId, TeamId};
pub use super::role::Role;
use super::time::Timestamp;

/// How long a mention gives access to its conversation.
pub const MENTION_ACCESS: Duration = Duration::from_secs(24 * 3_600);

/// What is to be done with a conversation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Action {
    /// Read, be pushed, find by search.
    See,
    /// Send, note, mark read.
    Send,
    /// Close, open, snooze, hand over.
    Change,
    /// Export.
    Export,
    /// Say whom the contact belongs to: not for those who are only asked to join in.
    Assign,
}

/// What access depends on at a conversation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Subject<'a> {
    /// The account it is on.
    pub account: AccountId,
    /// The contact's owner.
    pub owner: Option<MemberId>,
    /// The contact's team.
    pub team: Option<TeamId>,
    /// The contact's collaborators.
    pub collaborators: &'a [MemberId],
    /// Who was mentioned, and until when that gives access.
    pub mentions: &'a [(MemberId, Timestamp)],
}

/// What access depends on at a member.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grants {
    /// The member.
    pub member: MemberId,
    /// The role.
    pub role: Role,
    /// The teams the member is in.
    pub teams: Vec<TeamId>,
    /// The members of those teams; needed of team admins only, who see what their people own.
    pub team_members: Vec<MemberId>,
    /// Dedicated channels: with any, the member sends and receives only there.
    pub dedicated: Vec<AccountId>,
}

impl Grants {
    /// Whether the member may use an account at all.
    #[must_use]
    pub fn may_use(&self, account: AccountId) -> bool {
        self.dedicated.is_empty() || self.dedicated.contains(&account)
    }
}

/// Whether a member may do this with a conversation now.
#[must_use]
pub fn may(grants: &Grants, subject: &Subject<'_>, action: Action, now: Timestamp) -> bool {
    if !grants.may_use(subject.account) {
        return false;
    }
    if subject.owner.is_none() && subject.team.is_none() {
        return true;
    }
    let own = subject.owner == Some(grants.member);
    let of_team = subject.team.is_some_and(|team| grants.teams.contains(&team));
    let by_role = match grants.role {
        Role::Admin => true,
        Role::TeamAdmin => own || of_team || subject.owner.is_some_and(|owner| grants.team_members.contains(&owner)),
        Role::Staff => own || (subject.owner.is_none() && of_team),
    };
    let invited = subject.collaborators.contains(&grants.member)
        || subject.mentions.iter().any(|(member, until)| *member == grants.member && now < *until);
    by_role || (invited && action != Action::Assign)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp(1_000_000);

    fn grants(role: Role) -> Grants {
        Grants {
            member: MemberId(1),
            role,
            teams: vec![TeamId(10)],
            team_members: vec![MemberId(1), MemberId(2)],
            dedicated: Vec::new(),
        }
    }

    fn subject(owner: Option<u128>, team: Option<u128>) -> Subject<'static> {
        Subject {
            account: AccountId(7),
            owner: owner.map(MemberId),
            team: team.map(TeamId),
            collaborators: &[],
            mentions: &[],
        }
    }

    #[test]
    fn access_follows_assignment_and_role() {
        // owner, team, then what Admin, Team admin and Staff may see.
        let cases = [
            (None, None, [true, true, true]),
            (Some(1), None, [true, true, true]),
            (Some(2), None, [true, true, false]),
            (Some(3), None, [true, false, false]),
            (None, Some(10), [true, true, true]),
            (None, Some(11), [true, false, false]),
            (Some(3), Some(10), [true, true, false]),
            (Some(3), Some(11), [true, false, false]),
        ];
        for (owner, team, expected) in cases {
            for (role, expected) in [Role::Admin, Role::TeamAdmin, Role::Staff].into_iter().zip(expected) {
                let seen = may(&grants(role), &subject(owner, team), Action::See, NOW);
                assert_eq!(seen, expected, "{role:?} of {owner:?} {team:?}");
            }
        }
    }

    #[test]
    fn dedicated_channels_bind_admins_too() {
        let mut admin = grants(Role::Admin);
        admin.dedicated = vec![AccountId(8)];
        assert!(!may(&admin, &subject(None, None), Action::See, NOW));
        admin.dedicated.push(AccountId(7));
        assert!(may(&admin, &subject(Some(3), None), Action::Send, NOW));
    }

    #[test]
    fn collaborators_reply_and_do_not_reassign() {
        let staff = grants(Role::Staff);
        let asked = Subject { collaborators: &[MemberId(1)], ..subject(Some(3), None) };
        assert!(may(&staff, &asked, Action::See, NOW) && may(&staff, &asked, Action::Send, NOW));
        assert!(!may(&staff, &asked, Action::Assign, NOW));
    }

    #[test]
    fn a_mention_gives_access_until_its_time_is_over() {
        let staff = grants(Role::Staff);
        let until = NOW + MENTION_ACCESS;
        let mentions = [(MemberId(1), until)];
        let asked = Subject { mentions: &mentions, ..subject(Some(3), None) };
        assert!(may(&staff, &asked, Action::Send, NOW));
        assert!(may(&staff, &asked, Action::See, Timestamp(until.0 - 1)));
        assert!(!may(&staff, &asked, Action::See, until));
    }
}

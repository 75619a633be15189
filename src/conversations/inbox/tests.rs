//! The index gives what a plain list would give, whatever happened to its lines.

use proptest::prelude::*;

use super::*;
use crate::domain::access::Role;
use crate::domain::conversation::Handler;
use crate::domain::effect::Assignment;
use crate::domain::ids::{ContactId, MessageId};
use crate::domain::message::MessageRef;

const WORKSPACE: WorkspaceId = WorkspaceId(1);
const NOW: Timestamp = Timestamp(1_000_000);
const SHARDS: u16 = 5;

fn line(id: u128) -> Summary {
    Summary {
        id: ConversationId(id),
        workspace: WORKSPACE,
        account: AccountId(1),
        channel: Channel::WhatsApp,
        contact: ContactId(id),
        group: false,
        moved_to: None,
        absorbed: Vec::new(),
        state: State::Open,
        handler: Handler::Human,
        epoch: 0,
        assignment: Assignment::default(),
        mentions: Vec::new(),
        unread: 0,
        last_message: None,
        first_inbound_at: None,
        last_inbound: None,
        window_closes_at: None,
        free_until: None,
        marketing_withdrawn: false,
        addresses: Vec::new(),
        created_at: Timestamp(id as i64),
        version: 1,
    }
}

/// Few conversations, members, teams and times, so that they meet.
fn lines() -> impl Strategy<Value = Vec<Summary>> {
    let one = (
        (0_u128..12, 0_i64..6, 0_u8..3, any::<bool>(), 0_u32..4),
        (proptest::option::of(1_u128..4), proptest::option::of(1_u128..3), proptest::collection::vec(1_u128..4, 0..2)),
        (proptest::option::of(1_u128..4), 1_u128..3, any::<bool>(), proptest::bool::weighted(0.1)),
    );
    let built = one.prop_map(
        |((id, at, state, written, unread), (owner, team, joined), (mentioned, account, line_, moved))| Summary {
            state: match state {
                0 => State::Open,
                1 => State::Snoozed { until: NOW, wake_on_reply: true },
                _ => State::Closed,
            },
            last_message: written.then_some(MessageRef { at: Timestamp(at * 100), id: MessageId(id) }),
            unread,
            assignment: Assignment {
                version: 1,
                owner: owner.map(MemberId),
                team: team.filter(|_| owner.is_none()).map(TeamId),
                collaborators: joined.into_iter().map(MemberId).collect(),
            },
            mentions: mentioned.map(|member| (MemberId(member), Timestamp(NOW.0 + 1))).into_iter().collect(),
            account: AccountId(account),
            channel: if line_ { Channel::Line } else { Channel::WhatsApp },
            moved_to: moved.then_some(ConversationId(99)),
            ..line(id)
        },
    );
    proptest::collection::vec(built, 0..60)
}

fn grants() -> impl Strategy<Value = Grants> {
    (0_usize..3, 1_u128..4, proptest::collection::vec(1_u128..3, 0..2), any::<bool>()).prop_map(
        |(role, member, teams, bound)| Grants {
            member: MemberId(member),
            role: [Role::Admin, Role::TeamAdmin, Role::Staff][role],
            teams: teams.into_iter().map(TeamId).collect(),
            team_members: vec![MemberId(1), MemberId(2)],
            dedicated: if bound { vec![AccountId(1)] } else { Vec::new() },
        },
    )
}

fn queries() -> impl Strategy<Value = InboxQuery> {
    let whose = prop_oneof![
        Just(Whose::All),
        (1_u128..4).prop_map(|member| Whose::Owner(MemberId(member))),
        (1_u128..3).prop_map(|team| Whose::Team(TeamId(team))),
        Just(Whose::Unassigned),
        (1_u128..4).prop_map(|member| Whose::Collaborator(MemberId(member))),
        (1_u128..4).prop_map(|member| Whose::Mentioned(MemberId(member))),
    ];
    (proptest::option::of(0_usize..3), whose, any::<(bool, bool)>(), 1_usize..7).prop_map(
        |(shelf, whose, (channel, account), limit)| InboxQuery {
            shelf: shelf.map(|shelf| Shelf::ALL[shelf]),
            whose,
            channel: channel.then_some(Channel::WhatsApp),
            account: account.then_some(AccountId(1)),
            after: None,
            limit,
        },
    )
}

/// What a list would be, told as the product tells it.
fn plainly(lines: &[Summary], grants: &Grants, query: InboxQuery) -> Vec<ConversationId> {
    let mut latest: HashMap<ConversationId, Summary> = HashMap::new();
    for line in lines {
        latest.insert(line.id, line.clone());
    }
    let belongs = |line: &Summary| match query.whose {
        Whose::All => true,
        Whose::Owner(member) => line.assignment.owner == Some(member),
        Whose::Team(team) => line.assignment.team == Some(team),
        Whose::Unassigned => line.assignment.owner.is_none() && line.assignment.team.is_none(),
        Whose::Collaborator(member) => line.assignment.collaborators.contains(&member),
        Whose::Mentioned(member) => line.mentions.iter().any(|(mentioned, _)| *mentioned == member),
    };
    let mut found: Vec<Summary> = latest.into_values().filter(|line| line.moved_to.is_none()).collect();
    found.retain(|line| {
        belongs(line)
            && query.shelf.is_none_or(|shelf| shelf == Shelf::of(line.state))
            && query.channel.is_none_or(|channel| channel == line.channel)
            && query.account.is_none_or(|account| account == line.account)
            && may(grants, &line.subject(), Action::See, NOW)
    });
    found.sort_by_key(|line| (Reverse(last_at(line)), line.id));
    found.iter().map(|line| line.id).collect()
}

fn index(lines: &[Summary]) -> Inbox {
    let inbox = Inbox::new(3);
    for line in lines {
        inbox.put((line.id.0 % u128::from(SHARDS)) as u16, line.clone());
    }
    inbox
}

proptest! {
    #[test]
    fn pages_together_are_the_plain_list(lines in lines(), grants in grants(), query in queries()) {
        let inbox = index(&lines);
        let (mut read, mut after) = (Vec::new(), None);
        loop {
            let page = inbox.list(WORKSPACE, &grants, InboxQuery { after, ..query }, NOW);
            prop_assert!(page.len() <= query.limit);
            let Some(last) = page.last() else { break };
            after = Some((last_at(last), last.id));
            read.extend(page.iter().map(|line| line.id));
            prop_assert!(read.len() <= 12, "a page came twice");
        }
        prop_assert_eq!(&read, &plainly(&lines, &grants, query));
    }

    #[test]
    fn a_count_is_what_the_plain_list_holds(lines in lines(), grants in grants(), query in queries()) {
        let inbox = index(&lines);
        let query = InboxQuery { channel: None, account: None, ..query };
        let listed = plainly(&lines, &grants, query);
        let last = |id: &ConversationId| lines.iter().rev().find(|line| line.id == *id);
        let unread: u32 = listed.iter().filter_map(last).map(|line| line.unread).sum();
        let count = inbox.count(WORKSPACE, &grants, (query.shelf, query.whose), NOW);
        prop_assert_eq!((count.conversations, count.unread), (listed.len(), u64::from(unread)));
    }

    #[test]
    fn what_was_there_before_comes_back(lines in lines()) {
        let inbox = Inbox::new(2);
        let mut known: HashMap<ConversationId, Summary> = HashMap::new();
        for line in lines {
            let before = inbox.put(0, line.clone());
            let expected = known.remove(&line.id);
            prop_assert_eq!(before.as_deref(), expected.as_ref());
            if line.moved_to.is_none() {
                known.insert(line.id, line);
            }
        }
        prop_assert_eq!(inbox.len(), known.len());
    }
}

#[test]
fn workspaces_do_not_see_each_other() {
    let inbox = index(&[line(1), line(2)]);
    let grants = Grants {
        member: MemberId(1),
        role: Role::Admin,
        teams: Vec::new(),
        team_members: Vec::new(),
        dedicated: Vec::new(),
    };
    let query = InboxQuery { shelf: None, whose: Whose::All, channel: None, account: None, after: None, limit: 9 };
    assert_eq!(inbox.list(WORKSPACE, &grants, query, NOW).len(), 2);
    assert!(inbox.list(WorkspaceId(2), &grants, query, NOW).is_empty());
    assert!(inbox.find(1, WORKSPACE, ConversationId(1)).is_some());
    assert!(inbox.find(1, WorkspaceId(2), ConversationId(1)).is_none());
}

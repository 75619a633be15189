//! Tests of workspaces.

mod lists;

use super::*;
use crate::domain::author::Author;
use crate::domain::content::Content;
use crate::domain::golden::{Live, check, keys};
use crate::domain::ids::LimitScopeId;
use crate::domain::inbound::{AccountEvent, Quality, TemplateStatus};
use crate::domain::message::{Channel, Media, MediaKind, TemplateFill, TemplateParameter, TemplateSlot};
use crate::domain::recall::{Asked, CommandKey};
use crate::domain::role::Role;
use crate::domain::secret::Secret;
use crate::domain::template_form::TemplateCategory;

const ADMIN: Author = Author::Member(MemberId(1));
const COMPONENTS: &str = r#"[{"type":"HEADER","format":"IMAGE"},{"type":"BODY","text":"Olá {{1}}, encomenda {{2}}"},
    {"type":"FOOTER","text":"Loja"},{"type":"BUTTONS","buttons":[{"type":"QUICK_REPLY","text":"Parar"},
    {"type":"URL","text":"Ver","url":"https://shop.example/{{1}}"}]}]"#;

fn change(change: WorkspaceChange) -> WorkspaceCommand {
    WorkspaceCommand::Change { asked: Asked::by(ADMIN), change: Box::new(change) }
}

fn add_member(id: u128, role: Role, email: &str) -> WorkspaceChange {
    let profile =
        MemberProfile { name: Some("Amália".to_owned()), email: Some(email.to_owned()), password_hash: None };
    WorkspaceChange::AddMember { id: MemberId(id), role, teams: BTreeSet::new(), accounts: BTreeSet::new(), profile }
}

fn begun() -> Live<Workspace> {
    let mut live = Live::new(7);
    live.ask(0, WorkspaceCommand::Create { asked: Asked::by(Author::System), name: "Loja".to_owned() }).unwrap();
    live.ask(1, change(add_member(1, Role::Admin, "amalia@shop.example"))).unwrap();
    live
}

fn secret(text: &str) -> Secret<String> {
    Secret::new(text.to_owned())
}

fn account(provider_id: &str) -> Account {
    Account {
        channel: Channel::WhatsApp,
        app: AppId(3),
        provider_id: provider_id.to_owned(),
        business_id: Some("2077".to_owned()),
        display: Some(display_hash(&keys(), "351210000000")),
        limit_scope: LimitScopeId(4),
    }
}

fn with_account() -> Live<Workspace> {
    let mut live = begun();
    let (secret, verify_token) = (secret("s3cret-one"), secret("verify-me"));
    let register = WorkspaceChange::RegisterApp { id: AppId(3), channel: Channel::WhatsApp, secret, verify_token };
    live.ask(2, change(register)).unwrap();
    live.ask(3, change(WorkspaceChange::ConnectAccount { id: AccountId(5), account: account("1065") })).unwrap();
    live
}

#[test]
fn it_begins_once() {
    let mut live = begun();
    let again = WorkspaceCommand::Create { asked: Asked::by(Author::System), name: "Other".to_owned() };
    let decision = live.ask(5, again).unwrap();
    assert!(decision.events.is_empty() && decision.content.is_empty());
    assert_eq!(
        Live::<Workspace>::new(8).ask(0, change(add_member(1, Role::Admin, "a@b"))).err(),
        Some(Refusal::NotFound { what: "workspace" })
    );
}

#[test]
fn members_are_found_by_token_and_mail_until_they_are_disabled() {
    let mut live = begun();
    live.ask(2, change(add_member(2, Role::Staff, "Rui@Shop.example"))).unwrap();
    let digest = TokenDigest([9; 32]);
    let issue = |expires_at| WorkspaceChange::IssueToken { member: MemberId(2), digest, expires_at };
    live.ask(3, change(issue(Some(Timestamp(100))))).unwrap();
    let by_token = |live: &Live<Workspace>, now| live.state.member_by_token(digest, Timestamp(now)).map(|(id, _)| id);
    assert_eq!((by_token(&live, 99), by_token(&live, 100)), (Some(MemberId(2)), None));
    let mail = email_hash(&keys(), " rui@shop.example");
    assert_eq!(live.state.member_by_email(mail).map(|(id, _)| id), Some(MemberId(2)));
    let twice = live.ask(4, change(add_member(3, Role::Staff, "RUI@shop.example"))).err();
    assert_eq!(twice, Some(Refusal::AlreadyExists { what: "member" }));
    let edit = MemberEdit { disabled: Some(true), ..MemberEdit::default() };
    live.ask(5, change(WorkspaceChange::ChangeMember { id: MemberId(2), edit, profile: MemberProfile::default() }))
        .unwrap();
    assert_eq!((by_token(&live, 50), live.state.member_by_email(mail)), (None, None));
    assert!(live.ask(6, change(issue(None))).is_err());
    live.assert_replays();
}

#[test]
fn the_last_admin_stays() {
    let mut live = begun();
    let demote = |id| {
        let edit = MemberEdit { role: Some(Role::Staff), ..MemberEdit::default() };
        change(WorkspaceChange::ChangeMember { id: MemberId(id), edit, profile: MemberProfile::default() })
    };
    assert!(matches!(live.ask(2, demote(1)), Err(Refusal::WrongState { .. })));
    assert!(live.ask(2, change(WorkspaceChange::RemoveMember { id: MemberId(1) })).is_err());
    live.ask(3, change(add_member(2, Role::Admin, "rui@shop.example"))).unwrap();
    live.ask(4, demote(1)).unwrap();
    assert!(live.ask(5, demote(2)).is_err());
}

#[test]
fn nothing_personal_or_secret_is_in_the_log() {
    let mut live = with_account();
    let edit = MemberEdit::default();
    let profile = MemberProfile { password_hash: Some(secret("argon2id$x")), ..MemberProfile::default() };
    live.ask(4, change(WorkspaceChange::ChangeMember { id: MemberId(1), edit, profile })).unwrap();
    for event in &live.log {
        let stored = rmp_serde::to_vec(event).unwrap();
        for needle in ["Amália", "amalia@", "Loja", "s3cret-one", "verify-me", "argon2id", "351210000000"] {
            assert!(!stored.windows(needle.len()).any(|part| part == needle.as_bytes()), "{needle}");
        }
    }
}

#[test]
fn two_secrets_are_good_while_one_is_replaced() {
    let mut live = with_account();
    let rotate = |text| change(WorkspaceChange::RotateAppSecret { id: AppId(3), secret: secret(text) });
    live.ask(4, rotate("two")).unwrap();
    assert_eq!(live.state.apps[&AppId(3)].secrets, [2, 1]);
    let third = live.ask(5, rotate("three")).unwrap();
    assert_eq!(live.state.apps[&AppId(3)].secrets, [3, 2]);
    let gone = secret_slot(AppId(3), 1);
    assert!(third.content.iter().any(|row| matches!(row, Content::Private { slot, value: None, .. } if *slot == gone)));
    live.ask(6, change(WorkspaceChange::RetireAppSecret { id: AppId(3) })).unwrap();
    assert_eq!(live.state.apps[&AppId(3)].secret_slots(AppId(3)), [secret_slot(AppId(3), 3)]);
    live.assert_replays();
}

#[test]
fn items_find_their_accounts() {
    let mut live = with_account();
    live.ask(
        4,
        change(WorkspaceChange::ConnectAccount {
            id: AccountId(6),
            account: Account { display: None, ..account("1066") },
        }),
    )
    .unwrap();
    let business = "2077".to_owned();
    let cases = [
        (AccountRef::Account("1066".to_owned()), vec![AccountId(6)]),
        (AccountRef::Account("9".to_owned()), vec![]),
        (AccountRef::Business(business.clone()), vec![AccountId(5), AccountId(6)]),
        (AccountRef::Display { business, digits: "351210000000".to_owned() }, vec![AccountId(5)]),
    ];
    for (named, expected) in cases {
        assert_eq!(live.state.accounts_of(AppId(3), &named, &keys()), expected);
        assert!(live.state.accounts_of(AppId(4), &named, &keys()).is_empty());
    }
    let twice = WorkspaceChange::ConnectAccount { id: AccountId(8), account: account("1065") };
    assert_eq!(live.ask(5, change(twice)).err(), Some(Refusal::AlreadyExists { what: "account" }));
}

fn put(components: &str) -> WorkspaceCommand {
    let (name, language, business_id) = ("order_update".to_owned(), "pt-PT".to_owned(), Some("2077".to_owned()));
    let id = template_id(&keys(), WorkspaceId(7), business_id.as_deref(), &name, &language);
    let (category, status, components) = (TemplateCategory::Utility, TemplateStatus::Approved, components.to_owned());
    let template = Box::new(NewTemplate { name, language, business_id, category, status, components });
    change(WorkspaceChange::PutTemplate { id, template })
}

fn text(text: &str) -> TemplateParameter {
    TemplateParameter::Text { name: None, text: text.to_owned() }
}

fn fills() -> Vec<TemplateFill> {
    let media = Media { link: Some("https://shop.example/a.png".to_owned()), ..Media::default() };
    let picture = TemplateParameter::Media { kind: MediaKind::Image, media };
    vec![
        TemplateFill { slot: TemplateSlot::Header, parameters: vec![picture] },
        TemplateFill { slot: TemplateSlot::Body, parameters: vec![text("Rui"), text("4411")] },
        TemplateFill {
            slot: TemplateSlot::Button { sub_type: "url".to_owned(), index: 1 },
            parameters: vec![text("4411")],
        },
    ]
}

#[test]
fn a_template_is_checked_before_it_is_sent() {
    let mut live = with_account();
    live.ask(4, put(COMPONENTS)).unwrap();
    let (_, template) = live.state.template_for(AccountId(5), "order_update", "pt_PT").expect("it is there");
    assert_eq!(template.may_send(&fills()), Ok(()));
    type Spoil = fn(&mut Vec<TemplateFill>);
    let spoiled: [(&str, Spoil); 6] = [
        ("content.fills.header", |fills| drop(fills.remove(0))),
        ("content.fills.body", |fills| drop(fills[1].parameters.pop())),
        ("content.fills.body", |fills| fills[1].parameters[0] = text("")),
        ("content.fills.button.1", |fills| drop(fills.pop())),
        ("content.fills.button.0", |fills| {
            fills[2].slot = TemplateSlot::Button { sub_type: "url".to_owned(), index: 0 }
        }),
        ("content.fills", |fills| fills.push(fills[1].clone())),
    ];
    for (wanted, spoil) in spoiled {
        let mut fills = fills();
        spoil(&mut fills);
        assert!(
            matches!(template.may_send(&fills), Err(Refusal::Invalid { field, .. }) if field == wanted),
            "{wanted}"
        );
    }
}

#[test]
fn named_parameters_are_asked_for_by_name() {
    let shape = TemplateShape::of_components(r#"[{"type":"BODY","text":"Hi {{first}}"}]"#).unwrap();
    let fill = |name: Option<&str>| {
        let parameters = vec![TemplateParameter::Text { name: name.map(str::to_owned), text: "x".to_owned() }];
        [TemplateFill { slot: TemplateSlot::Body, parameters }]
    };
    assert!(shape.check(&fill(Some("first"))).is_ok());
    assert!(shape.check(&fill(Some("last"))).is_err());
    assert!(shape.check(&fill(None)).is_err());
}

#[test]
fn quick_replies_are_few_short_and_plain() {
    let with = |texts: &[&str]| {
        let buttons: Vec<String> =
            texts.iter().map(|text| format!(r#"{{"type":"QUICK_REPLY","text":"{text}"}}"#)).collect();
        TemplateShape::of_components(&format!(r#"[{{"type":"BUTTONS","buttons":[{}]}}]"#, buttons.join(",")))
    };
    assert!(with(&["Sim", "Não", "Talvez"]).is_ok());
    for wrong in [&["a", "b", "c", "d"][..], &["a text of 21 letters."], &["Sim 👍"], &["{{1}}"], &[""]] {
        assert!(with(wrong).is_err(), "{wrong:?}");
    }
    assert!(TemplateShape::of_components("no").is_err());
}

#[test]
fn what_the_provider_says_of_a_template_stands_by_its_time() {
    let (name, language) = ("order_update".to_owned(), "pt_PT".to_owned());
    let status = |status, at| WorkspaceCommand::ApplyTemplateEvent {
        business_id: Some("2077".to_owned()),
        event: AccountEvent::TemplateStatusChanged {
            name: name.clone(),
            language: language.clone(),
            status,
            reason: None,
        },
        at: Timestamp(at),
    };
    let (approved, paused) = (TemplateStatus::Approved, TemplateStatus::Paused);
    for order in [[(paused, 10), (approved, 9)], [(approved, 9), (paused, 10)], [(approved, 10), (paused, 10)]] {
        let mut live = with_account();
        live.ask(4, put(COMPONENTS)).unwrap();
        for (said, at) in order {
            live.ask(20, status(said, at)).unwrap();
        }
        let (_, template) = live.state.template_for(AccountId(5), "order_update", "pt-PT").unwrap();
        assert_eq!(template.may_send(&fills()), Err(Refusal::TemplateNotSendable { status: "paused" }));
        live.ask(21, status(approved, 11)).unwrap();
        assert_eq!(live.state.templates.values().next().unwrap().status, (Timestamp(11), approved));
        live.assert_replays();
    }
}

#[test]
fn a_repeated_command_is_done_once_and_a_stale_one_not_at_all() {
    let mut live = begun();
    let label = |if_version, body| {
        let asked = Asked { author: ADMIN, if_version, key: Some(CommandKey { key: 1, body }) };
        let change = Box::new(WorkspaceChange::DefineLabel { id: LabelId(1), name: "VIP".to_owned() });
        WorkspaceCommand::Change { asked, change }
    };
    let version = live.state.version;
    assert!(matches!(live.ask(2, label(Some(version - 1), 1)), Err(Refusal::VersionMismatch { .. })));
    let done = live.ask(2, label(Some(version), 1)).unwrap();
    assert_eq!(done.answer, WorkspaceAnswer::Saved { version: live.state.version, repeated: false });
    assert!(live.ask(3, label(Some(version), 1)).unwrap().events.is_empty());
    assert_eq!(live.ask(3, label(None, 2)).err(), Some(Refusal::ClientIdReused));
}

#[test]
fn stored_bytes_stay() {
    let digest = TokenDigest([200; 32]);
    let member = Member {
        role: Role::TeamAdmin,
        teams: BTreeSet::from([TeamId(2)]),
        accounts: BTreeSet::new(),
        disabled: false,
        email: Some(3),
        tokens: Vec::new(),
    };
    let token = MemberToken { digest, issued_at: Timestamp(4), expires_at: None };
    let template = Template {
        name: "order_update".to_owned(),
        language: "pt_PT".to_owned(),
        business_id: None,
        category: (Timestamp(5), TemplateCategory::Utility),
        status: (Timestamp(5), TemplateStatus::Approved),
        quality: (Timestamp(0), Quality::Unknown),
        shape: TemplateShape::of_components(COMPONENTS).unwrap(),
    };
    let facts = vec![
        WorkspaceFact::Created(WorkspaceId(1)),
        WorkspaceFact::MemberAdded(MemberId(1), member.clone()),
        WorkspaceFact::MemberChanged(MemberId(1), member),
        WorkspaceFact::MemberRemoved(MemberId(1)),
        WorkspaceFact::TokenIssued(MemberId(1), token),
        WorkspaceFact::TokenRevoked(MemberId(1), digest),
        WorkspaceFact::TeamCreated(TeamId(2)),
        WorkspaceFact::ApiKeyAdded(ApiKeyId(3), BTreeSet::from(Scope::ALL), digest),
        WorkspaceFact::ApiKeyRevoked(ApiKeyId(3)),
        WorkspaceFact::AppRegistered(AppId(4), Channel::Line),
        WorkspaceFact::AppSecretsChanged(AppId(4), vec![2, 1]),
        WorkspaceFact::AccountConnected(AccountId(5), Account { display: None, ..account("1065") }),
        WorkspaceFact::AccountDisconnected(AccountId(5)),
        WorkspaceFact::TemplatePut(TemplateId(6), Box::new(template)),
        WorkspaceFact::TemplateChanged(TemplateId(6), TemplateNews::Status(TemplateStatus::Paused)),
        WorkspaceFact::TemplateChanged(TemplateId(6), TemplateNews::Quality(Quality::High)),
        WorkspaceFact::TemplateChanged(TemplateId(6), TemplateNews::Category(TemplateCategory::Marketing)),
        WorkspaceFact::PropertyDefined(PropertyId(7), PropertyType::Choice(vec!["gold".to_owned()])),
        WorkspaceFact::LabelDefined(LabelId(8)),
        WorkspaceFact::SettingsChanged(Settings::default()),
        WorkspaceFact::KeyUsed(CommandKey { key: 12, body: 13 }),
        WorkspaceFact::Renamed,
        WorkspaceFact::ListCreated(ListId(9)),
        WorkspaceFact::ListRenamed(ListId(9)),
        WorkspaceFact::ListRemoved(ListId(9)),
    ];
    let at = Timestamp(1_795_165_200_000);
    let events: Vec<WorkspaceEvent> =
        facts.into_iter().map(|what| WorkspaceEvent { at, author: ADMIN, what }).collect();
    check(include_str!("../../../tests/golden/workspace_events.txt"), &events);
}

use super::*;
use crate::domain::message::Channel::{Instagram, Line, LiveChat, Messenger, Sms, Telegram, Viber, WeChat, WhatsApp};
use proptest::prelude::*;

const HOUR: i64 = 3_600_000;
const SECOND: i64 = 1_000;
/// 2026-11-20T09:00:00Z.
const T0: Timestamp = Timestamp::from_seconds(1_795_165_200);
const OFF: Switches = Switches { human_agent: false, human_agent_on_instagram: false };
const ON: Switches = Switches { human_agent: true, human_agent_on_instagram: true };

fn after(ms: i64) -> Timestamp {
    Timestamp(T0.0 + ms)
}

fn opened() -> Window {
    let mut window = Window::default();
    window.open(T0);
    window
}

fn free(tag: Option<Tag>, by_person: bool) -> Sending {
    Sending { form: Form::Free, tag, by_person, waiting: 0 }
}

fn template(category: Category) -> Sending {
    Sending { form: Form::Template(category), tag: None, by_person: true, waiting: 0 }
}

#[test]
fn every_channel_has_one_profile_at_every_time() {
    for channel in Channel::ALL {
        for now in
            [Timestamp(i64::MIN), Timestamp(profiles::TAGS_REFUSED_SINCE.0 - 1), profiles::TAGS_REFUSED_SINCE, T0]
        {
            let in_force = profiles::PROFILES
                .iter()
                .filter(|profile| profile.channel == channel)
                .filter(|profile| profile.since <= now && profile.until.is_none_or(|until| now < until));
            assert_eq!(in_force.count(), 1, "{channel:?} at {now}");
        }
    }
    assert_eq!(profiles::TAGS_REFUSED_SINCE.to_string(), "2026-04-27T00:00:00.000Z");
}

#[test]
fn the_window_refuses_from_a_minute_before_its_end() {
    for (channel, hours) in [(WhatsApp, 24), (Instagram, 24), (Messenger, 24), (WeChat, 48)] {
        let last = hours * HOUR - 60 * SECOND - 1;
        assert!(opened().is_open(channel, MARGIN, after(last)), "{channel:?}");
        assert!(!opened().is_open(channel, MARGIN, after(last + 1)), "{channel:?}");
        assert_eq!(opened().closes_at(channel, T0), Some(after(hours * HOUR)));
        assert!(!Window::default().is_open(channel, MARGIN, T0));
    }
    for channel in [Line, Telegram, Viber, Sms, LiveChat] {
        assert!(Window::default().is_open(channel, MARGIN, T0), "{channel:?}");
        assert_eq!(opened().closes_at(channel, T0), None);
    }
}

#[test]
fn a_refusal_says_when_it_closed_and_what_may_be_sent_instead() {
    let late = after(25 * HOUR);
    let cases = [
        (WhatsApp, OFF, vec![Instead::Template]),
        (Instagram, OFF, vec![Instead::Wait]),
        (Instagram, ON, vec![Instead::Tag]),
        (Messenger, OFF, vec![Instead::Template]),
        (Messenger, ON, vec![Instead::Template, Instead::Tag]),
    ];
    for (channel, switches, instead) in cases {
        let refused = opened().judge(channel, free(None, true), switches, MARGIN, late);
        assert_eq!(refused, Err(Refusal::WindowClosed { closed_at: Some(after(24 * HOUR)), instead }), "{channel:?}");
    }
    assert_eq!(
        opened().judge(WeChat, free(None, true), OFF, MARGIN, after(49 * HOUR)),
        Err(Refusal::WindowClosed { closed_at: Some(after(48 * HOUR)), instead: vec![Instead::MassMessage] })
    );
    assert_eq!(
        Window::default().judge(WhatsApp, free(None, true), OFF, MARGIN, T0),
        Err(Refusal::WindowClosed { closed_at: None, instead: vec![Instead::Template] })
    );
}

#[test]
fn templates_leave_outside_where_the_channel_has_them() {
    let late = after(25 * HOUR);
    let outside = |channel, category| opened().judge(channel, template(category), OFF, MARGIN, late);
    assert_eq!(outside(WhatsApp, Category::Marketing), Ok(Standing::Outside));
    assert_eq!(outside(Messenger, Category::Utility), Ok(Standing::Outside));
    assert!(outside(Messenger, Category::Marketing).is_err());
    assert!(outside(Instagram, Category::Utility).is_err());
    assert_eq!(opened().judge(WhatsApp, template(Category::Utility), OFF, MARGIN, T0), Ok(Standing::Inside));
}

#[test]
fn three_tags_died_on_27_april_2026() {
    for tag in [Tag::ConfirmedEventUpdate, Tag::PostPurchaseUpdate, Tag::AccountUpdate] {
        let before = Timestamp(profiles::TAGS_REFUSED_SINCE.0 - 1);
        let judged = |now| Window::default().judge(Messenger, free(Some(tag), false), OFF, MARGIN, now);
        assert_eq!(judged(before), Ok(Standing::Outside));
        assert!(matches!(judged(T0), Err(Refusal::Invalid { why, .. }) if why.contains("27 April 2026")));
    }
}

#[test]
fn the_human_agent_tag_is_for_people_and_switched_on_for_seven_days() {
    let tagged = |person| free(Some(Tag::HumanAgent), person);
    let days = |days: i64| after(days * 24 * HOUR - 61 * SECOND);
    assert_eq!(opened().judge(Messenger, tagged(true), ON, MARGIN, days(7)), Ok(Standing::Outside));
    assert!(opened().judge(Messenger, tagged(true), ON, MARGIN, days(8)).is_err());
    assert!(opened().judge(Messenger, tagged(true), OFF, MARGIN, days(3)).is_err());
    assert!(matches!(opened().judge(Messenger, tagged(false), ON, MARGIN, days(3)), Err(Refusal::Forbidden { .. })));
    assert!(opened().judge(Instagram, tagged(true), OFF, MARGIN, days(3)).is_err());
    assert_eq!(opened().judge(Instagram, tagged(true), ON, MARGIN, days(3)), Ok(Standing::Outside));
    assert!(opened().judge(WhatsApp, tagged(true), ON, MARGIN, days(3)).is_err());
}

#[test]
fn wechat_allows_five_replies_to_each_message() {
    let mut window = opened();
    window.replies = 3;
    let judged =
        |window: &Window, waiting| window.judge(WeChat, Sending { waiting, ..free(None, true) }, OFF, MARGIN, T0);
    assert_eq!(judged(&window, 1), Ok(Standing::Inside));
    assert!(matches!(judged(&window, 2), Err(Refusal::TooMany { allowed: 5, .. })));
    window.open(after(1));
    assert_eq!(judged(&window, 4), Ok(Standing::Inside));
}

#[test]
fn the_providers_window_error_closes_ours_until_the_customer_writes_again() {
    let mut window = opened();
    window.shut(after(HOUR));
    assert!(!window.is_open(WhatsApp, MARGIN, after(HOUR)));
    assert_eq!(window.closes_at(WhatsApp, after(HOUR)), Some(after(HOUR)));
    window.open(after(2 * HOUR));
    window.shut(after(HOUR));
    assert!(window.is_open(WhatsApp, MARGIN, after(2 * HOUR)));
}

#[test]
fn times_ahead_of_ours_are_clamped() {
    assert_eq!(clamped(after(HOUR), T0), T0 + SKEW_MAX);
    assert_eq!(clamped(after(-HOUR), T0), after(-HOUR));
    assert_eq!(clamped(after(2_000), T0), after(2_000));
}

proptest! {
    #[test]
    fn any_order_of_openings_and_errors_ends_the_same_and_the_end_never_moves_back(
        steps in prop::collection::vec((any::<bool>(), -50_i64..50), 1..10),
        seed in any::<u64>(),
    ) {
        let take = |window: &mut Window, (opens, hours): (bool, i64)| {
            if opens { window.open(after(hours * HOUR)) } else { window.shut(after(hours * HOUR)) }
        };
        let mut window = Window::default();
        for step in &steps {
            let before = window.opened_at;
            take(&mut window, *step);
            prop_assert!(window.opened_at >= before);
        }
        let mut other = Window::default();
        let mut shuffled = steps.clone();
        shuffled.sort_by_key(|(opens, hours)| seed.wrapping_mul((*hours as u64).wrapping_mul(2).wrapping_add(u64::from(*opens) + 3)));
        for step in shuffled.iter().chain(&steps) {
            take(&mut other, *step);
        }
        prop_assert_eq!(window, other);
    }
}

//! Meta's error codes, what we do about each, and a sentence in our words (`channels.md` §1.8).

use crate::domain::outbound::{ErrorClass, Failure};

/// The failure with this code. `http` is the status of the answer that carried it, if one did:
/// it decides for codes that the table does not know.
pub(super) fn failure(code: i64, http: Option<u16>) -> Failure {
    let (class, sentence) = known(code).unwrap_or_else(|| by_status(http));
    Failure { code, class, sentence: sentence.to_owned() }
}

/// The failure of an answer, or a receipt, that gives no code.
pub(super) fn failure_without_code(http: Option<u16>) -> Failure {
    let (class, sentence) = by_status(http);
    Failure { code: 0, class, sentence: sentence.to_owned() }
}

fn by_status(http: Option<u16>) -> (ErrorClass, &'static str) {
    match http {
        Some(401 | 403) => (ErrorClass::Auth, "WhatsApp did not accept the access token."),
        Some(408) => (ErrorClass::Retry, "WhatsApp gave up waiting for the request."),
        // The status tells that somebody is too fast, not who: slowing the number is the narrowest that helps.
        Some(429) => (ErrorClass::RateNumber, "WhatsApp asks to slow down."),
        Some(500..=599) => (ErrorClass::Retry, "WhatsApp had an error of its own."),
        _ => (ErrorClass::Content, "WhatsApp refused the message without a reason that is known here."),
    }
}

fn known(code: i64) -> Option<(ErrorClass, &'static str)> {
    use ErrorClass::{
        Account, Auth, Cap, Content, OptOut, Quota, RateAccount, RateNumber, RatePair, Retry, Template, Unreachable,
        Window,
    };
    Some(match code {
        0 | 190 => (Auth, "The access token is invalid or has expired."),
        3 | 10 | 200..=299 | 131_005 => (Auth, "The access token lacks a permission."),
        1 | 131_000 | 135_000 => (Retry, "WhatsApp had an error that it does not explain."),
        2 | 131_016 | 133_004 => (Retry, "WhatsApp is temporarily unavailable."),
        131_057 => (Retry, "The number is in maintenance for some minutes."),
        4 => (RateAccount, "The app made too many calls."),
        80_007 => (RateAccount, "The business account made too many calls."),
        133_016 => (RateAccount, "The number was registered or deregistered too often."),
        130_429 => (RateNumber, "The number sent more messages a second than WhatsApp allows."),
        131_048 => (RateNumber, "Too many people blocked or reported the number, so WhatsApp limits it."),
        131_056 => (RatePair, "Too many messages went to this person in a short time."),
        131_064 => (Quota, "The account is limited because templates were filed under a wrong category."),
        131_047 => (Window, "More than 24 hours have passed since the customer's last message."),
        131_026 => (Unreachable, "The message cannot be delivered to this person."),
        130_403 => (OptOut, "The person has blocked the business."),
        131_050 => (OptOut, "The person has stopped marketing messages of the business."),
        131_049 => (Cap, "WhatsApp held the message back to keep marketing bearable for this person."),
        130_472 => (Cap, "The person takes part in an experiment of WhatsApp's and gets no marketing."),
        131_030 => (Account, "The person is not on the test number's list of recipients."),
        131_037 => (Account, "The number's display name is not approved."),
        131_045 | 133_010 => (Account, "The number is not registered."),
        131_031 => (Account, "The business account is locked."),
        368 => (Account, "The business account is blocked for a violation of policy."),
        130_497 => (Account, "The business account may not message people in this country."),
        131_042 => (Account, "There is a problem with the business account's payment."),
        33 => (Content, "WhatsApp does not know the phone number id."),
        100 | 131_008 | 131_009 => (Content, "A part of the message is missing or wrong."),
        131_021 => (Content, "The message was addressed to the number itself."),
        131_051 => (Content, "WhatsApp does not carry this kind of message."),
        131_052 => (Content, "The customer's media could not be fetched."),
        131_053 => (Content, "The media could not be taken over."),
        131_062 => (Content, "This kind of message needs the person's phone number."),
        131_063 => (Content, "This template goes by the marketing interface only."),
        132_000 => (Content, "The number of parameters differs from the template's."),
        132_005 => (Content, "The filled-in template is too long."),
        132_012 => (Content, "A parameter does not have the form that the template wants."),
        134_011 => (Content, "The terms of WhatsApp's payments are not accepted."),
        137_000 => (Content, "The person's identity has changed and must be confirmed first."),
        132_001 => (Template, "The template does not exist in this language."),
        132_007 => (Template, "The template violates a policy."),
        132_015 => (Template, "The template is paused for its quality."),
        132_016 => (Template, "The template was disabled for its quality."),
        132_068 | 132_069 => (Template, "The flow of the template is blocked or throttled."),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_decides_before_the_status() {
        let cases = [
            (190, Some(401), ErrorClass::Auth),
            (0, Some(401), ErrorClass::Auth),
            (250, Some(403), ErrorClass::Auth),
            (131_000, Some(500), ErrorClass::Retry),
            (4, Some(429), ErrorClass::RateAccount),
            (130_429, Some(400), ErrorClass::RateNumber),
            (131_048, Some(400), ErrorClass::RateNumber),
            (131_056, Some(400), ErrorClass::RatePair),
            (131_064, Some(400), ErrorClass::Quota),
            (131_047, None, ErrorClass::Window),
            (131_026, None, ErrorClass::Unreachable),
            (131_050, None, ErrorClass::OptOut),
            (131_049, None, ErrorClass::Cap),
            (131_042, Some(400), ErrorClass::Account),
            (100, Some(500), ErrorClass::Content),
            (132_015, None, ErrorClass::Template),
            (999_999, Some(400), ErrorClass::Content),
            (999_999, Some(429), ErrorClass::RateNumber),
            (999_999, Some(503), ErrorClass::Retry),
            (999_999, None, ErrorClass::Content),
        ];
        for (code, http, class) in cases {
            let failure = failure(code, http);
            assert_eq!((failure.code, failure.class), (code, class), "{code} {http:?}");
            assert!(failure.sentence.ends_with('.'), "{code}");
        }
    }
}

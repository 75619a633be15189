//! What may have become of a message of ours, by what the provider did with the calls of it.

use crate::run::collect::Call;

/// How a message may be shown whose end nobody knows.
const DOUBT: [&str; 2] = ["in_doubt", "unconfirmed"];
/// Codes of refusals that say to come back: of limits, of a token that is dead, of the provider's own errors.
const COME_BACK: [u32; 9] = [0, 4, 190, 130_429, 131_056, 2, 502, 503, 131_000];
/// Those of them that are errors of the provider's own, after which a message may have left.
const UNCLEAR: [u32; 4] = [2, 502, 503, 131_000];

/// Every status that a message may have to which these calls were made. `troubled`: the server was ended meanwhile, so
/// that it need not know how a call ended, and may be in doubt about one that it never made.
pub(super) fn may_be(calls: &[&Call], troubled: bool) -> Vec<&'static str> {
    let reached = || calls.iter().filter(|call| call.reached());
    let mut words = Vec::new();
    if reached().next().is_none() {
        if calls.iter().any(|call| refused(call).is_some_and(|code| !COME_BACK.contains(&code))) {
            words.push("failed");
        }
        if troubled || calls.iter().any(|call| refused(call).is_some_and(|code| UNCLEAR.contains(&code))) {
            words.extend(DOUBT);
        }
        return words;
    }
    let told = |word: &&str| {
        reached().flat_map(|call| &call.receipts).any(|receipt| receipt.status == **word && receipt.taken > 0)
    };
    if let Some(word) = ["read", "delivered", "failed", "sent"].iter().find(|word| told(word)) {
        words.push(*word);
        return words;
    }
    let answered = reached().any(|call| call.verdict == "accepted");
    if answered {
        words.push("accepted");
    }
    if troubled || !answered {
        words.extend(DOUBT);
    }
    words
}

/// What a message should be instead of what it is shown as; none where that may be.
pub(super) fn differs(shown: &str, may_be: &[&str]) -> Option<String> {
    match may_be {
        words if words.contains(&shown) => None,
        [] => Some(format!("is shown as `{shown}`, of which the provider's ledger has no cause")),
        words => Some(format!("is shown as `{shown}` and should be `{}`", words.join("` or `"))),
    }
}

/// The code of a call that was refused.
fn refused(call: &Call) -> Option<u32> {
    (call.verdict == "refused").then(|| call.code.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::collect::Receipt;

    fn call(verdict: &str, code: u32, receipts: &[(&str, u32)]) -> Call {
        let receipt = |(status, taken): &(&str, u32)| Receipt { status: (*status).into(), taken: *taken };
        let code = (code != 0).then_some(code);
        Call { verdict: verdict.into(), code, receipts: receipts.iter().map(receipt).collect(), ..Call::default() }
    }

    #[test]
    fn the_ledger_decides() {
        let told = |receipts: &[(&str, u32)]| vec![call("accepted", 0, receipts)];
        let refused = |codes: &[u32]| codes.iter().map(|code| call("refused", *code, &[])).collect::<Vec<_>>();
        let cases: [(Vec<Call>, bool, &[&str]); 13] = [
            (told(&[("sent", 1), ("read", 1)]), false, &["read"]),
            (told(&[("sent", 1), ("delivered", 1), ("read", 0)]), true, &["delivered"]),
            (told(&[("failed", 1)]), false, &["failed"]),
            (told(&[("sent", 2)]), false, &["sent"]),
            (told(&[]), false, &["accepted"]),
            (told(&[("sent", 0)]), true, &["accepted", "in_doubt", "unconfirmed"]),
            (vec![call("silent", 0, &[])], false, &["in_doubt", "unconfirmed"]),
            (vec![call("silent", 0, &[("delivered", 1)])], false, &["delivered"]),
            (refused(&[130_429, 131_056, 4]), false, &[]),
            (refused(&[130_429, 502]), false, &["in_doubt", "unconfirmed"]),
            (refused(&[131_000, 132_001]), false, &["failed", "in_doubt", "unconfirmed"]),
            (vec![], false, &[]),
            (vec![], true, &["in_doubt", "unconfirmed"]),
        ];
        for (calls, troubled, expected) in cases {
            assert_eq!(may_be(&calls.iter().collect::<Vec<_>>(), troubled), expected, "{calls:?}");
        }
    }

    #[test]
    fn a_difference_is_told_in_words() {
        assert_eq!(differs("read", &["sent", "read"]), None);
        assert!(differs("read", &["sent"]).unwrap().contains("should be `sent`"));
        assert!(differs("failed", &[]).unwrap().contains("no cause"));
    }
}

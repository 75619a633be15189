//! Who asks: Meta's handshake, and its signature over the raw bytes of a body (`channels.md` §1.2).

use hmac::{Hmac, Mac};
use sha2::Sha256;
use subtle::{Choice, ConstantTimeEq};

use crate::channels::Unverified;
use crate::domain::secret::Secret;

/// The header that carries the signature, in lower case.
pub const SIGNATURE_HEADER: &str = "x-hub-signature-256";

/// What a challenge is at most, in characters. Meta sends about ten digits.
const CHALLENGE_MAX: usize = 256;

/// Answers `GET ?hub.mode=subscribe&hub.verify_token=…&hub.challenge=…` with the bare challenge.
///
/// During a change several verify tokens may hold at once.
///
/// # Errors
/// [`Unverified::Missing`] without mode, token or challenge; [`Unverified::Malformed`] if the
/// challenge is not a plain word; [`Unverified::Mismatch`] if the token is none of ours.
pub fn handshake(query: &str, verify_tokens: &[Secret<String>]) -> Result<String, Unverified> {
    let (mut mode, mut token, mut challenge) = (None, None, None);
    for pair in query.split('&') {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let slot = match decode(name).as_slice() {
            b"hub.mode" => &mut mode,
            b"hub.verify_token" => &mut token,
            b"hub.challenge" => &mut challenge,
            _ => continue,
        };
        if slot.replace(decode(value)).is_some() {
            return Err(Unverified::Malformed);
        }
    }
    let (Some(mode), Some(token), Some(challenge)) = (mode, token, challenge) else {
        return Err(Unverified::Missing);
    };
    let known = verify_tokens.iter().filter(|known| !known.expose().is_empty());
    let matches = known.fold(Choice::from(0), |found, known| found | known.expose().as_bytes().ct_eq(&token));
    if mode != b"subscribe" || !bool::from(matches) {
        return Err(Unverified::Mismatch);
    }
    // It is sent back as it came, so it must not be able to be anything but a word.
    let plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"-_.~".contains(byte);
    if challenge.is_empty() || challenge.len() > CHALLENGE_MAX || !challenge.iter().all(plain) {
        return Err(Unverified::Malformed);
    }
    String::from_utf8(challenge).map_err(|_| Unverified::Malformed)
}

/// Checks `X-Hub-Signature-256: sha256=<64 lower-case hex digits>` over the raw body, in constant
/// time. Every secret is tried, so that two hold while one is exchanged for the other.
///
/// # Errors
/// [`Unverified::Missing`] without a header, [`Unverified::Malformed`] if it is not of that form,
/// [`Unverified::Mismatch`] if no secret made it.
pub fn signature(header: Option<&[u8]>, body: &[u8], secrets: &[Secret<String>]) -> Result<(), Unverified> {
    let header = header.ok_or(Unverified::Missing)?;
    let given = header.strip_prefix(b"sha256=").ok_or(Unverified::Malformed)?;
    let digit = |byte: &u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(byte);
    if given.len() != 64 || !given.iter().all(digit) {
        return Err(Unverified::Malformed);
    }
    let mut expected = [0; 64];
    let mut found = Choice::from(0);
    for secret in secrets.iter().filter(|secret| !secret.expose().is_empty()) {
        let mut mac = Hmac::<Sha256>::new_from_slice(secret.expose().as_bytes()).map_err(|_| Unverified::Mismatch)?;
        mac.update(body);
        hex::encode_to_slice(mac.finalize().into_bytes(), &mut expected).map_err(|_| Unverified::Mismatch)?;
        found |= expected.ct_eq(given);
    }
    if bool::from(found) { Ok(()) } else { Err(Unverified::Mismatch) }
}

/// The bytes that a part of a query means. A broken escape stays as it is.
fn decode(text: &str) -> Vec<u8> {
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        let escaped = bytes.get(at + 1..at + 3).filter(|_| byte == b'%').and_then(|digits| hex::decode(digits).ok());
        match (byte, escaped) {
            (_, Some(decoded)) => {
                out.extend(decoded);
                at += 2;
            }
            (b'+', None) => out.push(b' '),
            (other, None) => out.push(other),
        }
        at += 1;
    }
    out
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn secrets(all: &[&str]) -> Vec<Secret<String>> {
        all.iter().map(|secret| Secret::new((*secret).to_owned())).collect()
    }

    #[test]
    fn the_handshake_gives_the_challenge_back() {
        let known = secrets(&["old token", "new+token"]);
        for token in ["old%20token", "old+token", "new%2Btoken"] {
            let query = format!("hub.mode=subscribe&hub.challenge=1158201444&hub.verify_token={token}&x");
            assert_eq!(handshake(&query, &known).as_deref(), Ok("1158201444"), "{token}");
        }
    }

    #[test]
    fn the_handshake_refuses_strangers() {
        let known = secrets(&["t", ""]);
        let cases = [
            ("", Unverified::Missing),
            ("hub.mode=subscribe&hub.verify_token=t", Unverified::Missing),
            ("hub.mode=subscribe&hub.verify_token=x&hub.challenge=1", Unverified::Mismatch),
            ("hub.mode=subscribe&hub.verify_token=&hub.challenge=1", Unverified::Mismatch),
            ("hub.mode=unsubscribe&hub.verify_token=t&hub.challenge=1", Unverified::Mismatch),
            ("hub.mode=subscribe&hub.verify_token=t&hub.challenge=%3Cscript%3E", Unverified::Malformed),
            ("hub.mode=subscribe&hub.verify_token=t&hub.challenge=", Unverified::Malformed),
            ("hub.mode=subscribe&hub.verify_token=x&hub.verify_token=t&hub.challenge=1", Unverified::Malformed),
        ];
        for (query, error) in cases {
            assert_eq!(handshake(query, &known), Err(error), "{query}");
        }
    }

    #[test]
    fn a_signature_holds_for_its_bytes_and_secrets_only() {
        // RFC 4231, test case 2.
        let good = b"sha256=5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843".as_slice();
        let body = b"what do ya want for nothing?".as_slice();
        assert_eq!(signature(Some(good), body, &secrets(&["Jefe"])), Ok(()));
        assert_eq!(signature(Some(good), body, &secrets(&["new", "Jefe"])), Ok(()));
        assert_eq!(signature(Some(good), body, &secrets(&["Jefe", "new"])), Ok(()));
        assert_eq!(signature(Some(good), body, &secrets(&["new"])), Err(Unverified::Mismatch));
        assert_eq!(signature(Some(good), body, &[]), Err(Unverified::Mismatch));
        assert_eq!(signature(Some(good), b"what do ya want?", &secrets(&["Jefe"])), Err(Unverified::Mismatch));
        assert_eq!(signature(None, body, &secrets(&["Jefe"])), Err(Unverified::Missing));
        let upper = [b"sha256=", good[7..].to_ascii_uppercase().as_slice()].concat();
        for malformed in [&upper[..], &good[..70], &good[7..], b"sha1=00", b"", &[good, b"0"].concat()] {
            assert_eq!(signature(Some(malformed), body, &secrets(&["Jefe"])), Err(Unverified::Malformed));
        }
    }

    #[test]
    fn an_empty_secret_is_no_secret() {
        let mut mac = Hmac::<Sha256>::new_from_slice(b"").unwrap();
        mac.update(b"body");
        let header = format!("sha256={}", hex::encode(mac.finalize().into_bytes()));
        assert_eq!(signature(Some(header.as_bytes()), b"body", &secrets(&[""])), Err(Unverified::Mismatch));
    }

    proptest! {
        #[test]
        fn nothing_makes_them_panic(query in ".*", header in any::<Vec<u8>>(), body in any::<Vec<u8>>()) {
            prop_assert!(handshake(&query, &secrets(&["t"])).is_err());
            prop_assert!(signature(Some(&header), &body, &secrets(&["t"])).is_err());
        }
    }
}

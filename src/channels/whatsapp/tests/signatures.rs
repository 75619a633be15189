//! Every fixture of Meta's carries the signature of its bytes, and of no others.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::below_tests;
use crate::channels::Unverified;
use crate::channels::whatsapp::verify::signature;
use crate::domain::secret::Secret;

#[derive(Deserialize)]
struct Signatures {
    test_secrets: BTreeMap<String, String>,
    files: BTreeMap<String, Signed>,
}

#[derive(Deserialize)]
struct Signed {
    #[serde(default)]
    headers: BTreeMap<String, String>,
}

#[test]
fn genuine_bodies_pass_and_others_fail() {
    let folder = below_tests("fixtures/webhooks");
    let known: Signatures = serde_json::from_slice(&std::fs::read(folder.join("signatures.json")).unwrap()).unwrap();
    let secret = |text: &str| Secret::new(text.to_owned());
    let ours = [secret("the next one"), secret(&known.test_secrets["meta_app_secret"])];
    let mut count = 0;
    for (name, signed) in &known.files {
        let Some(header) = signed.headers.get("X-Hub-Signature-256") else {
            continue;
        };
        count += 1;
        let body = std::fs::read(folder.join(name)).unwrap();
        let check = |header: &str, body: &[u8]| signature(Some(header.as_bytes()), body, &ours);
        assert_eq!(check(header, &body), Ok(()), "{name}");
        let mut flipped = body.clone();
        flipped[body.len() / 2] ^= 1;
        assert_eq!(check(header, &flipped), Err(Unverified::Mismatch), "{name}");
        assert_eq!(check(&header.to_ascii_uppercase(), &body), Err(Unverified::Malformed), "{name}");
        assert_eq!(signature(Some(header.as_bytes()), &body, &ours[..1]), Err(Unverified::Mismatch), "{name}");
        let value: serde_json::Value = serde_json::from_slice(&body).unwrap();
        let rewritten = serde_json::to_vec(&value).unwrap();
        assert_eq!(check(header, &rewritten), Err(Unverified::Mismatch), "{name}");
    }
    assert!(count > 80, "{count}");
}

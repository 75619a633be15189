//! STOP and START: what a customer says to end or resume marketing, per language.
//!
//! Only the whole message counts, normalised: letters and digits in lower case, accents of the listed
//! words as people type them, everything else a single space. STOP inside a sentence is a sentence.

use serde::{Deserialize, Serialize};

use super::message::MessageContent;
use super::time::Timestamp;

/// The topic that everybody has.
pub const MARKETING: &str = "marketing";

/// The longest message, in characters, that can be a keyword.
const KEYWORD_CHARS_MAX: usize = 40;

/// Words that withdraw consent, by language.
pub const STOP_WORDS: &[(&str, &[&str])] = &[
    (
        "en",
        &[
            "stop",
            "stopall",
            "stop all",
            "unsubscribe",
            "opt out",
            "optout",
            "stop promotions",
            "cancel",
            "end",
            "quit",
        ],
    ),
    ("pt", &["parar", "pare", "cancelar", "sair", "descadastrar", "remover", "parar promoções", "parar promocoes"]),
    ("es", &["parar", "alto", "baja", "cancelar", "detener", "darse de baja", "detener promociones"]),
    ("fr", &["arret", "arrêt", "arrêter", "arreter", "stop pub", "désabonner", "desabonner", "se désabonner"]),
    ("de", &["stopp", "abmelden", "abbestellen", "austragen"]),
    ("it", &["ferma", "fermare", "annulla", "disiscrivi", "cancella"]),
    ("nl", &["stoppen", "afmelden", "uitschrijven"]),
    ("pl", &["rezygnuję", "rezygnuje", "wypisz"]),
    ("ru", &["стоп", "отписаться", "отписка"]),
    ("bg", &["спри", "отпиши"]),
    ("uk", &["відписатися"]),
    ("tr", &["dur", "iptal", "durdur", "abonelikten çık", "abonelikten cik"]),
    ("ar", &["إيقاف", "ايقاف", "توقف", "إلغاء الاشتراك", "الغاء الاشتراك"]),
    ("he", &["הסר", "הפסק", "עצור"]),
    ("hi", &["रोकें", "बंद करें"]),
    ("id", &["berhenti", "hentikan"]),
    ("vi", &["dừng", "dung", "hủy", "huy"]),
    ("th", &["หยุด", "ยกเลิก"]),
    ("zh", &["停止", "退订", "退訂", "取消订阅", "取消訂閱"]),
    ("ja", &["停止", "配信停止", "ストップ", "解除"]),
    ("ko", &["중지", "수신거부", "그만"]),
];

/// Words that give consent again, by language.
pub const START_WORDS: &[(&str, &[&str])] = &[
    ("en", &["start", "unstop", "subscribe", "opt in", "optin", "resume promotions"]),
    ("pt", &["iniciar", "começar", "comecar", "voltar", "retomar"]),
    ("es", &["iniciar", "comenzar", "alta", "empezar"]),
    ("fr", &["démarrer", "demarrer", "commencer", "reprendre"]),
    ("de", &["starten", "anmelden"]),
    ("it", &["inizia", "iscrivi", "avvia"]),
    ("nl", &["starten", "aanmelden"]),
    ("ru", &["старт", "подписаться"]),
    ("tr", &["başla", "basla"]),
    ("ar", &["ابدأ", "اشترك"]),
    ("zh", &["开始", "開始", "订阅", "訂閱"]),
    ("ja", &["開始", "再開"]),
    ("ko", &["시작"]),
];

/// What the customer said last about marketing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Consent {
    /// Opted out.
    pub withdrawn: bool,
    /// When, by the provider's clock.
    pub at: Timestamp,
}

impl Consent {
    /// Whether this replaces `earlier`: the later one does, and an opt-out wins a tie.
    #[must_use]
    pub fn replaces(self, earlier: Option<Self>) -> bool {
        earlier.is_none_or(|earlier| (self.at, self.withdrawn) > (earlier.at, earlier.withdrawn))
    }
}

/// What a customer's message says about marketing: `Some(true)` withdraws consent, `Some(false)` gives it.
#[must_use]
pub fn said_by(content: &MessageContent) -> Option<bool> {
    match content {
        MessageContent::Text { body } => keyword(body),
        // A tap on an opt-out button of a template or an interactive message says what the button says.
        MessageContent::Choice { id, title, .. } => keyword(title).or_else(|| keyword(id)),
        _ => None,
    }
}

/// What a whole text says about marketing.
#[must_use]
pub fn keyword(text: &str) -> Option<bool> {
    let normal = normalised(text)?;
    let among = |lists: &[(&str, &[&str])]| lists.iter().any(|(_, words)| words.contains(&normal.as_str()));
    if among(STOP_WORDS) {
        Some(true)
    } else if among(START_WORDS) {
        Some(false)
    } else {
        None
    }
}

/// Letters, marks and digits in lower case, with single spaces between; none if it is too long to be a keyword.
fn normalised(text: &str) -> Option<String> {
    let mut normal = String::new();
    let mut chars = 0;
    let mut gap = false;
    for letter in text.chars() {
        chars += 1;
        if chars > KEYWORD_CHARS_MAX {
            return None;
        }
        if is_word_part(letter) {
            if gap && !normal.is_empty() {
                normal.push(' ');
            }
            gap = false;
            // A Turkish capital dotted i becomes two characters in lower case.
            normal.extend(unwidened(letter).to_lowercase().filter(|part| *part != '\u{307}'));
        } else if !is_invisible(letter) {
            gap = true;
        }
    }
    Some(normal)
}

/// Full-width Latin letters, which Asian keyboards type, as plain ones.
fn unwidened(letter: char) -> char {
    match letter {
        '\u{ff01}'..='\u{ff5e}' => char::from_u32(u32::from(letter) - 0xfee0).unwrap_or(letter),
        other => other,
    }
}

fn is_word_part(letter: char) -> bool {
    // Vowel signs and viramas of Indic and Thai script are no letters to `char`, yet parts of words.
    letter.is_alphanumeric()
        || matches!(letter, '\u{0300}'..='\u{036f}' | '\u{0900}'..='\u{097f}' | '\u{0e31}'..='\u{0e4e}')
}

fn is_invisible(letter: char) -> bool {
    matches!(letter, '\u{200b}'..='\u{200f}' | '\u{feff}' | '\u{fe0f}' | '\u{2060}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stop_and_start_count_as_whole_messages_only() {
        let cases = [
            ("STOP", Some(true)),
            ("İptal", Some(true)),
            ("  stop!! ", Some(true)),
            ("Stop.", Some(true)),
            ("“Stop”", Some(true)),
            ("stop\u{200b}", Some(true)),
            ("Opt-Out", Some(true)),
            ("ＳＴＯＰ", Some(true)),
            ("PARAR", Some(true)),
            ("Désabonner", Some(true)),
            ("СТОП", Some(true)),
            ("退订", Some(true)),
            ("रोकें", Some(true)),
            ("Stop promotions", Some(true)),
            ("start", Some(false)),
            ("UNSTOP", Some(false)),
            ("Please stop sending me these", None),
            ("non-stop", None),
            ("Don't stop", None),
            ("the bus stop", None),
            ("stop stop stop please, this is a sentence that goes on", None),
            ("", None),
            ("!!!", None),
            ("yes", None),
        ];
        for (text, expected) in cases {
            assert_eq!(keyword(text), expected, "{text:?}");
        }
    }

    #[test]
    fn every_listed_word_is_found_and_none_is_in_both_lists() {
        for (language, words) in STOP_WORDS {
            for word in *words {
                assert_eq!(keyword(word), Some(true), "{language} {word}");
            }
        }
        for (language, words) in START_WORDS {
            for word in *words {
                assert_eq!(keyword(&word.to_uppercase()), Some(false), "{language} {word}");
            }
        }
    }

    #[test]
    fn a_tap_says_what_the_button_says() {
        let tap = |id: &str, title: &str| {
            said_by(&MessageContent::Choice { id: id.into(), title: title.into(), detail: None })
        };
        assert_eq!(tap("STOP_PROMO", "Stop promotions"), Some(true));
        assert_eq!(tap("STOP", "No more of these, thanks"), Some(true));
        assert_eq!(tap("yes", "Yes"), None);
    }

    #[test]
    fn the_later_word_counts_and_an_opt_out_wins_a_tie() {
        let said = |withdrawn, at| Consent { withdrawn, at: Timestamp(at) };
        assert!(said(true, 5).replaces(Some(said(false, 5))));
        assert!(!said(false, 5).replaces(Some(said(true, 5))));
        assert!(said(false, 6).replaces(Some(said(true, 5))));
        assert!(!said(true, 4).replaces(Some(said(false, 5))));
    }
}

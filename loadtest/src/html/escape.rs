//! Text that others wrote, in a page.

/// The text as it may stand in an element and in a quoted attribute; control characters become U+FFFD.
pub(super) fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len() + text.len() / 8);
    for letter in text.chars() {
        match letter {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            '\n' | '\t' => safe.push(letter),
            '\u{FFFE}' | '\u{FFFF}' => safe.push('\u{FFFD}'),
            letter if letter.is_control() => safe.push('\u{FFFD}'),
            letter => safe.push(letter),
        }
    }
    safe
}

/// The same for names: they may break after an underscore, a dot or a slash, so that long ones fit a narrow column.
pub(super) fn name(text: &str) -> String {
    // The slash first: the tags that are put in have one.
    escaped(text)
        .replace('/', "/<wbr/>")
        .replace('_', "_<wbr/>")
        .replace('.', ".<wbr/>")
        .replace("per_<wbr/>s", "per_s")
}

/// The same for sentences: what stands between two backticks is code.
pub(super) fn sentence(text: &str) -> String {
    let text = escaped(text);
    let parts: Vec<&str> = text.split('`').collect();
    // A backtick without its second is one.
    let paired = parts.len() - usize::from(parts.len().is_multiple_of(2));
    let mut whole = String::with_capacity(text.len() + 16);
    for (number, part) in parts.iter().enumerate() {
        match number {
            0 => whole.push_str(part),
            number if number >= paired => whole.extend(["`", part]),
            number if number % 2 == 1 => whole.extend(["<code>", part, "</code>"]),
            _ => whole.push_str(part),
        }
    }
    whole
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn markup_and_control_characters_are_text() {
        assert_eq!(escaped("<a href=\"x\">'&\u{1b}\n"), "&lt;a href=&quot;x&quot;&gt;&#39;&amp;\u{FFFD}\n");
        assert_eq!(name("a_b.c/d<"), "a_<wbr/>b.<wbr/>c/<wbr/>d&lt;");
    }

    #[test]
    fn what_is_between_backticks_is_code() {
        for (text, expected) in [
            ("the rule `a<b` of `c`", "the rule <code>a&lt;b</code> of <code>c</code>"),
            ("a `b` c `d", "a <code>b</code> c `d"),
            ("`", "`"),
            ("none", "none"),
        ] {
            assert_eq!(sentence(text), expected);
        }
    }
}

//! Texts with variables: `Hello {{first_name|there}}`, compiled once for a broadcast and filled for each recipient.

use std::fmt::Write as _;

/// Variables in one text, at most.
pub const VARIABLES_MAX: usize = 32;

/// A text with its variables found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CompiledText {
    parts: Vec<Part>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Words(String),
    Variable { name: String, default: Option<String> },
}

/// Why a text cannot be compiled. `at` counts characters from 0.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UnclearText {
    /// A variable begins and does not end.
    #[error("the variable that begins at character {at} has no end; write `{{{{name}}}}` or `{{{{name|default}}}}`")]
    Unclosed {
        /// Where it begins.
        at: usize,
    },
    /// A variable has no name.
    #[error("the variable at character {at} has no name; write `{{{{name}}}}` or `{{{{name|default}}}}`")]
    Unnamed {
        /// Where it begins.
        at: usize,
    },
    /// Contacts have nothing of this name.
    #[error("contacts have no property `{name}`")]
    Unknown {
        /// The name.
        name: String,
    },
    /// There are too many variables.
    #[error("a text has at most {VARIABLES_MAX} variables")]
    TooMany,
}

/// A recipient has no value for a variable that has no default.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the contact has no `{name}`, and the text gives no default")]
pub struct MissingVariable {
    /// The variable.
    pub name: String,
}

impl CompiledText {
    /// Finds the variables of a text; `is_known` says which names contacts have.
    ///
    /// A name is what stands between the braces, without spaces at its ends; after the first `|` comes the default, which may
    /// be empty. Braces that stand alone are text.
    ///
    /// # Errors
    /// [`UnclearText`], with what is wrong and where.
    pub fn compile(text: &str, is_known: impl Fn(&str) -> bool) -> Result<Self, UnclearText> {
        let (mut parts, mut rest, mut at) = (Vec::new(), text, 0);
        while let Some((words, after)) = rest.split_once("{{") {
            at += words.chars().count();
            let Some((inside, tail)) = after.split_once("}}") else { return Err(UnclearText::Unclosed { at }) };
            let (name, default) = match inside.split_once('|') {
                Some((name, default)) => (name.trim(), Some(default.to_owned())),
                None => (inside.trim(), None),
            };
            if name.contains("{{") || default.as_ref().is_some_and(|default| default.contains("{{")) {
                return Err(UnclearText::Unclosed { at });
            }
            if name.is_empty() {
                return Err(UnclearText::Unnamed { at });
            }
            if !is_known(name) {
                return Err(UnclearText::Unknown { name: name.to_owned() });
            }
            if !words.is_empty() {
                parts.push(Part::Words(words.to_owned()));
            }
            parts.push(Part::Variable { name: name.to_owned(), default });
            at += inside.chars().count() + 4;
            rest = tail;
        }
        if !rest.is_empty() {
            parts.push(Part::Words(rest.to_owned()));
        }
        let compiled = Self { parts };
        if compiled.variables().count() > VARIABLES_MAX { Err(UnclearText::TooMany) } else { Ok(compiled) }
    }

    /// The names of its variables, in the order of the text.
    pub fn variables(&self) -> impl Iterator<Item = &str> {
        self.parts.iter().filter_map(|part| match part {
            Part::Words(_) => None,
            Part::Variable { name, .. } => Some(name.as_str()),
        })
    }

    /// The text for one recipient. A value of nothing but spaces is as good as none.
    ///
    /// # Errors
    /// [`MissingVariable`]: the recipient is passed over.
    pub fn fill<'a>(&self, value: impl Fn(&str) -> Option<&'a str>) -> Result<String, MissingVariable> {
        let mut text = String::new();
        for part in &self.parts {
            let said = match part {
                Part::Words(words) => words.as_str(),
                Part::Variable { name, default } => value(name)
                    .filter(|value| !value.trim().is_empty())
                    .or(default.as_deref())
                    .ok_or_else(|| MissingVariable { name: name.clone() })?,
            };
            // Writing to a string cannot fail.
            let _ = text.write_str(said);
        }
        Ok(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn known(name: &str) -> bool {
        matches!(name, "first_name" | "city")
    }

    fn ann(name: &str) -> Option<&'static str> {
        match name {
            "first_name" => Some("Ann"),
            "city" => Some("  "),
            _ => None,
        }
    }

    #[test]
    fn a_text_is_filled_with_values_and_defaults() {
        let cases = [
            ("Hello {{first_name}}!", "Hello Ann!"),
            ("{{ first_name }}{{first_name|x}}", "AnnAnn"),
            ("From {{city|your | town}}", "From your | town"),
            ("{{city|}}", ""),
            ("{ a } }} {b", "{ a } }} {b"),
            ("", ""),
        ];
        for (text, filled) in cases {
            let compiled = CompiledText::compile(text, known).unwrap();
            assert_eq!(compiled.fill(ann).unwrap(), filled, "{text}");
        }
        let city = CompiledText::compile("In {{city}}", known).unwrap();
        assert_eq!(city.fill(ann), Err(MissingVariable { name: "city".into() }));
        assert_eq!(city.variables().collect::<Vec<_>>(), ["city"]);
    }

    #[test]
    fn what_is_unclear_is_said_with_its_place() {
        let cases = [
            ("Grüße {{first_name", UnclearText::Unclosed { at: 6 }),
            ("{{first_name {{city}}", UnclearText::Unclosed { at: 0 }),
            ("{{city|a {{first_name}}", UnclearText::Unclosed { at: 0 }),
            ("é{{city}} {{ |x}}", UnclearText::Unnamed { at: 10 }),
            ("{{age}}", UnclearText::Unknown { name: "age".into() }),
        ];
        for (text, wrong) in cases {
            assert_eq!(CompiledText::compile(text, known), Err(wrong), "{text}");
        }
        let many = "{{city}}".repeat(VARIABLES_MAX + 1);
        assert_eq!(CompiledText::compile(&many, known), Err(UnclearText::TooMany));
    }

    proptest! {
        #[test]
        fn any_text_compiles_or_says_why(text in "[a-z{}| é]{0,40}") {
            if let Ok(compiled) = CompiledText::compile(&text, |_| true)
                && compiled.variables().next().is_none()
            {
                prop_assert_eq!(compiled.fill(ann).unwrap(), text, "a text without variables stays as it is");
            }
        }
    }
}

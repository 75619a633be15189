//! What may be known of a person, and what kind of value each of it has.

use serde::{Deserialize, Serialize};

use crate::domain::ids::PropertyId;

/// Which property of a person. The values are personal and are rows beside the log; this is not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum PropertyKey {
    /// First name.
    #[serde(rename = "fn")]
    FirstName,
    /// Last name.
    #[serde(rename = "ln")]
    LastName,
    /// E-mail addresses, most used first.
    #[serde(rename = "em")]
    Emails,
    /// Phone numbers as text, which no channel need know.
    #[serde(rename = "ph")]
    Phones,
    /// A place in words.
    #[serde(rename = "lo")]
    Location,
    /// Country, ISO 3166 alpha-2.
    #[serde(rename = "co")]
    Country,
    /// Time zone, an IANA name.
    #[serde(rename = "tz")]
    TimeZone,
    /// Company.
    #[serde(rename = "cp")]
    Company,
    /// Job title.
    #[serde(rename = "jt")]
    JobTitle,
    /// Language, BCP 47.
    #[serde(rename = "la")]
    Language,
    /// One that the workspace defined.
    #[serde(rename = "cu")]
    Custom(PropertyId),
}

impl PropertyKey {
    /// Those that every workspace has, in the order in which they are shown.
    pub const BUILT_IN: [Self; 10] = [
        Self::FirstName,
        Self::LastName,
        Self::Emails,
        Self::Phones,
        Self::Location,
        Self::Country,
        Self::TimeZone,
        Self::Company,
        Self::JobTitle,
        Self::Language,
    ];

    /// The word used in JSON and in the slots of private rows; a property's id for custom ones. Stored: never changes.
    #[must_use]
    pub fn word(&self) -> String {
        match self {
            Self::FirstName => "first_name".to_owned(),
            Self::LastName => "last_name".to_owned(),
            Self::Emails => "emails".to_owned(),
            Self::Phones => "phones".to_owned(),
            Self::Location => "location".to_owned(),
            Self::Country => "country".to_owned(),
            Self::TimeZone => "time_zone".to_owned(),
            Self::Company => "company".to_owned(),
            Self::JobTitle => "job_title".to_owned(),
            Self::Language => "language".to_owned(),
            Self::Custom(id) => id.to_string(),
        }
    }

    /// The property with this word.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        Self::BUILT_IN.into_iter().find(|key| key.word() == word).or_else(|| word.parse().ok().map(Self::Custom))
    }

    /// The slot of the private row that holds the value.
    #[must_use]
    pub fn slot(&self) -> String {
        format!("property/{}", self.word())
    }

    /// The kind of value it has; none for custom ones, which the workspace knows.
    #[must_use]
    pub const fn built_in_type(&self) -> Option<PropertyType> {
        match self {
            Self::Emails | Self::Phones => Some(PropertyType::Texts),
            Self::Custom(_) => None,
            _ => Some(PropertyType::Text),
        }
    }
}

/// The kind of value a property has.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PropertyType {
    /// Text, at most 2,000 characters.
    Text,
    /// Several texts, at most 20.
    Texts,
    /// A number.
    Number,
    /// Yes or no.
    Bool,
    /// A day, as milliseconds of its midnight in UTC.
    Date,
    /// One of these words.
    Choice(Vec<String>),
}

/// A property's value. Personal: only ever in a private row.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PropertyValue {
    /// Text.
    Text(String),
    /// Several texts.
    Texts(Vec<String>),
    /// A number.
    Number(f64),
    /// Yes or no.
    Bool(bool),
    /// A day.
    Date(i64),
    /// One of the property's words.
    Choice(String),
}

/// The longest text of a property, in characters.
pub const TEXT_MAX_CHARS: usize = 2_000;
/// The most texts in one property.
pub const TEXTS_MAX: usize = 20;

impl PropertyType {
    /// Whether a value is of this kind and within its bounds; otherwise what would be right.
    ///
    /// # Errors
    /// A sentence for the asker.
    pub fn check(&self, value: &PropertyValue) -> Result<(), String> {
        let long = |text: &String| text.chars().count() > TEXT_MAX_CHARS;
        match (self, value) {
            (Self::Text, PropertyValue::Text(text)) if !long(text) => Ok(()),
            (Self::Text, _) => Err(format!("a text of at most {TEXT_MAX_CHARS} characters is wanted")),
            (Self::Texts, PropertyValue::Texts(texts)) if texts.len() <= TEXTS_MAX && !texts.iter().any(long) => Ok(()),
            (Self::Texts, _) => Err(format!("at most {TEXTS_MAX} texts are wanted")),
            (Self::Number, PropertyValue::Number(number)) if number.is_finite() => Ok(()),
            (Self::Number, _) => Err("a number is wanted".to_owned()),
            (Self::Bool, PropertyValue::Bool(_)) => Ok(()),
            (Self::Bool, _) => Err("true or false is wanted".to_owned()),
            (Self::Date, PropertyValue::Date(_)) => Ok(()),
            (Self::Date, _) => Err("a date is wanted".to_owned()),
            (Self::Choice(words), PropertyValue::Choice(word)) if words.contains(word) => Ok(()),
            (Self::Choice(words), _) => Err(format!("one of {} is wanted", words.join(", "))),
        }
    }
}

impl PropertyValue {
    /// The bytes of a private row.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        // Only values of plain types: nothing here can fail to encode.
        rmp_serde::to_vec(self).unwrap_or_default()
    }

    /// The value in a private row; none if the bytes are not one.
    #[must_use]
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        crate::packed::read(bytes).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_and_bytes_come_back() {
        for key in PropertyKey::BUILT_IN.into_iter().chain([PropertyKey::Custom(PropertyId(9))]) {
            assert_eq!(PropertyKey::from_word(&key.word()), Some(key));
        }
        let value = PropertyValue::Texts(vec!["a@example.org".to_owned()]);
        assert_eq!(PropertyValue::from_bytes(&value.to_bytes()), Some(value));
    }

    #[test]
    fn values_of_another_kind_are_refused() {
        let choice = PropertyType::Choice(vec!["gold".to_owned()]);
        assert!(choice.check(&PropertyValue::Choice("gold".to_owned())).is_ok());
        assert!(choice.check(&PropertyValue::Choice("tin".to_owned())).is_err());
        assert!(PropertyType::Number.check(&PropertyValue::Number(f64::NAN)).is_err());
        assert!(PropertyType::Text.check(&PropertyValue::Text("x".repeat(TEXT_MAX_CHARS + 1))).is_err());
        assert!(PropertyType::Bool.check(&PropertyValue::Date(0)).is_err());
    }
}

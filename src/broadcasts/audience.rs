//! Whom a broadcast is for, as people say it: lists, and conditions over labels and properties.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::domain::contact::{Person, PropertyKey, PropertyValue};
use crate::domain::ids::{BroadcastId, LabelId, ListId};
use crate::domain::refusal::Refusal;

/// Lists, labels and properties that one audience may name, of each.
const CONDITIONS_MAX: usize = 50;

/// Whom a broadcast is for: who is on any of the lists, where lists are named, and meets every condition.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Audience {
    /// Everybody, but for the conditions. Said in words, so that an empty audience is not a slip that writes to all.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub everyone: bool,
    /// Who is on any of these.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub lists: Vec<ListId>,
    /// Who has labels, and has not.
    pub labels: LabelCondition,
    /// Whose properties have these values.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub properties: Vec<PropertyCondition>,
    /// Who failed in this broadcast. Set by *retry*, not by people.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failed_of: Option<BroadcastId>,
}

/// Labels that somebody must have, and must not.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LabelCondition {
    /// All of these.
    pub all: Vec<LabelId>,
    /// Any of these, where some are named.
    pub any: Vec<LabelId>,
    /// None of these.
    pub none: Vec<LabelId>,
}

/// A property that must have a value.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PropertyCondition {
    /// Which: its word, or the id of one that the workspace defined.
    pub property: String,
    /// The value, as text: of several texts one must be it; letter case does not count.
    pub is: String,
}

impl Audience {
    /// Whether it says whom it is for, within its bounds.
    ///
    /// # Errors
    /// [`Refusal::Invalid`] with the field.
    pub fn check(&self) -> Result<(), Refusal> {
        let labels = [&self.labels.all, &self.labels.any, &self.labels.none];
        let counts = [self.lists.len(), self.properties.len()].into_iter().chain(labels.map(Vec::len));
        if counts.max() > Some(CONDITIONS_MAX) {
            return Err(Refusal::TooMany {
                what: "lists, labels or properties in one audience",
                allowed: CONDITIONS_MAX,
            });
        }
        if let Some(at) = self.properties.iter().position(|condition| condition.key().is_none()) {
            let why = "there is no such property".to_owned();
            return Err(Refusal::Invalid { field: format!("audience.properties[{at}].property"), why });
        }
        let says = self.everyone
            || !self.lists.is_empty()
            || !self.labels.all.is_empty()
            || !self.labels.any.is_empty()
            || !self.properties.is_empty()
            || self.failed_of.is_some();
        if says {
            return Ok(());
        }
        let why = "it names nobody; give lists, labels or properties, or `everyone`: true".to_owned();
        Err(Refusal::Invalid { field: "audience".to_owned(), why })
    }

    /// Whether a person meets the conditions over labels.
    #[must_use]
    pub fn fits_labels(&self, person: &Person) -> bool {
        let has = |label: &LabelId| person.labels.contains(label);
        let LabelCondition { all, any, none } = &self.labels;
        all.iter().all(has) && (any.is_empty() || any.iter().any(has)) && !none.iter().any(has)
    }

    /// The properties that conditions are about, each once.
    #[must_use]
    pub fn asks_for(&self) -> BTreeSet<PropertyKey> {
        self.properties.iter().filter_map(PropertyCondition::key).collect()
    }

    /// Whether a person's values meet the conditions over properties.
    #[must_use]
    pub fn fits_values<'a>(&self, value: impl Fn(PropertyKey) -> Option<&'a PropertyValue>) -> bool {
        self.properties.iter().all(|condition| {
            let value = condition.key().and_then(&value);
            value.is_some_and(|value| condition.fits(value))
        })
    }
}

impl PropertyCondition {
    fn key(&self) -> Option<PropertyKey> {
        PropertyKey::from_word(&self.property)
    }

    fn fits(&self, value: &PropertyValue) -> bool {
        let same = |text: &str| text.trim().to_lowercase() == self.is.trim().to_lowercase();
        match value {
            PropertyValue::Texts(texts) => texts.iter().any(|text| same(text)),
            value => same(&shown(value)),
        }
    }
}

/// A value as the text of a variable.
#[must_use]
pub(super) fn shown(value: &PropertyValue) -> String {
    match value {
        PropertyValue::Text(text) | PropertyValue::Choice(text) => text.clone(),
        PropertyValue::Texts(texts) => texts.first().cloned().unwrap_or_default(),
        PropertyValue::Number(number) => number.to_string(),
        PropertyValue::Bool(yes) => yes.to_string(),
        PropertyValue::Date(midnight) => {
            crate::domain::time::Timestamp(*midnight).to_string().chars().take(10).collect()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::ids::WorkspaceId;
    use crate::domain::time::Timestamp;

    #[test]
    fn an_audience_says_whom_it_is_for() {
        assert!(Audience::default().check().is_err());
        assert!(Audience { everyone: true, ..Audience::default() }.check().is_ok());
        let only_without = LabelCondition { none: vec![LabelId(1)], ..LabelCondition::default() };
        assert!(Audience { labels: only_without, ..Audience::default() }.check().is_err());
        let unknown = PropertyCondition { property: "shoe_size".into(), is: "44".into() };
        let refused = Audience { properties: vec![unknown], ..Audience::default() }.check();
        assert!(matches!(refused, Err(Refusal::Invalid { field, .. }) if field == "audience.properties[0].property"));
    }

    #[test]
    fn labels_and_values_are_met_together() {
        let mut person = Person::new(WorkspaceId(1), Timestamp(0));
        person.labels = [LabelId(1), LabelId(2)].into();
        let labels = |all: &[u128], any: &[u128], none: &[u128]| {
            let ids = |ids: &[u128]| ids.iter().map(|id| LabelId(*id)).collect();
            Audience { labels: LabelCondition { all: ids(all), any: ids(any), none: ids(none) }, ..Audience::default() }
        };
        let cases = [
            (labels(&[1, 2], &[], &[]), true),
            (labels(&[1, 3], &[], &[]), false),
            (labels(&[], &[3, 2], &[]), true),
            (labels(&[], &[3], &[]), false),
            (labels(&[1], &[], &[2]), false),
        ];
        for (audience, fits) in cases {
            assert_eq!(audience.fits_labels(&person), fits, "{audience:?}");
        }
        let lisbon = PropertyCondition { property: "location".into(), is: " lisbon".into() };
        let audience = Audience { properties: vec![lisbon], ..Audience::default() };
        let value = PropertyValue::Text("Lisbon".into());
        assert!(audience.fits_values(|key| (key == PropertyKey::Location).then_some(&value)));
        assert!(!audience.fits_values(|_| None));
    }
}

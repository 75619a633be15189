//! Values of properties in JSON: texts, numbers, yes or no, days as `2026-11-20`, words.

use serde_json::{Value, json};

use crate::domain::contact::{PropertyKey, PropertyType, PropertyValue};
use crate::domain::time::Timestamp;
use crate::domain::workspace::Workspace;
use crate::http::Problem;

/// A day, in milliseconds.
const DAY_MS: i64 = 86_400_000;

/// A property by its word, with a value of its kind; `null` erases it.
pub(super) fn property(
    workspace: &Workspace,
    word: &str,
    value: &Value,
) -> Result<(PropertyKey, Option<PropertyValue>), Problem> {
    let field = || format!("properties.{word}");
    let unknown = || Problem::invalid(field(), "the workspace has no such property");
    let key = PropertyKey::from_word(word).ok_or_else(unknown)?;
    if value.is_null() {
        return Ok((key, None));
    }
    let kind = match key {
        PropertyKey::Custom(id) => workspace.properties.get(&id).cloned(),
        _ => key.built_in_type(),
    };
    let kind = kind.ok_or_else(unknown)?;
    let read = read(&kind, value).ok_or_else(|| Problem::invalid(field(), wanted(&kind)))?;
    kind.check(&read).map_err(|why| Problem::invalid(field(), why))?;
    Ok((key, Some(read)))
}

/// A value as answers show it.
pub(super) fn shown(value: &PropertyValue) -> Value {
    match value {
        PropertyValue::Text(text) | PropertyValue::Choice(text) => json!(text),
        PropertyValue::Texts(texts) => json!(texts),
        PropertyValue::Number(number) => json!(number),
        PropertyValue::Bool(yes) => json!(yes),
        PropertyValue::Date(midnight) => {
            let text = Timestamp(*midnight).to_string();
            json!(text.split_once('T').map_or(text.as_str(), |(day, _)| day))
        }
    }
}

fn read(kind: &PropertyType, value: &Value) -> Option<PropertyValue> {
    match kind {
        PropertyType::Text => value.as_str().map(|text| PropertyValue::Text(text.to_owned())),
        PropertyType::Texts => {
            let texts = value.as_array()?.iter().map(|text| text.as_str().map(str::to_owned));
            texts.collect::<Option<_>>().map(PropertyValue::Texts)
        }
        PropertyType::Number => value.as_f64().map(PropertyValue::Number),
        PropertyType::Bool => value.as_bool().map(PropertyValue::Bool),
        PropertyType::Date => value.as_str().and_then(midnight).map(PropertyValue::Date),
        PropertyType::Choice(_) => value.as_str().map(|text| PropertyValue::Choice(text.to_owned())),
    }
}

fn wanted(kind: &PropertyType) -> &'static str {
    match kind {
        PropertyType::Text => "a text is wanted",
        PropertyType::Texts => "a list of texts is wanted",
        PropertyType::Number => "a number is wanted",
        PropertyType::Bool => "true or false is wanted",
        PropertyType::Date => "a day is wanted, as `2026-11-20`",
        PropertyType::Choice(_) => "one of the property's words is wanted",
    }
}

/// The midnight in UTC with which a day of the years 1 to 9999 begins.
fn midnight(text: &str) -> Option<i64> {
    let digits = |part: &str, length: usize| {
        (part.len() == length && part.bytes().all(|byte| byte.is_ascii_digit())).then(|| part.parse::<i64>().ok())?
    };
    let (year, rest) = text.split_once('-')?;
    let (month, day) = rest.split_once('-')?;
    let (year, month, day) = (digits(year, 4)?, digits(month, 2)?, digits(day, 2)?);
    if year == 0 || !(1..=12).contains(&month) || !(1..=31).contains(&day) {
        return None;
    }
    // Day count of a civil date: H. Hinnant, "chrono-compatible low-level date algorithms".
    let shifted = if month <= 2 { year - 1 } else { year };
    let era = shifted.div_euclid(400);
    let year_of_era = shifted - era * 400;
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let days = era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468;
    let at = days * DAY_MS;
    // The 31st of a shorter month would be shown as another day.
    Timestamp(at).to_string().starts_with(text).then_some(at)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::ids::PropertyId;
    use proptest::prelude::*;

    #[test]
    fn days_come_back_and_those_that_never_were_do_not() {
        for day in ["2026-11-20", "2024-02-29", "1970-01-01", "1969-12-31", "0001-01-01", "9999-12-31"] {
            let at = midnight(day).unwrap_or_else(|| panic!("{day} is a day"));
            assert_eq!(shown(&PropertyValue::Date(at)), json!(day));
        }
        for wrong in ["2026-02-29", "2026-04-31", "2026-13-01", "2026-1-1", "20-11-2026", "", "2026-11-20T00:00:00Z"] {
            assert_eq!(midnight(wrong), None, "{wrong:?}");
        }
    }

    #[test]
    fn a_value_has_the_kind_of_its_property() {
        let mut workspace = Workspace::default();
        let custom = |number| PropertyKey::Custom(PropertyId(number)).word();
        workspace.properties.insert(PropertyId(1), PropertyType::Choice(vec!["gold".to_owned()]));
        workspace.properties.insert(PropertyId(2), PropertyType::Date);
        let good = [
            ("first_name".to_owned(), json!("Amália")),
            ("emails".to_owned(), json!(["a@example.org"])),
            (custom(1), json!("gold")),
            (custom(2), json!("2026-11-20")),
        ];
        for (word, value) in good {
            let (_, read) = property(&workspace, &word, &value).unwrap();
            assert_eq!(shown(&read.unwrap()), value);
        }
        let wrong = [
            ("first_name".to_owned(), json!(7)),
            ("emails".to_owned(), json!("a@example.org")),
            ("nickname".to_owned(), json!("Mia")),
            (custom(1), json!("tin")),
            (custom(2), json!("yesterday")),
            (custom(3), json!("x")),
        ];
        for (word, value) in wrong {
            let problem = property(&workspace, &word, &value).unwrap_err();
            assert_eq!(problem.body()["field"], format!("properties.{word}"));
        }
        assert_eq!(property(&workspace, "company", &Value::Null).unwrap(), (PropertyKey::Company, None));
    }

    proptest! {
        #[test]
        fn every_midnight_is_shown_as_a_day_that_comes_back(day in -700_000_i64..2_000_000) {
            let text = shown(&PropertyValue::Date(day * DAY_MS));
            prop_assert_eq!(midnight(text.as_str().unwrap()), Some(day * DAY_MS));
        }
    }
}

//! A message's variables: which properties they are, what people have of them, and the texts that come of it.

use std::collections::{BTreeMap, BTreeSet};

use super::audience::shown;
use super::draft::PropertyNames;
use crate::domain::broadcast::CompiledMessage;
use crate::domain::broadcast::variables::MissingVariable;
use crate::domain::contact::{Person, PropertyKey, PropertyValue};
use crate::domain::ids::ContactId;
use crate::shards::{CommandError, Shards};

/// What one person has of the properties asked for.
pub(super) type Values = BTreeMap<PropertyKey, PropertyValue>;

/// Each variable of a message, and the property it is.
pub(super) fn variables<'a>(message: &'a CompiledMessage, names: &PropertyNames) -> BTreeMap<&'a str, PropertyKey> {
    message.variables().filter_map(|name| Some((name, names.key(name)?))).collect()
}

/// What people have of these properties, in their order.
pub(super) async fn values(
    shards: &Shards,
    keys: &BTreeSet<PropertyKey>,
    people: &[(ContactId, Person)],
) -> Result<Vec<Values>, CommandError> {
    if keys.is_empty() {
        return Ok(vec![Values::new(); people.len()]);
    }
    let mut asked = Vec::new();
    let mut places = Vec::new();
    for (place, (id, person)) in people.iter().enumerate() {
        for key in keys {
            if let Some(holder) = person.property_holder(*id, *key) {
                asked.push((holder, key.slot()));
                places.push((place, *key));
            }
        }
    }
    let found = shards.contact_values(&asked).await?;
    let mut values = vec![Values::new(); people.len()];
    for ((place, key), bytes) in places.into_iter().zip(found) {
        if let Some(value) = bytes.and_then(|bytes| PropertyValue::from_bytes(&bytes)) {
            values[place].insert(key, value);
        }
    }
    Ok(values)
}

/// The message's texts for somebody who has these values.
pub(super) fn texts(
    message: &CompiledMessage,
    variables: &BTreeMap<&str, PropertyKey>,
    values: &Values,
) -> Result<Vec<String>, MissingVariable> {
    let texts: BTreeMap<&str, String> =
        variables.iter().filter_map(|(name, key)| Some((*name, shown(values.get(key)?)))).collect();
    message.fill(|name| texts.get(name).map(String::as_str))
}

//! Values that are never shown.

use serde::Deserialize;

/// A token, key or password. It has no `Debug`, no `Display` and no `Serialize`, so it reaches no log and no answer.
#[derive(Clone, Default, Deserialize)]
#[serde(transparent)]
pub struct Secret<T>(T);

impl<T> Secret<T> {
    /// Wraps `value`.
    pub const fn new(value: T) -> Self {
        Self(value)
    }

    /// The value, for the one place that needs it.
    pub const fn expose(&self) -> &T {
        &self.0
    }
}

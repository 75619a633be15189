//! Passwords: hashed with Argon2id, off the arbiters, two at a time.
//!
//! One hash takes tens of milliseconds and 19 MiB, far beyond what an arbiter may give, so what waits is bounded.

use std::sync::Arc;
use std::time::Duration;

use argon2::Argon2;
use argon2::password_hash::{PasswordHash, PasswordHasher, PasswordVerifier, SaltString};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::clock::IdSource;
use crate::domain::refusal::Refusal;
use crate::domain::secret::Secret;
use crate::shards::CommandError;

/// The shortest password, in characters (NIST SP 800-63B §5.1.1.1).
pub const PASSWORD_MIN_CHARS: usize = 8;
/// The longest password, in bytes: longer ones cost more than they protect.
pub const PASSWORD_MAX_BYTES: usize = 1_024;
/// How many are hashed at once.
const AT_ONCE: usize = 2;
/// How long one waits for its turn.
const WAIT: Duration = Duration::from_secs(5);
const SALT_BYTES: usize = 16;

/// Takes turns at hashing.
pub(super) struct Passwords {
    turns: Arc<Semaphore>,
    wait: Duration,
}

impl Passwords {
    pub(super) fn new() -> Self {
        Self { turns: Arc::new(Semaphore::new(AT_ONCE)), wait: WAIT }
    }

    /// The hash of a new password, in its own text form.
    ///
    /// # Errors
    /// [`Refusal::Invalid`] for one that is too short or too long; overloaded where too many wait.
    pub(super) async fn hash(
        &self,
        password: Secret<String>,
        ids: &dyn IdSource,
    ) -> Result<Secret<String>, CommandError> {
        check(password.expose())?;
        let mut salt = [0; SALT_BYTES];
        ids.fill(&mut salt);
        let hashed = self.turn(move || hash(password.expose(), &salt)).await?;
        hashed.map(Secret::new).ok_or(CommandError::Panicked)
    }

    /// Whether a password is the one that was hashed. Without a hash it takes as long and is not.
    ///
    /// # Errors
    /// Overloaded where too many wait.
    pub(super) async fn verify(
        &self,
        password: Secret<String>,
        hashed: Option<Secret<String>>,
    ) -> Result<bool, CommandError> {
        if password.expose().len() > PASSWORD_MAX_BYTES {
            return Ok(false);
        }
        self.turn(move || match hashed {
            Some(hashed) => verify(password.expose(), hashed.expose()),
            None => {
                hash(password.expose(), &[0; SALT_BYTES]);
                false
            }
        })
        .await
    }

    /// The turn lasts until the work is done, also when nobody waits for it any more.
    async fn turn<R: Send + 'static>(&self, work: impl FnOnce() -> R + Send + 'static) -> Result<R, CommandError> {
        let permit: OwnedSemaphorePermit =
            match tokio::time::timeout(self.wait, Arc::clone(&self.turns).acquire_owned()).await {
                Ok(Ok(permit)) => permit,
                Ok(Err(_)) | Err(_) => return Err(CommandError::overloaded()),
            };
        let done = tokio::task::spawn_blocking(move || {
            let done = work();
            drop(permit);
            done
        });
        done.await.map_err(|_| CommandError::Panicked)
    }
}

fn check(password: &str) -> Result<(), Refusal> {
    if password.chars().count() >= PASSWORD_MIN_CHARS && password.len() <= PASSWORD_MAX_BYTES {
        return Ok(());
    }
    let why = format!("a password has {PASSWORD_MIN_CHARS} characters at least and {PASSWORD_MAX_BYTES} bytes at most");
    Err(Refusal::Invalid { field: "password".to_owned(), why })
}

fn hash(password: &str, salt: &[u8]) -> Option<String> {
    let salt = SaltString::encode_b64(salt).ok()?;
    Some(Argon2::default().hash_password(password.as_bytes(), &salt).ok()?.to_string())
}

fn verify(password: &str, hashed: &str) -> bool {
    let Ok(known) = PasswordHash::new(hashed) else { return false };
    Argon2::default().verify_password(password.as_bytes(), &known).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::CountedIds;

    fn secret(text: &str) -> Secret<String> {
        Secret::new(text.to_owned())
    }

    #[tokio::test]
    async fn only_the_same_password_is_let_in() {
        let (passwords, ids) = (Passwords::new(), CountedIds::from(1));
        let hashed = passwords.hash(secret("correct horse"), &ids).await.unwrap_or_else(|_| panic!("not hashed"));
        assert!(hashed.expose().starts_with("$argon2id$"));
        assert_eq!(passwords.verify(secret("correct horse"), Some(hashed.clone())).await, Ok(true));
        assert_eq!(passwords.verify(secret("correct house"), Some(hashed)).await, Ok(false));
        assert_eq!(passwords.verify(secret("correct horse"), None).await, Ok(false));
        assert_eq!(passwords.verify(secret("correct horse"), Some(secret("no hash"))).await, Ok(false));
    }

    #[tokio::test]
    async fn short_and_endless_passwords_are_refused() {
        let (passwords, ids) = (Passwords::new(), CountedIds::from(1));
        for text in ["seven77", &"x".repeat(PASSWORD_MAX_BYTES + 1)] {
            let refused = passwords.hash(secret(text), &ids).await.err();
            assert_eq!(refused.as_ref().and_then(|error| error.refusal()).map(Refusal::code), Some("invalid"));
        }
    }

    #[tokio::test]
    async fn who_waits_too_long_is_told_to_come_back() {
        let passwords = Passwords { wait: Duration::ZERO, ..Passwords::new() };
        let _busy = Arc::clone(&passwords.turns).try_acquire_many_owned(AT_ONCE as u32);
        assert_eq!(passwords.verify(secret("anything"), None).await, Err(CommandError::overloaded()));
    }
}

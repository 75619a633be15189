//! Freezing an audience: contacts stream by, those who are to get it are deduplicated and written in chunks. Memory is
//! bounded by a few bytes a recipient, and nobody is woken.
//!
//! Contacts are read while those before them are written: reading is most of the work, and neither waits for the other.

mod look;

use std::collections::HashSet;
use std::sync::Arc;

use futures_util::future::try_join;
use tokio::sync::mpsc;

use self::look::{Found, Look, Looked};
use super::Audience;
use super::draft::PropertyNames;
use super::fill;
use super::run::Run;
use crate::domain::broadcast::job::FrozenAudience;
use crate::domain::broadcast::{CHUNK_MAX, CompiledMessage, FrozenRecipient, PAGE_RECIPIENTS};
use crate::shards::CommandError;

/// Pages that are written together: one chunk.
const PAGES_TOGETHER: usize = (CHUNK_MAX / PAGE_RECIPIENTS) as usize;
/// Batches of contacts that were read and wait to be taken.
const READ_AHEAD: usize = 2;

/// What is frozen so far.
struct Freezing<'a> {
    run: &'a Run,
    /// Who is in it: half of each id is chance enough.
    contacts: HashSet<u64>,
    addresses: HashSet<u64>,
    page: Vec<FrozenRecipient>,
    pages: Vec<(u128, u16, Vec<FrozenRecipient>)>,
    frozen: FrozenAudience,
}

impl Run {
    /// Freezes the audience. Begun again after a crash it writes the same rows anew: nothing was claimed yet.
    pub(super) async fn freeze(
        self: &Arc<Self>,
        wanted: &Audience,
        message: &CompiledMessage,
        names: &PropertyNames,
    ) -> Result<FrozenAudience, CommandError> {
        let variables = fill::variables(message, names);
        let look = Look::new(self, wanted, message, &variables);
        let freezing = Freezing {
            run: self,
            contacts: HashSet::new(),
            addresses: HashSet::new(),
            page: Vec::new(),
            pages: Vec::new(),
            frozen: FrozenAudience::default(),
        };
        let (read, reads) = mpsc::channel(READ_AHEAD);
        let ((), frozen) = try_join(look.at_all(read), freezing.take_all(reads)).await?;
        Ok(frozen)
    }
}

impl Freezing<'_> {
    async fn take_all(mut self, mut reads: mpsc::Receiver<Vec<Looked>>) -> Result<FrozenAudience, CommandError> {
        while let Some(some) = reads.recv().await {
            for looked in some {
                self.take(looked).await?;
            }
            // Others on the arbiter have their turn.
            tokio::task::yield_now().await;
        }
        if !self.page.is_empty() {
            self.turn_page();
        }
        self.write().await?;
        self.frozen.chunks = self.frozen.recipients.div_ceil(u32::from(CHUNK_MAX));
        Ok(self.frozen)
    }

    async fn take(&mut self, looked: Looked) -> Result<(), CommandError> {
        if !self.contacts.insert(looked.contact.0 as u64) {
            self.frozen.duplicates += 1;
            return Ok(());
        }
        match looked.found {
            Found::Unfit => {}
            Found::Unreachable => self.frozen.unreachable += 1,
            Found::WithoutConsent => self.frozen.without_consent += 1,
            Found::Recipient(recipient) if !self.addresses.insert(recipient.address.0 as u64) => {
                self.frozen.duplicates += 1;
            }
            Found::Recipient(recipient) => {
                self.page.push(recipient);
                self.frozen.recipients += 1;
                if self.page.len() == usize::from(PAGE_RECIPIENTS) {
                    self.turn_page();
                }
                if self.pages.len() >= PAGES_TOGETHER {
                    self.write().await?;
                }
            }
        }
        Ok(())
    }

    fn turn_page(&mut self) {
        let first = self.frozen.recipients - self.page.len() as u32;
        let (chunk, index) = (first / u32::from(CHUNK_MAX), (first % u32::from(CHUNK_MAX)) as u16);
        let page = std::mem::take(&mut self.page);
        self.pages.push((self.run.broadcasts.chunk(self.run.id, chunk), index, page));
    }

    async fn write(&mut self) -> Result<(), CommandError> {
        self.run.broadcasts.shards.keep_recipients(&std::mem::take(&mut self.pages)).await
    }
}

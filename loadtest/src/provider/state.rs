//! What all parts of the provider share.

use std::collections::HashMap;
use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use anyhow::{Context as _, Result};
use serde::Serialize;

use super::book::Book;
use super::plan::{BUSINESS_ID, Plan};
use crate::webhook::{self, Secret};

/// Lines that are written while the book is held.
const LINES_AT_ONCE: usize = 250;

/// A plan, and what is derived from it once.
pub(super) struct Ready {
    pub(super) plan: Plan,
    pub(super) webhook: Option<Hook>,
    /// Places of the plan's numbers.
    places: HashMap<String, usize>,
}

/// A webhook.
pub(super) struct Hook {
    pub(super) addr: SocketAddr,
    pub(super) path: String,
    pub(super) secret: Secret,
}

impl Ready {
    fn new(plan: Plan) -> Result<Self> {
        let webhook = match &plan.webhook {
            Some(webhook) => {
                let (addr, path) = webhook.target()?;
                Some(Hook { addr, path: path.to_owned(), secret: Secret::new(&webhook.secret) })
            }
            None => None,
        };
        let places = plan.numbers.iter().enumerate().map(|(place, number)| (number.id.clone(), place)).collect();
        Ok(Self { plan, webhook, places })
    }

    /// What a number is called in webhooks.
    pub(super) fn number<'a>(&'a self, id: &'a str) -> webhook::Number<'a> {
        match self.places.get(id).and_then(|place| self.plan.numbers.get(*place)) {
            Some(number) => webhook::Number { business_id: &number.business_id, display: &number.display, id },
            None => webhook::Number { business_id: BUSINESS_ID, display: id, id },
        }
    }

    /// Whether the plan names it.
    pub(super) fn knows(&self, id: &str) -> bool {
        self.places.contains_key(id)
    }
}

/// The provider.
pub(super) struct State {
    /// Where it listens.
    pub(super) addr: SocketAddr,
    ledger: Option<PathBuf>,
    ready: RwLock<Arc<Ready>>,
    book: Mutex<Book>,
}

impl State {
    pub(super) fn new(addr: SocketAddr, plan: Plan, ledger: Option<PathBuf>) -> Result<Self> {
        let ready = RwLock::new(Arc::new(Ready::new(plan)?));
        Ok(Self { addr, ledger, ready, book: Mutex::new(Book::new()) })
    }

    /// The plan in force.
    pub(super) fn ready(&self) -> Arc<Ready> {
        Arc::clone(&self.ready.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Replaces the plan.
    pub(super) fn replace(&self, plan: Plan) -> Result<()> {
        let ready = Arc::new(Ready::new(plan)?);
        *self.ready.write().unwrap_or_else(PoisonError::into_inner) = ready;
        Ok(())
    }

    /// The book; never held over an `await`.
    pub(super) fn book(&self) -> MutexGuard<'_, Book> {
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lines of the ledger as NDJSON.
    pub(super) fn ledger_page(&self, from: usize, limit: usize) -> Result<Vec<u8>> {
        self.page(from, limit, |book, from, limit, out| append(out, book.lines(from, limit)))
    }

    /// What customers wrote as NDJSON.
    pub(super) fn inbound_page(&self, from: usize, limit: usize) -> Result<Vec<u8>> {
        self.page(from, limit, |book, from, limit, out| append(out, book.inbound(from, limit)))
    }

    /// Takes the book for few lines at a time: sends come in between.
    fn page(
        &self,
        from: usize,
        limit: usize,
        some: impl Fn(&Book, usize, usize, &mut Vec<u8>) -> Result<usize>,
    ) -> Result<Vec<u8>> {
        let (mut out, mut at, end) = (Vec::new(), from, from.saturating_add(limit));
        while at < end {
            let wanted = (end - at).min(LINES_AT_ONCE);
            let written = some(&self.book(), at, wanted, &mut out)?;
            at += written;
            if written < wanted {
                break;
            }
        }
        Ok(out)
    }

    /// Writes the whole ledger to its file; false if none was named.
    ///
    /// # Errors
    /// The file cannot be written.
    pub(super) fn write_ledger(&self) -> Result<bool> {
        let Some(path) = &self.ledger else { return Ok(false) };
        let told = || format!("writing the ledger to {}", path.display());
        let mut file = BufWriter::new(File::create(path).with_context(told)?);
        let mut from = 0;
        loop {
            let mut lines = Vec::new();
            let written = append(&mut lines, self.book().lines(from, LINES_AT_ONCE))?;
            file.write_all(&lines).with_context(told)?;
            from += written;
            if written < LINES_AT_ONCE {
                file.flush().with_context(told)?;
                return Ok(true);
            }
        }
    }
}

/// Appends lines, and tells how many.
fn append<T: Serialize>(out: &mut Vec<u8>, lines: impl Iterator<Item = T>) -> Result<usize> {
    let mut count = 0;
    for line in lines {
        serde_json::to_writer(&mut *out, &line)?;
        out.push(b'\n');
        count += 1;
    }
    Ok(count)
}

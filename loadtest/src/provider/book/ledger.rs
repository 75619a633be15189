//! The ledger's sends, in pieces: one list that doubled would copy hundreds of megabytes between two answers.

use std::ops::{Index, IndexMut};

use super::Sent;

/// Sends of a piece.
const PIECE: usize = 1 << 16;

/// Sends in their order.
#[derive(Default)]
pub(super) struct Ledger(Vec<Vec<Sent>>);

impl Ledger {
    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.0.last().map_or(0, |last| (self.0.len() - 1) * PIECE + last.len())
    }

    /// Adds one.
    pub(super) fn push(&mut self, sent: Sent) {
        match self.0.last_mut() {
            Some(last) if last.len() < PIECE => last.push(sent),
            _ => {
                let mut piece = Vec::with_capacity(PIECE);
                piece.push(sent);
                self.0.push(piece);
            }
        }
    }

    /// Those from this place on, with their places.
    pub(super) fn from(&self, place: usize) -> impl Iterator<Item = (usize, &Sent)> {
        (place..self.len()).map(|place| (place, &self[place]))
    }
}

impl Index<usize> for Ledger {
    type Output = Sent;

    fn index(&self, place: usize) -> &Sent {
        &self.0[place / PIECE][place % PIECE]
    }
}

impl IndexMut<usize> for Ledger {
    fn index_mut(&mut self, place: usize) -> &mut Sent {
        &mut self.0[place / PIECE][place % PIECE]
    }
}

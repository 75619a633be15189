//! What became of a block's messages: learnt from and reported together, and what was certainly not begun is given back.

use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::super::UnderWay;
use super::super::block::Said;
use super::super::dispatch::{Dispatch, PAUSE};
use super::Begun;
use crate::domain::broadcast::BLOCK_MAX;
use crate::domain::ids::AddressId;
use crate::domain::number::{Number, NumberCommand, SLOW_DOWN_ONCE_IN};
use crate::domain::outbound::{ErrorClass, SendOutcome};
use crate::domain::time::Timestamp;

/// After the first outcome of a block that is still under way the others are waited for so long. A block of a number at full
/// rate ends sooner.
const REPORT_AFTER: Duration = Duration::from_millis(500);
/// The longest pause after calls that could not be made.
const UNREACHED_MAX: Duration = Duration::from_secs(10);

impl Dispatch {
    /// What an outcome says of the number and of the pair, whatever it says of the recipient.
    pub(super) async fn learn(&self, outcome: &SendOutcome, customer: AddressId, began: Timestamp) {
        match outcome {
            SendOutcome::Rejected { failure, retry_after } => {
                self.blocks.unreached.set(0);
                // It was not sent, so it is none of the customer's messages.
                self.pairs.borrow_mut().give_back(customer);
                let class = match failure.class {
                    ErrorClass::RatePair => {
                        let pause = retry_after.unwrap_or(self.numbers.settings.pair_rate.interval);
                        self.pairs.borrow_mut().hold(customer, self.now() + pause);
                        return;
                    }
                    // A provider in trouble is spared like one that says it is asked too often.
                    ErrorClass::Retry | ErrorClass::RateNumber | ErrorClass::RateAccount => ErrorClass::RateNumber,
                    class @ (ErrorClass::Auth | ErrorClass::Account) => class,
                    _ => return,
                };
                // Refusals of one burst say one thing.
                let told = self.blocks.troubled.get();
                if told.is_some_and(|(known, at)| known == class && began < at + SLOW_DOWN_ONCE_IN) {
                    return;
                }
                self.blocks.troubled.set(Some((class, began)));
                let trouble = NumberCommand::NumberTrouble { code: failure.code, class, at: began };
                // Rare, and large: calls that are accepted do not carry it along.
                let told = Box::pin(self.numbers.shards.ask::<Number>(self.account.0, trouble)).await;
                if let Err(error) = told {
                    tracing::warn!(account = %self.account, %error, "failed to tell the number of its trouble");
                }
            }
            SendOutcome::NotSent { .. } => {
                self.pairs.borrow_mut().give_back(customer);
                let times = self.blocks.unreached.get().saturating_add(1);
                self.blocks.unreached.set(times);
                let pause = (PAUSE * 2_u32.saturating_pow(times.min(6))).min(UNREACHED_MAX);
                self.blocks.not_before.set(Some(Instant::now() + pause));
            }
            SendOutcome::Accepted { .. } => {
                self.blocks.unreached.set(0);
                self.blocks.not_before.set(None);
            }
            SendOutcome::Unknown { .. } => {}
        }
    }

    /// A message has its outcome: reported with the others of its block.
    pub(super) fn heard(
        self: &Rc<Self>,
        block: &Rc<Begun>,
        index: u16,
        attempt: u16,
        customer: AddressId,
        counted: bool,
        outcome: Option<SendOutcome>,
    ) {
        let at = self.now();
        block.said.borrow_mut().push(Said { index, attempt, customer, counted, outcome, at });
        block.open.set(block.open.get().saturating_sub(1));
        let whole = block.open.get() == 0;
        if whole || block.said.borrow().len() >= BLOCK_MAX {
            return self.report(block);
        }
        if !block.reporting.replace(true) {
            let (dispatch, block) = (Rc::clone(self), Rc::clone(block));
            tokio::task::spawn_local(async move {
                tokio::time::sleep(REPORT_AFTER).await;
                block.reporting.set(false);
                dispatch.report(&block);
            });
        }
    }

    fn report(self: &Rc<Self>, block: &Rc<Begun>) {
        let said = std::mem::take(&mut *block.said.borrow_mut());
        // The last report lets the process stop; one that is under way holds it too.
        let last = if block.open.get() == 0 { block.under_way.borrow_mut().take() } else { None };
        let ended = last.is_some();
        if said.is_empty() {
            return;
        }
        let holding = last.unwrap_or_else(|| UnderWay::begin(&self.numbers));
        let (source, name, dispatch) = (Arc::clone(&block.source), block.name, Rc::clone(self));
        tokio::task::spawn_local(async move {
            source.report(name, said).await;
            drop(holding);
            if ended {
                dispatch.blocks.growth.block_ended();
            }
            dispatch.blocks.woken.notify_one();
        });
    }

    /// What was certainly not begun is given back.
    pub(super) fn give_back(self: &Rc<Self>, block: &Rc<Begun>) {
        let unsent = std::mem::take(&mut *block.unsent.borrow_mut());
        for item in unsent {
            self.pairs.borrow_mut().give_back(item.customer);
            self.heard(block, item.index, item.attempt, item.customer, item.counted, None);
        }
    }

    pub(super) fn give_all_back(self: &Rc<Self>) {
        let begun = std::mem::take(&mut *self.blocks.begun.borrow_mut());
        for block in &begun {
            self.give_back(block);
        }
    }
}

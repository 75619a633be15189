//! Faults on order: a server that is broken in a known way, so that a check of servers can be shown to see.
//!
//! Only a build with the feature `broken` has them, and a release build refuses that feature. In any other build
//! [`happens`] is the constant `false` and its call sites are compiled to nothing.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

#[cfg(all(feature = "broken", not(debug_assertions)))]
compile_error!("the feature `broken` makes a server that loses and doubles messages: it is for debug builds alone");

/// The variable of the environment that orders faults: `drop_message:1000,send_twice:50`.
pub const VARIABLE: &str = "TIDEGATE_BROKEN";

/// What can be broken. The words in orders are the names in snake case.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// A customer's message is answered 200 and forgotten. An occasion is a message, once for each account it is for.
    DropMessage,
    /// A message leaves to its provider twice, with the same bytes. An occasion is a call that sends one.
    SendTwice,
    /// A socket's numbers leave one out. An occasion is an event that a socket gets.
    SkipSeq,
    /// A socket gets an event of a conversation that its member may not see. An occasion is such an event for a socket.
    LeakConversation,
    /// A receipt of a broadcast's message counts as another status than was told. An occasion is such a receipt.
    MiscountReceipt,
    /// A customer's first two messages of one delivery are taken in the opposite order, and so are their events told.
    /// An occasion is a delivery that begins with two messages for one conversation.
    SwapOrder,
    /// A free reply leaves although its window closed while it waited. An occasion is such a reply.
    SendLate,
    /// A message leaves without a token of its number's bucket, at once after another. An occasion is a message that
    /// passes the bucket: the next one waiting goes with it.
    AboveRate,
}

/// Each fault and its word.
const FAULTS: [(Fault, &str); 8] = [
    (Fault::DropMessage, "drop_message"),
    (Fault::SendTwice, "send_twice"),
    (Fault::SkipSeq, "skip_seq"),
    (Fault::LeakConversation, "leak_conversation"),
    (Fault::MiscountReceipt, "miscount_receipt"),
    (Fault::SwapOrder, "swap_order"),
    (Fault::SendLate, "send_late"),
    (Fault::AboveRate, "above_rate"),
];

/// What was ordered for this process.
static ORDERS: OnceLock<Orders> = OnceLock::new();

/// Whether a fault happens on this occasion, which is counted: of every N that were ordered, on the last.
#[inline]
#[must_use]
pub fn happens(fault: Fault) -> bool {
    cfg!(feature = "broken") && ORDERS.get().is_some_and(|orders| orders.happens(fault))
}

/// Whether a fault is ordered at all; counts nothing. For call sites that must look before they know of an occasion.
#[inline]
#[must_use]
pub fn is_ordered(fault: Fault) -> bool {
    cfg!(feature = "broken") && ORDERS.get().is_some_and(|orders| orders.of(fault).every != 0)
}

/// Orders faults for the rest of this process, and says so in the log. `text` is `fault:N`, several with commas: the
/// fault happens on every N-th occasion. Called once, before anything is served.
///
/// # Errors
/// A sentence: this build has no faults, the text is not understood, or faults were ordered before.
pub fn order(text: &str) -> Result<(), String> {
    if !cfg!(feature = "broken") {
        return Err("this server was built without the feature `broken`: unset it, or build with the feature".into());
    }
    let orders = Orders::read(text)?;
    ORDERS.set(orders).map_err(|_| "faults are ordered once in a process".to_owned())?;
    tracing::warn!(
        faults = text,
        "THIS SERVER IS BROKEN ON ORDER: what it says and sends is wrong, it is for tests alone"
    );
    Ok(())
}

/// How often one fault is to happen; the default is never.
#[derive(Debug, Default)]
struct Order {
    every: u64,
    met: AtomicU64,
}

/// An order for each fault, at the fault's own number.
#[derive(Debug, Default)]
struct Orders([Order; FAULTS.len()]);

impl Orders {
    fn read(text: &str) -> Result<Self, String> {
        let mut orders = Self::default();
        for part in text.split(',') {
            let (word, every) = part.split_once(':').ok_or_else(|| format!("`{part}` is not of the form `fault:N`"))?;
            let Some((fault, _)) = FAULTS.iter().find(|(_, known)| *known == word) else {
                return Err(format!("`{word}` is no fault; there are {}", FAULTS.map(|(_, known)| known).join(", ")));
            };
            let every = every.parse::<u64>().ok().filter(|every| *every > 0);
            let every = every.ok_or_else(|| format!("`{part}` needs a whole number from 1 on behind the colon"))?;
            let order = &mut orders.0[*fault as usize];
            if std::mem::replace(&mut order.every, every) != 0 {
                return Err(format!("`{word}` is ordered twice"));
            }
        }
        Ok(orders)
    }

    fn of(&self, fault: Fault) -> &Order {
        &self.0[fault as usize]
    }

    fn happens(&self, fault: Fault) -> bool {
        let Order { every, met } = self.of(fault);
        // Occasions come from every thread; each number is given to one of them.
        *every != 0 && (met.fetch_add(1, Ordering::Relaxed) + 1).is_multiple_of(*every)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_fault_has_its_place_and_counts_by_itself() {
        for (number, (fault, word)) in FAULTS.into_iter().enumerate() {
            assert_eq!(fault as usize, number, "{word}");
            let orders = Orders::read(&format!("{word}:3")).unwrap();
            for (other, _) in FAULTS {
                let happened: Vec<bool> = (0..7).map(|_| orders.happens(other)).collect();
                let expected = [false, false, true, false, false, true, false].map(|happens| happens && other == fault);
                assert_eq!(happened, expected, "{other:?} where {word} is ordered");
            }
        }
    }

    #[test]
    fn several_are_ordered_and_one_is_every_occasion() {
        let orders = Orders::read("send_twice:1,skip_seq:2").unwrap();
        assert!((0..5).all(|_| orders.happens(Fault::SendTwice)));
        assert_eq!([(); 4].map(|()| orders.happens(Fault::SkipSeq)), [false, true, false, true]);
        assert_eq!(orders.of(Fault::DropMessage).every, 0);
    }

    #[test]
    fn threads_share_the_count() {
        let orders = Orders::read("drop_message:10").unwrap();
        let dropped = || (0..1_000).filter(|_| orders.happens(Fault::DropMessage)).count();
        let in_all: usize = std::thread::scope(|scope| {
            let threads = [(); 4].map(|()| scope.spawn(dropped));
            threads.into_iter().map(|thread| thread.join().unwrap()).sum()
        });
        assert_eq!(in_all, 400);
    }

    #[test]
    fn what_is_not_understood_is_told() {
        for (text, said) in [
            ("", "`` is not of the form"),
            ("skip_seq", "`skip_seq` is not of the form"),
            ("skip_seq:2,", "`` is not of the form"),
            ("drop_everything:1", "`drop_everything` is no fault; there are drop_message, send_twice"),
            ("skip_seq:0", "`skip_seq:0` needs a whole number"),
            ("skip_seq:-1", "`skip_seq:-1` needs a whole number"),
            ("skip_seq:often", "`skip_seq:often` needs a whole number"),
            ("skip_seq:2,skip_seq:3", "`skip_seq` is ordered twice"),
        ] {
            let error = Orders::read(text).unwrap_err();
            assert!(error.starts_with(said), "`{text}`: {error}");
        }
    }

    #[cfg(not(feature = "broken"))]
    #[test]
    fn a_sound_build_takes_no_orders() {
        assert!(order("skip_seq:1").unwrap_err().contains("without the feature"));
        assert!(FAULTS.iter().all(|(fault, _)| !happens(*fault) && !is_ordered(*fault)));
    }

    /// The only test that orders faults for the whole process, and none that any other test of the library meets.
    #[cfg(feature = "broken")]
    #[test]
    fn a_broken_build_takes_orders_once() {
        assert!(order("nothing:1").is_err() && !is_ordered(Fault::SendLate));
        order("send_late:2").unwrap();
        assert!(is_ordered(Fault::SendLate) && !is_ordered(Fault::SkipSeq));
        assert_eq!([(); 4].map(|()| happens(Fault::SendLate)), [false, true, false, true]);
        assert!(order("skip_seq:1").unwrap_err().contains("once"));
    }
}

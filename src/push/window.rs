//! How much a reader may be sent before it proves that it reads.
//!
//! The server pings with the counts of what it has sent so far; a websocket stack answers pings in
//! the order of arrival and with the same bytes, so the pong proves that everything before the
//! ping was read. (`limits.md` §6 has what happens without: 626 MiB for one stopped reader.)

/// What has been sent on one socket, and how much of it is proven to be read.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Window {
    sent: Counts,
    pinged: Counts,
    proven: Counts,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Counts {
    objects: u64,
    bytes: u64,
}

/// The size of a window.
#[derive(Clone, Copy, Debug)]
pub struct WindowSize {
    /// Objects, and …
    pub objects: u64,
    /// … bytes that may be unproven, whichever is reached first.
    pub bytes: u64,
}

/// A ping's payload.
pub(super) type Proof = [u8; 16];

impl Window {
    /// How many more objects may go now; zero when the window is exhausted.
    pub(super) fn room(&self, size: WindowSize) -> u64 {
        if self.sent.bytes - self.proven.bytes >= size.bytes {
            return 0;
        }
        size.objects.saturating_sub(self.sent.objects - self.proven.objects)
    }

    /// Counts what was sent; gives the ping that must follow, if one is due.
    pub(super) fn count(&mut self, objects: u64, bytes: u64, size: WindowSize) -> Option<Proof> {
        self.sent.objects += objects;
        self.sent.bytes += bytes;
        let due = self.sent.objects - self.pinged.objects >= (size.objects / 8).max(1)
            || self.sent.bytes - self.pinged.bytes >= (size.bytes / 8).max(1);
        due.then(|| self.ping())
    }

    /// A ping that asks for proof of everything so far.
    pub(super) fn ping(&mut self) -> Proof {
        self.pinged = self.sent;
        let mut proof = [0; 16];
        proof[..8].copy_from_slice(&self.sent.objects.to_be_bytes());
        proof[8..].copy_from_slice(&self.sent.bytes.to_be_bytes());
        proof
    }

    /// Takes a pong; whether it proved something new. Pongs that no ping asked for prove nothing.
    pub(super) fn prove(&mut self, payload: &[u8]) -> bool {
        let Ok(&[o0, o1, o2, o3, o4, o5, o6, o7, b0, b1, b2, b3, b4, b5, b6, b7]) = <&Proof>::try_from(payload) else {
            return false;
        };
        let counts = Counts {
            objects: u64::from_be_bytes([o0, o1, o2, o3, o4, o5, o6, o7]),
            bytes: u64::from_be_bytes([b0, b1, b2, b3, b4, b5, b6, b7]),
        };
        let possible = counts.objects <= self.pinged.objects && counts.bytes <= self.pinged.bytes;
        let new = counts.objects > self.proven.objects || counts.bytes > self.proven.bytes;
        let forward = counts.objects >= self.proven.objects && counts.bytes >= self.proven.bytes;
        if possible && forward && new {
            self.proven = counts;
            return true;
        }
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIZE: WindowSize = WindowSize { objects: 16, bytes: 800 };

    #[test]
    fn closes_at_whichever_comes_first_and_opens_with_proof() {
        let mut window = Window::default();
        assert_eq!(window.count(1, 10, SIZE), None);
        let proof = window.count(1, 10, SIZE).expect("an eighth of the objects");
        assert!(window.count(14, 10, SIZE).is_some());
        assert_eq!(window.room(SIZE), 0);
        assert!(window.prove(&proof) && !window.prove(&proof));
        assert_eq!(window.room(SIZE), 2);
        let last = window.count(1, 800, SIZE).expect("an eighth of the bytes");
        assert_eq!(window.room(SIZE), 0);
        assert!(window.prove(&last));
        assert_eq!(window.room(SIZE), 16);
    }

    #[test]
    fn invented_pongs_prove_nothing() {
        let mut window = Window::default();
        window.count(1, 10, SIZE);
        assert!(!window.prove(&[]) && !window.prove(&[0xFF; 16]) && !window.prove(&[0; 16]));
        let mut early = [0; 16];
        early[7] = 1;
        assert!(!window.prove(&early), "no ping asked for it");
    }
}

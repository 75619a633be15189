//! The one integration-test binary: the house's rules, and a story a file.

#![expect(clippy::expect_used, reason = "a story that cannot go on fails where it stands")]

mod architecture;
mod house;
mod process;
mod stories;

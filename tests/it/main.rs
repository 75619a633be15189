//! The one integration-test binary: the house's rules, and a story a file.

mod architecture;
mod house;
mod process;
mod stories;

//! The fixtures, their golden results, and what holds for every body.

mod batches;
mod edges;
mod golden;
mod rules;
mod signatures;
mod templates;

use std::path::{Path, PathBuf};

/// A file or folder below `tests/`.
fn below_tests(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests").join(path)
}

/// Name and bytes of every fixture of a folder, in order of the names.
fn fixtures(folder: &str) -> Vec<(String, Vec<u8>)> {
    let mut all: Vec<(String, Vec<u8>)> = std::fs::read_dir(below_tests("fixtures/webhooks").join(folder))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .map(|path| (path.file_stem().unwrap().to_str().unwrap().to_owned(), std::fs::read(&path).unwrap()))
        .collect();
    all.sort();
    assert!(!all.is_empty());
    all
}

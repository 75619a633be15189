//! Where reports are put: a folder for each run, with the document and its page.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use crate::document::Document;
use crate::html;

/// Runs that may have begun in one second.
const SAME_MAX: u32 = 1_000;

/// Puts a run's document and its page into a folder of their own, and tells which.
///
/// # Errors
/// The folder or a file cannot be written.
pub fn put(document: &Document, shelf: &Path) -> Result<PathBuf> {
    // Names of files have no colon everywhere.
    let when = document.environment.started_at.replace(':', "");
    let folder = fresh(shelf, &format!("{}-{when}", document.scenario.name))?;
    let write = |name: &str, text: &str| {
        let path = folder.join(name);
        std::fs::write(&path, text).with_context(|| format!("writing {}", path.display()))
    };
    write("report.json", &document.json()?)?;
    write("report.html", &html::page(document))?;
    Ok(folder)
}

/// A folder of this name that was not there before; where one was, `-2`, `-3` and so on is behind the name.
fn fresh(shelf: &Path, name: &str) -> Result<PathBuf> {
    std::fs::create_dir_all(shelf).with_context(|| format!("creating {}", shelf.display()))?;
    for number in 1..=SAME_MAX {
        let folder = shelf.join(if number == 1 { name.to_owned() } else { format!("{name}-{number}") });
        match std::fs::create_dir(&folder) {
            Ok(()) => return Ok(folder),
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error).with_context(|| format!("creating {}", folder.display())),
        }
    }
    bail!("{} has {SAME_MAX} reports named {name} already: remove some of them", shelf.display())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::document::sample;
    use crate::process::Folder;

    #[test]
    fn no_report_is_written_over() {
        let shelf = Folder::new(&std::env::temp_dir().join("loadtest-shelf")).unwrap();
        let document = sample::small();
        let folders: Vec<PathBuf> = (0..3).map(|_| put(&document, shelf.path()).unwrap()).collect();
        let name = |folder: &PathBuf| folder.file_name().unwrap().to_string_lossy().into_owned();
        let first = name(&folders[0]);
        assert_eq!(name(&folders[1]), format!("{first}-2"));
        assert_eq!(name(&folders[2]), format!("{first}-3"));
        for folder in &folders {
            assert_eq!(Document::of_file(&folder.join("report.json")).unwrap().scenario.name, "small");
            assert!(folder.join("report.html").is_file());
        }
    }
}

//! The seed's tokens and the operator's: made once, kept in the data folder, for its owner's eyes only.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io;
use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::clock::IdSource;

/// The name of the file.
const FILE: &str = "tokens";

/// Names and values, as a shell reads them.
pub struct Tokens {
    path: PathBuf,
    values: BTreeMap<String, String>,
}

impl Tokens {
    /// Reads the file of a data folder; an absent one is empty. The folder is made if need be.
    ///
    /// # Errors
    /// The folder or file cannot be read.
    pub fn read(folder: &Path) -> io::Result<Self> {
        std::fs::create_dir_all(folder)?;
        let path = folder.join(FILE);
        let text = match std::fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => String::new(),
            Err(error) => return Err(error),
        };
        let values = text
            .lines()
            .filter_map(|line| line.split_once('='))
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect();
        Ok(Self { path, values })
    }

    /// A value.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.values.get(name).map(String::as_str)
    }

    /// Sets a value and writes the file.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn set(&mut self, name: &str, value: String) -> io::Result<()> {
        self.values.insert(name.to_owned(), value);
        self.write()
    }

    /// The operator's token, made at the first call.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn operator(&mut self, ids: &dyn IdSource) -> io::Result<String> {
        if let Some(known) = self.get("OPERATOR_TOKEN") {
            return Ok(known.to_owned());
        }
        let mut random = [0; 32];
        ids.fill(&mut random);
        let token = format!("tgo_{}", URL_SAFE_NO_PAD.encode(random));
        self.set("OPERATOR_TOKEN", token.clone())?;
        Ok(token)
    }

    /// Writes the file beside and moves it into place, so that a crash leaves the old one.
    fn write(&self) -> io::Result<()> {
        use std::os::unix::fs::OpenOptionsExt as _;
        let mut text = String::new();
        for (name, value) in &self.values {
            // Writing to a string cannot fail.
            let _ = writeln!(text, "{name}={value}");
        }
        let beside = self.path.with_extension("new");
        let mut file = std::fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&beside)?;
        io::Write::write_all(&mut file, text.as_bytes())?;
        file.sync_all()?;
        std::fs::rename(&beside, &self.path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::RandomIds;

    #[test]
    fn tokens_are_made_once_and_are_private() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().unwrap();
        let made = Tokens::read(folder.path()).unwrap().operator(&RandomIds).unwrap();
        let again = Tokens::read(folder.path()).unwrap().operator(&RandomIds).unwrap();
        assert_eq!(made, again);
        let mode = std::fs::metadata(folder.path().join(FILE)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
}

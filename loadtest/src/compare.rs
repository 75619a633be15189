//! `loadtest compare`: two documents of one scenario side by side. And `loadtest page`: a document's page again.

mod comparison;

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use crate::document::Document;
use crate::html;
use comparison::Comparison;

/// Two documents, the earlier first.
#[derive(Clone, Debug, PartialEq)]
pub struct Options {
    /// What is compared with.
    pub a: PathBuf,
    /// What is compared.
    pub b: PathBuf,
    /// From how many percent worse the command fails.
    pub fail_above: Option<f64>,
    /// Whether documents of different scenarios are compared, too.
    pub anyway: bool,
}

impl Options {
    /// Reads what stands behind `compare`.
    ///
    /// # Errors
    /// There are not two files, or a flag is not understood.
    pub fn read(arguments: &[String]) -> Result<Self> {
        let (mut files, mut fail_above, mut anyway) = (Vec::new(), None, false);
        let mut rest = arguments.iter();
        while let Some(argument) = rest.next() {
            match argument.as_str() {
                "--anyway" => anyway = true,
                "--fail-above" => {
                    let text = rest.next().context("`--fail-above` needs a number of percent")?;
                    let percent = text.trim_end_matches('%').parse().ok().filter(|percent: &f64| percent.is_finite());
                    let percent = percent.filter(|percent| *percent >= 0.0);
                    fail_above = Some(percent.with_context(|| format!("`--fail-above {text}`: percent from 0 on"))?);
                }
                flag if flag.starts_with("--") => bail!("there is no `{flag}`; `loadtest help` lists what there is"),
                file => files.push(PathBuf::from(file)),
            }
        }
        let [a, b] = <[PathBuf; 2]>::try_from(files).ok().context("`compare` needs two reports: a.json b.json")?;
        Ok(Self { a, b, fail_above, anyway })
    }
}

/// Compares two files: the text to show, and whether nothing got worse past the bound.
///
/// # Errors
/// A file is no document, or they are of different scenarios and `--anyway` was not given.
pub fn run(options: &Options) -> Result<(String, bool)> {
    let (a, b) = (Document::of_file(&options.a)?, Document::of_file(&options.b)?);
    if a.scenario.name != b.scenario.name && !options.anyway {
        bail!(
            "the reports are of different scenarios, `{}` and `{}`, whose figures say nothing about each other; \
             `--anyway` compares them all the same",
            a.scenario.name,
            b.scenario.name
        );
    }
    let comparison = Comparison::of(&a, &b, options.fail_above);
    Ok((comparison.text(), options.fail_above.is_none() || comparison.worse.is_empty()))
}

/// Makes the page of a report again, beside it where no other file is named; gives where it is.
///
/// # Errors
/// There are not one or two files, the first is no document, or the page cannot be written.
pub fn page(arguments: &[String]) -> Result<PathBuf> {
    let (report, page) = match arguments {
        [report] => (Path::new(report), Path::new(report).with_extension("html")),
        [report, page] => (Path::new(report), PathBuf::from(page)),
        _ => bail!("`page` needs a report, and may be told where the page goes: report.json [out.html]"),
    };
    if report == page {
        bail!("{} is the report itself; name another file for the page", page.display());
    }
    let text = html::page(&Document::of_file(report)?);
    std::fs::write(&page, text).with_context(|| format!("writing {}", page.display()))?;
    Ok(page)
}

#[cfg(test)]
mod tests {
    use super::comparison::tests::with;
    use super::*;
    use crate::process::Folder;

    fn options(a: &Path, b: &Path, fail_above: Option<f64>) -> Options {
        Options { a: a.into(), b: b.into(), fail_above, anyway: false }
    }

    #[test]
    fn files_are_compared_and_other_scenarios_refused() {
        let folder = Folder::new(&std::env::temp_dir().join("loadtest-compare")).unwrap();
        let path = |name: &str, document: &Document| {
            let path = folder.path().join(name);
            std::fs::write(&path, document.json().unwrap()).unwrap();
            path
        };
        let a = path("a.json", &with(|_| {}));
        let b = path("b.json", &with(|b| b.figures[0].value = 50.0));
        let other = path("other.json", &with(|other| other.scenario.name = "other".into()));
        assert!(run(&options(&a, &b, None)).unwrap().1 && !run(&options(&a, &b, Some(10.0))).unwrap().1);
        assert!(run(&options(&b, &a, Some(10.0))).unwrap().1);
        let error = run(&options(&a, &other, None)).unwrap_err().to_string();
        assert!(error.contains("`small` and `other`") && error.contains("--anyway"), "{error}");
        let anyway = Options { anyway: true, ..options(&a, &other, None) };
        assert!(run(&anyway).unwrap().0.contains("scenario differs: small, then other"));
        let missing = format!("{:#}", run(&options(&a, Path::new("/nowhere.json"), None)).unwrap_err());
        assert!(missing.contains("/nowhere.json"), "{missing}");

        let text = |path: &Path| path.display().to_string();
        let made = page(&[text(&a)]).unwrap();
        assert_eq!(made, folder.path().join("a.html"));
        assert!(std::fs::read_to_string(made).unwrap().contains("✓ passed"));
        assert!(page(&[text(&a), text(&a)]).is_err() && page(&[]).is_err());
    }

    #[test]
    fn the_command_line_is_read() {
        let read = |line: &str| Options::read(&line.split_whitespace().map(str::to_owned).collect::<Vec<_>>());
        let expected = options(Path::new("a"), Path::new("b"), Some(7.5));
        assert_eq!(read("a --fail-above 7.5% b").unwrap(), expected);
        assert_eq!(read("a b --anyway").unwrap(), Options { fail_above: None, anyway: true, ..expected });
        for wrong in ["a", "a b c", "a b --fail-above", "a b --fail-above -1", "a b --fail-above nan", "a b --json"] {
            assert!(read(wrong).is_err(), "{wrong}");
        }
    }
}

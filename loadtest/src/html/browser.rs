//! The page in a real browser, where there is one.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::page;
use crate::document::sample;
use crate::process::Folder;

/// The first of these programs in the search path.
fn browser() -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    let folders: Vec<PathBuf> = std::env::split_paths(&path).collect();
    let names = ["chromium", "chromium-browser", "google-chrome"];
    names.iter().flat_map(|name| folders.iter().map(move |folder| folder.join(name))).find(|file| file.is_file())
}

/// Runs the browser on a page with these flags; it has half a minute.
fn run(browser: &Path, folder: &Path, page: &Path, flags: &[String]) -> String {
    let output = Command::new("timeout")
        .arg("30")
        .arg(browser)
        .args(["--headless=new", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--disable-dev-shm-usage"])
        .arg(format!("--user-data-dir={}", folder.join("profile").display()))
        .args(flags)
        .arg(format!("file://{}", page.display()))
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// Width and height as the head of a PNG tells them.
fn size_of(png: &[u8]) -> (u32, u32) {
    assert_eq!(&png[1..4], b"PNG");
    let number = |at: usize| u32::from_be_bytes(png[at..at + 4].try_into().unwrap());
    (number(16), number(20))
}

#[test]
fn a_browser_shows_the_page_at_every_width_and_in_the_dark() {
    let Some(browser) = browser() else {
        let _ = writeln!(
            std::io::stderr(),
            "NOT RUN: there is no chromium in the search path, so nothing looked at the page"
        );
        return;
    };
    let folder = Folder::new(&std::env::temp_dir().join("loadtest-page")).unwrap();
    let file = folder.path().join("report.html");
    std::fs::write(&file, page(&sample::rich())).unwrap();
    let dom = run(&browser, folder.path(), &file, &["--dump-dom".to_owned()]);
    for expected in
        ["✗ failed", "was broken 23 times of 48,000", "recovery_<wbr>s", "6.82&nbsp;s", "server killed", "99.99 %"]
    {
        assert!(dom.contains(expected), "{expected}");
    }
    // The script shows the values under the pointer.
    let pointed = folder.path().join("pointed.html");
    let point = "<script>for (const area of document.querySelectorAll('.area')) { const at = area.getBoundingClientRect(); \
                 area.dispatchEvent(new PointerEvent('pointermove', { clientX: at.left + at.width / 2 })); }</script></body>";
    std::fs::write(&pointed, page(&sample::rich()).replace("</body>", point)).unwrap();
    let dom = run(&browser, folder.path(), &pointed, &["--dump-dom".to_owned()]);
    assert_eq!(dom.matches("<div class=\"cursor").count(), 10);
    assert!(dom.contains("<div>1:01\nlongest  ") && dom.contains("<div>1:01\nserver_cpu  "), "{dom}");
    // Pictures stay for who wants to look at them.
    let pictures = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/page");
    std::fs::create_dir_all(&pictures).unwrap();
    std::fs::copy(&file, pictures.join("report.html")).unwrap();
    for (name, width, height, scheme) in [
        ("wide-light", 1_280, 4_300, 1),
        ("wide-dark", 1_280, 4_300, 0),
        ("narrow-light", 400, 8_000, 1),
        ("narrow-dark", 400, 8_000, 0),
    ] {
        let picture = pictures.join(format!("{name}.png"));
        let flags = [
            format!("--screenshot={}", picture.display()),
            format!("--window-size={width},{height}"),
            format!("--blink-settings=preferredColorScheme={scheme}"),
        ];
        run(&browser, folder.path(), &file, &flags);
        assert_eq!(size_of(&std::fs::read(&picture).unwrap()), (width, height), "{name}");
    }
}

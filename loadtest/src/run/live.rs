//! The live view: how far the run has come and how it goes, on the terminal that it was started from.

use std::io::{IsTerminal as _, Write as _};
use std::rc::Rc;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};
use tokio::time::sleep;

use super::tape::Tape;

/// How often it is drawn anew.
const EVERY: Duration = Duration::from_millis(500);

/// Draws until it is aborted; nothing where no terminal reads it.
pub(super) async fn show(tape: Rc<Tape>, name: String, lasts: Duration) {
    let bar = ProgressBar::new(lasts.as_secs().max(1));
    if let Ok(style) = ProgressStyle::with_template("{prefix} {wide_bar} {pos}/{len} s\n{msg}") {
        bar.set_style(style);
    }
    bar.set_prefix(name);
    // A view that is dropped leaves no half line behind.
    let bar = Cleared(bar);
    loop {
        bar.0.set_position(tape.now().as_secs().min(lasts.as_secs()));
        bar.0.set_message(line(&tape));
        sleep(EVERY).await;
    }
}

/// Says what is done before or after the traffic, where a terminal shows it.
pub(super) fn tell(what: &str) {
    let mut out = std::io::stderr();
    if out.is_terminal() {
        // Nobody is left to tell that the terminal is gone.
        let _ = writeln!(out, "{what}");
    }
}

fn line(tape: &Tape) -> String {
    let measures = tape.measures.borrow();
    let ms = |timing: &crate::measure::Timing| timing.corrected().quantile_us(0.99) as f64 / 1_000.0;
    let mut line = format!(
        "{} messages taken, p99 {:.1} ms; {} events heard, p99 {:.1} ms; {} answers",
        measures.items.total(),
        ms(&measures.accept),
        measures.events.total(),
        ms(&measures.push),
        tape.replies.borrow().len()
    );
    if tape.over.get() {
        line.insert_str(0, "coming to rest: ");
    }
    let (late, dropped) = (ms(&measures.lag), tape.dropped.get());
    if late > 10.0 || dropped > 0 {
        line.push_str(&format!("; the generator is {late:.0} ms late and dropped {dropped}"));
    }
    line
}

struct Cleared(ProgressBar);

impl Drop for Cleared {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}

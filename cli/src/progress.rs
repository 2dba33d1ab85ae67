//! Progress bars on standard error: for long work only, and never where nobody watches.

use std::io::IsTerminal as _;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// Files shorter than this are done before a bar is drawn.
pub(crate) const BAR_FROM_BYTES: u64 = 8 * 1024 * 1024;

/// A bar over bytes; silent for small work and where standard error is not a terminal.
pub(crate) fn bytes(total: u64, what: &'static str) -> ProgressBar {
    let template = "{msg} [{bar:32}] {bytes}/{total_bytes} {binary_bytes_per_sec} {eta}";
    if total < BAR_FROM_BYTES { ProgressBar::hidden() } else { bar(Some(total), what, template) }
}

/// A bar over things; without a total it counts.
pub(crate) fn items(total: Option<u64>, what: &'static str) -> ProgressBar {
    let template = match total {
        Some(_) => "{msg:<28} [{bar:32}] {human_pos}/{human_len} {per_sec} {eta}",
        None => "{msg:<28} {spinner} {human_pos} {per_sec}",
    };
    bar(total, what, template)
}

fn bar(total: Option<u64>, what: &'static str, template: &str) -> ProgressBar {
    if !std::io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let target = ProgressDrawTarget::stderr_with_hz(8);
    let bar = ProgressBar::with_draw_target(total, target).with_message(what);
    match ProgressStyle::with_template(template) {
        Ok(style) => bar.with_style(style.progress_chars("=> ")),
        Err(_) => bar,
    }
}

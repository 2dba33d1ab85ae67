//! The four plots: seal, open, key issue and sizes, from 1 to 512 attributes.

use crate::bars::digits;
use crate::chart::{Chart, Line, Panel};
use crate::results::Results;

/// Peer, what readers call it, and its colour.
const PEERS: [(&str, &str, &str); 3] =
    [("circl-tkn20", "circl tkn20", "circl"), ("rabe-ac17", "rabe FAME", "fame"), ("rabe-bsw", "rabe BSW07", "bsw")];

/// File names and pictures.
pub(crate) fn all(results: &Results) -> Vec<(&'static str, String)> {
    let times = [
        (
            "abe-seal.svg",
            "seal",
            "Time to seal",
            "one thread, transform and reading of the policy included; cold: no H(x) in the cache",
        ),
        (
            "abe-open.svg",
            "open",
            "Time to open",
            "one thread, key loaded, transform included; cold: no H(x) in the cache",
        ),
        ("abe-issue.svg", "issue", "Time to issue a key", "one thread; cold: no H(x) in the cache"),
    ];
    let mut charts: Vec<_> = times
        .into_iter()
        .map(|(file, verb, title, note)| {
            let lines = ours(results, verb).into_iter().chain(peers(results, verb, 1e-3)).collect();
            (file, Chart { title, note, unit: milliseconds, panels: vec![Panel { title: "", lines }] }.svg())
        })
        .collect();
    let size = |title, metric: &str, peer_metric: &str| {
        let whole = line(results, "wardkeep", metric, ("Wardkeep", "ours"), 1.0);
        Panel { title, lines: [whole].into_iter().chain(peers(results, peer_metric, 1.0)).collect() }
    };
    let panels = vec![size("ciphertext", "ciphertext-file", "ciphertext"), size("key", "key-file", "key")];
    let note = "everything counted: header, policy text and attribute names too";
    charts.push(("abe-size.svg", Chart { title: "Size of ciphertext and key", note, unit: bytes, panels }.svg()));
    charts
}

fn ours(results: &Results, verb: &str) -> [Line; 2] {
    let one = |temperature| {
        let name = if temperature == "cold" { "Wardkeep, cold" } else { "Wardkeep" };
        line(results, "wardkeep", &format!("{verb}-{temperature}"), (name, "ours"), 1e-3)
    };
    [Line { dashed: true, ..one("cold") }, one("cached")]
}

fn peers(results: &Results, metric: &str, factor: f64) -> impl Iterator<Item = Line> {
    PEERS.into_iter().map(move |(peer, name, class)| line(results, peer, metric, (name, class), factor))
}

fn line(results: &Results, peer: &str, metric: &str, (name, class): (&str, &'static str), factor: f64) -> Line {
    let value = |size| Some((f64::from(size), results.get(peer, metric, &format!("and{size}"))? * factor));
    let points = results.sizes(peer, metric).into_iter().filter_map(value).collect();
    Line { name: name.to_owned(), class, dashed: false, points }
}

fn milliseconds(value: f64) -> String {
    match value {
        value if value >= 1000.0 => format!("{} s", short(value / 1000.0)),
        value => format!("{} ms", short(value)),
    }
}

fn bytes(value: f64) -> String {
    match value {
        value if value >= 1e6 => format!("{} MB", short(value / 1e6)),
        value if value >= 1e3 => format!("{} kB", short(value / 1e3)),
        value => format!("{} B", short(value)),
    }
}

/// Three figures without zeros behind the point.
fn short(value: f64) -> String {
    let text = digits(value);
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_short() {
        assert_eq!(
            [0.1, 0.37, 1.0, 42.02, 600.0, 1170.0].map(milliseconds),
            ["0.1 ms", "0.37 ms", "1 ms", "42 ms", "600 ms", "1.17 s"]
        );
        assert_eq!([704.0, 10_000.0, 1.71e6].map(bytes), ["704 B", "10 kB", "1.71 MB"]);
    }

    #[test]
    fn every_plot_shows_ours_beside_the_peers() {
        let mut lines = String::new();
        for (peer, metrics) in [
            (
                "wardkeep",
                "seal-cold seal-cached open-cold open-cached issue-cold issue-cached key-file ciphertext-file",
            ),
            ("circl-tkn20", "seal open issue key ciphertext"),
            ("rabe-bsw", "seal open issue key ciphertext"),
        ] {
            for metric in metrics.split(' ') {
                for size in [1, 512] {
                    lines.push_str(&format!("{peer} {metric} and{size} {} us\n", size * 7));
                }
            }
        }
        let charts = all(&Results::parse(&lines).unwrap());
        let drawn: Vec<_> = charts.iter().map(|(name, svg)| (*name, svg.matches("<polyline").count())).collect();
        assert_eq!(drawn, [("abe-seal.svg", 4), ("abe-open.svg", 4), ("abe-issue.svg", 4), ("abe-size.svg", 6)]);
    }
}

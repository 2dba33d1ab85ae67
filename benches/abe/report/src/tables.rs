//! All numbers, for whoever wants more than the bars.

use std::fmt::Write;

use crate::bars::{PEERS, POLICIES, TEMPERATURES, digits, title};
use crate::results::Results;

/// Where it was measured.
pub(crate) fn head() -> String {
    let read = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = read.lines().find_map(|line| line.strip_prefix("model name")).and_then(|rest| rest.split_once(": "));
    let model = model.map_or("an unknown processor", |(_, model)| model.trim());
    format!("Measured on {model}, one thread each. Ratios are of one run.\n")
}

/// The tables: times, sizes, the batch, the bare operations.
pub(crate) fn all(results: &Results) -> String {
    let mut text = String::new();
    for (verb, caption) in [("seal", "Seal, ms"), ("open", "Open, ms"), ("issue", "Key issue, ms")] {
        times(results, verb, caption, &mut text);
    }
    sizes(results, &mut text);
    growth(results, &mut text);
    primitives(results, &mut text);
    text
}

fn times(results: &Results, verb: &str, caption: &str, text: &mut String) {
    let mut rows: Vec<(String, &str, String)> = Vec::new();
    for (peer, name) in [("wardkeep", "Wardkeep"), ("floor", "floor of blst"), ("wardkeep-ark", "Wardkeep on arkworks")]
    {
        for temperature in TEMPERATURES {
            rows.push((format!("{name}, {temperature}"), peer, format!("{verb}-{temperature}")));
        }
    }
    rows.extend(PEERS.map(|peer| (peer.to_owned(), peer, verb.to_owned())));
    begin(caption, &POLICIES.map(title), text);
    for (name, peer, metric) in rows {
        let values = POLICIES.map(|policy| results.get(peer, &metric, policy).map(|us| us / 1e3));
        row(&name, values.map(|value| value.map(digits)), text);
    }
}

fn sizes(results: &Results, text: &mut String) {
    begin("Key / ciphertext, bytes", &POLICIES.map(title), text);
    let mut both = |name: &str, peer: &str, key: &str, ciphertext: &str| {
        let cell = |policy| {
            let (key, ciphertext) = (results.get(peer, key, policy)?, results.get(peer, ciphertext, policy)?);
            Some(format!("{key:.0} / {ciphertext:.0}"))
        };
        row(name, POLICIES.map(cell), text);
    };
    both("Wardkeep, without header, text and names", "wardkeep", "key", "ciphertext");
    both("Wardkeep, everything", "wardkeep", "key-file", "ciphertext-file");
    PEERS.iter().for_each(|peer| both(peer, peer, "key", "ciphertext"));
}

/// What every further attribute costs, from 10 to the largest size that was measured.
fn growth(results: &Results, text: &mut String) {
    begin("What a further attribute costs", &["seal", "open", "key issue"].map(str::to_owned), text);
    let ours = TEMPERATURES.map(|temperature| {
        let metrics = ["seal", "open", "issue"].map(|verb| format!("{verb}-{temperature}"));
        (format!("Wardkeep, {temperature}"), "wardkeep", metrics)
    });
    let peers = PEERS.map(|peer| (peer.to_owned(), peer, ["seal", "open", "issue"].map(str::to_owned)));
    for (name, peer, metrics) in ours.into_iter().chain(peers) {
        let cell = |metric: String| {
            let largest = results.sizes(peer, &metric).into_iter().next_back().filter(|size| *size > 10)?;
            let rise = results.get(peer, &metric, &format!("and{largest}"))? - results.get(peer, &metric, "and10")?;
            Some(format!("{} us (10 to {largest})", digits(rise / f64::from(largest - 10))))
        };
        row(&name, metrics.map(cell), text);
    }
}

fn primitives(results: &Results, text: &mut String) {
    begin("Bare operations of blst beside each policy, us", &POLICIES.map(title), text);
    for operation in results.metrics("primitive") {
        row(operation, POLICIES.map(|policy| results.get("primitive", operation, policy).map(digits)), text);
    }
}

fn begin(caption: &str, columns: &[String], text: &mut String) {
    // Writing to a string does not fail.
    let _ = writeln!(text, "\n| {caption} | {} |\n|---|{}", columns.join(" | "), "---|".repeat(columns.len()));
}

/// One line of a table.
fn row<const N: usize>(name: &str, values: [Option<String>; N], text: &mut String) {
    let values = values.map(|value| value.unwrap_or_else(|| "-".to_owned()));
    let _ = writeln!(text, "| {name} | {} |", values.join(" | "));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_not_measured_is_a_dash() {
        let text = all(&Results::parse("circl-tkn20 open and10 12900 us\n").unwrap());
        assert!(text.contains("| circl-tkn20 | - | 12.9 | - | - | - |\n"), "{text}");
        assert!(text.contains("| Wardkeep, cold | - | - | - |\n"), "{text}");
    }

    #[test]
    fn growth_is_per_attribute_up_to_the_largest_size() {
        let lines = "rabe-bsw seal and10 1000 us\nrabe-bsw seal and100 10000 us\nrabe-bsw seal and110 11000 us\n";
        let text = all(&Results::parse(lines).unwrap());
        assert!(text.contains("| rabe-bsw | 100 us (10 to 110) | - | - |"), "{text}");
    }
}

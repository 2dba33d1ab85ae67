//! What is asked of the speed and the sizes, and whether it was found.

use std::fmt::Write;

use crate::results::{Results, size};

/// The policies that the bars are about.
pub(crate) const POLICIES: [&str; 5] = ["and1", "and10", "mixed10", "and50", "and100"];
/// The schemes of rabe.
pub(crate) const RABE: [&str; 2] = ["rabe-ac17", "rabe-bsw"];
/// Every peer.
pub(crate) const PEERS: [&str; 3] = ["rabe-ac17", "rabe-bsw", "circl-tkn20"];
/// Whether H(x) was in the cache.
pub(crate) const TEMPERATURES: [&str; 2] = ["cold", "cached"];

/// One bar.
#[derive(Debug)]
pub(crate) struct Bar {
    what: String,
    asked: f64,
    at_least: bool,
    unit: &'static str,
    found: Option<f64>,
}

impl Bar {
    /// `met`, `MISSED` or `not measured`.
    pub(crate) fn verdict(&self) -> &'static str {
        match self.found {
            None => "not measured",
            Some(found) if (found >= self.asked) == self.at_least || found == self.asked => "met",
            Some(_) => "MISSED",
        }
    }
}

/// The bars as a table.
pub(crate) fn table(bars: &[Bar]) -> String {
    let mut text = "| bar | asked | found | |\n|---|---|---|---|\n".to_owned();
    for bar in bars {
        let sign = if bar.at_least { ">=" } else { "<=" };
        let found = bar.found.map_or("-".to_owned(), |found| format!("{} {}", digits(found), bar.unit));
        // Writing to a string does not fail.
        let _ = writeln!(text, "| {} | {sign} {} {} | {found} | {} |", bar.what, bar.asked, bar.unit, bar.verdict());
    }
    text
}

/// Three figures, never an exponent.
pub(crate) fn digits(value: f64) -> String {
    match value.abs() {
        size if size >= 100.0 => format!("{value:.0}"),
        size if size >= 10.0 => format!("{value:.1}"),
        _ => format!("{value:.2}"),
    }
}

/// Every bar of the benchmark, in the order of the tables.
pub(crate) fn all(results: &Results) -> Vec<Bar> {
    let mut bars = Vec::new();
    against_peers(results, &mut bars);
    against_the_floor(results, &mut bars);
    against_arkworks(results, &mut bars);
    for (metric, asked) in [("ciphertext", 750.0), ("key", 700.0)] {
        let what = format!("{metric}, 10 attributes, without header, policy text and names");
        bars.push(at_most(what, asked, "B", results.get("wardkeep", metric, "and10")));
    }
    for (metric, way) in [("batch-seal", "seal"), ("batch-open", "open")] {
        let what = format!("{way} a batch of 1 000 records of 1 KiB, 10 attributes, a record");
        bars.push(at_most(what, 5.0, "us", results.get("wardkeep", metric, "and10")));
    }
    let slowest = results.get("wardkeep", "refuse-structure", "hostile").map(|us| us / 1e3);
    bars.push(at_most("refusal by structure, the slowest of the hostile ones".to_owned(), 50.0, "ms", slowest));
    for policy in ["and1", "and50", "and512"] {
        let ratio = results.get("wardkeep", "refusal", policy).zip(results.get("wardkeep", "opening", policy));
        let what = format!("refusal by the transform, {}, against an opening", title(policy));
        // Both do the same work; a hundredth is what two best runs of one operation differ by.
        bars.push(at_most(what, 1.02, "x", ratio.map(|(refusal, opening)| refusal / opening)));
    }
    bars
}

fn against_peers(results: &Results, bars: &mut Vec<Bar>) {
    for (temperature, asked) in TEMPERATURES.into_iter().zip([20.0, 30.0]) {
        for policy in POLICIES {
            let what = format!("seal, {}, {temperature}, against the faster peer", title(policy));
            bars.push(at_least(what, asked, faster(results, &PEERS, ("seal", temperature), policy)));
        }
    }
    for (temperature, asked) in TEMPERATURES.into_iter().zip([[3.0, 2.0, 1.8], [4.0, 3.0, 2.5]]) {
        for (policy, asked) in ["and10", "and50", "and100"].into_iter().zip(asked) {
            let what = format!("open, {}, {temperature}, against circl", title(policy));
            bars.push(at_least(what, asked, faster(results, &["circl-tkn20"], ("open", temperature), policy)));
        }
    }
    for temperature in TEMPERATURES {
        let worst = up_to_100(results)
            .filter_map(|policy| Some((faster(results, &RABE, ("open", temperature), &policy)?, policy)))
            .min_by(|left, right| left.0.total_cmp(&right.0));
        let at = worst.as_ref().map_or(String::new(), |(_, policy)| format!(", the least ({})", title(policy)));
        let what = format!("open, {temperature}, against rabe at every size up to 100{at}");
        bars.push(at_least(what, 1.0, worst.map(|(ratio, _)| ratio)));
    }
    for temperature in TEMPERATURES {
        for policy in POLICIES {
            let what = format!("key issue, {}, {temperature}, against rabe", title(policy));
            bars.push(at_least(what, 25.0, faster(results, &RABE, ("issue", temperature), policy)));
        }
    }
}

fn against_the_floor(results: &Results, bars: &mut Vec<Bar>) {
    for verb in ["seal", "open"] {
        for temperature in TEMPERATURES {
            for policy in POLICIES {
                let metric = format!("{verb}-{temperature}");
                let what = format!("{verb}, {}, {temperature}, against the floor", title(policy));
                bars.push(at_most(what, 1.3, "x", share(results, ["wardkeep", "floor"], &metric, policy)));
            }
        }
    }
}

fn against_arkworks(results: &Results, bars: &mut Vec<Bar>) {
    for verb in ["seal", "open", "issue"] {
        let every = TEMPERATURES.into_iter().flat_map(|temperature| POLICIES.map(|policy| (temperature, policy)));
        let worst = every
            .filter_map(|(temperature, policy)| {
                let ratio = share(results, ["wardkeep-ark", "wardkeep"], &format!("{verb}-{temperature}"), policy)?;
                Some((ratio, temperature, policy))
            })
            .max_by(|left, right| left.0.total_cmp(&right.0));
        let at = worst
            .map_or(String::new(), |(_, temperature, policy)| format!(", the most ({}, {temperature})", title(policy)));
        let what = format!("{verb} on arkworks against blst{at}");
        bars.push(at_most(what, 3.0, "x", worst.map(|(ratio, ..)| ratio)));
    }
}

/// How many times faster than the fastest of some peers.
fn faster(results: &Results, peers: &[&str], (verb, temperature): (&str, &str), policy: &str) -> Option<f64> {
    let ours = results.get("wardkeep", &format!("{verb}-{temperature}"), policy)?;
    Some(results.least(peers, verb, policy)?.0 / ours)
}

fn share(results: &Results, [above, below]: [&str; 2], metric: &str, policy: &str) -> Option<f64> {
    Some(results.get(above, metric, policy)? / results.get(below, metric, policy)?)
}

fn up_to_100(results: &Results) -> impl Iterator<Item = String> {
    let sizes = results.sizes("wardkeep", "open-cached");
    sizes.into_iter().filter(|size| *size <= 100).map(|size| format!("and{size}")).chain(["mixed10".to_owned()])
}

/// A policy for readers.
pub(crate) fn title(policy: &str) -> String {
    match size(policy) {
        Some(size) => format!("AND of {size}"),
        None if policy == "mixed10" => "mix of 10".to_owned(),
        None => policy.to_owned(),
    }
}

fn at_least(what: String, asked: f64, found: Option<f64>) -> Bar {
    Bar { what, asked, at_least: true, unit: "x", found }
}

fn at_most(what: String, asked: f64, unit: &'static str, found: Option<f64>) -> Bar {
    Bar { what, asked, at_least: false, unit, found }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdict<'a>(bars: &'a [Bar], what: &str) -> (&'a str, Option<f64>) {
        let bar = bars.iter().find(|bar| bar.what.starts_with(what)).unwrap();
        (bar.verdict(), bar.found)
    }

    #[test]
    fn the_faster_peer_counts() {
        let lines = "rabe-ac17 seal and10 90000 us\nrabe-bsw seal and10 50000 us\ncirc-l seal and10 1 us\n\
                     wardkeep seal-cold and10 2500 us\nwardkeep seal-cached and10 2500 us\n";
        let bars = all(&Results::parse(lines).unwrap());
        assert_eq!(verdict(&bars, "seal, AND of 10, cold, against the faster"), ("met", Some(20.0)));
        assert_eq!(verdict(&bars, "seal, AND of 10, cached, against the faster"), ("MISSED", Some(20.0)));
        assert_eq!(verdict(&bars, "seal, AND of 50, cold, against the faster"), ("not measured", None));
    }

    #[test]
    fn the_worst_size_decides_where_every_size_is_asked() {
        let lines = "rabe-ac17 open and1 10 us\nwardkeep open-cached and1 1 us\nrabe-bsw open and100 8 us\n\
                     wardkeep open-cached and100 9 us\nrabe-bsw open and200 1 us\nwardkeep open-cached and200 9 us\n";
        let bars = all(&Results::parse(lines).unwrap());
        let (said, found) =
            verdict(&bars, "open, cached, against rabe at every size up to 100, the least (AND of 100)");
        assert_eq!((said, (found.unwrap() * 1000.0).round()), ("MISSED", 889.0));
    }

    #[test]
    fn floors_and_arkworks_are_upper_bounds() {
        let lines = "floor open-cold and1 10 us\nwardkeep open-cold and1 13.1 us\nwardkeep-ark open-cold and1 39 us\n";
        let bars = all(&Results::parse(lines).unwrap());
        assert_eq!(verdict(&bars, "open, AND of 1, cold, against the floor").0, "MISSED");
        assert_eq!(verdict(&bars, "open on arkworks against blst, the most (AND of 1, cold)").0, "met");
        assert_eq!(verdict(&bars, "seal on arkworks").0, "not measured");
    }

    #[test]
    fn a_bar_that_is_just_reached_is_met() {
        let bars = all(&Results::parse("wardkeep key and10 700 B\nwardkeep ciphertext and10 751 B").unwrap());
        assert_eq!(verdict(&bars, "key, 10").0, "met");
        assert_eq!(verdict(&bars, "ciphertext, 10").0, "MISSED");
        assert!(table(&bars).contains("| <= 700 B | 700 B | met |"), "{}", table(&bars));
    }
}

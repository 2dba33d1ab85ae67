//! The lines of a run: `peer metric policy value unit`, one measurement each.

use std::collections::BTreeMap;

/// What was measured, by peer, metric and policy. Several lines of one point are several rounds.
#[derive(Debug, Default)]
pub(crate) struct Results {
    points: BTreeMap<(String, String, String), Vec<f64>>,
}

impl Results {
    /// Reads lines; empty ones are passed over, any other that does not read is an error with its number.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let mut results = Self::default();
        for (at, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
            let fields: Vec<&str> = line.split_whitespace().collect();
            let wrong = || format!("line {}: `{line}` is not `peer metric policy value unit`", at + 1);
            let [peer, metric, policy, value, unit] = fields[..] else { return Err(wrong()) };
            let value: f64 = value.parse().map_err(|_| wrong())?;
            if !["us", "B"].contains(&unit) || !value.is_finite() || value < 0.0 {
                return Err(wrong());
            }
            results.put(peer, metric, policy, value);
        }
        Ok(results)
    }

    /// The best round, in us or bytes. Whatever else runs on a machine makes a run slower and none faster, so that the
    /// best of many is what repeats; the same for everybody.
    pub(crate) fn get(&self, peer: &str, metric: &str, policy: &str) -> Option<f64> {
        let rounds = self.points.get(&(peer.to_owned(), metric.to_owned(), policy.to_owned()))?;
        rounds.iter().copied().min_by(f64::total_cmp)
    }

    /// The smallest value among peers that were measured, with its name.
    pub(crate) fn least<'a>(&self, peers: &[&'a str], metric: &str, policy: &str) -> Option<(f64, &'a str)> {
        let found = peers.iter().filter_map(|peer| Some((self.get(peer, metric, policy)?, *peer)));
        found.min_by(|left, right| left.0.total_cmp(&right.0))
    }

    /// The numbers n of the policies `and<n>` at which a metric was measured, rising.
    pub(crate) fn sizes(&self, peer: &str, metric: &str) -> Vec<u32> {
        let of = |key: &(String, String, String)| (key.0 == peer && key.1 == metric).then(|| size(&key.2)).flatten();
        let mut sizes: Vec<u32> = self.points.keys().filter_map(of).collect();
        sizes.sort_unstable();
        sizes
    }

    /// The policies that a peer was measured at.
    pub(crate) fn policies(&self, peer: &str) -> Vec<String> {
        let mut policies: Vec<String> = self.keys(peer).map(|key| key.2.clone()).collect();
        policies.sort_unstable();
        policies.dedup();
        policies
    }

    /// The metrics of a peer, in the order of their names.
    pub(crate) fn metrics(&self, peer: &str) -> Vec<&str> {
        let mut metrics: Vec<&str> = self.keys(peer).map(|key| key.1.as_str()).collect();
        metrics.dedup();
        metrics
    }

    /// Adds a round of one point.
    pub(crate) fn put(&mut self, peer: &str, metric: &str, policy: &str, value: f64) {
        self.points.entry((peer.into(), metric.into(), policy.into())).or_default().push(value);
    }

    fn keys(&self, peer: &str) -> impl Iterator<Item = &(String, String, String)> {
        self.points.keys().filter(move |key| key.0 == peer)
    }
}

/// The n of `and<n>`.
pub(crate) fn size(policy: &str) -> Option<u32> {
    policy.strip_prefix("and")?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_best_round_counts() {
        let of = |text| Results::parse(text).unwrap().get("p", "seal", "and1");
        assert_eq!(of("p seal and1 3 us\np seal and1 1 us\n\np seal and1 2 us\n"), Some(1.0));
        assert_eq!(of("p seal and10 3 us"), None);
    }

    #[test]
    fn the_fastest_of_those_measured_is_named() {
        let results = Results::parse("a open and1 5 us\nb open and1 4 us").unwrap();
        assert_eq!(results.least(&["a", "b", "c"], "open", "and1"), Some((4.0, "b")));
        assert_eq!(results.least(&["c"], "open", "and1"), None);
    }

    #[test]
    fn sizes_are_numbers_not_words() {
        let results = Results::parse("a open and10 1 us\na open and2 1 us\na open mixed10 1 us").unwrap();
        assert_eq!(results.sizes("a", "open"), [2, 10]);
    }

    #[test]
    fn what_does_not_read_is_refused_with_its_line() {
        for bad in ["p seal and1 3", "p seal and1 x us", "p seal and1 3 ms", "p seal and1 -1 us", "p seal and1 NaN us"]
        {
            let error = Results::parse(&format!("p seal and1 1 us\n{bad}\n")).unwrap_err();
            assert!(error.starts_with("line 2: `p seal and1"), "{error}");
        }
    }
}

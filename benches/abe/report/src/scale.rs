//! Logarithmic axes.

/// A logarithmic axis: values from `low` to `high` over pixels from `from` to `to`, which may fall.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Scale {
    low: f64,
    high: f64,
    from: f64,
    to: f64,
}

impl Scale {
    /// `low` and `high` are positive and differ.
    pub(crate) fn new((low, high): (f64, f64), (from, to): (f64, f64)) -> Self {
        Self { low, high, from, to }
    }

    /// Bounds that hold every value with some air; a decade where there are none.
    pub(crate) fn bounds(values: impl IntoIterator<Item = f64>) -> (f64, f64) {
        let positive = values.into_iter().filter(|value| *value > 0.0);
        let (low, high) = positive.fold((f64::INFINITY, 0.0_f64), |(low, high), one| (low.min(one), high.max(one)));
        if low > high { (1.0, 10.0) } else { (low / 1.4, high * 1.4) }
    }

    /// The pixel of a value.
    pub(crate) fn at(&self, value: f64) -> f64 {
        let share = (value / self.low).ln() / (self.high / self.low).ln();
        self.from + share * (self.to - self.from)
    }

    /// The values 1, 2 and 5 times a power of ten within the bounds; `true` for the powers themselves.
    pub(crate) fn ticks(&self) -> Vec<(f64, bool)> {
        let decades = self.low.log10().floor() as i32..=self.high.log10().ceil() as i32;
        let all = decades.flat_map(|decade| [1.0, 2.0, 5.0].map(|step| (step * 10.0_f64.powi(decade), step == 1.0)));
        all.filter(|(value, _)| (self.low..=self.high).contains(value)).collect()
    }
}

/// Moves labels apart so that neighbours are at least `gap` from each other, keeping their order and, where there is
/// room, their place; all stay within `low..=high` if they fit. Input and output are in the same order.
pub(crate) fn apart(wanted: &[f64], gap: f64, (low, high): (f64, f64)) -> Vec<f64> {
    let mut order: Vec<(usize, f64)> = wanted.iter().copied().enumerate().collect();
    order.sort_by(|left, right| left.1.total_cmp(&right.1));
    // Groups of labels that touch: each is centred on what its members want.
    let mut groups: Vec<(Vec<f64>, f64)> = Vec::new();
    for (_, place) in &order {
        groups.push((vec![*place], *place));
        while let [.., (above, top), (below, next)] = &mut groups[..] {
            let reach = (above.len() + below.len()) as f64 / 2.0 * gap;
            if *next - *top >= reach {
                break;
            }
            above.append(below);
            *top = above.iter().sum::<f64>() / above.len() as f64;
            groups.pop();
        }
    }
    let spread = groups.into_iter().flat_map(|(members, centre)| {
        let half = (members.len() as f64 - 1.0) / 2.0 * gap;
        let centre = centre.min(high - half).max(low + half);
        (0..members.len()).map(move |at| centre - half + at as f64 * gap)
    });
    let mut placed: Vec<(usize, f64)> = order.iter().map(|(at, _)| *at).zip(spread).collect();
    placed.sort_by_key(|(at, _)| *at);
    placed.into_iter().map(|(_, place)| place).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_ratios_are_equal_distances() {
        let scale = Scale::new((1.0, 100.0), (300.0, 100.0));
        assert_eq!([1.0, 10.0, 100.0].map(|value| scale.at(value).round()), [300.0, 200.0, 100.0]);
    }

    #[test]
    fn ticks_are_round_and_within() {
        let ticks: Vec<f64> = Scale::new((0.9, 30.0), (0.0, 1.0)).ticks().iter().map(|tick| tick.0).collect();
        assert_eq!(ticks, [1.0, 2.0, 5.0, 10.0, 20.0]);
    }

    #[test]
    fn bounds_hold_what_there_is() {
        assert_eq!(Scale::bounds([]), (1.0, 10.0));
        let (low, high) = Scale::bounds([3.0, 0.0, 7.0]);
        assert!(low < 3.0 && low > 1.0 && high > 7.0 && high < 11.0);
    }

    #[test]
    fn labels_never_touch_and_keep_their_order() {
        let wanted = [100.0, 50.0, 101.0, 99.0, 54.0, 200.0];
        let placed = apart(&wanted, 14.0, (0.0, 206.0));
        for (left, one) in wanted.iter().enumerate() {
            for (right, other) in wanted.iter().enumerate().filter(|(right, _)| left != *right) {
                let (a, b) = (placed[left], placed[right]);
                assert!((a - b).abs() >= 13.999, "{wanted:?} -> {placed:?}");
                assert_eq!(one < other, a < b, "{wanted:?} -> {placed:?}");
            }
        }
        assert_eq!(placed[5], 200.0, "who has room stays");
    }
}

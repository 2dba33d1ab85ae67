//! The policies of the benchmark in our language.

/// A policy by its name in the tables.
pub(crate) struct Policy {
    /// `and<n>` or `mixed10`.
    pub(crate) name: String,
    /// What is sealed under.
    pub(crate) text: String,
    /// Every attribute that the policy names: what the key holds.
    pub(crate) attributes: String,
}

impl Policy {
    /// `and<n>`: n distinct attributes, all needed. `mixed10`: ten of them under both gates.
    pub(crate) fn named(name: &str) -> Result<Self, String> {
        let all = |range: std::ops::Range<usize>, between: &str| range.map(leaf).collect::<Vec<_>>().join(between);
        let (size, text) = match name {
            "mixed10" => {
                let left = format!("({} or {})", all(0..2, " and "), all(2..5, " and "));
                let middle = format!("({} or {})", leaf(5), all(6..8, " and "));
                (10, format!("{left} and {middle} and ({})", all(8..10, " or ")))
            }
            _ => {
                let size = name.strip_prefix("and").and_then(|digits| digits.parse().ok()).filter(|size| *size > 0);
                let size = size.ok_or_else(|| {
                    format!("`{name}` is no policy: give and<n> or mixed10, or batch or refusals alone")
                })?;
                (size, all(0..size, " and "))
            }
        };
        Ok(Self { name: name.to_owned(), text, attributes: all(0..size, ", ") })
    }
}

fn leaf(index: usize) -> String {
    format!("a{index:03} = yes")
}

//! The policies of the benchmark in rabe's words. A gate of rabe has exactly two children, so they are balanced trees.

/// A policy by its name in the tables.
pub(crate) struct Policy {
    /// `and<n>` or `mixed10`.
    pub(crate) name: String,
    /// rabe's human-readable form.
    pub(crate) text: String,
    held: Vec<String>,
}

impl Policy {
    /// `and<n>`: n distinct attributes, all needed. `mixed10`: ten of them under both gates.
    pub(crate) fn named(name: &str) -> Result<Self, String> {
        let (size, text) = match name {
            "mixed10" => (10, mixed()),
            _ => {
                let size = name.strip_prefix("and").and_then(|digits| digits.parse().ok()).filter(|size| *size > 0);
                let size = size.ok_or_else(|| format!("`{name}` is no policy: give and<n> or mixed10"))?;
                (size, all(0, size))
            }
        };
        Ok(Self { name: name.to_owned(), text, held: (0..size).map(attribute).collect() })
    }

    /// Every attribute that the policy names: what the key holds.
    pub(crate) fn attributes(&self) -> Vec<&str> {
        self.held.iter().map(String::as_str).collect()
    }
}

fn attribute(index: usize) -> String {
    format!("a{index:03}=yes")
}

fn leaf(index: usize) -> String {
    format!("\"{}\"", attribute(index))
}

fn all(from: usize, count: usize) -> String {
    if count < 2 {
        return leaf(from);
    }
    let half = count / 2;
    format!("({} and {})", all(from, half), all(from + half, count - half))
}

/// `((a0&a1 | a2&a3&a4) & (a5 | a6&a7)) & (a8|a9)`
fn mixed() -> String {
    let both = |left: String, right: String| format!("({left} and {right})");
    let either = |left: String, right: String| format!("({left} or {right})");
    let left = either(all(0, 2), all(2, 3));
    let middle = either(leaf(5), all(6, 2));
    both(both(left, middle), either(leaf(8), leaf(9)))
}

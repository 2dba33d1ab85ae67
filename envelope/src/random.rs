//! Chance as a parameter.

/// A source of bytes that nobody can foretell; the caller's choice, since this room has none of its own.
///
/// Every closure `FnMut(&mut [u8]) -> Result<(), RandomFailed>` is one.
pub trait Randomness {
    /// Fills `out` whole, or fails and leaves it unspecified.
    ///
    /// # Errors
    /// [`RandomFailed`] where the source gave nothing; whatever needed the bytes is then refused.
    fn fill(&mut self, out: &mut [u8]) -> Result<(), RandomFailed>;
}

/// The source of randomness failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the source of randomness failed")]
pub struct RandomFailed;

impl<F: FnMut(&mut [u8]) -> Result<(), RandomFailed>> Randomness for F {
    fn fill(&mut self, out: &mut [u8]) -> Result<(), RandomFailed> {
        self(out)
    }
}

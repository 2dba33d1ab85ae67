//! Many points to one secret power.

use super::point::G1;
use super::scalar::Secret;

/// One multiplication a point.
pub(super) fn mul_each(points: &[&G1], scalar: &Secret) -> Vec<G1> {
    points.iter().map(|point| point.mul_secret(scalar)).collect()
}

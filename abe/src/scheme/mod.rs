//! The algebra: FABEO, in its two forms.

pub(crate) mod base;
pub(crate) mod cp;
pub(crate) mod kp;

//! A user key with the public parameters it needs, in one file: all that opening off line takes.

use zeroize::Zeroizing;

use crate::DecodeError;
use crate::backend::Backend;
use crate::encoding::{Reader, put_counted};
use crate::key::UserKey;
use crate::parameters::PublicParameters;

const MAGIC: &[u8; 7] = b"WKABEKF";
const FORMAT: u8 = 1;
/// Longest part, in bytes.
const MAX_PART: usize = 64 << 20;

/// Puts a key and its parameters into one file. Secret; zeroed on drop.
#[must_use]
pub fn to_key_file<B: Backend>(parameters: &PublicParameters<B>, key: &UserKey<B>) -> Zeroizing<Vec<u8>> {
    let (public, secret) = (parameters.to_bytes(), key.to_bytes());
    let mut out = Zeroizing::new(Vec::with_capacity(16 + public.len() + secret.len()));
    out.extend_from_slice(MAGIC);
    out.push(FORMAT);
    put_counted(&mut out, public);
    put_counted(&mut out, &secret);
    out
}

/// Reads a key file. Signature and points are checked; whose authority it is, the holder knows.
///
/// # Errors
/// [`DecodeError`].
pub fn from_key_file<B: Backend>(bytes: &[u8]) -> Result<(PublicParameters<B>, UserKey<B>), DecodeError> {
    let mut reader = Reader::new(bytes);
    reader.begin(MAGIC, FORMAT, "a key file of attribute-based encryption")?;
    let parameters = PublicParameters::from_bytes(reader.counted(MAX_PART, "public parameters")?)?;
    let key = reader.counted(MAX_PART, "key")?;
    reader.end()?;
    let key = UserKey::from_bytes(key, &parameters)?;
    Ok((parameters, key))
}

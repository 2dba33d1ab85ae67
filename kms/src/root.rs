//! Where the root key comes from. It seals the store and is never in it.
//!
//! A file or an environment variable for now, behind one small trait: shares, passphrases and PKCS#11 come
//! later as further implementations.

use std::fs::File;
use std::io::Read;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use wardkeep_store::RootKey;
use zeroize::Zeroizing;

/// Longest text of a key that is looked at, in bytes: 64 digits and some white space.
const MAX_TEXT: u64 = 256;

/// A place that the root key comes from.
pub trait RootKeySource: Send + Sync {
    /// Fetches the key. It may ask a person or a device, so call it once, at start.
    ///
    /// # Errors
    /// Why there is no usable key.
    fn load(&self) -> Result<RootKey, RootKeyError>;
}

/// Why the root key could not be had. Never shows any of its bytes.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RootKeyError {
    /// The file could not be opened or read.
    #[error("the root key file `{path}` could not be read")]
    File {
        /// The file.
        path: PathBuf,
        /// The system's reason.
        #[source]
        source: std::io::Error,
    },
    /// It is not a regular file.
    #[error("the root key file `{path}` is not a regular file")]
    NotAFile {
        /// The file.
        path: PathBuf,
    },
    /// Others than its owner may use the file.
    #[error("the root key file `{path}` has mode {mode:04o}: take it from group and others with `chmod 600`")]
    Mode {
        /// The file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// The variable is not set or not text.
    #[error("the environment variable `{variable}` is not set to text")]
    Variable {
        /// The variable.
        variable: String,
    },
    /// Neither 32 bytes nor their text.
    #[error("the root key is malformed: give 32 bytes, raw, as 64 hexadecimal digits, or in base64")]
    Malformed,
}

/// The root key in a file: 32 bytes, raw or as text. Nobody but the owner may have access to it.
#[derive(Debug, Clone)]
pub struct FileRootKey(PathBuf);

/// The root key in an environment variable, as text. For development: the environment of a process is
/// visible to its owner and inherited by its children.
#[derive(Debug, Clone)]
pub struct EnvRootKey(String);

impl FileRootKey {
    /// The key in that file.
    #[must_use]
    pub fn new(path: impl AsRef<Path>) -> Self {
        Self(path.as_ref().to_owned())
    }
}

impl EnvRootKey {
    /// The key in that variable.
    #[must_use]
    pub fn new(variable: impl Into<String>) -> Self {
        Self(variable.into())
    }
}

impl RootKeySource for FileRootKey {
    fn load(&self) -> Result<RootKey, RootKeyError> {
        let failed = |source| RootKeyError::File { path: self.0.clone(), source };
        let file = File::open(&self.0).map_err(failed)?;
        // Asked of the open file, not of the path: what was checked is what is read.
        let metadata = file.metadata().map_err(failed)?;
        if !metadata.is_file() {
            return Err(RootKeyError::NotAFile { path: self.0.clone() });
        }
        let mode = metadata.mode() & 0o7777;
        if mode & 0o077 != 0 {
            return Err(RootKeyError::Mode { path: self.0.clone(), mode });
        }
        // Room for all of it from the start: a buffer that grows leaves copies behind.
        let mut text = Zeroizing::new(Vec::with_capacity(MAX_TEXT as usize + 1));
        file.take(MAX_TEXT).read_to_end(&mut text).map_err(failed)?;
        parse(&text)
    }
}

impl RootKeySource for EnvRootKey {
    fn load(&self) -> Result<RootKey, RootKeyError> {
        let text = std::env::var(&self.0).map_err(|_| RootKeyError::Variable { variable: self.0.clone() })?;
        let text = Zeroizing::new(text);
        if text.len() == 32 {
            // 32 characters are never a key's text, and raw bytes do not belong into a variable.
            return Err(RootKeyError::Malformed);
        }
        parse(text.as_bytes())
    }
}

/// Reads 32 raw bytes, 64 hexadecimal digits, or base64 with padding (RFC 4648, section 4), white space
/// around the text aside.
fn parse(text: &[u8]) -> Result<RootKey, RootKeyError> {
    if let Ok(raw) = <[u8; 32]>::try_from(text) {
        return Ok(RootKey::from_bytes(raw));
    }
    let mut key = Zeroizing::new([0; 33]);
    let trimmed = text.trim_ascii();
    let len = if trimmed.len() == 64 {
        decode_hex(trimmed, key.as_mut_slice()).ok_or(RootKeyError::Malformed)?
    } else {
        STANDARD.decode_slice(trimmed, key.as_mut_slice()).map_err(|_| RootKeyError::Malformed)?
    };
    match key.first_chunk::<32>() {
        Some(raw) if len == 32 => Ok(RootKey::from_bytes(*raw)),
        _ => Err(RootKeyError::Malformed),
    }
}

/// Writes the bytes of an even number of digits; `None` for anything else than digits.
fn decode_hex(digits: &[u8], out: &mut [u8]) -> Option<usize> {
    let value = |digit: u8| char::from(digit).to_digit(16).and_then(|value| u8::try_from(value).ok());
    let (pairs, _) = digits.as_chunks::<2>();
    for (byte, [high, low]) in out.iter_mut().zip(pairs) {
        *byte = value(*high)? << 4 | value(*low)?;
    }
    Some(pairs.len())
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};

    use super::*;

    fn load(content: &[u8], mode: u32) -> Result<RootKey, RootKeyError> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("root.key");
        let mut file = File::options().write(true).create_new(true).mode(mode).open(&path).unwrap();
        file.set_permissions(std::fs::Permissions::from_mode(mode)).unwrap();
        file.write_all(content).unwrap();
        FileRootKey::new(&path).load()
    }

    #[test]
    fn raw_hexadecimal_and_base64_are_read() {
        assert!(load(&[0xFF; 32], 0o600).is_ok());
        assert!(load("0aF1".repeat(16).as_bytes(), 0o400).is_ok());
        assert!(load(format!("{}\n", STANDARD.encode([7; 32])).as_bytes(), 0o600).is_ok());
        assert!(parse(b"\n  AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\r\n").is_ok());
    }

    #[test]
    fn anything_else_is_refused() {
        for bad in [&b""[..], &[1; 31], &[1; 33], "g".repeat(64).as_bytes(), "ab".repeat(33).as_bytes(), &[65; 4096]] {
            assert!(matches!(load(bad, 0o600), Err(RootKeyError::Malformed)), "{} bytes", bad.len());
        }
        let short = STANDARD.encode([7; 31]);
        assert!(matches!(parse(short.as_bytes()), Err(RootKeyError::Malformed)));
    }

    #[test]
    fn a_file_that_others_may_use_is_refused() {
        for mode in [0o640, 0o604, 0o620, 0o602, 0o644, 0o610, 0o777] {
            assert!(matches!(load(&[1; 32], mode), Err(RootKeyError::Mode { .. })), "{mode:o}");
        }
        let folder = tempfile::tempdir().unwrap();
        assert!(matches!(FileRootKey::new(folder.path()).load(), Err(RootKeyError::NotAFile { .. })));
        assert!(matches!(FileRootKey::new(folder.path().join("none")).load(), Err(RootKeyError::File { .. })));
    }

    #[test]
    fn a_variable_that_is_not_set_says_which() {
        let error = EnvRootKey::new("WARDKEEP_TEST_NO_SUCH_KEY").load().err().unwrap();
        assert!(error.to_string().contains("WARDKEEP_TEST_NO_SUCH_KEY"));
    }
}

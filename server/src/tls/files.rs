//! PEM and DER files of certificates, keys and CRLs, read with a bound.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, CertificateRevocationListDer, PrivateKeyDer};
use zeroize::Zeroizing;

use super::ListenerKey;

/// Largest certificate or key file, in bytes.
const MAX_SMALL: u64 = 1 << 20;
/// Largest CRL file, in bytes: about a million entries.
const MAX_CRL: u64 = 64 << 20;

/// Why a file gives no certificate, key or CRL.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FileError {
    /// It cannot be read.
    #[error("`{path}` cannot be read: {source}")]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// It is larger than the bound.
    #[error("`{path}` has more than {most} bytes")]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// The bound.
        most: u64,
    },
    /// A private key that not only its owner can read.
    #[error("`{path}` holds a private key that others can read (mode {mode:04o}): run `chmod 600 {path}`")]
    Mode {
        /// The file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// It does not hold what it should.
    #[error("`{path}` holds no {what} in PEM")]
    Empty {
        /// The file.
        path: PathBuf,
        /// What was looked for.
        what: &'static str,
    },
    /// A PEM section is broken.
    #[error("`{path}` holds a broken {what}: {source}")]
    Broken {
        /// The file.
        path: PathBuf,
        /// What was looked for.
        what: &'static str,
        /// The reader's words.
        source: rustls::pki_types::pem::Error,
    },
}

/// All certificates of a PEM file, in order.
///
/// # Errors
/// [`FileError`]; a file without a certificate is an error.
pub fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, FileError> {
    let what = "certificate";
    let text = read(path, MAX_SMALL)?;
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&text).collect();
    let found = found.map_err(|source| FileError::Broken { path: path.to_owned(), what, source })?;
    if found.is_empty() {
        return Err(FileError::Empty { path: path.to_owned(), what });
    }
    Ok(found)
}

/// A listener's chain and key. On Unix the key's file must be its owner's alone.
///
/// # Errors
/// [`FileError`].
pub fn listener_key(certificate: &Path, key: &Path) -> Result<ListenerKey, FileError> {
    let what = "private key";
    let chain = certificates(certificate)?;
    let text = read_private(key)?;
    let key = PrivateKeyDer::from_pem_slice(&text).map_err(|source| match source {
        rustls::pki_types::pem::Error::NoItemsFound => FileError::Empty { path: key.to_owned(), what },
        source => FileError::Broken { path: key.to_owned(), what, source },
    })?;
    Ok(ListenerKey { chain, key })
}

/// The CRLs of a file: PEM sections, or one list in DER.
///
/// # Errors
/// [`FileError`]; whether a list is well-formed is for the verifier to say.
pub fn crls(path: &Path) -> Result<Vec<CertificateRevocationListDer<'static>>, FileError> {
    let what = "CRL";
    let bytes = read(path, MAX_CRL)?;
    // A DER list begins with SEQUENCE (0x30), which is `0`: no PEM file does.
    if bytes.first() == Some(&0x30) {
        return Ok(vec![CertificateRevocationListDer::from(bytes.to_vec())]);
    }
    let found: Result<Vec<_>, _> = CertificateRevocationListDer::pem_slice_iter(&bytes).collect();
    let found = found.map_err(|source| FileError::Broken { path: path.to_owned(), what, source })?;
    if found.is_empty() {
        return Err(FileError::Empty { path: path.to_owned(), what });
    }
    Ok(found)
}

fn read(path: &Path, most: u64) -> Result<Zeroizing<Vec<u8>>, FileError> {
    read_open(path, open(path)?, most)
}

fn read_private(path: &Path) -> Result<Zeroizing<Vec<u8>>, FileError> {
    let file = open(path)?;
    // Asked of the open file, not of the path: what was checked is what is read, whatever a link points to by then.
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt;
        let metadata = file.metadata().map_err(|source| FileError::Unreadable { path: path.to_owned(), source })?;
        let mode = metadata.mode() & 0o7777;
        if mode & 0o077 != 0 {
            return Err(FileError::Mode { path: path.to_owned(), mode });
        }
    }
    read_open(path, file, MAX_SMALL)
}

fn open(path: &Path) -> Result<File, FileError> {
    File::open(path).map_err(|source| FileError::Unreadable { path: path.to_owned(), source })
}

fn read_open(path: &Path, file: File, most: u64) -> Result<Zeroizing<Vec<u8>>, FileError> {
    let unreadable = |source| FileError::Unreadable { path: path.to_owned(), source };
    let mut bytes = Zeroizing::new(Vec::new());
    file.take(most + 1).read_to_end(&mut bytes).map_err(unreadable)?;
    if u64::try_from(bytes.len()).unwrap_or(u64::MAX) > most {
        return Err(FileError::TooLarge { path: path.to_owned(), most });
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests;

//! Files of attribute-based encryption: read whole, bounded, and secrets only where nobody else can read them.

use std::fs::File;
use std::io::Read as _;
use std::path::Path;

use wardkeep_abe::{PublicParameters, RevocationList, Schema, UserKey, from_key_file};
use wardkeep_client::RsaHolder;
use wardkeep_client::abe::Key;
use zeroize::Zeroizing;

use super::AbeError;
use super::authority::hex;
use super::error::InText as _;
use crate::bundle_folder;
use crate::error::FileError;

/// Longest file that is read: parameters of 1 024 declarations, keys of 4 096 labels, and lists stay far below.
const MAX_FILE: u64 = 32 << 20;

/// Something that an authority publishes, and that a newer one of its kind may replace.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Published {
    /// Public parameters.
    Parameters,
    /// A signed list of revoked keys.
    List,
}

impl Published {
    fn magic(self) -> &'static [u8] {
        match self {
            Self::Parameters => b"WKABEPP",
            Self::List => b"WKABERL",
        }
    }

    /// That it can be written there: the name is free, or one of its kind has it. Whatever else stands there is
    /// replaced by `force` alone, for a name that was mistyped may be that of a master key.
    pub(crate) fn check_place(self, place: &Path, force: bool) -> Result<(), AbeError> {
        let Ok(known) = place.symlink_metadata() else { return Ok(()) };
        let magic = self.magic();
        // What is no file is not opened: a pipe would hold the command up.
        if force || known.is_file() && beginning(place, magic.len())? == magic {
            return Ok(());
        }
        let what = match self {
            Self::Parameters => "holds no public parameters",
            Self::List => "holds no list of revoked keys",
        };
        Err(AbeError::Taken { path: place.to_owned(), what })
    }
}

/// The public parameters in a file.
pub(crate) fn parameters(path: &Path) -> Result<PublicParameters, AbeError> {
    PublicParameters::from_bytes(&public(path)?).map_err(AbeError::decoding(path))
}

/// The same, where they have to be signed by this key.
pub(crate) fn parameters_of(path: &Path, signer: Option<&[u8; 32]>) -> Result<PublicParameters, AbeError> {
    let found = parameters(path)?;
    signed_by(&found, signer, path)?;
    Ok(found)
}

/// That parameters are of the authority that is meant: by themselves they are only somebody's.
pub(crate) fn signed_by(parameters: &PublicParameters, signer: Option<&[u8; 32]>, path: &Path) -> Result<(), AbeError> {
    let Some(pinned) = signer.filter(|signer| parameters.verify(signer).is_err()) else { return Ok(()) };
    let (found, pinned) = (hex(parameters.signing_key()), hex(pinned));
    Err(AbeError::OtherSigner { path: path.to_owned(), found, pinned })
}

/// An RSA private key (PKCS#8 PEM) that nobody but its owner can read.
pub(crate) fn holder(path: &Path) -> Result<RsaHolder, AbeError> {
    let file = secret(path)?;
    RsaHolder::from_pem(&file).map_err(|error| AbeError::Holder { path: path.to_owned(), error })
}

/// The key in a file, with the parameters that it carries along.
pub(crate) fn key(path: &Path) -> Result<(PublicParameters, UserKey), AbeError> {
    from_key_file(&secret(path)?).map_err(AbeError::decoding(path))
}

/// The same, for whoever opens with it.
pub(crate) fn reader(path: &Path) -> Result<Key, AbeError> {
    Key::from_bytes(&secret(path)?).map_err(AbeError::decoding(path))
}

/// The list in a file, its signature checked.
pub(crate) fn revocations(path: &Path, parameters: &PublicParameters) -> Result<RevocationList, AbeError> {
    RevocationList::from_bytes(&public(path)?, parameters).map_err(AbeError::list(path))
}

/// The declarations in a file; none without one.
pub(crate) fn schema(path: Option<&Path>) -> Result<Schema, AbeError> {
    let Some(path) = path else { return Ok(Schema::default()) };
    let text = bundle_folder::text(path)?;
    Schema::parse(&text).map_err(|error| error.in_text(&text, Some(path)))
}

/// The bytes of a file that anybody may read.
pub(crate) fn public(path: &Path) -> Result<Zeroizing<Vec<u8>>, AbeError> {
    let file = File::open(path).map_err(FileError::at("read", path))?;
    bounded(path, file)
}

/// The bytes of a file that its owner alone may read. Another is refused, as other keys of this program are.
pub(crate) fn secret(path: &Path) -> Result<Zeroizing<Vec<u8>>, AbeError> {
    let file = File::open(path).map_err(FileError::at("read", path))?;
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt as _;
        // Asked of the open file, not of the path: what was checked is what is read.
        let mode = file.metadata().map_err(FileError::at("read", path))?.mode() & 0o7777;
        if mode & 0o077 != 0 {
            return Err(AbeError::Mode { path: path.to_owned(), mode });
        }
    }
    bounded(path, file)
}

fn bounded(path: &Path, file: File) -> Result<Zeroizing<Vec<u8>>, AbeError> {
    let length = file.metadata().map_err(FileError::at("read", path))?.len();
    if length > MAX_FILE {
        return Err(AbeError::TooLong { path: path.to_owned(), max: MAX_FILE });
    }
    // Room for all of it at once: a buffer that grows leaves copies of a secret behind.
    let mut bytes = Zeroizing::new(Vec::with_capacity(usize::try_from(length).unwrap_or(0) + 1));
    file.take(MAX_FILE).read_to_end(&mut bytes).map_err(FileError::at("read", path))?;
    Ok(bytes)
}

/// The first bytes of a file, as far as there are any.
pub(super) fn beginning(path: &Path, count: usize) -> Result<Vec<u8>, AbeError> {
    let file = File::open(path).map_err(FileError::at("read", path))?;
    let mut start = Vec::with_capacity(count);
    file.take(count as u64).read_to_end(&mut start).map_err(FileError::at("read", path))?;
    Ok(start)
}

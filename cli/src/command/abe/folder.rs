//! An authority in a folder.
//!
//! ```text
//! FOLDER/authority.key     master key, mode 0600       FOLDER/parameters.wkpp   public
//! FOLDER/serials.json      the ledger                  FOLDER/lock              held by whoever changes something
//! FOLDER/former-N/         the same of version N, after a rotation
//! ```
//!
//! The master key is what counts: an authority is there once its file is, and the other files of a change that was cut
//! short are put right by the next one.

use std::fs::File;
use std::path::{Path, PathBuf};

use wardkeep_abe::{Authority, PublicParameters};

use super::AbeError;
use super::files;
use super::ledger::Ledger;
use crate::error::FileError;
use crate::installation::folder_of_owner;
use crate::whole_file::{self, Readers};

const KEY: &str = "authority.key";
const PARAMETERS: &str = "parameters.wkpp";
const LEDGER: &str = "serials.json";
const LOCK: &str = "lock";

/// An authority's folder, in which nobody else is at work.
#[derive(Debug)]
pub(crate) struct Folder {
    path: PathBuf,
    /// Released when it is closed, also by a crash.
    _lock: File,
}

/// The public parameters of the authority in a folder. Takes no lock and needs no secret.
pub(crate) fn parameters(path: &Path) -> Result<PublicParameters, AbeError> {
    let place = path.join(PARAMETERS);
    if !place.exists() {
        return Err(AbeError::NoAuthority { path: path.to_owned() });
    }
    files::parameters(&place)
}

impl Folder {
    /// A folder for a new authority. One with a ledger that is in use is refused although its master key is elsewhere: of
    /// that authority no serial could be revoked any more.
    pub(crate) fn create(path: &Path) -> Result<Self, AbeError> {
        folder_of_owner(path)?;
        let folder = Self::lock(path)?;
        if folder.path.join(KEY).exists() {
            return Err(AbeError::Exists { path: path.to_owned() });
        }
        if folder.path.join(LEDGER).exists() && folder.ledger()?.is_in_use() {
            return Err(AbeError::LedgerInUse { path: folder.path.join(LEDGER) });
        }
        Ok(folder)
    }

    /// The folder of an authority. Waits until others have done their work in it.
    pub(crate) fn open(path: &Path) -> Result<Self, AbeError> {
        if !path.join(KEY).exists() {
            return Err(AbeError::NoAuthority { path: path.to_owned() });
        }
        Self::lock(path)
    }

    fn lock(path: &Path) -> Result<Self, AbeError> {
        let place = path.join(LOCK);
        let lock = File::options().create(true).append(true).open(&place).map_err(FileError::at("open", &place))?;
        lock.lock().map_err(FileError::at("lock", &place))?;
        Ok(Self { path: path.to_owned(), _lock: lock })
    }

    /// The authority and its ledger.
    pub(crate) fn load(&self) -> Result<(Authority, Ledger), AbeError> {
        let place = self.path.join(KEY);
        let authority = Authority::from_bytes(&files::secret(&place)?).map_err(AbeError::decoding(&place))?;
        let ledger = self.ledger()?;
        let version = authority.parameters().version();
        match ledger.version {
            found if found == version => Ok((authority, ledger)),
            // A rotation was cut short behind the new master key: its version has no keys yet.
            found if found < version => {
                self.publish(authority.parameters())?;
                Ok((authority, Ledger::new(&ledger.name, version)))
            }
            found => {
                let error = format!("it is of version {found}, the authority of version {version}");
                Err(AbeError::Ledger { path: self.path.join(LEDGER), error })
            }
        }
    }

    fn ledger(&self) -> Result<Ledger, AbeError> {
        let place = self.path.join(LEDGER);
        let text = files::public(&place)?;
        Ledger::read(&text).map_err(|error| AbeError::Ledger { path: place, error })
    }

    /// Writes the ledger; durable when this returns.
    pub(crate) fn keep(&self, ledger: &Ledger) -> Result<(), AbeError> {
        let place = self.path.join(LEDGER);
        let text =
            ledger.to_text().map_err(|error| AbeError::Ledger { path: place.clone(), error: error.to_string() })?;
        Ok(whole_file::write(&place, &text, Readers::Owner, true)?)
    }

    /// Writes a new authority, its master key last.
    pub(crate) fn found(&self, authority: &Authority, ledger: &Ledger) -> Result<(), AbeError> {
        self.keep(ledger)?;
        self.publish(authority.parameters())?;
        self.install(authority)
    }

    /// Puts a new version in the place of `former`, which stays whole in a folder below: keys of its own can still be
    /// issued and revoked there.
    pub(crate) fn replace(
        &self,
        former: (&Authority, &Ledger),
        new: (&Authority, &Ledger),
    ) -> Result<PathBuf, AbeError> {
        let below = self.path.join(format!("former-{}", former.1.version));
        folder_of_owner(&below)?;
        Self::lock(&below)?.found(former.0, former.1)?;
        self.install(new.0)?;
        self.publish(new.0.parameters())?;
        self.keep(new.1)?;
        Ok(below)
    }

    fn install(&self, authority: &Authority) -> Result<(), AbeError> {
        Ok(whole_file::write(&self.path.join(KEY), &authority.to_bytes(), Readers::Owner, true)?)
    }

    fn publish(&self, parameters: &PublicParameters) -> Result<(), AbeError> {
        Ok(whole_file::write(&self.path.join(PARAMETERS), parameters.to_bytes(), Readers::Anyone, true)?)
    }

    /// Where the public parameters are.
    pub(crate) fn parameters(&self) -> PathBuf {
        self.path.join(PARAMETERS)
    }
}

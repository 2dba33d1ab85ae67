//! What can be wrong with the demo's input.

use std::io;
use std::path::PathBuf;

/// Why input was refused; each names the file, and the entry where there is one.
#[derive(Debug, thiserror::Error)]
pub(crate) enum InputError {
    /// The path cannot be opened.
    #[error("could not open `{}`: {error}", path.display())]
    Open { path: PathBuf, error: io::Error },
    /// A file inside could not be read.
    #[error("could not read `{name}`: {error}")]
    Read { name: String, error: io::Error },
    /// The ending says nothing that we read.
    #[error("`{}` is no input of the demo: give a folder, or a file ending in .json, .tar.xz, .tar.gz or .zip", path.display())]
    Unsupported { path: PathBuf },
    /// The archive is damaged, or not what its ending says.
    #[error("`{}` is not a whole archive of the kind its ending says: {error}", path.display())]
    Archive { path: PathBuf, error: io::Error },
    /// The zip archive is damaged or uses something that we do not read.
    #[error("`{}` is not a zip archive that can be read: {error}", path.display())]
    Zip { path: PathBuf, error: zip::result::ZipError },
    /// Nothing to protect.
    #[error("{place} holds no FHIR bundle: expected files ending in .json")]
    Empty { place: String },
    /// More than is read into memory.
    #[error("`{name}` is longer than {} MiB unpacked: split the bundle", super::MAX_BUNDLE / 1024 / 1024)]
    TooLong { name: String },
    /// Not JSON, or not the shape of a bundle.
    #[error("`{name}` is not a FHIR bundle in JSON: {error}")]
    Json { name: String, error: serde_json::Error },
    /// JSON, but of another kind.
    #[error("`{name}` is a FHIR `{found}`, not a `Bundle`: wrap resources as `entry[].resource`")]
    NotABundle { name: String, found: String },
    /// One of its resources is not a FHIR resource.
    #[error("`{name}`, entry {index}: not a FHIR resource: {error}")]
    Resource { name: String, index: usize, error: serde_json::Error },
    /// Its type is no FHIR type name.
    #[error("`{name}`, entry {index}: `{found}` is no FHIR resource type")]
    Kind { name: String, index: usize, found: String },
    /// It, or the patient whom it is about, has no id that can name them.
    #[error(
        "`{name}`, entry {index}: `{found}` ({len} bytes) is no FHIR id: use 1 to 64 letters, digits, `-` and `.` (R4, Datatypes)"
    )]
    Id { name: String, index: usize, len: usize, found: String },
}

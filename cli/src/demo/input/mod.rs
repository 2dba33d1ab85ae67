//! What the demo protects: FHIR R4 bundles, read one at a time.
//!
//! | file | job |
//! |---|---|
//! | here | which kind of source a path is, and walking it bundle by bundle |
//! | [`archive`] | the same for tar and zip archives |
//! | [`bundle`] | the raw byte slice of each `entry[].resource`, and what it says about itself |
//! | [`error`] | what can be wrong with input |
//!
//! Memory holds one bundle (and its caller's few): an archive is never unpacked as a whole.

pub(crate) mod archive;
pub(crate) mod bundle;
pub(crate) mod error;

use std::fs::File;
use std::io::{self, Read};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

pub(crate) use bundle::{Bundle, Resource};
pub(crate) use error::InputError;

/// Longest bundle that is read into memory, in bytes.
pub(crate) const MAX_BUNDLE: u64 = 256 * 1024 * 1024;

/// The built-in sample: three people of our own making.
const SAMPLE: [(&str, &str); 3] = [
    ("ana.json", include_str!("../../../data/ana.json")),
    ("bruno.json", include_str!("../../../data/bruno.json")),
    ("chiara.json", include_str!("../../../data/chiara.json")),
];

/// Where bundles come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Source {
    /// The sample that is built in.
    Sample,
    /// A folder; the `.json` files in it, in the order of their names.
    Folder(PathBuf),
    /// One bundle.
    Json(PathBuf),
    /// A tar archive, packed by xz.
    TarXz(PathBuf),
    /// A tar archive, packed by gzip.
    TarGz(PathBuf),
    /// A zip archive.
    Zip(PathBuf),
}

/// Whether to go on after a bundle.
pub(crate) type Visit<'a> = &'a mut dyn FnMut(Bundle) -> ControlFlow<()>;

impl Source {
    /// What a path is, by what it is on disk and by its name.
    pub(crate) fn of(path: &Path) -> Result<Self, InputError> {
        let found = std::fs::metadata(path).map_err(|error| InputError::Open { path: path.to_owned(), error })?;
        if found.is_dir() {
            return Ok(Self::Folder(path.to_owned()));
        }
        let name = path.file_name().map(|name| name.to_string_lossy().to_ascii_lowercase()).unwrap_or_default();
        let ends = |ending: &str| name.ends_with(ending);
        if ends(".json") {
            Ok(Self::Json(path.to_owned()))
        } else if ends(".tar.xz") || ends(".txz") {
            Ok(Self::TarXz(path.to_owned()))
        } else if ends(".tar.gz") || ends(".tgz") {
            Ok(Self::TarGz(path.to_owned()))
        } else if ends(".zip") {
            Ok(Self::Zip(path.to_owned()))
        } else {
            Err(InputError::Unsupported { path: path.to_owned() })
        }
    }

    /// Hands over every bundle in turn. Files that are not `.json` are passed over; a source without
    /// any bundle is an error, for then the path is wrong.
    pub(crate) fn each(&self, visit: Visit<'_>) -> Result<(), InputError> {
        let mut seen = false;
        let mut counted = |bundle: Bundle| {
            seen = true;
            visit(bundle)
        };
        match self {
            Self::Sample => sample(&mut counted),
            Self::Folder(path) => folder(path, &mut counted)?,
            Self::Json(path) => {
                let _ = counted(json(path)?);
            }
            Self::TarXz(path) => archive::tar_xz(path, &mut counted)?,
            Self::TarGz(path) => archive::tar_gz(path, &mut counted)?,
            Self::Zip(path) => archive::zip(path, &mut counted)?,
        }
        if seen { Ok(()) } else { Err(InputError::Empty { place: self.to_string() }) }
    }
}

impl std::fmt::Display for Source {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Sample => f.write_str("the built-in sample"),
            Self::Folder(path) | Self::Json(path) | Self::TarXz(path) | Self::TarGz(path) | Self::Zip(path) => {
                write!(f, "{}", path.display())
            }
        }
    }
}

/// Whether a file of that name holds a bundle; hidden files (`._name`, as some archivers add) do not.
pub(crate) fn is_bundle_name(path: &Path) -> bool {
    let hidden = path.file_name().is_some_and(|name| name.to_string_lossy().starts_with('.'));
    !hidden && path.extension().is_some_and(|ending| ending.eq_ignore_ascii_case("json"))
}

/// Reads one bundle's bytes, refusing what is longer than [`MAX_BUNDLE`] whatever its header says.
pub(crate) fn read_bundle(name: String, input: impl Read, said: u64) -> Result<Bundle, InputError> {
    if said > MAX_BUNDLE {
        return Err(InputError::TooLong { name });
    }
    let mut bytes = Vec::with_capacity(usize::try_from(said).unwrap_or(0));
    match input.take(MAX_BUNDLE + 1).read_to_end(&mut bytes) {
        Ok(read) if read as u64 > MAX_BUNDLE => Err(InputError::TooLong { name }),
        Ok(_) => Ok(Bundle::new(name, bytes)),
        Err(error) => Err(InputError::Read { name, error }),
    }
}

fn sample(visit: Visit<'_>) {
    for (name, text) in SAMPLE {
        if visit(Bundle::new(name.to_owned(), text.as_bytes().to_vec())).is_break() {
            return;
        }
    }
}

fn folder(path: &Path, visit: Visit<'_>) -> Result<(), InputError> {
    let fault = |error: io::Error| InputError::Open { path: path.to_owned(), error };
    let mut files = Vec::new();
    for entry in std::fs::read_dir(path).map_err(fault)? {
        let file = entry.map_err(fault)?.path();
        if is_bundle_name(&file) && file.is_file() {
            files.push(file);
        }
    }
    files.sort();
    for file in files {
        if visit(json(&file)?).is_break() {
            break;
        }
    }
    Ok(())
}

fn json(path: &Path) -> Result<Bundle, InputError> {
    let fault = |error: io::Error| InputError::Open { path: path.to_owned(), error };
    let file = File::open(path).map_err(fault)?;
    let said = file.metadata().map_err(fault)?.len();
    let name = path.file_name().map_or_else(|| path.display().to_string(), |name| name.to_string_lossy().into_owned());
    read_bundle(name, file, said)
}

#[cfg(test)]
mod tests;

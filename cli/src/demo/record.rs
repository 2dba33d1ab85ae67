//! What is remembered of a protected resource: where its envelope lies, and what its bytes hashed to before.

use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};
use wardkeep_client::{Attributes, EncryptionContext, EntityUid, ResourceBinding, Value};

use super::input::Resource;
use crate::command::CommandError;
use crate::error::FileError;

/// One protected resource; about 60 bytes, so that a million fit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Record {
    /// Which bundle, counted from 0.
    pub(crate) bundle: u32,
    /// Which entry of it.
    pub(crate) number: u32,
    /// SHA-256 of its bytes, taken before they were protected.
    pub(crate) digest: [u8; 32],
    /// Whom it is about: a place in [`Records::patients`].
    pub(crate) patient: Option<u32>,
}

/// All of them.
#[derive(Debug, Default)]
pub(crate) struct Records {
    /// The folder that the envelopes lie in.
    pub(crate) folder: PathBuf,
    /// In the order of bundles and entries.
    pub(crate) all: Vec<Record>,
    /// FHIR ids of the patients, in the order of their appearance.
    pub(crate) patients: Vec<String>,
    /// How many bytes were protected.
    pub(crate) bytes: u64,
    /// How many bundles there were.
    pub(crate) bundles: u64,
}

impl Record {
    /// The envelope's place inside the folder.
    pub(crate) fn path(&self, folder: &Path) -> PathBuf {
        folder.join(format!("{:05}", self.bundle)).join(format!("{:05}.wk", self.number))
    }

    /// The envelope's bytes.
    pub(crate) fn load(&self, folder: &Path) -> Result<Vec<u8>, FileError> {
        let path = self.path(folder);
        std::fs::read(&path).map_err(FileError::at("read", path))
    }

    /// Whether these are the bytes that were protected.
    pub(crate) fn is(&self, plaintext: &[u8]) -> bool {
        digest(plaintext) == self.digest
    }
}

/// SHA-256.
pub(crate) fn digest(bytes: &[u8]) -> [u8; 32] {
    Sha256::digest(bytes).into()
}

/// The encryption context of a resource's data key: the record it protects, with what the rules look at.
pub(crate) fn context(resource: &Resource<'_>) -> Result<EncryptionContext, CommandError> {
    let Resource { kind, id, patient, raw: _ } = resource;
    let mut attributes: Attributes = [("kind".to_owned(), Value::from(kind.as_str()))].into();
    if let Some(patient) = patient {
        attributes.insert("patient".to_owned(), Value::from(patient.as_str()));
    }
    let entity = EntityUid::new("Resource", &format!("{kind}/{id}"))?;
    let resource = ResourceBinding { entity, attributes: Some(attributes), parents: None };
    Ok(EncryptionContext::new([].into(), Some(resource))?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_context_names_the_resource_and_binds_kind_and_patient() {
        let mut resource = Resource { raw: b"{}", kind: "Goal".into(), id: "g-1".into(), patient: Some("p-1".into()) };
        let bound = context(&resource).unwrap().resource().unwrap().clone();
        assert_eq!(bound.entity.to_string(), "Resource::\"Goal/g-1\"");
        assert_eq!(bound.attributes.unwrap()["patient"], Value::from("p-1"));
        resource.patient = None;
        let bound = context(&resource).unwrap().resource().unwrap().clone();
        assert!(!bound.attributes.unwrap().contains_key("patient"), "absent, not empty: rules ask `has`");
    }
}

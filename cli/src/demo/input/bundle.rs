//! A FHIR R4 bundle, and the resources in it as the bytes that they are.
//!
//! The unit of protection is the *raw byte slice* of each `entry[].resource` as it stands in the file:
//! spaces, member order, escapes and the digits of decimals stay as they came. FHIR gives meaning to
//! the digits of a decimal (R4, *Datatypes*, decimal: precision is significant), so parsing and writing
//! anew would already change a record.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::value::RawValue;

use super::InputError;

/// A bundle's name inside its source, and its bytes. No `Debug`: the bytes are people's records.
pub(crate) struct Bundle {
    name: String,
    bytes: Vec<u8>,
}

/// One resource of a bundle. No `Debug`: the bytes are somebody's record.
#[derive(Clone)]
pub(crate) struct Resource<'a> {
    /// Its bytes, as they stand in the bundle.
    pub(crate) raw: &'a [u8],
    /// Its FHIR type, `Observation`.
    pub(crate) kind: String,
    /// Its id; where it brings none, the id that the bundle's `fullUrl` gives it, or its place.
    pub(crate) id: String,
    /// The id of the patient whom it is about, where it is about one.
    pub(crate) patient: Option<String>,
}

impl Bundle {
    /// A bundle from the bytes of its file; a byte order mark is passed over.
    pub(crate) fn new(name: String, bytes: Vec<u8>) -> Self {
        Self { name, bytes }
    }

    /// Its name inside its source.
    #[cfg(test)]
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// The bytes of its file.
    #[cfg(test)]
    pub(crate) fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }

    /// Every resource, in order. Ids may recur, in a bundle and across bundles: all count.
    pub(crate) fn resources(&self) -> Result<Vec<Resource<'_>>, InputError> {
        let json = self.bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&self.bytes);
        let fault = |error| InputError::Json { name: self.name.clone(), error };
        let Kind { kind } = serde_json::from_slice(json).map_err(fault)?;
        if kind != "Bundle" {
            return Err(InputError::NotABundle { name: self.name.clone(), found: kind.chars().take(64).collect() });
        }
        let parsed: Entries<'_> = serde_json::from_slice(json).map_err(fault)?;
        let mut heads = Vec::with_capacity(parsed.entry.len());
        for (index, entry) in parsed.entry.into_iter().enumerate() {
            if let Some(raw) = entry.resource {
                heads.push((self.head(index, &entry.full_url, raw)?, raw));
            }
        }
        let patients = patients(&heads);
        Ok(heads.into_iter().map(|(head, raw)| head.with(raw, &patients)).collect())
    }

    fn head(&self, index: usize, full_url: &Option<String>, raw: &RawValue) -> Result<Named, InputError> {
        let fault = |error| InputError::Resource { name: self.name.clone(), index, error };
        let head: Head = serde_json::from_str(raw.get()).map_err(fault)?;
        let kind_is_a_name = head.kind.len() <= 64 && head.kind.starts_with(|c: char| c.is_ascii_uppercase());
        if !kind_is_a_name || !head.kind.bytes().all(|b| b.is_ascii_alphanumeric()) {
            let found = head.kind.chars().take(64).collect();
            return Err(InputError::Kind { name: self.name.clone(), index, found });
        }
        let id = match (head.id, full_url.as_deref().and_then(last_part)) {
            (Some(id), _) => id,
            (None, Some(id)) => id.to_owned(),
            (None, None) => format!("{index}"),
        };
        let checked = |id: &str| match is_id(id) {
            true => Ok(()),
            false => Err(InputError::Id {
                name: self.name.clone(),
                index,
                len: id.len(),
                found: id.chars().take(64).flat_map(char::escape_default).collect(),
            }),
        };
        checked(&id)?;
        let about = [head.patient, head.subject, head.beneficiary].into_iter().flatten().find_map(References::first);
        // Not passed over: what is about nobody is for everybody.
        about.as_deref().and_then(patient_of).map_or(Ok(()), checked)?;
        Ok(Named { kind: head.kind, id, full_url: full_url.clone(), about })
    }
}

/// A resource's own words about itself.
struct Named {
    kind: String,
    id: String,
    full_url: Option<String>,
    about: Option<String>,
}

impl Named {
    fn with<'a>(self, raw: &'a RawValue, patients: &BTreeMap<String, String>) -> Resource<'a> {
        let patient = self.patient(patients);
        Resource { raw: raw.get().as_bytes(), kind: self.kind, id: self.id, patient }
    }

    /// Whom it is about. A `urn:uuid:` names an entry of the same bundle by its `fullUrl`; one that is
    /// not there is taken by its last part, for bundles are also cut into pieces.
    fn patient(&self, patients: &BTreeMap<String, String>) -> Option<String> {
        if self.kind == "Patient" {
            return Some(self.id.clone());
        }
        let about = self.about.as_deref()?;
        if let Some(id) = patients.get(about) {
            return Some(id.clone());
        }
        patient_of(about).map(str::to_owned)
    }
}

/// FHIR R4, *Datatypes*, id: 1 to 64 characters of A-Z a-z 0-9 - .
fn is_id(id: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.');
    (1..=64).contains(&id.len()) && id.bytes().all(allowed)
}

/// The patient's id in a reference, whatever its characters; `None` where it refers to anything else.
fn patient_of(about: &str) -> Option<&str> {
    let id = about.strip_prefix("urn:uuid:").or_else(|| relative(about))?;
    (!id.is_empty()).then_some(id)
}

/// From each patient's `fullUrl` in the bundle to its id.
fn patients(heads: &[(Named, &RawValue)]) -> BTreeMap<String, String> {
    let patients = heads.iter().map(|(head, _)| head).filter(|head| head.kind == "Patient");
    patients.filter_map(|head| Some((head.full_url.clone()?, head.id.clone()))).collect()
}

/// The id in `Patient/1`, `https://host/fhir/Patient/1` or either with `/_history/2`; `None` for a
/// reference to anything but a patient.
fn relative(reference: &str) -> Option<&str> {
    let without_version = reference.split_once("/_history/").map_or(reference, |(before, _)| before);
    let (before, id) = without_version.rsplit_once('/')?;
    let kind = before.rsplit_once('/').map_or(before, |(_, kind)| kind);
    (kind == "Patient").then_some(id)
}

fn last_part(full_url: &str) -> Option<&str> {
    full_url.rsplit(['/', ':']).next().filter(|id| !id.is_empty())
}

#[derive(Deserialize)]
struct Kind {
    #[serde(rename = "resourceType")]
    kind: String,
}

#[derive(Deserialize)]
struct Entries<'a> {
    #[serde(borrow, default)]
    entry: Vec<Entry<'a>>,
}

#[derive(Deserialize)]
struct Entry<'a> {
    #[serde(rename = "fullUrl", default)]
    full_url: Option<String>,
    #[serde(borrow, default)]
    resource: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Head {
    #[serde(rename = "resourceType")]
    kind: String,
    #[serde(default)]
    id: Option<String>,
    #[serde(default)]
    subject: Option<References>,
    #[serde(default)]
    patient: Option<References>,
    #[serde(default)]
    beneficiary: Option<References>,
}

/// One reference, or a list as `Account.subject` has it, or something that is none.
#[derive(Deserialize)]
#[serde(untagged)]
enum References {
    One(Reference),
    Many(Vec<Reference>),
    Other(IgnoredAny),
}

#[derive(Deserialize)]
struct Reference {
    #[serde(default)]
    reference: Option<String>,
}

impl References {
    fn first(self) -> Option<String> {
        match self {
            Self::One(one) => one.reference,
            Self::Many(many) => many.into_iter().find_map(|one| one.reference),
            Self::Other(_) => None,
        }
    }
}

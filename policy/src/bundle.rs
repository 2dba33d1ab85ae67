//! A bundle: manifest, schema, policies and entities that go into force together.

/// The text of a bundle, as its files hold it. Reading them from a folder is the business of rooms with I/O.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct BundleSource {
    /// `wardkeep.toml`
    pub manifest: String,
    /// `schema.cedarschema`, in Cedar's syntax, without anything of Wardkeep's.
    pub schema: String,
    /// The policies: file name and text, in the order of their names.
    pub policies: Vec<(String, String)>,
    /// `entities.json` in Cedar's JSON format; entities that stand and fall with the bundle.
    pub entities: Option<String>,
}

impl BundleSource {
    /// The bundle a server starts with: operators administer rings and keys, nobody may use them, nothing for records.
    #[must_use]
    pub fn starter() -> Self { unimplemented!() }
    /// The bundle of `wardkeep dev`: as [`Self::starter`], and role `admin` may also make and use keys.
    #[must_use]
    pub fn dev() -> Self { unimplemented!() }
    /// The clinic of `policies/clinic`, for FHIR R4 records.
    #[must_use]
    pub fn clinic() -> Self { unimplemented!() }
}

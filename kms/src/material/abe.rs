//! Authorities of attribute-based encryption: FABEO over BLS12-381, made and used by the room `abe` alone.
//!
//! A key version is an authority version: rotation makes another master secret under the same authority id and signing
//! key, so that whoever pinned that key takes the parameters of every version.

use std::collections::BTreeMap;
use std::sync::Arc;

use wardkeep_abe::{
    Attributes, Authority, AuthorityId, Bucket, BucketLength, Dates, Grant, PublicParameters, RevocationList, Schema,
    Seed, Serial, Terms,
};
use wardkeep_model::{BindingDigest, Entropy, Fingerprint, IssueBinding, KeyVersion};
use zeroize::Zeroizing;

use crate::error::KmsError;
use crate::material::Made;

/// What an authority version is made with: what each attribute is, and how keys expire and are numbered. The bundle in
/// force says it, never a caller.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuthorityPlan {
    /// What each attribute is.
    pub schema: Schema,
    /// The length of time buckets, and how many serials there are.
    pub terms: Terms,
}

/// The master key of an authority version, ready to issue.
pub(crate) struct AuthorityKey(Authority);

impl AuthorityPlan {
    /// What a bundle declares, in the words of the decision.
    ///
    /// # Errors
    /// [`KmsError::Terms`] for a number of serials that no authority has.
    pub fn new(schema: Schema, bucket: wardkeep_model::BucketLength, serial_bits: u8) -> Result<Self, KmsError> {
        let bucket = match bucket {
            wardkeep_model::BucketLength::Hour => BucketLength::Hour,
            wardkeep_model::BucketLength::Day => BucketLength::Day,
        };
        Ok(Self { schema, terms: Terms::new(bucket, serial_bits)? })
    }

    /// What a permit to issue is bound to.
    pub(crate) fn binding(&self, attributes: &Attributes, recipient: Option<&Fingerprint>) -> BindingDigest {
        let (schema, attributes) = (self.schema.to_text(), attributes.to_string());
        let bucket = match self.terms.bucket_length() {
            BucketLength::Hour => wardkeep_model::BucketLength::Hour,
            BucketLength::Day => wardkeep_model::BucketLength::Day,
        };
        let serial_bits = self.terms.serial_bits();
        BindingDigest::of_issue(&IssueBinding {
            schema: &schema,
            bucket,
            serial_bits,
            attributes: &attributes,
            recipient,
        })
    }
}

/// Makes the first version of an authority: the secret without its row's head, and its public parameters.
pub(super) fn make(plan: AuthorityPlan, entropy: &dyn Entropy) -> Result<Made, KmsError> {
    let mut id = [0; 16];
    entropy.fill(&mut id)?;
    Ok(made(&Authority::generate(AuthorityId(id), plan.schema, plan.terms, seed(entropy)?)))
}

/// Makes the version after `former`; without a plan under the declarations it had.
pub(super) fn make_next(
    former: &AuthorityKey,
    plan: Option<AuthorityPlan>,
    entropy: &dyn Entropy,
) -> Result<Made, KmsError> {
    let AuthorityPlan { schema, terms } = plan.unwrap_or_else(|| former.plan());
    let next = former.0.rotate(schema, terms, seed(entropy)?);
    Ok(made(&next.map_err(|_| KmsError::TooManyVersions { max: crate::service::change::MAX_VERSIONS })?))
}

fn made(authority: &Authority) -> Made {
    Made { secret: authority.to_bytes(), public: Some(authority.parameters().to_bytes().into()) }
}

fn seed(entropy: &dyn Entropy) -> Result<Seed, KmsError> {
    Ok(Seed::draw(|out| entropy.fill(out))?)
}

impl AuthorityKey {
    /// Parses what [`make`] made. Dear: points are checked, tables built.
    pub(super) fn parse(secret: &[u8]) -> Result<Self, KmsError> {
        Authority::from_bytes(secret).map(Self).map_err(|_| KmsError::RowUnreadable)
    }

    /// What it was made with.
    pub(crate) fn plan(&self) -> AuthorityPlan {
        let parameters = self.0.parameters();
        AuthorityPlan { schema: parameters.schema().clone(), terms: *parameters.terms() }
    }

    /// Whether it was made with these declarations; a key under others would mean something else by the same words.
    pub(crate) fn fits(&self, plan: &AuthorityPlan, version: KeyVersion) -> Result<(), KmsError> {
        let parameters = self.0.parameters();
        let same = *parameters.terms() == plan.terms && parameters.schema().to_text() == plan.schema.to_text();
        if same { Ok(()) } else { Err(KmsError::SchemaDiffers { version }) }
    }

    /// Which authority version it is; must be the number of its key version.
    pub(crate) fn version(&self) -> u32 {
        self.0.parameters().version()
    }

    /// SHA-256 of its public parameters.
    pub(crate) fn fingerprint(&self) -> [u8; 32] {
        *self.0.parameters().fingerprint()
    }

    /// Whether [`Self::issue`] makes a key of these: every serial takes as many labels, so that it is asked with the first
    /// one, and none is spent on what makes no key.
    pub(crate) fn check(&self, attributes: &Attributes, valid_until: Bucket) -> Result<(), KmsError> {
        let grant = Grant { attributes, valid_until: Some(valid_until), serial: Some(Serial::new(1)) };
        Ok(self.0.check(&grant)?)
    }

    /// Issues a user key, as a file that opens off line: parameters and key. Always with an expiry and a serial: a key
    /// without either could never be taken back.
    pub(crate) fn issue(
        &self,
        attributes: &Attributes,
        valid_until: Bucket,
        serial: Serial,
        entropy: &dyn Entropy,
    ) -> Result<Zeroizing<Vec<u8>>, KmsError> {
        let grant = Grant { attributes, valid_until: Some(valid_until), serial: Some(serial) };
        let key = self.0.issue(&grant, seed(entropy)?)?;
        Ok(wardkeep_abe::to_key_file(self.0.parameters(), &key))
    }

    /// Signs a list of revoked serials, each with the bucket until which its key is valid.
    pub(crate) fn revocation_list(
        &self,
        dates: Dates,
        revoked: BTreeMap<Serial, Bucket>,
    ) -> Result<RevocationList, KmsError> {
        Ok(self.0.revocation_list(dates, revoked)?)
    }
}

/// What an authority version publishes, as its parameters say it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Published {
    /// The signed parameters: all that anybody needs to seal.
    pub parameters: Arc<[u8]>,
    /// SHA-256 of what is signed; it stands in every ciphertext.
    pub fingerprint: [u8; 32],
    /// Which authority; the same for all versions.
    pub authority: [u8; 16],
    /// The Ed25519 key that signs parameters and revocation lists of all versions; to be pinned.
    pub signing_key: [u8; 32],
    /// What each attribute is, as text.
    pub schema: String,
    /// Length of a time bucket, in seconds.
    pub bucket_seconds: u64,
    /// Bits of a serial.
    pub serial_bits: u8,
}

impl Published {
    /// Reads public parameters. Dear: points are checked.
    pub(crate) fn read(bytes: &Arc<[u8]>) -> Result<Self, KmsError> {
        let read = PublicParameters::from_bytes(bytes).map_err(|_| KmsError::RowUnreadable)?;
        Ok(Self {
            parameters: Arc::clone(bytes),
            fingerprint: *read.fingerprint(),
            authority: read.authority().0,
            signing_key: *read.signing_key(),
            schema: read.schema().to_text(),
            bucket_seconds: read.terms().bucket_length().seconds(),
            serial_bits: read.terms().serial_bits(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::fixture::FixedEntropy;

    fn plan() -> AuthorityPlan {
        AuthorityPlan { schema: Schema::parse("role: text set\n").unwrap(), terms: Terms::default() }
    }

    fn authority(plan: AuthorityPlan) -> AuthorityKey {
        AuthorityKey::parse(&make(plan, &FixedEntropy::counting()).unwrap().secret).unwrap()
    }

    /// Asked with the first serial before one is taken: it must say what the issue would, whatever the serial.
    #[test]
    fn the_check_before_a_serial_is_taken_is_that_of_the_issue() {
        let schema = Schema::parse("numbers: number(64) set\n").unwrap();
        let authority = authority(AuthorityPlan { schema, terms: Terms::default() });
        let bucket = plan().terms.bucket_at(1_800_000_000).unwrap();
        // Some sixty labels a number, of 4096.
        let of = |count: u64| {
            let numbers: Vec<String> = (0..count).map(|at| (u64::MAX - at * (1 << 56)).to_string()).collect();
            Attributes::parse(&format!("numbers = [{}]", numbers.join(", ")), &authority.plan().schema).unwrap()
        };
        let fits = (1..200).find(|count| authority.check(&of(*count), bucket).is_err()).unwrap() - 1;
        assert!(fits > 40, "{fits}");
        for serial in [1, 2, 0x5_5555, 0xf_ffff] {
            let makes = |attributes: &Attributes| {
                let grant = Grant { attributes, valid_until: Some(bucket), serial: Some(Serial::new(serial)) };
                authority.0.check(&grant).is_ok()
            };
            assert!(makes(&of(fits)) && !makes(&of(fits + 1)), "{serial}");
        }
        let refused = authority.check(&of(fits + 1), bucket).unwrap_err();
        assert_eq!(refused.code(), "issue-refused");
        let issued = authority.issue(&of(fits + 1), bucket, Serial::new(1), &FixedEntropy::of(&[9; 32]));
        assert_eq!(issued.err(), Some(refused));
    }

    #[test]
    fn a_rotation_keeps_who_it_is_and_changes_the_rest() {
        let first = authority(plan());
        let next = AuthorityKey::parse(&make_next(&first, None, &FixedEntropy::of(&[9; 32])).unwrap().secret).unwrap();
        let (one, two) = (first.0.parameters(), next.0.parameters());
        assert_eq!((first.version(), next.version()), (1, 2));
        assert_eq!((one.authority(), one.signing_key()), (two.authority(), two.signing_key()));
        assert_eq!(next.plan(), plan(), "without a plan the declarations stay");
        assert_ne!(one.to_bytes(), two.to_bytes());
        let other = AuthorityPlan { schema: Schema::parse("role: text set\nlevel: number(8)\n").unwrap(), ..plan() };
        let next = make_next(&first, Some(other.clone()), &FixedEntropy::of(&[9; 32])).unwrap();
        let next = AuthorityKey::parse(&next.secret).unwrap();
        let version = KeyVersion::new(2).unwrap();
        assert_eq!(next.fits(&other, version), Ok(()));
        assert_eq!(next.fits(&plan(), version), Err(KmsError::SchemaDiffers { version }));
    }

    #[test]
    fn other_terms_are_other_declarations() {
        let made = authority(plan());
        let hours = AuthorityPlan { terms: Terms::new(BucketLength::Hour, 20).unwrap(), ..plan() };
        let fewer = AuthorityPlan { terms: Terms::new(BucketLength::Day, 19).unwrap(), ..plan() };
        for other in [hours, fewer] {
            let refused = made.fits(&other, KeyVersion::FIRST);
            assert_eq!(refused, Err(KmsError::SchemaDiffers { version: KeyVersion::FIRST }));
        }
    }

    #[test]
    fn a_dead_generator_makes_no_authority_and_issues_nothing() {
        let dead = FixedEntropy::of(b"");
        assert_eq!(make(plan(), &dead).err(), Some(KmsError::NoEntropy));
        assert_eq!(make(plan(), &FixedEntropy::of(&[1; 16])).err(), Some(KmsError::NoEntropy), "an id and no seed");
        let made = authority(plan());
        assert_eq!(make_next(&made, None, &dead).err(), Some(KmsError::NoEntropy));
        let attributes = Attributes::parse("role = [doctor]", &plan().schema).unwrap();
        let issued = made.issue(&attributes, Bucket::new(20_000), Serial::new(1), &dead);
        assert_eq!(issued.err(), Some(KmsError::NoEntropy));
    }

    #[test]
    fn what_is_no_authority_is_not_parsed() {
        let made = make(plan(), &FixedEntropy::counting()).unwrap().secret;
        for cut in [0, 1, 16, made.len() / 2, made.len() - 1] {
            let parsed = AuthorityKey::parse(&made[..cut]).map(|_| ());
            assert_eq!(parsed, Err(KmsError::RowUnreadable), "{cut} bytes");
        }
    }
}

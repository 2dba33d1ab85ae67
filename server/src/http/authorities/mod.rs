//! Authorities of attribute-based encryption: public parameters, revocation lists, escrow. They are made, rotated and
//! described as keys are.

pub mod escrow;
pub mod parameters;
pub mod revocations;

use std::pin::Pin;
use std::sync::Arc;

use http::{HeaderMap, HeaderValue, header};
use serde::Deserialize;
use wardkeep_api::Base64;
use wardkeep_api::authority as wire;
use wardkeep_kms::{AuthorityPlan, KmsError, RevocationInfo, Sealed};
use wardkeep_model::{AuditEvent, KeyId};
use wardkeep_policy::AuthorityTerms;

use crate::admin::Held;
use crate::state::App;

/// The turn of administration, on its way.
pub type Holding = Pin<Box<dyn Future<Output = Result<Held, KmsError>> + Send>>;

/// Which version of an authority.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct VersionQuery {
    /// The version; absent: the newest.
    version: Option<u32>,
}

/// What the bundle in force declares for an authority, for its next version; `None` where it declares none.
///
/// # Errors
/// [`wardkeep_kms::KmsError::Terms`], which a bundle that was checked does not have.
pub fn plan(app: &App, key: &KeyId) -> Result<Option<AuthorityPlan>, KmsError> {
    let snapshot = app.engine.snapshot();
    let Some(projection) = snapshot.authority(key) else { return Ok(None) };
    let AuthorityTerms { bucket, serial_bits } = projection.terms();
    AuthorityPlan::new(projection.schema().clone(), bucket, serial_bits).map(Some)
}

/// What a control verb of the key service asks right before it acts: whether what its decision rested on still stands. It
/// waited meanwhile, and whoever lost the right in that time must not have what the right was for.
pub fn still_held(app: &Arc<App>) -> impl FnOnce(AuditEvent) -> Holding + Send + use<> {
    let admin = Arc::clone(&app.admin);
    move |event| Box::pin(async move { admin.hold(&event).await.ok_or(KmsError::PermitStale) })
}

/// Lower-case hexadecimal.
#[must_use]
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A sealed secret on the wire.
#[must_use]
pub fn sealed(sealed: Sealed) -> wire::SealedSecret {
    let Sealed { envelope, context, recipient } = sealed;
    wire::SealedSecret { envelope: Base64(envelope), context, recipient: recipient.to_string() }
}

/// A revocation list on the wire.
#[must_use]
pub fn revocations(list: &RevocationInfo) -> wire::Revocations {
    let RevocationInfo { key, version, number, issued, next_update, cover_rows, signed } = list;
    wire::Revocations {
        key: key.to_string(),
        version: version.get(),
        number: *number,
        issued: issued.to_string(),
        next_update: next_update.to_string(),
        cover_rows: u64::try_from(*cover_rows).unwrap_or(u64::MAX),
        list: Base64(signed.to_vec()),
    }
}

/// How long what an authority publishes may be kept, and by whom: by the caller alone, for whether it may see it was
/// decided for the caller.
fn kept(seconds: u64) -> HeaderValue {
    HeaderValue::try_from(format!("private, max-age={seconds}")).unwrap_or(HeaderValue::from_static("no-store"))
}

/// Whether the caller has that very answer already (RFC 9110, section 13.1.2: a weak comparison).
fn has(headers: &HeaderMap, tag: &str) -> bool {
    let values = headers.get_all(header::IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok());
    let mut tags = values.flat_map(|value| value.split(',')).map(|one| one.trim().trim_start_matches("W/"));
    tags.any(|one| one == tag || one == "*")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asks(values: &[&str]) -> bool {
        let headers = values.iter().map(|value| (header::IF_NONE_MATCH, HeaderValue::from_str(value).unwrap()));
        has(&headers.collect(), "\"ab\"")
    }

    #[test]
    fn one_of_several_tags_is_enough() {
        for yes in [&["\"ab\""][..], &["\"x\", \"ab\""], &["\"x\"", "\"ab\""], &["W/\"ab\""], &["*"]] {
            assert!(asks(yes), "{yes:?}");
        }
        for no in [&[][..], &["ab"], &["\"abc\""], &["\"AB\""], &["\"x\",\"y\""]] {
            assert!(!asks(no), "{no:?}");
        }
    }

    #[test]
    fn bytes_are_shown_in_lower_case() {
        assert_eq!(
            (hex(&[0, 0xAB, 0xFF]).as_str(), kept(300)),
            ("00abff", HeaderValue::from_static("private, max-age=300"))
        );
    }
}

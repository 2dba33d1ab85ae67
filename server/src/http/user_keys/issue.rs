//! `POST /v1/user-keys`

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use wardkeep_api::Secret;
use wardkeep_api::user_key::{IssueUserKey, IssuedUserKey};
use wardkeep_kms::{self as kms, AuthorityPlan, KmsError, RecipientKey};
use wardkeep_model::KeyId;
use wardkeep_policy::{AuthorityTerms, Projected};

use crate::http::authorities::{hex, sealed};
use crate::http::extract::Asker;
use crate::http::json::Json as Body;
use crate::http::problem::Fault;
use crate::http::wire;
use crate::state::App;

/// Issues a user key with the attributes of the subject's entity: in this answer, or sealed. A subject has at most 32 of a
/// version that live and are not revoked; one more is 409 `user-key-count`.
#[utoipa::path(post, path = "/v1/user-keys", tag = "user keys", request_body = IssueUserKey,
    responses((status = 200, body = IssuedUserKey)))]
pub async fn issue_user_key(
    State(app): State<Arc<App>>,
    asker: Asker,
    Body(body): Body<IssueUserKey>,
) -> Result<Json<IssuedUserKey>, Fault> {
    let IssueUserKey { key, version, valid_for_seconds: valid_for, recipient } = body;
    let (key, version) = (KeyId::parse(&key)?, wire::version(version)?);
    let recipient = wire::recipient(recipient)?;

    // Before anything that decides is looked at: a revocation waits for all that was decided before it.
    let turn = app.kms.begin_issue(&key).await;
    let recipient = reader(&app, &asker, recipient)?;
    let print = recipient.as_ref().map(RecipientKey::fingerprint);
    let (permit, projected) = asker.permit_issue(&key, print.as_ref()).await?;
    let Projected { schema, terms: AuthorityTerms { bucket, serial_bits }, attributes, .. } = projected;
    let plan = AuthorityPlan::new(schema, bucket, serial_bits)?;
    let asked = kms::IssueUserKey { key, version, plan, attributes, valid_for, recipient };
    Ok(Json(answer(app.kms.issue_user_key(turn, permit, asked).await?)))
}

/// For whom it is sealed. A key for somebody else goes to the public key registered for them: looked up for the decision,
/// which is about it too, and held to by the verb. That there is none is told to nobody before the decision.
fn reader(app: &App, asker: &Asker, given: Option<RecipientKey>) -> Result<Option<RecipientKey>, Fault> {
    if !asker.caller().acts_for_another() {
        return Ok(given);
    }
    if given.is_some() {
        return Err(KmsError::RecipientForAnother.into());
    }
    Ok(app.kms.registered_recipient(asker.caller().subject())?)
}

fn answer(issued: kms::IssuedUserKey) -> IssuedUserKey {
    let kms::IssuedUserKey { key, version, parameters, serial, attributes, valid_until, plain, sealed: envelope } =
        issued;
    IssuedUserKey {
        key: key.to_string(),
        version: version.get(),
        parameters: hex(&parameters),
        serial,
        attributes,
        valid_until: valid_until.to_string(),
        user_key: plain.map(|plain| Secret::from(plain.into_inner())),
        sealed: envelope.map(sealed),
    }
}

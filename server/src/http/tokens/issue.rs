//! `POST /v1/tokens`

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use http::StatusCode;
use wardkeep_api::SecretText;
use wardkeep_api::token::{IssueToken, IssuedToken};
use wardkeep_model::{Identity, action};
use wardkeep_policy::Resource;

use crate::ca::NewToken;
use crate::http::extract::Asker;
use crate::http::idempotency::hex;
use crate::http::json::Json as Body;
use crate::http::problem::Fault;
use crate::state::App;

/// Issues a one-time token for an identity; nobody does so for one that holds roles which they lack.
#[utoipa::path(post, path = "/v1/tokens", tag = "certificates", request_body = IssueToken,
    responses((status = 201, body = IssuedToken)))]
pub async fn issue_token(
    State(app): State<Arc<App>>,
    asker: Asker,
    Body(body): Body<IssueToken>,
) -> Result<(StatusCode, Json<IssuedToken>), Fault> {
    let identity = Identity::parse(&body.identity)?;
    let entity = app.engine.snapshot().identity().entity_of(&identity).ok_or(Fault::UnmappedKind)?;
    let life_millis = body.minutes.map(|minutes| u64::from(minutes) * 60_000);

    let permit = asker.permit::<action::IssueToken>(Resource::Identity(&entity)).await?;
    let made = app.admin.issue_token(permit, NewToken { identity, life_millis }).await?;
    let answer = IssuedToken {
        id: made.id,
        token: SecretText::new(made.text.to_string()),
        identity: body.identity,
        expires: made.expires.to_string(),
        ca_fingerprint: app.authority.fingerprint().map(|print| hex(&print)).unwrap_or_default(),
    };
    Ok((StatusCode::CREATED, Json(answer)))
}

//! `POST /v1/keys/{ring}/{key}/escrow`

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use wardkeep_api::Secret;
use wardkeep_api::authority::{EscrowAuthority, EscrowPackage, EscrowedAuthority};
use wardkeep_kms as kms;
use wardkeep_model::action::ExportAuthority;
use wardkeep_policy::{Resource, escrow_part};

use super::sealed;
use crate::http::extract::{Asker, KeyPath};
use crate::http::json::Json as Body;
use crate::http::problem::Fault;
use crate::http::wire;
use crate::state::App;

/// Exports an authority as shares for custodians, and in no other form. It is `exportable` from then on.
#[utoipa::path(post, path = "/v1/keys/{ring}/{key}/escrow", tag = "authorities", request_body = EscrowAuthority,
    params(("ring" = String, Path), ("key" = String, Path)), responses((status = 200, body = EscrowedAuthority)))]
pub async fn escrow_authority(
    State(app): State<Arc<App>>,
    asker: Asker,
    KeyPath(key): KeyPath,
    Body(body): Body<EscrowAuthority>,
) -> Result<Json<EscrowedAuthority>, Fault> {
    let EscrowAuthority { threshold, shares, version, recipients, .. } = body;
    let version = wire::version(version)?;
    let recipients = recipients.into_iter().map(wire::recipient_key).collect::<Result<_, _>>()?;
    let part = escrow_part(&key);

    let permit = asker.permit::<ExportAuthority>(Resource::System(&part)).await?;
    let asked = kms::Escrow { key, version, threshold, shares, recipients };
    let kms::Escrowed { key, version, threshold, packages } = app.kms.escrow(permit, asked).await?;
    let packages = packages.into_iter().map(package).collect();
    Ok(Json(EscrowedAuthority { key: key.to_string(), version: version.get(), threshold, packages }))
}

fn package(made: kms::EscrowPackage) -> EscrowPackage {
    let kms::EscrowPackage { share, plain, sealed: envelope } = made;
    let package = plain.map(|plain| Secret::from(plain.into_inner()));
    EscrowPackage { share, package, sealed: envelope.map(sealed) }
}

//! About the caller and the server: `GET /v1/whoami`, `GET /v1/config`.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use wardkeep_api::config::ConfigInForce;
use wardkeep_api::whoami::WhoAmI;
use wardkeep_model::action::DescribeConfig;

use super::extract::Asker;
use super::problem::Fault;
use super::{roles, wire};
use crate::state::App;

/// Who the server takes the caller for. Nothing about anybody else, so that no decision is needed.
#[utoipa::path(get, path = "/v1/whoami", tag = "about", responses((status = 200, body = WhoAmI)))]
pub async fn whoami(State(app): State<Arc<App>>, asker: Asker) -> Result<Json<WhoAmI>, Fault> {
    if !asker.is_known() {
        return Err(Fault::UnknownIdentity);
    }
    asker.acts_for_itself("whoami")?;
    let (peer, actor) = (asker.peer(), asker.caller().actor());
    let snapshot = app.engine.snapshot();
    Ok(Json(WhoAmI {
        identity: peer.identity.to_string(),
        serial: peer.serial.to_string(),
        not_after: peer.not_after.to_string(),
        actor: wire::entity_ref(actor),
        roles: snapshot.roles_of(actor).into_iter().map(roles::word).collect(),
        policy_version: snapshot.version(),
    }))
}

/// The configuration in force. It holds no secrets: those are named in it, not contained.
#[utoipa::path(get, path = "/v1/config", tag = "about", responses((status = 200, body = ConfigInForce)))]
pub async fn get_config(State(app): State<Arc<App>>, asker: Asker) -> Result<Json<ConfigInForce>, Fault> {
    let permit = asker.permit_control::<DescribeConfig>("config").await?;
    asker.note(permit.into_event().with_outcome("ok")).await?;
    let config = app.config.borrow().clone();
    let toml = toml::to_string(&*config).map_err(|_| Fault::Unexpected)?;
    Ok(Json(ConfigInForce { server_version: env!("CARGO_PKG_VERSION").to_owned(), toml }))
}

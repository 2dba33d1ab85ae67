//! The whole API on one screen. A verb is a file; its route, and its place in the OpenAPI document, stand above its
//! handler (docs/adding-an-endpoint.md).

pub mod about;
pub mod audit;
pub mod authorities;
pub mod batch;
pub mod bundles;
pub mod certificates;
pub mod control_set;
pub mod cryptography;
pub mod data_keys;
pub mod entities;
pub mod etag;
pub mod extract;
pub mod front;
pub mod health;
pub mod idempotency;
pub mod json;
pub mod keys;
pub mod limits;
pub mod meters;
pub mod openapi;
pub mod paging;
pub mod problem;
pub mod recipients;
pub mod rings;
pub mod roles;
#[cfg(test)]
mod tests;
pub mod tokens;
pub mod user_keys;
pub mod wire;

use std::sync::Arc;

use axum::Router;
use axum::middleware::from_fn_with_state;
use axum::routing::get;
use utoipa::openapi::OpenApi;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::state::App;
use problem::Fault;

/// Every route of the mutual-TLS listener.
#[rustfmt::skip]
fn api() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::with_openapi(openapi::head())
        .routes(routes!(openapi::openapi))
        .routes(routes!(about::whoami))
        .routes(routes!(about::get_config))
        .routes(routes!(rings::create::create_ring, rings::list::list_rings))
        .routes(routes!(rings::get::get_ring, rings::delete::delete_ring))
        .routes(routes!(keys::create::create_key, keys::list::list_keys))
        .routes(routes!(keys::get::get_key, keys::update::update_key))
        .routes(routes!(keys::rotate::rotate_key))
        .routes(routes!(keys::enable::enable_key))
        .routes(routes!(keys::suspend::suspend_key))
        .routes(routes!(keys::deactivate::deactivate_key))
        .routes(routes!(keys::compromise::compromise_key))
        .routes(routes!(keys::schedule_deletion::schedule_deletion))
        .routes(routes!(keys::cancel_deletion::cancel_deletion))
        .routes(routes!(keys::destroy::destroy_key))
        .routes(routes!(authorities::parameters::get_parameters))
        .routes(routes!(authorities::revocations::get_revocations))
        .routes(routes!(authorities::escrow::escrow_authority))
        .routes(routes!(user_keys::issue::issue_user_key, user_keys::list::list_user_keys))
        .routes(routes!(user_keys::revoke::revoke_user_keys))
        .routes(routes!(recipients::put::put_recipient, recipients::get::get_recipient, recipients::delete::delete_recipient))
        .routes(routes!(data_keys::generate::generate_data_key))
        .routes(routes!(data_keys::generate::generate_data_keys))
        .routes(routes!(data_keys::unwrap::unwrap_data_key))
        .routes(routes!(data_keys::unwrap::unwrap_data_keys))
        .routes(routes!(data_keys::rewrap::rewrap_data_key))
        .routes(routes!(data_keys::rewrap::rewrap_data_keys))
        .routes(routes!(cryptography::encrypt::encrypt))
        .routes(routes!(cryptography::decrypt::decrypt))
        .routes(routes!(cryptography::sign::sign))
        .routes(routes!(cryptography::verify::verify))
        .routes(routes!(cryptography::random::generate_random))
        .routes(routes!(control_set::get::get_control_set, control_set::put::put_control_set))
        .routes(routes!(bundles::load::load_bundle, bundles::list::list_bundles))
        .routes(routes!(bundles::get::get_active_bundle))
        .routes(routes!(bundles::get::get_bundle))
        .routes(routes!(bundles::activate::activate_bundle))
        .routes(routes!(bundles::schema::get_schema))
        .routes(routes!(entities::put::put_entities, entities::list::list_entities))
        .routes(routes!(entities::get::get_entity, entities::delete::delete_entity))
        .routes(routes!(roles::list::list_roles))
        .routes(routes!(roles::grant::grant_role, roles::revoke::revoke_role))
        .routes(routes!(tokens::issue::issue_token, tokens::list::list_tokens))
        .routes(routes!(tokens::revoke::revoke_token))
        .routes(routes!(certificates::list::list_certificates))
        .routes(routes!(certificates::renew::renew_certificate))
        .routes(routes!(certificates::revoke::revoke_certificates))
        .routes(routes!(certificates::crl::get_crl))
        .routes(routes!(audit::records::list_audit_records))
        .routes(routes!(audit::head::get_audit_head))
        .routes(routes!(audit::verify::verify_audit))
}

/// The one route of the enrolment listener.
fn enrol() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new().routes(routes!(certificates::enrol::enrol))
}

/// The OpenAPI 3.1 document of both.
#[must_use]
pub fn document() -> OpenApi {
    let mut document = api().merge(enrol()).into_openapi();
    openapi::complete(&mut document);
    document
}

/// What the mutual-TLS listener serves.
pub fn api_router(app: Arc<App>) -> Router {
    let (routes, _) = api().split_for_parts();
    let edge = from_fn_with_state(app.clone(), front::api);
    routes.fallback(no_route).method_not_allowed_fallback(no_method).layer(edge).with_state(app)
}

/// What the enrolment listener serves.
pub fn enrol_router(app: Arc<App>) -> Router {
    let (routes, _) = enrol().split_for_parts();
    let edge = from_fn_with_state(app.clone(), front::enrol);
    routes.fallback(no_route).method_not_allowed_fallback(no_method).layer(edge).with_state(app)
}

/// What the plain listener serves: probes and metrics, nothing that acts.
pub fn ops_router(app: Arc<App>) -> Router {
    Router::new()
        .route("/livez", get(health::live))
        .route("/readyz", get(health::ready))
        .route("/healthz", get(health::health))
        .route("/metrics", get(health::metrics))
        .with_state(app)
}

async fn no_route() -> Fault {
    Fault::NoRoute
}

async fn no_method() -> Fault {
    Fault::Method
}

//! `GET /v1/tokens`

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use wardkeep_api::Page;
use wardkeep_api::token::{Token, TokenState};
use wardkeep_model::Timestamp;
use wardkeep_model::action::DescribeToken;

use crate::ca::{self, TokenRecord};
use crate::http::extract::Asker;
use crate::http::paging::{Asked, PageQuery, by_name};
use crate::http::problem::Fault;
use crate::state::App;

/// Lists tokens, newest first, without their secrets.
#[utoipa::path(get, path = "/v1/tokens", tag = "certificates", params(PageQuery),
    responses((status = 200, body = Page<Token>)))]
pub async fn list_tokens(
    State(app): State<Arc<App>>,
    asker: Asker,
    Asked(page): Asked<PageQuery>,
) -> Result<Json<Page<Token>>, Fault> {
    let (limit, after) = (page.limit()?, page.after(|id| Some(id.to_owned()))?);

    let permit = asker.permit_control::<DescribeToken>("tokens").await?;
    let now = app.clock.now();
    let all = app.authority.tokens(permit).await?;
    let all = all.into_iter().map(|record| token(record, now)).collect();
    Ok(Json(by_name(all, limit, after, |token: &Token| &token.id)))
}

fn token(record: TokenRecord, now: Timestamp) -> Token {
    let TokenRecord { id, identity, issuer, created, expires, state } = record;
    let state = match state {
        ca::TokenState::Open if now >= expires => TokenState::Expired,
        ca::TokenState::Open => TokenState::Open,
        ca::TokenState::Redeemed(_) => TokenState::Redeemed,
        ca::TokenState::Void => TokenState::Void,
    };
    Token {
        id,
        identity: identity.to_string(),
        state,
        issued_by: issuer.map_or_else(|| "Wardkeep".to_owned(), |uid| uid.to_string()),
        issued: created.to_string(),
        expires: expires.to_string(),
    }
}

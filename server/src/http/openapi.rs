//! The OpenAPI 3.1 document, made from the handlers themselves.

use std::io::{self, Write};
use std::sync::Arc;

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use http::{HeaderMap, Method, header};
use utoipa::openapi::header::HeaderBuilder;
use utoipa::openapi::path::{Operation, ParameterBuilder, ParameterIn, PathItem};
use utoipa::openapi::response::ResponseBuilder;
use utoipa::openapi::schema::{Object, Type};
use utoipa::openapi::{ContentBuilder, Info, OpenApi, Ref, RefOr, Required, Schema};
use wardkeep_api::problem::MEDIA_TYPE;

use super::extract::Asker;
use super::problem::Fault;
use crate::state::App;

/// The OpenAPI document of this server.
#[utoipa::path(get, path = "/v1/openapi.json", tag = "about",
    responses((status = 200, content_type = "application/json", body = Object)))]
pub async fn openapi(State(app): State<Arc<App>>, headers: HeaderMap, asker: Asker) -> Result<Response, Fault> {
    if !asker.is_known() {
        return Err(Fault::UnknownIdentity);
    }
    asker.acts_for_itself("openapi")?;
    let OpenApiDocument { plain, gzip } = &app.openapi;
    let common = [(header::CONTENT_TYPE, "application/json"), (header::VARY, "accept-encoding")];
    if takes_gzip(&headers) {
        return Ok((common, [(header::CONTENT_ENCODING, "gzip")], gzip.clone()).into_response());
    }
    Ok((common, plain.clone()).into_response())
}

/// The document as it is served. It is by far the longest answer there is and holds nothing secret, so that it may be
/// compressed: once, at the start.
#[derive(Debug)]
pub struct OpenApiDocument {
    plain: Bytes,
    gzip: Bytes,
}

impl OpenApiDocument {
    /// Serialises and compresses.
    ///
    /// # Errors
    /// None in practice: the document holds nothing that JSON cannot.
    pub fn new(document: &OpenApi) -> io::Result<Self> {
        let plain = serde_json::to_vec(document)?;
        let mut packed = GzEncoder::new(Vec::new(), Compression::best());
        packed.write_all(&plain)?;
        Ok(Self { plain: plain.into(), gzip: packed.finish()?.into() })
    }
}

/// Whether `Accept-Encoding` names gzip with a weight above 0 (RFC 9110, section 12.5.3).
fn takes_gzip(headers: &HeaderMap) -> bool {
    let named = |coding: &str| {
        let (name, weight) = coding.split_once(';').unwrap_or((coding, ""));
        let weight = weight.trim().strip_prefix("q=").map_or(1.0, |number| number.trim().parse().unwrap_or(0.0));
        name.trim().eq_ignore_ascii_case("gzip") && weight > 0.0_f32
    };
    let values = headers.get_all(header::ACCEPT_ENCODING).iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).any(named)
}

/// What stands in front of the paths.
#[must_use]
pub fn head() -> OpenApi {
    let mut info = Info::new("Wardkeep", env!("CARGO_PKG_VERSION"));
    let about = "Keys under Cedar rules. Callers authenticate by client certificate (TLS 1.3). An application acts for \
                 somebody else with `Wardkeep-Subject`. Every error is an RFC 9457 problem.";
    info.description = Some(about.to_owned());
    OpenApi::new(info, utoipa::openapi::Paths::new())
}

/// Adds to every operation what every operation has: the headers, and the problem as its other answer.
pub fn complete(document: &mut OpenApi) {
    let components = document.components.get_or_insert_with(Default::default);
    components.schemas.insert("Problem".to_owned(), <wardkeep_api::Problem as utoipa::PartialSchema>::schema());
    let mut nested = Vec::new();
    <wardkeep_api::Problem as utoipa::ToSchema>::schemas(&mut nested);
    components.schemas.extend(nested);
    for (path, item) in &mut document.paths.paths {
        let subject = !path.starts_with("/v1/enrol");
        each(item, |_, operation| add_common(operation, subject));
    }
}

fn add_common(operation: &mut Operation, subject: bool) {
    let text = || Object::builder().schema_type(Type::String).build();
    let parameter = |name: &str, about: &str| {
        let built = ParameterBuilder::new()
            .name(name)
            .parameter_in(ParameterIn::Header)
            .required(Required::False)
            .description(Some(about))
            .schema(Some(Schema::Object(text())))
            .build();
        RefOr::T(built)
    };
    let parameters = operation.parameters.get_or_insert_default();
    parameters.push(parameter("X-Request-Id", "Names the request in logs, answers and the audit log."));
    if subject {
        parameters.push(parameter("Wardkeep-Subject", "For whom the caller acts: `Type::\"id\"`. Data verbs only."));
    }
    let problem = ContentBuilder::new().schema(Some(Ref::from_schema_name("Problem"))).build();
    let header = HeaderBuilder::new().schema(Some(Schema::Object(text()))).build();
    let other = ResponseBuilder::new()
        .description("A problem (RFC 9457)")
        .content(MEDIA_TYPE, problem)
        .header("X-Request-Id", header)
        .build();
    operation.responses.responses.insert("default".to_owned(), RefOr::T(other));
}

fn each(item: &mut PathItem, mut act: impl FnMut(Method, &mut Operation)) {
    let slots = [
        (Method::GET, &mut item.get),
        (Method::PUT, &mut item.put),
        (Method::POST, &mut item.post),
        (Method::DELETE, &mut item.delete),
        (Method::PATCH, &mut item.patch),
    ];
    for (method, slot) in slots {
        if let Some(operation) = slot {
            act(method, operation);
        }
    }
}

/// Every route of the document: method and path.
#[must_use]
pub fn routes(document: &mut OpenApi) -> Vec<(Method, String)> {
    let mut found = Vec::new();
    for (path, item) in &mut document.paths.paths {
        each(item, |method, _| found.push((method, path.clone())));
    }
    found
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use http::HeaderValue;

    use super::*;

    #[test]
    fn gzip_is_for_those_who_ask_for_it() {
        let asks = |value: &'static str| {
            takes_gzip(&HeaderMap::from_iter([(header::ACCEPT_ENCODING, HeaderValue::from_static(value))]))
        };
        for yes in ["gzip", "GZIP", "br, gzip", "gzip;q=0.5", "deflate;q=1, gzip; q=0.001"] {
            assert!(asks(yes), "{yes}");
        }
        for no in ["", "br", "gzip;q=0", "gzip; q=0.0", "x-gzip", "gzip;q=much", "identity"] {
            assert!(!asks(no), "{no}");
        }
        assert!(!takes_gzip(&HeaderMap::new()));
    }

    #[test]
    fn both_forms_are_one_document() {
        let made = OpenApiDocument::new(&crate::http::document()).unwrap();
        let mut text = Vec::new();
        flate2::read::GzDecoder::new(&*made.gzip).read_to_end(&mut text).unwrap();
        assert_eq!(text, made.plain);
        assert!(made.gzip.len() * 4 < made.plain.len(), "{} of {}", made.gzip.len(), made.plain.len());
    }
}

//! Every route of the API, in one table: what the matrix of permissions and the document are compared with.

use http::Method;
use serde_json::{Value, json};

use crate::Ask;

/// Who decides about a route.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Guard {
    /// The same for everybody who has a certificate.
    Open,
    /// About the caller alone: asks that it has an entity.
    Own,
    /// The bundle in force, on the subject.
    Data,
    /// As data, item by item: the list shows what may be seen.
    DataList,
    /// The control set, on the actor.
    Control,
    /// As control, item by item.
    ControlList,
    /// A token in place of a certificate.
    Token,
}

/// One route, ready to be asked.
#[derive(Debug, Clone)]
pub struct Route {
    /// The method.
    pub method: Method,
    /// The path as the document has it.
    pub template: &'static str,
    /// Who decides.
    pub guard: Guard,
    /// Whether it names a key or ring, in its path or in what it is given.
    pub in_ring: bool,
    /// The request.
    pub ask: Ask,
}

/// The names that the requests of the table are about.
#[derive(Debug, Clone)]
pub struct Named {
    /// A ring.
    pub ring: String,
    /// Keys of it, by usage: their names are `wrap`, `seal`, `sign` and `abe`.
    pub wrapped: Value,
    /// Made by `seal`.
    pub ciphertext: Value,
    /// A user, for entities, roles and tokens.
    pub user: String,
    /// A certificate's serial.
    pub serial: String,
    /// A token's id.
    pub token: String,
    /// A certificate request.
    pub csr_pem: String,
}

const WRAP: &str = "wrap";
/// The name of an authority in each ring.
const ABE: &str = "abe";
/// Somebody's RSA public key of 3072 bits, DER SubjectPublicKeyInfo in base64; nobody has the other half.
pub const RECIPIENT: &str = include_str!("../vectors/recipient.spki.txt");

/// The table.
#[must_use]
#[rustfmt::skip]
#[expect(clippy::too_many_lines, reason = "one row a route: a table reads best in one piece")]
pub fn all(names: &Named) -> Vec<Route> {
    use Guard::{Control, ControlList, Data, DataList, Open, Own, Token};
    let Named { ring, wrapped, ciphertext, user, serial, token, csr_pem } = names;
    let identity = crate::house::identity("user", user);
    let (wrap, seal, sign) = (format!("{ring}/{WRAP}"), format!("{ring}/seal"), format!("{ring}/sign"));
    let abe = format!("{ring}/{ABE}");
    let (get, post, put, patch, delete) = (Method::GET, Method::POST, Method::PUT, Method::PATCH, Method::DELETE);
    let none = || Value::Null;
    let batch = |item: Value| json!({"items": [item]});
    let generate = json!({"key": wrap, "context": {"a": "b"}});
    let unwrap = json!({"wrapped": wrapped, "context": {"a": "b"}});
    let rows: Vec<(&Method, &'static str, Guard, Value)> = vec![
        (&get,    "/v1/openapi.json", Open, none()),
        (&get,    "/v1/whoami", Own, none()),
        (&get,    "/v1/config", Control, none()),
        (&post,   "/v1/rings", Data, json!({"name": ring})),
        (&get,    "/v1/rings", DataList, none()),
        (&get,    "/v1/rings/{ring}", Data, none()),
        (&delete, "/v1/rings/{ring}", Data, none()),
        (&post,   "/v1/keys", Data, json!({"key": wrap, "spec": "aes-256-gcm", "usage": "wrap"})),
        (&get,    "/v1/keys", DataList, none()),
        (&get,    "/v1/keys/{ring}/{key}", Data, none()),
        (&patch,  "/v1/keys/{ring}/{key}", Data, json!({"labels": {"a": "b"}})),
        (&post,   "/v1/keys/{ring}/{key}/rotate", Data, none()),
        (&post,   "/v1/keys/{ring}/{key}/enable", Data, none()),
        (&post,   "/v1/keys/{ring}/{key}/suspend", Data, none()),
        (&post,   "/v1/keys/{ring}/{key}/deactivate", Data, none()),
        (&post,   "/v1/keys/{ring}/{key}/compromise", Data, none()),
        (&post,   "/v1/keys/{ring}/{key}/schedule-deletion", Data, json!({"days": 7})),
        (&post,   "/v1/keys/{ring}/{key}/cancel-deletion", Data, none()),
        (&post,   "/v1/keys/{ring}/{key}/destroy", Data, none()),
        (&get,    "/v1/keys/{ring}/{key}/parameters", Data, none()),
        (&get,    "/v1/keys/{ring}/{key}/revocations", Data, none()),
        (&post,   "/v1/keys/{ring}/{key}/escrow", Control, json!({"threshold": 2, "shares": 3, "plain": true})),
        (&post,   "/v1/user-keys", Data, json!({"key": abe})),
        (&get,    "/v1/user-keys", DataList, none()),
        (&post,   "/v1/user-keys/revoke", Data, json!({"key": abe, "serials": [1]})),
        (&post,   "/v1/data-keys", Data, generate.clone()),
        (&post,   "/v1/data-keys/batch", Data, batch(generate)),
        (&post,   "/v1/data-keys/unwrap", Data, unwrap.clone()),
        (&post,   "/v1/data-keys/unwrap/batch", Data, batch(unwrap.clone())),
        (&post,   "/v1/data-keys/rewrap", Data, unwrap.clone()),
        (&post,   "/v1/data-keys/rewrap/batch", Data, batch(unwrap)),
        (&post,   "/v1/encrypt", Data, json!({"key": seal, "plaintext": "AA=="})),
        (&post,   "/v1/decrypt", Data, json!({"ciphertext": ciphertext})),
        (&post,   "/v1/sign", Data, json!({"key": sign, "message": "AA=="})),
        (&post,   "/v1/verify", Data, json!({"key": sign, "version": 1, "message": "AA==", "signature": "AA=="})),
        (&post,   "/v1/random", Data, json!({"length": 1})),
        (&get,    "/v1/control-set", Control, none()),
        (&put,    "/v1/control-set", Control, json!({"text": "permit(principal, action, resource);"})),
        (&post,   "/v1/bundles", Control, json!({"manifest": "", "schema": "", "policies": []})),
        (&get,    "/v1/bundles", Control, none()),
        (&get,    "/v1/bundles/active", Control, none()),
        (&get,    "/v1/bundles/{version}", Control, none()),
        (&post,   "/v1/bundles/{version}/activate", Control, none()),
        (&get,    "/v1/policy/schema", Control, none()),
        (&post,   "/v1/entities", Control, json!({"entities": [{"uid": {"type": "User", "id": user}}]})),
        (&get,    "/v1/entities", Control, none()),
        (&get,    "/v1/entities/{type}/{id}", Control, none()),
        (&delete, "/v1/entities/{type}/{id}", Control, none()),
        (&get,    "/v1/roles", ControlList, none()),
        (&put,    "/v1/roles/{role}/members/{type}/{id}", Control, none()),
        (&delete, "/v1/roles/{role}/members/{type}/{id}", Control, none()),
        (&put,    "/v1/recipients/{type}/{id}", Control, json!({"recipient": {"spki": RECIPIENT}})),
        (&get,    "/v1/recipients/{type}/{id}", Control, none()),
        (&delete, "/v1/recipients/{type}/{id}", Control, none()),
        (&post,   "/v1/tokens", Control, json!({"identity": identity})),
        (&get,    "/v1/tokens", Control, none()),
        (&delete, "/v1/tokens/{id}", Control, none()),
        (&get,    "/v1/certificates", Control, none()),
        (&post,   "/v1/certificates/renew", Own, json!({"csr_pem": csr_pem})),
        (&post,   "/v1/certificates/revoke", Control, json!({"serial": serial})),
        (&get,    "/v1/crl", Own, none()),
        (&get,    "/v1/audit/records", Control, none()),
        (&get,    "/v1/audit/head", Control, none()),
        (&post,   "/v1/audit/verify", Control, none()),
        (&post,   "/v1/enrol", Token, json!({"token": "wk1.x.y", "csr_pem": csr_pem})),
    ];
    let fill = |template: &str| {
        let id = if template.starts_with("/v1/tokens") { token } else { user };
        let of_authority = ["parameters", "revocations", "escrow"].iter().any(|end| template.ends_with(end));
        let key = if of_authority { ABE } else { WRAP };
        let path = template.replace("{ring}", ring).replace("{key}", key).replace("{version}", "1");
        path.replace("{type}", "User").replace("{id}", id).replace("{role}", "auditor")
    };
    let route = |(method, template, guard, body): (&Method, &'static str, Guard, Value)| Route {
        method: method.clone(),
        template,
        guard,
        in_ring: guard == Data && template != "/v1/random",
        ask: Ask::new(method.clone(), fill(template)).json(&body).if_match_for(method),
    };
    rows.into_iter().map(route).collect()
}

impl Ask {
    /// A change by `PATCH` needs the revision that it changes.
    fn if_match_for(self, method: &Method) -> Self {
        if *method == Method::PATCH { self.if_match("\"1\"") } else { self }
    }
}

//! Entities and control roles.

use http::Method;
use wardkeep_api::Page;
use wardkeep_api::entity::{EntitiesChanged, Entity, PutEntities};
use wardkeep_api::role::{GrantRole, Role, RoleGranted, Roles as AllRoles};
use wardkeep_model::EntityUid;

use crate::call::{Call, query, segment};
use crate::data_keys::Paging;
use crate::{CallError, Client};

const ENTITIES: &str = "/v1/entities";
const ROLES: &str = "/v1/roles";

/// The verbs of entities; see [`Client::entities`].
#[derive(Debug, Clone, Copy)]
pub struct Entities<'a>(&'a Client);

/// The verbs of control roles; see [`Client::roles`].
#[derive(Debug, Clone, Copy)]
pub struct Roles<'a>(&'a Client);

impl Client {
    /// Entities.
    #[must_use]
    pub fn entities(&self) -> Entities<'_> {
        Entities(self)
    }

    /// Control roles.
    #[must_use]
    pub fn roles(&self) -> Roles<'_> {
        Roles(self)
    }
}

impl Entities<'_> {
    /// `POST /v1/entities`: writes all of them or none; one that exists is replaced.
    ///
    /// # Errors
    /// [`CallError`].
    pub async fn put(&self, entities: Vec<Entity>) -> Result<EntitiesChanged, CallError> {
        self.0.ask(Call::once(Method::POST, ENTITIES).json(&PutEntities { entities })?).await
    }

    /// `GET /v1/entities`: one page, of one type or of all.
    ///
    /// # Errors
    /// [`CallError`].
    pub async fn list(&self, kind: Option<&str>, paging: &Paging) -> Result<Page<Entity>, CallError> {
        let [limit, cursor] = paging.pairs();
        self.0.ask(Call::get(query(ENTITIES, &[("type", kind.map(str::to_owned)), limit, cursor]))).await
    }

    /// `GET /v1/entities/{type}/{id}`
    ///
    /// # Errors
    /// [`CallError`].
    pub async fn describe(&self, entity: &EntityUid) -> Result<Entity, CallError> {
        self.0.ask(Call::get(format!("{ENTITIES}/{}", place(entity)))).await
    }

    /// `DELETE /v1/entities/{type}/{id}`
    ///
    /// # Errors
    /// [`CallError`].
    pub async fn delete(&self, entity: &EntityUid) -> Result<EntitiesChanged, CallError> {
        self.0.ask(Call::once(Method::DELETE, format!("{ENTITIES}/{}", place(entity)))).await
    }
}

impl Roles<'_> {
    /// `GET /v1/roles`: each role that the caller may see, with its holders.
    ///
    /// # Errors
    /// [`CallError`].
    pub async fn list(&self) -> Result<AllRoles, CallError> {
        self.0.ask(Call::get(ROLES)).await
    }

    /// `PUT /v1/roles/{role}/members/{type}/{id}`. Voids the member's open tokens and revokes its certificates,
    /// except the serials in `keep`.
    ///
    /// # Errors
    /// [`CallError`].
    pub async fn grant(&self, role: Role, member: &EntityUid, keep: Vec<String>) -> Result<RoleGranted, CallError> {
        let call = Call::once(Method::PUT, membership(role, member));
        self.0.ask(call.json(&GrantRole { keep_certificates: keep })?).await
    }

    /// `DELETE /v1/roles/{role}/members/{type}/{id}`
    ///
    /// # Errors
    /// [`CallError`]: `Conflict` where nobody could change the control set any more.
    pub async fn revoke(&self, role: Role, member: &EntityUid) -> Result<(), CallError> {
        self.0.tell(Call::once(Method::DELETE, membership(role, member))).await
    }
}

fn place(entity: &EntityUid) -> String {
    format!("{}/{}", segment(entity.kind()), segment(entity.id()))
}

fn membership(role: Role, member: &EntityUid) -> String {
    let role = match role {
        Role::Admin => "admin",
        Role::SecurityAdmin => "security-admin",
        Role::Operator => "operator",
        Role::Auditor => "auditor",
    };
    format!("{ROLES}/{role}/members/{}", place(member))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_full_of_slashes_stays_in_its_place() {
        let entity = EntityUid::new("Clinic::User", "../../roles/admin?x#y").unwrap();
        assert_eq!(place(&entity), "Clinic%3A%3AUser/%2E%2E%2F%2E%2E%2Froles%2Fadmin%3Fx%23y");
        assert!(
            membership(Role::SecurityAdmin, &entity).starts_with("/v1/roles/security-admin/members/Clinic%3A%3AUser/")
        );
    }
}

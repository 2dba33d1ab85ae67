//! `[identity]`.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use wardkeep_model::Identity;

use super::ConfigError;

/// Which identities there are, and which Cedar entity type each kind is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct IdentitySettings {
    /// The trust domain of `spiffe://<trust-domain>/<kind>/<name>`.
    pub trust_domain: String,
    /// Identity kind to entity type; each type stands once (the policy room holds the full rules).
    pub kinds: BTreeMap<String, String>,
}

impl Default for IdentitySettings {
    fn default() -> Self {
        let kinds = [("service", "Service"), ("user", "User")];
        let kinds = kinds.map(|(kind, entity)| (kind.to_owned(), entity.to_owned()));
        Self { trust_domain: "wardkeep.internal".to_owned(), kinds: kinds.into() }
    }
}

impl IdentitySettings {
    pub(super) fn check(&self) -> Result<(), ConfigError> {
        let wrong =
            |path: String, reason: wardkeep_model::IdError| ConfigError::Value { path, reason: reason.to_string() };
        Identity::new(&self.trust_domain, "kind", "name")
            .map_err(|error| wrong("identity.trust_domain".to_owned(), error))?;
        if self.kinds.is_empty() {
            let problem = "is empty: map at least one kind to an entity type, as in `user = \"User\"`";
            return Err(ConfigError::Conflict { key: "identity.kinds", problem });
        }
        for (kind, entity) in &self.kinds {
            let path = || format!("identity.kinds.{kind}");
            Identity::new(&self.trust_domain, kind, "name").map_err(|error| wrong(path(), error))?;
            wardkeep_model::id::check_entity_type(entity).map_err(|error| wrong(path(), error))?;
        }
        Ok(())
    }
}

//! Which Cedar entity a certificate's identity is.
//!
//! `[identity]` of the configuration maps each kind of certificate (`user` of
//! `spiffe://<trust-domain>/user/ana`) to an entity type of its own. Two kinds on one type would let the
//! bearer of one kind be taken for the other, so that refuses the start.

use std::collections::BTreeMap;

use wardkeep_model::id::check_entity_type;
use wardkeep_model::{EntityUid, IdError, Identity};

/// A checked `[identity]` table: certificate kind to entity type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdentityMap {
    types: BTreeMap<String, String>,
}

/// Why an `[identity]` table was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum IdentityMapError {
    /// No kind at all: nobody could ever call.
    #[error("`[identity]` maps no kind: name at least one, such as `user = \"User\"`")]
    Empty,
    /// A kind that no certificate could carry.
    #[error("`[identity]` names the kind `{kind}`: use 1 to 63 of a-z, 0-9 and `-`")]
    Kind {
        /// The kind as written.
        kind: String,
    },
    /// A type that is not an entity type.
    #[error("`[identity]` maps `{kind}` to a malformed type")]
    Type {
        /// The kind as written.
        kind: String,
        /// What is wrong with its type.
        source: IdError,
    },
    /// Two kinds on one type.
    #[error("`[identity]` maps `{first}` and `{second}` to the one type `{target}`: give each a type of its own")]
    Shared {
        /// The first kind.
        first: String,
        /// The second kind.
        second: String,
        /// Their common type.
        target: String,
    },
    /// A type of the namespace that belongs to Wardkeep.
    #[error("`[identity]` maps `{kind}` to `{target}`: the namespace `Wardkeep` is reserved, use a type of your own")]
    Reserved {
        /// The kind as written.
        kind: String,
        /// The reserved type.
        target: String,
    },
}

impl IdentityMap {
    /// Checks and takes a table of certificate kind to entity type.
    pub fn new(types: BTreeMap<String, String>) -> Result<Self, IdentityMapError> {
        if types.is_empty() {
            return Err(IdentityMapError::Empty);
        }
        let mut seen: BTreeMap<&str, &str> = BTreeMap::new();
        for (kind, target) in &types {
            check_kind(kind)?;
            check_entity_type(target).map_err(|source| IdentityMapError::Type { kind: kind.clone(), source })?;
            if is_reserved_type(target) {
                return Err(IdentityMapError::Reserved { kind: kind.clone(), target: target.clone() });
            }
            if let Some(first) = seen.insert(target, kind) {
                let (first, second) = (first.to_owned(), kind.clone());
                return Err(IdentityMapError::Shared { first, second, target: target.clone() });
            }
        }
        Ok(Self { types })
    }

    /// The entity that an identity is; `None` where its kind is not mapped, and then it has no rights at all.
    ///
    /// The trust domain is the certificate check's business and is not looked at here.
    #[must_use]
    pub fn entity_of(&self, identity: &Identity) -> Option<EntityUid> {
        let target = self.types.get(identity.kind())?;
        EntityUid::new(target, identity.name()).ok()
    }

    /// The kinds, sorted, each with its entity type.
    pub fn kinds(&self) -> impl Iterator<Item = (&str, &str)> {
        self.types.iter().map(|(kind, target)| (kind.as_str(), target.as_str()))
    }

    /// The entity types, in the order of their kinds.
    pub fn types(&self) -> impl Iterator<Item = &str> {
        self.types.values().map(String::as_str)
    }

    /// Whether entities of this type are identities.
    #[must_use]
    pub fn is_identity_type(&self, entity_type: &str) -> bool {
        self.types.values().any(|target| target == entity_type)
    }
}

/// Whether a type (or namespace) belongs to Wardkeep: `Wardkeep` itself or anything under `Wardkeep::`.
pub(crate) fn is_reserved_type(entity_type: &str) -> bool {
    entity_type.split("::").next() == Some(wardkeep_model::id::RESERVED_NAMESPACE)
}

/// A kind is one segment of a SPIFFE path (SPIFFE-ID section 2.2), narrowed to what nobody has to escape.
fn check_kind(kind: &str) -> Result<(), IdentityMapError> {
    let allowed = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    if kind.is_empty() || kind.len() > 63 || !kind.bytes().all(allowed) {
        return Err(IdentityMapError::Kind { kind: kind.chars().take(80).flat_map(char::escape_default).collect() });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(pairs: &[(&str, &str)]) -> Result<IdentityMap, IdentityMapError> {
        IdentityMap::new(pairs.iter().map(|(k, t)| ((*k).to_owned(), (*t).to_owned())).collect())
    }

    #[test]
    fn an_identity_becomes_the_entity_of_its_kind() {
        let map = map(&[("user", "User"), ("service", "App::Service")]).unwrap();
        let ana = Identity::parse("spiffe://clinic.example/user/ana").unwrap();
        assert_eq!(map.entity_of(&ana).unwrap().to_string(), "User::\"ana\"");
        let ingest = Identity::parse("spiffe://clinic.example/service/ingest").unwrap();
        assert_eq!(map.entity_of(&ingest).unwrap().kind(), "App::Service");
        let node = Identity::parse("spiffe://clinic.example/node/n1").unwrap();
        assert_eq!(map.entity_of(&node), None);
        assert!(map.is_identity_type("User") && !map.is_identity_type("user"));
        assert_eq!(map.kinds().count(), 2);
    }

    #[test]
    fn two_kinds_on_one_type_are_refused() {
        let error = map(&[("admin", "User"), ("user", "User")]).unwrap_err();
        assert!(matches!(error, IdentityMapError::Shared { .. }), "{error}");
    }

    #[test]
    fn the_reserved_namespace_is_no_target() {
        for target in ["Wardkeep::System", "Wardkeep::Role", "Wardkeep", "Wardkeep::A::B"] {
            assert!(matches!(map(&[("user", target)]), Err(IdentityMapError::Reserved { .. })), "{target}");
        }
        assert!(map(&[("user", "Wardkeeper")]).is_ok());
    }

    #[test]
    fn kinds_and_types_that_no_certificate_or_schema_could_carry_are_refused() {
        assert_eq!(map(&[]), Err(IdentityMapError::Empty));
        for kind in ["", "User", "a/b", "a b", ".."] {
            assert!(matches!(map(&[(kind, "User")]), Err(IdentityMapError::Kind { .. })), "{kind:?}");
        }
        for target in ["", "1User", "User::", "Us er"] {
            assert!(matches!(map(&[("user", target)]), Err(IdentityMapError::Type { .. })), "{target:?}");
        }
    }
}

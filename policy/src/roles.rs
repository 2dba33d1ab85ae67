//! The control roles: who administers Wardkeep.
//!
//! Membership is direct and is held only by entities of an `[identity]` type. It is kept apart from the
//! entities, so that nothing that writes entities (a bundle, an import, `ChangeEntity`) can touch it.

use std::collections::BTreeMap;
use std::sync::Arc;

use wardkeep_model::EntityUid;

/// The Cedar type of the roles.
pub const ROLE_TYPE: &str = "Wardkeep::Role";

/// One of the four control roles.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    /// Entities, certificates, tokens, roles: who may call.
    Admin,
    /// Policies: control set and bundles.
    SecurityAdmin,
    /// Runs the server: configuration, rings and keys (the starter bundle), no policies.
    Operator,
    /// Reads everything of administration, changes nothing.
    Auditor,
}

/// Why a role could not be given or taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RoleError {
    /// The entity's type is not one that `[identity]` names.
    #[error("`{identity}` cannot hold a role: only entities of an `[identity]` type can")]
    NotAnIdentity {
        /// Whom the role was meant for.
        identity: EntityUid,
    },
    /// The entity does not exist.
    #[error("`{identity}` has no entity: create it first")]
    NoEntity {
        /// Whom the role was meant for.
        identity: EntityUid,
    },
    /// Other entities are members of this one, so that the role would reach them too.
    #[error("`{identity}` cannot hold a role: it is a parent of `{child}`, and roles are held directly only")]
    IsAGroup {
        /// Whom the role was meant for.
        identity: EntityUid,
        /// One of its members.
        child: EntityUid,
    },
}

impl Role {
    /// All of them.
    pub const ALL: &'static [Self] = &[Self::Admin, Self::SecurityAdmin, Self::Operator, Self::Auditor];

    /// The id of the role's entity, `security-admin` of `Wardkeep::Role::"security-admin"`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Admin => "admin",
            Self::SecurityAdmin => "security-admin",
            Self::Operator => "operator",
            Self::Auditor => "auditor",
        }
    }

    /// Reads the role's id; `None` for any other text, other cases included.
    #[must_use]
    pub fn from_word(text: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|role| role.as_str() == text)
    }

    /// The role's place in a set of roles.
    pub(crate) const fn bit(self) -> u8 {
        1 << self as u8
    }
}

impl std::fmt::Display for Role {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Who holds which roles: a set of bits an identity. Cheap to clone, changed by copy: holders are few.
#[derive(Debug, Clone, Default)]
pub(crate) struct RoleBook(Arc<BTreeMap<EntityUid, u8>>);

impl RoleBook {
    /// The roles of one identity as a set of bits; 0 for nobody in particular.
    pub(crate) fn bits_of(&self, identity: &EntityUid) -> u8 {
        self.0.get(identity).copied().unwrap_or(0)
    }

    /// The same in words.
    pub(crate) fn roles_of(&self, identity: &EntityUid) -> Vec<Role> {
        let bits = self.bits_of(identity);
        Role::ALL.iter().copied().filter(|role| bits & role.bit() != 0).collect()
    }

    /// Everybody who holds a role.
    pub(crate) fn holders(&self) -> impl Iterator<Item = (&EntityUid, u8)> {
        self.0.iter().map(|(uid, bits)| (uid, *bits))
    }

    /// The book after a role was given or taken.
    pub(crate) fn with(&self, identity: &EntityUid, role: Role, held: bool) -> Self {
        let mut book = BTreeMap::clone(&self.0);
        let bits = book.get(identity).copied().unwrap_or(0);
        match if held { bits | role.bit() } else { bits & !role.bit() } {
            0 => book.remove(identity),
            bits => book.insert(identity.clone(), bits),
        };
        Self(Arc::new(book))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_have_one_spelling() {
        for role in Role::ALL {
            assert_eq!(Role::from_word(role.as_str()), Some(*role));
        }
        for bad in ["Admin", "ADMIN", "security_admin", "", "root"] {
            assert_eq!(Role::from_word(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn a_role_taken_is_gone_and_the_others_stay() {
        let ana = EntityUid::new("User", "ana").unwrap();
        let book = RoleBook::default().with(&ana, Role::Admin, true).with(&ana, Role::Auditor, true);
        assert_eq!(book.roles_of(&ana), [Role::Admin, Role::Auditor]);
        let less = book.with(&ana, Role::Admin, false);
        assert_eq!(less.roles_of(&ana), [Role::Auditor]);
        assert_eq!(book.roles_of(&ana).len(), 2, "a snapshot never changes");
        assert_eq!(less.with(&ana, Role::Auditor, false).holders().count(), 0);
    }
}

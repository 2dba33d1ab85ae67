//! The kinds of rows.

use std::fmt;

macro_rules! tables {
    ($($(#[doc = $doc:literal])+ $name:ident = $number:literal $text:literal;)+) => {
        /// A kind of row. Its number stands in every seal, so that no row can be moved between tables.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr(u8)]
        pub enum Table { $($(#[doc = $doc])+ $name = $number,)+ }

        impl Table {
            /// All of them, by number.
            pub const ALL: &'static [Self] = &[$(Self::$name,)+];

            /// The table of a number, as formats carry it.
            #[must_use]
            pub const fn from_number(number: u8) -> Option<Self> {
                match number { $($number => Some(Self::$name),)+ _ => None }
            }

            /// The name for messages.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$name => $text,)+ }
            }
        }
    };
}

tables! {
    /// Key rings.
    Ring = 1 "ring";
    /// Keys: states, dates and public halves; never secret material.
    Key = 2 "key";
    /// Secret key material, deleted for real. A row's id is the key's id, alone or followed by a character
    /// that no key name has (`ring/key#1`), so that a restore can tell what belongs to a destroyed key.
    Material = 3 "material";
    /// Uses per key version, counted in reserved blocks.
    Uses = 4 "uses";
    /// Control sets.
    ControlSet = 5 "control-set";
    /// Holders of control roles.
    Role = 6 "role";
    /// Policy bundles.
    Bundle = 7 "bundle";
    /// Entities.
    Entity = 8 "entity";
    /// Issued certificates.
    Certificate = 9 "certificate";
    /// Enrolment tokens.
    Token = 10 "token";
    /// Revocations.
    Revocation = 11 "revocation";
    /// The certificate authority.
    Authority = 12 "authority";
    /// Settings that must be durable: versions in force, and the like.
    Setting = 13 "setting";
    /// Destroyed keys: an id here is refused for a new key for ever.
    Tombstone = 14 "tombstone";
    /// Results kept for replays of a request.
    Idempotency = 15 "idempotency";
    /// User keys that authorities issued, a row a serial, and a ledger an authority version; never a key itself.
    UserKey = 16 "user-key";
    /// Public keys registered for subjects.
    Recipient = 17 "recipient";
}

impl Table {
    /// The number that stands in formats.
    #[must_use]
    pub const fn number(self) -> u8 {
        self as u8
    }

    /// Whether older rows stay, each row carrying the hash of the one before.
    #[must_use]
    pub const fn keeps_history(self) -> bool {
        matches!(self, Self::Key | Self::ControlSet | Self::Bundle | Self::Role | Self::Ring)
    }

    /// Whether newest rows count in the state digest. Idempotency rows come and go with every request, and
    /// to put an old one back gains nothing: each replay is decided anew.
    #[must_use]
    pub const fn digested(self) -> bool {
        !matches!(self, Self::Idempotency)
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_fixed_and_round_trip() {
        for (at, table) in Table::ALL.iter().enumerate() {
            assert_eq!(usize::from(table.number()), at + 1, "a table's number never changes");
            assert_eq!(Table::from_number(table.number()), Some(*table));
        }
        assert_eq!(Table::from_number(0), None);
        assert_eq!(Table::from_number(200), None);
    }

    #[test]
    fn everything_that_grants_is_digested() {
        let outside: Vec<_> = Table::ALL.iter().filter(|table| !table.digested()).collect();
        assert_eq!(outside, [&Table::Idempotency]);
    }
}

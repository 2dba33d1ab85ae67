//! Key specs, usages and states, and the facts about a key that policies may use.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::KeyId;

macro_rules! words {
    ($(#[doc = $doc:literal])+ $name:ident { $($(#[doc = $vdoc:literal])+ $variant:ident = $text:literal,)+ }) => {
        $(#[doc = $doc])+
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[non_exhaustive]
        pub enum $name { $($(#[doc = $vdoc])+ $variant,)+ }

        impl $name {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)+];

            /// The word used on the wire, in policies and in formats.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text,)+ }
            }

            /// Reads the word; `None` for any other text.
            #[must_use]
            pub fn from_word(text: &str) -> Option<Self> {
                match text { $($text => Some(Self::$variant),)+ _ => None }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.as_str())
            }
        }
    };
}

words! {
    /// What a key is made of.
    KeySpec {
        /// AES-256 for XAES-256-GCM: wrap, encrypt.
        Aes256Gcm = "aes-256-gcm",
        /// RSA of 3072 bits: wrap (OAEP-SHA-256) or sign (PSS-SHA-256).
        Rsa3072 = "rsa-3072",
        /// RSA of 4096 bits: wrap (OAEP-SHA-256) or sign (PSS-SHA-256).
        Rsa4096 = "rsa-4096",
        /// ECDSA over P-256 with SHA-256: sign.
        EcP256 = "ec-p256",
        /// Ed25519 (RFC 8032): sign.
        Ed25519 = "ed25519",
        /// An authority of attribute-based encryption (FABEO over BLS12-381): issue.
        FabeoBls12381 = "fabeo-bls12-381",
    }
}

words! {
    /// The one thing a key is for, fixed at creation.
    KeyUsage {
        /// Wrap data keys.
        Wrap = "wrap",
        /// Encrypt and decrypt small data.
        Encrypt = "encrypt",
        /// Sign and verify.
        Sign = "sign",
        /// Issue user keys.
        Issue = "issue",
    }
}

words! {
    /// The state of a key version (SP 800-57 part 1, section 7).
    KeyState {
        /// Made, not yet in use.
        PreActivation = "pre-activation",
        /// In full use.
        Active = "active",
        /// On hold.
        Suspended = "suspended",
        /// Only for what it protected before.
        Deactivated = "deactivated",
        /// As deactivated, under a further right.
        Compromised = "compromised",
        /// Gone.
        Destroyed = "destroyed",
    }
}

impl KeySpec {
    /// Whether a key of this spec can have that usage.
    #[must_use]
    pub const fn allows(self, usage: KeyUsage) -> bool {
        match self {
            Self::Aes256Gcm => matches!(usage, KeyUsage::Wrap | KeyUsage::Encrypt),
            Self::Rsa3072 | Self::Rsa4096 => matches!(usage, KeyUsage::Wrap | KeyUsage::Sign),
            Self::EcP256 | Self::Ed25519 => matches!(usage, KeyUsage::Sign),
            Self::FabeoBls12381 => matches!(usage, KeyUsage::Issue),
        }
    }
}

/// What policies may know about a key: the attributes of its `Wardkeep::Key` entity.
#[derive(Debug, Clone)]
pub struct KeyFacts {
    /// The key's name, which also says its ring.
    pub id: KeyId,
    /// `resource.usage`
    pub usage: KeyUsage,
    /// `resource.spec`
    pub spec: KeySpec,
    /// Tags of the entity: `resource.getTag("team")`.
    pub labels: Arc<BTreeMap<String, String>>,
    /// `resource.exportable`; always false until wrapped export exists.
    pub exportable: bool,
    /// `resource.origin`: `wardkeep`, later `external`.
    pub origin: &'static str,
    /// Grows with every change; parsed forms are cached under (id, revision).
    pub revision: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_round_trip() {
        for spec in KeySpec::ALL {
            assert_eq!(KeySpec::from_word(spec.as_str()), Some(*spec));
            assert!(KeyUsage::ALL.iter().any(|usage| spec.allows(*usage)), "{spec} is good for nothing");
        }
        assert_eq!(KeySpec::from_word("rsa-2048"), None);
        assert_eq!(KeyState::from_word("Active"), None);
    }
}

//! Every action that Wardkeep itself decides about, as a type of its own.
//!
//! An action is a type, so that a `Permit<DescribeKey>` cannot stand where a `Permit<DestroyKey>` is
//! asked for. The same table feeds the Cedar schema template, the who-may-do-what matrix and the docs.

/// Which of the two policy sets decides an action.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PolicySet {
    /// Who administers Wardkeep; always decided on the actor.
    Control,
    /// The bundle in force: keys and the applications' own actions; decided on the subject.
    Data,
}

/// What kind of thing an action is done to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Target {
    /// `Wardkeep::Ring`
    Ring,
    /// `Wardkeep::Key`
    Key,
    /// `Wardkeep::System`: the installation as a whole, or one part of it.
    System,
    /// `Wardkeep::Role`
    Role,
    /// An entity of a type that `[identity]` names.
    Identity,
}

/// On whom an action is decided: Cedar's principal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Principal {
    /// Whoever's certificate was shown, whomever it acts for.
    Actor,
    /// Whom the actor acts for; the actor itself without the subject header.
    Subject,
}

/// An action as a type. Implemented only here, by the table below.
pub trait Action: sealed::Sealed + Send + Sync + 'static {
    /// The action's place in the table.
    const NAME: ActionName;
}

mod sealed {
    pub trait Sealed {}
}

macro_rules! actions {
    ($($(#[doc = $doc:literal])+ $name:ident: $set:ident on $target:ident;)+) => {
        /// The name of an action, where it is data and not a type.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[non_exhaustive]
        pub enum ActionName { $($(#[doc = $doc])+ $name,)+ }

        impl ActionName {
            /// All of them, in the order of the table.
            pub const ALL: &'static [Self] = &[$(Self::$name,)+];

            /// The id of the Cedar action, `GenerateDataKey` of `Wardkeep::Action::"GenerateDataKey"`.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$name => stringify!($name),)+ }
            }

            /// Which policy set decides it.
            #[must_use]
            pub const fn set(self) -> PolicySet {
                match self { $(Self::$name => PolicySet::$set,)+ }
            }

            /// What it is done to.
            #[must_use]
            pub const fn target(self) -> Target {
                match self { $(Self::$name => Target::$target,)+ }
            }
        }

        $(
            $(#[doc = $doc])+
            #[derive(Debug)]
            pub enum $name {}
            impl sealed::Sealed for $name {}
            impl Action for $name { const NAME: ActionName = ActionName::$name; }
        )+
    };
}

actions! {
    /// Make a key ring.
    CreateRing: Data on Ring;
    /// See that a ring exists, and its labels.
    DescribeRing: Data on Ring;
    /// Delete an empty ring.
    DeleteRing: Data on Ring;
    /// Make a key in a ring.
    CreateKey: Data on Key;
    /// See a key's description and public half; listing shows only what this allows.
    DescribeKey: Data on Key;
    /// Change labels or the rotation period.
    UpdateKey: Data on Key;
    /// Make a new active version.
    RotateKey: Data on Key;
    /// Make pre-active or suspended versions active.
    EnableKey: Data on Key;
    /// Put active versions on hold.
    SuspendKey: Data on Key;
    /// End the use of versions for protecting.
    DeactivateKey: Data on Key;
    /// Mark versions as compromised.
    CompromiseKey: Data on Key;
    /// Set the day of a key's destruction.
    ScheduleKeyDeletion: Data on Key;
    /// Take a scheduled deletion back.
    CancelKeyDeletion: Data on Key;
    /// Destroy a key whose day has come.
    DestroyKey: Data on Key;
    /// Make a data key wrapped by a key.
    GenerateDataKey: Data on Key;
    /// Open a wrapped data key.
    UnwrapDataKey: Data on Key;
    /// Wrap a data key anew under the newest version, unseen.
    RewrapDataKey: Data on Key;
    /// Encrypt up to 64 KiB.
    Encrypt: Data on Key;
    /// Decrypt what `Encrypt` made.
    Decrypt: Data on Key;
    /// Sign a message or its digest.
    Sign: Data on Key;
    /// Verify a signature.
    Verify: Data on Key;
    /// The further right that any use of a compromised version needs.
    UseCompromisedKey: Data on Key;
    /// Issue a user key of an authority: its attributes are those of the subject.
    IssueUserKey: Data on Key;
    /// The further right that an actor needs to have a user key issued for somebody else; decided on the actor.
    IssueUserKeyFor: Data on Key;
    /// See which user keys an authority issued.
    DescribeUserKey: Data on Key;
    /// Revoke user keys of an authority.
    RevokeUserKey: Data on Key;
    /// Draw random bytes.
    GenerateRandom: Data on System;
    /// Read the control set and its versions.
    DescribeControlSet: Control on System;
    /// Put another control set in force.
    ChangeControlSet: Control on System;
    /// Read bundles, their versions and the schema in force.
    DescribeBundle: Control on System;
    /// Load and activate a bundle.
    ActivateBundle: Control on System;
    /// Read entities.
    DescribeEntity: Control on System;
    /// Write or delete entities.
    ChangeEntity: Control on System;
    /// See who holds a control role.
    DescribeRole: Control on Role;
    /// Give a control role to an identity.
    GrantRole: Control on Role;
    /// Take a control role from an identity.
    RevokeRole: Control on Role;
    /// Issue a one-time enrolment token for an identity.
    IssueToken: Control on Identity;
    /// List tokens.
    DescribeToken: Control on System;
    /// Take an open token back.
    RevokeToken: Control on System;
    /// List certificates.
    DescribeCertificate: Control on System;
    /// Revoke certificates.
    RevokeCertificate: Control on System;
    /// Read the audit log.
    ReadAudit: Control on System;
    /// Verify the audit log.
    VerifyAudit: Control on System;
    /// Read the configuration in force.
    DescribeConfig: Control on System;
    /// Export an authority's master key as shares for escrow.
    ExportAuthority: Control on System;
    /// See which public keys are registered for subjects.
    DescribeRecipient: Control on System;
    /// Register or remove the public key that a subject's user keys are sealed for.
    ChangeRecipient: Control on System;
}

impl ActionName {
    /// On whom it is decided. Who administers Wardkeep, or hands out what somebody else may read with, answers for it
    /// with their own rights.
    #[must_use]
    pub const fn principal(self) -> Principal {
        match (self.set(), self) {
            (PolicySet::Control, _) | (PolicySet::Data, Self::IssueUserKeyFor) => Principal::Actor,
            (PolicySet::Data, _) => Principal::Subject,
        }
    }

    /// Whether it is decided beside another action and is no verb of its own.
    #[must_use]
    pub const fn is_further_right(self) -> bool {
        matches!(self, Self::UseCompromisedKey | Self::IssueUserKeyFor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_is_decided_on_the_actor_and_data_on_the_subject_but_for_one_further_right() {
        let odd = |name: &&ActionName| (name.set() == PolicySet::Control) != (name.principal() == Principal::Actor);
        assert_eq!(ActionName::ALL.iter().filter(odd).collect::<Vec<_>>(), [&ActionName::IssueUserKeyFor]);
        for name in ActionName::ALL.iter().filter(|name| name.is_further_right()) {
            assert_eq!((name.set(), name.target()), (PolicySet::Data, Target::Key), "{name:?}");
        }
    }

    #[test]
    fn names_are_unique_and_data_actions_touch_no_control_target() {
        let mut seen = std::collections::BTreeSet::new();
        for name in ActionName::ALL {
            assert!(seen.insert(name.as_str()), "{name:?} twice");
            if matches!(name.target(), Target::Role | Target::Identity) {
                assert_eq!(name.set(), PolicySet::Control, "{name:?}");
            }
        }
    }
}

//! Who calls, and for whom.

use crate::{CertificateSerial, EntityUid, RequestId};

/// An authenticated caller: the actor that the certificate names, and the subject it acts for.
///
/// Made by the server from a verified certificate (and by jobs for `Wardkeep::System`). It carries no
/// right by itself: rights come only from a decision.
#[derive(Debug, Clone)]
pub struct Caller {
    actor: EntityUid,
    subject: EntityUid,
    /// The certificate kind of the actor, as `context.actor.kind` shows it.
    serial: Option<CertificateSerial>,
    request: RequestId,
}

impl Caller {
    /// A caller that acts for itself.
    #[must_use]
    pub fn itself(actor: EntityUid, serial: Option<CertificateSerial>, request: RequestId) -> Self {
        Self { subject: actor.clone(), actor, serial, request }
    }

    /// The same caller acting for somebody else. Whether it may is a decision (`actFor`), not made here.
    #[must_use]
    pub fn on_behalf_of(self, subject: EntityUid) -> Self {
        Self { subject, ..self }
    }

    /// The entity that the certificate names.
    #[must_use]
    pub fn actor(&self) -> &EntityUid {
        &self.actor
    }

    /// Whom the actor acts for; Cedar's principal in the data set.
    #[must_use]
    pub fn subject(&self) -> &EntityUid {
        &self.subject
    }

    /// Whether somebody else is named by the header.
    #[must_use]
    pub fn acts_for_another(&self) -> bool {
        self.actor != self.subject
    }

    /// The certificate's serial; `None` for the server's own jobs.
    #[must_use]
    pub fn serial(&self) -> Option<&CertificateSerial> {
        self.serial.as_ref()
    }

    /// The request's name.
    #[must_use]
    pub fn request(&self) -> &RequestId {
        &self.request
    }
}

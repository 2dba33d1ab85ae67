//! Certificates: enrolment, renewal, revocation, the CRL.

pub mod crl;
pub mod enrol;
pub mod list;
pub mod renew;
pub mod revoke;

use wardkeep_api::certificate::IssuedCertificate;

use crate::ca::Issued;

fn issued(made: Issued) -> IssuedCertificate {
    let Issued { record, certificate_pem, chain_pem } = made;
    IssuedCertificate {
        serial: record.serial.to_string(),
        identity: record.identity.to_string(),
        not_after: record.not_after.to_string(),
        certificate_pem,
        chain_pem,
    }
}

//! Every answer of the interface: members that are absent stay absent, and a newer server may say more.

use serde_json::json;
use wardkeep_api::audit::{AuditHead, AuditPage, AuditRecord, AuditStatus, AuditVerdict};
use wardkeep_api::bundle::{Bundle, BundleSummary, LoadedBundle, PolicySchema};
use wardkeep_api::certificate::{Certificate, CertificateState, IssuedCertificate, RevokedCertificates};
use wardkeep_api::config::ConfigInForce;
use wardkeep_api::control_set::ControlSet;
use wardkeep_api::data_key::{DataKey, RewrappedDataKey, UnwrappedDataKey};
use wardkeep_api::encryption::{Decrypted, Encrypted};
use wardkeep_api::entity::EntitiesChanged;
use wardkeep_api::health::{Check, Health};
use wardkeep_api::key::{Key, KeySpec, KeyState, KeyUsage, KeyVersion};
use wardkeep_api::random::RandomBytes;
use wardkeep_api::ring::Ring;
use wardkeep_api::role::{Role, RoleGranted, RoleMembers, Roles};
use wardkeep_api::signature::{Signature, Verified};
use wardkeep_api::token::{IssuedToken, Token, TokenState};
use wardkeep_api::whoami::WhoAmI;
use wardkeep_api::{Finding, Page, Problem};

use crate::checks::answer;

const WHEN: &str = "2026-11-21T12:00:00.000Z";

#[test]
fn keys_and_rings() {
    let version = json!({"version": 1, "state": "active", "created": WHEN, "activated": WHEN, "deactivated": WHEN,
        "compromised": WHEN, "destroyed": WHEN, "public_key": "AAAA"});
    answer::<KeyVersion>(version.clone(), &["version", "state", "created"]);
    let key = json!({"key": "r/k", "spec": "ec-p256", "usage": "sign", "origin": "wardkeep", "exportable": false, "labels": {"a": "b"},
        "rotation_days": 30, "next_rotation": WHEN, "created": WHEN, "destroy_after": WHEN, "revision": 18_446_744_073_709_551_615_u64, "versions": [version]});
    let always = ["key", "spec", "usage", "origin", "exportable", "labels", "created", "revision", "versions"];
    answer::<Key>(key, &always);
    answer::<Ring>(
        json!({"name": "r", "labels": {}, "created": WHEN, "revision": 1}),
        &["name", "labels", "created", "revision"],
    );
}

#[test]
fn data_keys_and_data() {
    let sealed = json!({"key": "r/k", "version": 1, "wrapped": "AAAA", "plaintext": "AAAA", "for_recipient": "AAAA"});
    answer::<DataKey>(sealed, &["key", "version", "wrapped"]);
    let opened = json!({"key": "r/k", "version": 1, "plaintext": "AAAA", "for_recipient": "AAAA"});
    answer::<UnwrappedDataKey>(opened, &["key", "version"]);
    let again = json!({"key": "r/k", "version": 2, "from_version": 1, "wrapped": "AAAA"});
    answer::<RewrappedDataKey>(again, &["key", "version", "from_version", "wrapped"]);
    answer::<Encrypted>(json!({"key": "r/k", "version": 1, "ciphertext": "AAAA"}), &["key", "version", "ciphertext"]);
    answer::<Decrypted>(json!({"key": "r/k", "version": 1, "plaintext": "AAAA"}), &["key", "version", "plaintext"]);
    let signed = json!({"key": "r/k", "version": 1, "algorithm": "ed25519", "signature": "AAAA"});
    answer::<Signature>(signed, &["key", "version", "algorithm", "signature"]);
    answer::<Verified>(json!({"key": "r/k", "version": 1, "valid": false}), &["key", "version", "valid"]);
    answer::<RandomBytes>(json!({"bytes": "AAAA"}), &["bytes"]);
}

#[test]
fn administration() {
    let finding = json!({"severity": "error", "file": "a.cedar", "line": 1, "column": 2, "message": "m", "hint": "h"});
    answer::<Finding>(finding.clone(), &["severity", "message"]);
    answer::<LoadedBundle>(json!({"version": 2, "active": true, "findings": [finding]}), &["active", "findings"]);
    let summary = json!({"version": 1, "active": false, "loaded": WHEN, "loaded_by": "User::\"ana\""});
    answer::<BundleSummary>(summary, &["version", "active", "loaded", "loaded_by"]);
    let bundle = json!({"version": 1, "active": false, "loaded": WHEN, "loaded_by": "x", "manifest": "", "schema": "",
        "policies": [{"name": "a", "text": ""}], "entities": "[]"});
    answer::<Bundle>(bundle, &["version", "active", "loaded", "loaded_by", "manifest", "schema", "policies"]);
    answer::<PolicySchema>(json!({"policy_version": 3, "text": ""}), &["policy_version", "text"]);
    let set = json!({"revision": 1, "text": "", "changed": WHEN, "changed_by": "x"});
    answer::<ControlSet>(set, &["revision", "text", "changed", "changed_by"]);
    answer::<EntitiesChanged>(json!({"count": 1, "policy_version": 2}), &["count", "policy_version"]);
    let member = json!({"type": "User", "id": "ana"});
    answer::<RoleMembers>(json!({"role": "security-admin", "members": [member]}), &["role", "members"]);
    answer::<Roles>(json!({"roles": []}), &["roles"]);
    let granted = json!({"role": "auditor", "member": member, "tokens_voided": 0, "certificates_revoked": []});
    answer::<RoleGranted>(granted, &["role", "member", "tokens_voided", "certificates_revoked"]);
    answer::<ConfigInForce>(json!({"server_version": "0.1.0", "toml": ""}), &["server_version", "toml"]);
    let who = json!({"identity": "spiffe://d/user/ana", "serial": "ab", "not_after": WHEN, "actor": member, "roles": ["admin"], "policy_version": 1});
    answer::<WhoAmI>(who, &["identity", "serial", "not_after", "actor", "roles", "policy_version"]);
}

#[test]
fn tokens_certificates_and_the_log() {
    let issued = json!({"id": "i", "token": "t", "identity": "x", "expires": WHEN, "ca_fingerprint": "ab"});
    answer::<IssuedToken>(issued, &["id", "token", "identity", "expires", "ca_fingerprint"]);
    let token = json!({"id": "i", "identity": "x", "state": "open", "issued_by": "x", "issued": WHEN, "expires": WHEN});
    answer::<Token>(token, &["id", "identity", "state", "issued_by", "issued", "expires"]);
    let leaf = json!({"serial": "ab", "identity": "x", "not_after": WHEN, "certificate_pem": "", "chain_pem": ""});
    answer::<IssuedCertificate>(leaf, &["serial", "identity", "not_after", "certificate_pem", "chain_pem"]);
    let listed =
        json!({"serial": "ab", "identity": "x", "issued": WHEN, "not_after": WHEN, "parent": "aa", "state": "valid"});
    answer::<Certificate>(listed, &["serial", "identity", "issued", "not_after", "state"]);
    answer::<RevokedCertificates>(json!({"serials": ["ab"]}), &["serials"]);
    let record = json!({"sequence": 1, "previous": "00", "hash": "11", "line": "{}"});
    answer::<AuditRecord>(record.clone(), &["sequence", "previous", "hash", "line"]);
    answer::<AuditPage>(json!({"records": [record], "next": 2}), &["records", "next"]);
    let head = json!({"records": 1, "hash": "11", "time": WHEN, "signed": "AAAA", "public_key": "AAAA"});
    answer::<AuditHead>(head, &["records", "hash", "time", "signed", "public_key"]);
    let verdict = json!({"status": "broken", "records": 4, "first_bad": 5, "detail": "d"});
    answer::<AuditVerdict>(verdict, &["status", "records"]);
    answer::<Check>(json!({"name": "store", "ok": false, "detail": "d"}), &["name", "ok"]);
    answer::<Health>(json!({"status": "ok", "checks": [{"name": "store", "ok": true}]}), &["status"]);
    let problem = json!({"type": "urn:wardkeep:problem:denied", "title": "t", "status": 403, "detail": "d", "instance": "i",
        "request_id": "r", "findings": [{"severity": "warning", "message": "m"}]});
    answer::<Problem>(problem, &["type", "title", "status"]);
    answer::<Page<u32>>(json!({"items": [1], "next": "c"}), &["items"]);
}

/// What is absent is left out, and never `null`: the two are one only for lenient readers.
#[test]
fn what_is_absent_is_not_written() {
    let token: DataKey = serde_json::from_value(json!({"key": "r/k", "version": 1, "wrapped": "AAAA"})).unwrap();
    assert_eq!(serde_json::to_value(&token).unwrap(), json!({"key": "r/k", "version": 1, "wrapped": "AAAA"}));
    let problem = Problem::new("denied", "Denied", 403);
    assert_eq!(
        serde_json::to_string(&problem).unwrap(),
        r#"{"type":"urn:wardkeep:problem:denied","title":"Denied","status":403}"#
    );
    let version: KeyVersion =
        serde_json::from_value(json!({"version": 1, "state": "active", "created": WHEN})).unwrap();
    assert!(!serde_json::to_string(&version).unwrap().contains("null"));
}

fn words<T: serde::Serialize + serde::de::DeserializeOwned + PartialEq + std::fmt::Debug>(all: &[(T, &str)]) {
    for (value, word) in all {
        assert_eq!(serde_json::to_value(value).unwrap(), json!(word));
        assert_eq!(&serde_json::from_value::<T>(json!(word)).unwrap(), value);
        for near in [word.to_uppercase(), word.replace('-', "_") + "_", format!(" {word}"), String::new()] {
            assert!(serde_json::from_value::<T>(json!(near)).is_err(), "{near:?}");
        }
    }
    assert!(serde_json::from_value::<T>(json!(0)).is_err() && serde_json::from_value::<T>(json!(null)).is_err());
}

#[test]
fn words_have_one_spelling() {
    words(&[
        (KeySpec::Aes256Gcm, "aes-256-gcm"),
        (KeySpec::Rsa3072, "rsa-3072"),
        (KeySpec::Rsa4096, "rsa-4096"),
        (KeySpec::EcP256, "ec-p256"),
        (KeySpec::Ed25519, "ed25519"),
    ]);
    words(&[(KeyUsage::Wrap, "wrap"), (KeyUsage::Encrypt, "encrypt"), (KeyUsage::Sign, "sign")]);
    words(&[
        (KeyState::PreActivation, "pre-activation"),
        (KeyState::Active, "active"),
        (KeyState::Suspended, "suspended"),
        (KeyState::Deactivated, "deactivated"),
        (KeyState::Compromised, "compromised"),
        (KeyState::Destroyed, "destroyed"),
    ]);
    words(&[
        (Role::Admin, "admin"),
        (Role::SecurityAdmin, "security-admin"),
        (Role::Operator, "operator"),
        (Role::Auditor, "auditor"),
    ]);
    words(&[
        (TokenState::Open, "open"),
        (TokenState::Redeemed, "redeemed"),
        (TokenState::Expired, "expired"),
        (TokenState::Void, "void"),
    ]);
    words(&[
        (CertificateState::Valid, "valid"),
        (CertificateState::Expired, "expired"),
        (CertificateState::Revoked, "revoked"),
    ]);
    words(&[
        (AuditStatus::Verified, "verified"),
        (AuditStatus::Consistent, "consistent"),
        (AuditStatus::Broken, "broken"),
    ]);
}

//! Keys: description and life cycle.

pub mod cancel_deletion;
pub mod compromise;
pub mod create;
pub mod deactivate;
pub mod destroy;
pub mod enable;
pub mod get;
pub mod list;
pub mod rotate;
pub mod schedule_deletion;
pub mod suspend;
pub mod update;

use axum::Json;
use wardkeep_api::key as wire;
use wardkeep_kms::{KeyInfo, VersionInfo};
use wardkeep_model::{KeySpec, KeyState, KeyUsage, Timestamp};

use super::etag::Tagged;
use super::problem::Fault;

/// A key as a tagged answer.
fn answer(info: &KeyInfo) -> Result<Tagged<Json<wire::Key>>, Fault> {
    Ok(Tagged { revision: info.facts.revision, answer: Json(key(info)?) })
}

/// A key on the wire.
fn key(info: &KeyInfo) -> Result<wire::Key, Fault> {
    let KeyInfo { facts, created, rotation_days, next_rotation, deletion, versions } = info;
    Ok(wire::Key {
        key: facts.id.to_string(),
        spec: spec_word(facts.spec)?,
        usage: usage_word(facts.usage)?,
        origin: facts.origin.to_owned(),
        exportable: facts.exportable,
        labels: (*facts.labels).clone(),
        rotation_days: *rotation_days,
        next_rotation: moment(*next_rotation),
        created: created.to_string(),
        destroy_after: moment(*deletion),
        revision: facts.revision,
        versions: versions.iter().map(version).collect::<Result<_, _>>()?,
    })
}

fn version(info: &VersionInfo) -> Result<wire::KeyVersion, Fault> {
    let VersionInfo { number, state, created, activated, deactivated, compromised, destroyed, public_key } = info;
    Ok(wire::KeyVersion {
        version: number.get(),
        state: state_word(*state)?,
        created: created.to_string(),
        activated: moment(*activated),
        deactivated: moment(*deactivated),
        compromised: moment(*compromised),
        destroyed: moment(*destroyed),
        public_key: public_key.as_deref().map(Into::into),
    })
}

fn moment(time: Option<Timestamp>) -> Option<String> {
    time.map(|time| time.to_string())
}

/// The domain's word for a spec.
fn spec(word: wire::KeySpec) -> KeySpec {
    match word {
        wire::KeySpec::Aes256Gcm => KeySpec::Aes256Gcm,
        wire::KeySpec::Rsa3072 => KeySpec::Rsa3072,
        wire::KeySpec::Rsa4096 => KeySpec::Rsa4096,
        wire::KeySpec::EcP256 => KeySpec::EcP256,
        wire::KeySpec::Ed25519 => KeySpec::Ed25519,
        wire::KeySpec::FabeoBls12381 => KeySpec::FabeoBls12381,
    }
}

/// The domain's word for a usage.
fn usage(word: wire::KeyUsage) -> KeyUsage {
    match word {
        wire::KeyUsage::Wrap => KeyUsage::Wrap,
        wire::KeyUsage::Encrypt => KeyUsage::Encrypt,
        wire::KeyUsage::Sign => KeyUsage::Sign,
        wire::KeyUsage::Issue => KeyUsage::Issue,
    }
}

/// The model's words may grow; one that the wire does not know yet is our mistake and not the caller's.
fn spec_word(spec: KeySpec) -> Result<wire::KeySpec, Fault> {
    match spec {
        KeySpec::Aes256Gcm => Ok(wire::KeySpec::Aes256Gcm),
        KeySpec::Rsa3072 => Ok(wire::KeySpec::Rsa3072),
        KeySpec::Rsa4096 => Ok(wire::KeySpec::Rsa4096),
        KeySpec::EcP256 => Ok(wire::KeySpec::EcP256),
        KeySpec::Ed25519 => Ok(wire::KeySpec::Ed25519),
        KeySpec::FabeoBls12381 => Ok(wire::KeySpec::FabeoBls12381),
        _ => Err(Fault::Unexpected),
    }
}

fn usage_word(usage: KeyUsage) -> Result<wire::KeyUsage, Fault> {
    match usage {
        KeyUsage::Wrap => Ok(wire::KeyUsage::Wrap),
        KeyUsage::Encrypt => Ok(wire::KeyUsage::Encrypt),
        KeyUsage::Sign => Ok(wire::KeyUsage::Sign),
        KeyUsage::Issue => Ok(wire::KeyUsage::Issue),
        _ => Err(Fault::Unexpected),
    }
}

fn state_word(state: KeyState) -> Result<wire::KeyState, Fault> {
    match state {
        KeyState::PreActivation => Ok(wire::KeyState::PreActivation),
        KeyState::Active => Ok(wire::KeyState::Active),
        KeyState::Suspended => Ok(wire::KeyState::Suspended),
        KeyState::Deactivated => Ok(wire::KeyState::Deactivated),
        KeyState::Compromised => Ok(wire::KeyState::Compromised),
        KeyState::Destroyed => Ok(wire::KeyState::Destroyed),
        _ => Err(Fault::Unexpected),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown<T: serde::Serialize>(value: Result<T, Fault>) -> String {
        serde_json::to_string(&value.unwrap()).unwrap()
    }

    #[test]
    fn the_wire_has_the_models_words() {
        for one in KeySpec::ALL {
            assert_eq!(shown(spec_word(*one)), format!("\"{one}\""));
            assert_eq!(spec(spec_word(*one).unwrap()), *one);
        }
        for one in KeyUsage::ALL {
            assert_eq!(shown(usage_word(*one)), format!("\"{one}\""));
            assert_eq!(usage(usage_word(*one).unwrap()), *one);
        }
        for one in KeyState::ALL {
            assert_eq!(shown(state_word(*one)), format!("\"{one}\""));
        }
    }
}

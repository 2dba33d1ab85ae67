//! How keys and rings stand in the store: JSON with a version, in structs that nothing else sees.
//!
//! Rows hold names, states, dates and public halves, never secret material: histories keep every row.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use wardkeep_model::{KeySpec, KeyState, KeyUsage, KeyVersion, Timestamp};
use zeroize::Zeroizing;

use crate::keyring::{KeyBody, Replay, RingBody, VersionBody};

/// Version of both rows.
const FORMAT: u8 = 1;

/// Table `key`. Moments are milliseconds since the Unix epoch, words those of the model crate.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct KeyRow<'a> {
    format: u8,
    spec: &'a str,
    usage: &'a str,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    labels: BTreeMap<String, String>,
    created: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    rotation_days: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    deletion: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    escrowed: Option<u64>,
    #[serde(borrow)]
    versions: Vec<VersionRow<'a>>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    replays: Vec<ReplayRow>,
}

/// One version inside its key's row.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct VersionRow<'a> {
    number: u32,
    state: &'a str,
    created: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    activated: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    deactivated: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    compromised: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    destroyed: Option<u64>,
    /// SPKI DER, or an authority's signed public parameters, in base64.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    public: Option<String>,
}

/// A request that was made under an idempotency key, inside the row it made or changed.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct ReplayRow {
    id: [u8; 32],
    body: [u8; 32],
    at: u64,
    sequence: u64,
}

/// Table `ring`. A deleted ring keeps its row.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct RingRow {
    format: u8,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    labels: BTreeMap<String, String>,
    created: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    deleted: Option<u64>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    replays: Vec<ReplayRow>,
}

/// Table `tombstone`: the name is the row's id.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct TombstoneRow {
    format: u8,
    sequence: u64,
    time: u64,
}

/// A key's row.
pub(crate) fn write_key(key: &KeyBody) -> Option<Zeroizing<Vec<u8>>> {
    let versions = key.versions.iter().map(|version| VersionRow {
        number: version.number.get(),
        state: version.state.as_str(),
        created: version.created.millis(),
        activated: version.activated.map(Timestamp::millis),
        deactivated: version.deactivated.map(Timestamp::millis),
        compromised: version.compromised.map(Timestamp::millis),
        destroyed: version.destroyed.map(Timestamp::millis),
        public: version.public.as_ref().map(|der| STANDARD.encode(der)),
    });
    write(&KeyRow {
        format: FORMAT,
        spec: key.spec.as_str(),
        usage: key.usage.as_str(),
        labels: (*key.labels).clone(),
        created: key.created.millis(),
        rotation_days: key.rotation_days,
        deletion: key.deletion.map(Timestamp::millis),
        escrowed: key.escrowed.map(Timestamp::millis),
        versions: versions.collect(),
        replays: key.replays.iter().map(write_replay).collect(),
    })
}

/// Reads a key's row; `None` for anything but a row of a known version.
pub(crate) fn read_key(bytes: &[u8]) -> Option<KeyBody> {
    let row: KeyRow<'_> = serde_json::from_slice(bytes).ok().filter(|row: &KeyRow<'_>| row.format == FORMAT)?;
    let versions: Option<Vec<VersionBody>> = row.versions.into_iter().map(read_version).collect();
    let versions = versions.filter(|versions| !versions.is_empty() && versions.is_sorted_by_key(|v| v.number))?;
    Some(KeyBody {
        spec: KeySpec::from_word(row.spec)?,
        usage: KeyUsage::from_word(row.usage)?,
        labels: row.labels.into(),
        created: Timestamp::from_millis(row.created),
        rotation_days: row.rotation_days,
        deletion: row.deletion.map(Timestamp::from_millis),
        escrowed: row.escrowed.map(Timestamp::from_millis),
        versions,
        replays: row.replays.into_iter().map(read_replay).collect(),
    })
}

/// A version, if every word and number in it is known.
fn read_version(row: VersionRow<'_>) -> Option<VersionBody> {
    let public = match row.public {
        None => None,
        Some(text) => Some(STANDARD.decode(text).ok()?.into()),
    };
    Some(VersionBody {
        number: KeyVersion::new(row.number)?,
        state: KeyState::from_word(row.state)?,
        created: Timestamp::from_millis(row.created),
        activated: row.activated.map(Timestamp::from_millis),
        deactivated: row.deactivated.map(Timestamp::from_millis),
        compromised: row.compromised.map(Timestamp::from_millis),
        destroyed: row.destroyed.map(Timestamp::from_millis),
        public,
    })
}

/// A ring's row.
pub(crate) fn write_ring(ring: &RingBody) -> Option<Zeroizing<Vec<u8>>> {
    write(&RingRow {
        format: FORMAT,
        labels: (*ring.labels).clone(),
        created: ring.created.millis(),
        deleted: ring.deleted.map(Timestamp::millis),
        replays: ring.replays.iter().map(write_replay).collect(),
    })
}

/// Reads a ring's row; `None` for anything but a row of a known version.
pub(crate) fn read_ring(bytes: &[u8]) -> Option<RingBody> {
    let row: RingRow = serde_json::from_slice(bytes).ok().filter(|row: &RingRow| row.format == FORMAT)?;
    Some(RingBody {
        labels: row.labels.into(),
        created: Timestamp::from_millis(row.created),
        deleted: row.deleted.map(Timestamp::from_millis),
        replays: row.replays.into_iter().map(read_replay).collect(),
    })
}

/// A destroyed key's tombstone: the sequence of its last row, and when.
pub(crate) fn write_tombstone(sequence: u64, time: Timestamp) -> Option<Zeroizing<Vec<u8>>> {
    write(&TombstoneRow { format: FORMAT, sequence, time: time.millis() })
}

fn write_replay(replay: &Replay) -> ReplayRow {
    ReplayRow { id: replay.id, body: replay.body, at: replay.at.millis(), sequence: replay.sequence }
}

fn read_replay(row: ReplayRow) -> Replay {
    Replay { id: row.id, body: row.body, at: Timestamp::from_millis(row.at), sequence: row.sequence }
}

/// JSON without white space; field order is that of the struct, so equal rows are equal bytes.
pub(crate) fn write(row: &impl Serialize) -> Option<Zeroizing<Vec<u8>>> {
    serde_json::to_vec(row).ok().map(Zeroizing::new)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> KeyBody {
        let version = |number, state, public: Option<&[u8]>| VersionBody {
            number: KeyVersion::new(number).unwrap(),
            state,
            created: Timestamp::from_millis(1),
            activated: Some(Timestamp::from_millis(2)),
            deactivated: None,
            compromised: None,
            destroyed: None,
            public: public.map(Into::into),
        };
        KeyBody {
            spec: KeySpec::EcP256,
            usage: KeyUsage::Sign,
            labels: BTreeMap::from([("team".to_owned(), "\"blue\"\n".to_owned())]).into(),
            created: Timestamp::from_millis(1),
            rotation_days: Some(90),
            deletion: None,
            escrowed: None,
            versions: vec![
                version(1, KeyState::Deactivated, Some(b"spki")),
                version(2, KeyState::Active, Some(b"spki 2")),
            ],
            replays: vec![Replay { id: [1; 32], body: [2; 32], at: Timestamp::from_millis(3), sequence: 4 }],
        }
    }

    #[test]
    fn rows_round_trip() {
        let bytes = write_key(&sample()).unwrap();
        let again = write_key(&read_key(&bytes).unwrap()).unwrap();
        assert_eq!(*bytes, *again);
    }

    /// Golden bytes of format 1: what is in a store today must be read by every later version.
    #[test]
    fn the_row_of_format_1() {
        let bytes = write_key(&sample()).unwrap();
        assert_eq!(std::str::from_utf8(&bytes).unwrap(), include_str!("../testdata/key-row-1.json").trim_end());
    }

    #[test]
    fn rows_of_another_version_or_shape_are_refused() {
        let good = String::from_utf8(write_key(&sample()).unwrap().to_vec()).unwrap();
        for (from, to) in [
            ("\"format\":1", "\"format\":2"),
            ("\"state\":\"active\"", "\"state\":\"usable\""),
            ("\"number\":1", "\"number\":0"),
            ("\"number\":1", "\"number\":3"),
            ("\"spec\":\"ec-p256\"", "\"spec\":\"rsa-2048\""),
            ("\"created\":1", "\"created\":1,\"more\":1"),
        ] {
            assert!(read_key(good.replacen(from, to, 1).as_bytes()).is_none(), "{to}");
        }
        assert!(read_key(b"{}").is_none());
        assert!(read_ring(b"{\"format\":1}").is_none());
    }
}

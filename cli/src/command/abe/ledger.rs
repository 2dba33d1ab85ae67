//! The ledger of an authority version: which serials were given, until when, and which are revoked.
//!
//! Written whole and durable before the key is made: after a crash a serial may be given to nobody, never to two.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use wardkeep_abe::{Bucket, RevocationList, Serial};

use super::AbeError;

const FORMAT: u32 = 1;

/// What an authority version remembers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Ledger {
    format: u32,
    /// What people call the authority.
    pub(crate) name: String,
    /// The authority version that it is of.
    pub(crate) version: u32,
    /// The serial that comes next; those below were given or passed over.
    next: u64,
    /// How many revocation lists were signed.
    lists: u64,
    /// Serials with the last bucket of their keys; keys that do not expire have none.
    keys: BTreeMap<u32, Option<u32>>,
    revoked: BTreeSet<u32>,
    /// The serials below this one may have been given by somebody else, of whose keys nothing is known here.
    #[serde(default, skip_serializing_if = "is_none_given")]
    elsewhere: u64,
}

fn is_none_given(elsewhere: &u64) -> bool {
    *elsewhere == 0
}

impl Ledger {
    /// That of a new version.
    pub(crate) fn new(name: &str, version: u32) -> Self {
        let (keys, revoked) = (BTreeMap::new(), BTreeSet::new());
        Self { format: FORMAT, name: name.to_owned(), version, next: 0, lists: 0, keys, revoked, elsewhere: 0 }
    }

    /// That of a version whose serials somebody else gave: those below `next`, of which the list revokes some. Where no
    /// list is at hand, none is known to be revoked. Each of them can be revoked here, given or not: when its key ends
    /// is not known, so that it stays on the list.
    pub(crate) fn recovered(name: &str, version: u32, next: u64, list: Option<&RevocationList>) -> Self {
        let revoked = || list.into_iter().flat_map(|list| list.revoked());
        let beyond = revoked().map(|(serial, _)| u64::from(serial.number()) + 1).max().unwrap_or(0);
        let next = next.max(beyond);
        Self {
            next,
            elsewhere: next,
            lists: list.map_or(0, RevocationList::number),
            keys: revoked().map(|(serial, until)| (serial.number(), Some(until.number()))).collect(),
            revoked: revoked().map(|(serial, _)| serial.number()).collect(),
            ..Self::new(name, version)
        }
    }

    /// Reads one and checks that it is consistent.
    pub(crate) fn read(text: &[u8]) -> Result<Self, String> {
        let read: Self = serde_json::from_slice(text).map_err(|error| error.to_string())?;
        if read.format != FORMAT {
            return Err(format!("it has format {}, this software reads {FORMAT}", read.format));
        }
        let known = |serial: &u32| read.keys.contains_key(serial);
        if read.keys.last_key_value().is_some_and(|(last, _)| u64::from(*last) >= read.next)
            || !read.revoked.iter().all(known)
            || read.elsewhere > read.next
        {
            return Err("its serials do not fit together".to_owned());
        }
        Ok(read)
    }

    /// Its text.
    pub(crate) fn to_text(&self) -> Result<Vec<u8>, serde_json::Error> {
        let mut text = serde_json::to_vec(self)?;
        text.push(b'\n');
        Ok(text)
    }

    /// Gives a serial: this one, or the next.
    pub(crate) fn give(&mut self, wanted: Option<u32>, until: Option<Bucket>) -> Result<Serial, AbeError> {
        let number = wanted.map_or(self.next, u64::from);
        // Beyond 32 bits there is no serial; what the tree of this authority holds, issuing says.
        let serial = u32::try_from(number).unwrap_or(u32::MAX);
        if number < self.next || u64::from(serial) != number {
            return Err(AbeError::SerialUsed { serial, next: self.next });
        }
        self.keys.insert(serial, until.map(Bucket::number));
        self.next = number + 1;
        Ok(Serial::new(serial))
    }

    /// Revokes a serial; whether it was not revoked before.
    pub(crate) fn revoke(&mut self, serial: u32) -> Result<bool, AbeError> {
        if !self.keys.contains_key(&serial) {
            if u64::from(serial) >= self.elsewhere {
                return Err(AbeError::NotIssued { serial, version: self.version });
            }
            self.keys.insert(serial, None);
        }
        Ok(self.revoked.insert(serial))
    }

    /// Whether serials or lists were numbered: then a new authority must not take its place.
    pub(crate) fn is_in_use(&self) -> bool {
        self.next > 0 || self.lists > 0
    }

    /// The number of the next list.
    pub(crate) fn next_list(&mut self) -> u64 {
        self.lists += 1;
        self.lists
    }

    /// What is revoked, for a list signed in bucket `now`: expired keys reach no bucket that a sealer asks for, so that
    /// they leave the list. A key that never expires has no bucket to reach, and is kept to the last one.
    pub(crate) fn revoked(&self, now: Bucket, last: Bucket) -> BTreeMap<Serial, Bucket> {
        let until = |serial: &u32| self.keys.get(serial).copied().flatten().map_or(last, Bucket::new);
        let all = self.revoked.iter().map(|serial| (Serial::new(*serial), until(serial)));
        all.filter(|(_, until)| *until >= now).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn serials_are_given_once() {
        let mut ledger = Ledger::new("clinic", 1);
        assert_eq!(ledger.give(None, None).unwrap(), Serial::new(0));
        assert_eq!(ledger.give(Some(7), Some(Bucket::new(3))).unwrap(), Serial::new(7));
        // What was passed over is not given later either.
        for used in [0, 5, 7] {
            let refused = ledger.give(Some(used), None).unwrap_err();
            assert!(matches!(refused, AbeError::SerialUsed { next: 8, .. }), "{refused}");
        }
        assert_eq!(ledger.give(None, None).unwrap(), Serial::new(8));
        assert_eq!(ledger.give(Some(u32::MAX), None).unwrap(), Serial::new(u32::MAX));
        assert!(matches!(ledger.give(None, None), Err(AbeError::SerialUsed { next: 4_294_967_296, .. })));
        assert_eq!(Ledger::read(&ledger.to_text().unwrap()).unwrap(), ledger);
    }

    #[test]
    fn only_given_serials_are_revoked_and_expired_ones_leave_the_list() {
        let mut ledger = Ledger::new("clinic", 3);
        for until in [Some(10), Some(20), None] {
            ledger.give(None, until.map(Bucket::new)).unwrap();
        }
        assert!(matches!(ledger.revoke(3), Err(AbeError::NotIssued { serial: 3, version: 3 })));
        for serial in [0, 1, 2] {
            assert!(ledger.revoke(serial).unwrap());
            assert!(!ledger.revoke(serial).unwrap(), "the second time changes nothing");
        }
        let listed = |now: u32| {
            let listed = ledger.revoked(Bucket::new(now), Bucket::new(99));
            listed.into_iter().map(|(serial, until)| (serial.number(), until.number())).collect::<Vec<_>>()
        };
        assert_eq!(listed(10), [(0, 10), (1, 20), (2, 99)]);
        assert_eq!(listed(11), [(1, 20), (2, 99)]);
        assert_eq!(listed(21), [(2, 99)]);
    }

    /// The service gave 0 to 6; one of them is on its list.
    #[test]
    fn of_a_recovered_version_every_serial_below_the_first_free_one_is_revoked_at_will() {
        let mut ledger = Ledger::recovered("clinic", 1, 7, None);
        ledger.give(None, Some(Bucket::new(30))).unwrap();
        for serial in [0, 6, 7] {
            assert!(ledger.revoke(serial).unwrap(), "{serial}");
        }
        assert!(!ledger.revoke(6).unwrap(), "the second time changes nothing");
        assert!(matches!(ledger.revoke(8), Err(AbeError::NotIssued { serial: 8, .. })));
        // When the service's keys end is not known: they never leave the list.
        let listed = ledger.revoked(Bucket::new(31), Bucket::new(99));
        let listed: Vec<_> = listed.into_iter().map(|(serial, until)| (serial.number(), until.number())).collect();
        assert_eq!(listed, [(0, 99), (6, 99)]);
        assert_eq!(Ledger::read(&ledger.to_text().unwrap()).unwrap(), ledger);
        assert!(ledger.is_in_use() && !Ledger::new("clinic", 1).is_in_use());
    }

    #[test]
    fn a_ledger_that_does_not_hold_together_is_refused() {
        let good = r#"{"format":1,"name":"n","version":1,"next":2,"lists":0,"keys":{"1":null},"revoked":[1]}"#;
        assert!(Ledger::read(good.as_bytes()).is_ok());
        for (from, to) in [
            ("\"format\":1", "\"format\":2"),
            ("\"next\":2", "\"next\":1"),
            ("[1]", "[0]"),
            ("\"lists\":0", "\"lists\":0,\"more\":1"),
            ("\"lists\":0,", ""),
            ("\"lists\":0", "\"lists\":0,\"elsewhere\":3"),
            ("null}", "-1}"),
            ("{", "["),
        ] {
            assert!(Ledger::read(good.replacen(from, to, 1).as_bytes()).is_err(), "{to}");
        }
        assert!(Ledger::read(&good.as_bytes()[..good.len() - 1]).is_err());
        assert!(Ledger::read(b"").is_err());
    }
}

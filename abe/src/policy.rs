//! What a ciphertext asks of a key: a formula over attributes, and what time and revocation add to it.
//!
//! The three stand side by side under one `and`: the author's formula, "valid in this bucket or later", "a serial that
//! this list does not revoke". The author's text can neither name nor weaken the other two, for their labels live in
//! namespaces that no attribute reaches. Together they have [`MAX_ROWS`] rows at most; a list that has grown too long for
//! that is cured by a new authority version, whose serials start anew.

use crate::backend::Backend;
use crate::dyadic::Prefix;
use crate::encoding::{Reader, put_counted};
use crate::formula::{Explanation, Formula};
use crate::gate::Gate;
use crate::label::{Label, Namespace};
use crate::parameters::PublicParameters;
use crate::revocation::RevocationList;
use crate::validity::{Bucket, BucketLength, Terms};
use crate::value::Date;
use crate::{DecodeError, OpenError, PolicyError, RevocationError, SealError};

/// Most rows of formula, time bucket and cover together.
pub const MAX_ROWS: usize = crate::formula::MAX_ROWS;
/// Longest policy text, in bytes.
pub const MAX_POLICY: usize = crate::formula::MAX_TEXT;
/// Longest encoded statement: text, bucket, and a cover of [`MAX_ROWS`] nodes.
pub(crate) const MAX_STATEMENT: usize = MAX_POLICY + 64 + MAX_ROWS * 5;

/// A policy that ciphertexts are sealed under.
#[derive(Debug, Clone)]
pub struct AccessPolicy {
    formula: Formula,
    bucket: Option<Bucket>,
    cover: Option<Cover>,
    parameters: [u8; 32],
    gate: Gate,
}

/// Which serials may open: the nodes below which none is revoked, and the list that says so.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Cover {
    pub(crate) list_number: u64,
    pub(crate) issued_at: u64,
    pub(crate) nodes: Vec<Prefix>,
    /// What the sealer's list says of its use; nothing of it is sealed.
    fitness: Option<Fitness>,
}

/// What a cover is good for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Fitness {
    /// The first time bucket: serials that ended before it are revoked or not, and the cover does not know.
    first_bucket: Bucket,
    /// When the list is due for renewal, in seconds since 1970.
    renew_by: u64,
}

impl AccessPolicy {
    /// Reads a formula under the declarations of these parameters.
    ///
    /// # Errors
    /// [`PolicyError`] with the place in the text and what to write instead.
    pub fn parse<B: Backend>(text: &str, parameters: &PublicParameters<B>) -> Result<Self, PolicyError> {
        Self::of(Formula::parse(text, parameters.schema())?, parameters)
    }

    /// The policy of a formula.
    ///
    /// # Errors
    /// [`PolicyError`] where the formula does not fit the declarations of these parameters.
    pub fn of<B: Backend>(formula: Formula, parameters: &PublicParameters<B>) -> Result<Self, PolicyError> {
        let gate = formula.gate(parameters.schema(), parameters.scope(), Namespace::Attribute)?;
        Ok(Self { formula, bucket: None, cover: None, parameters: *parameters.fingerprint(), gate })
    }

    /// Asks for keys that are valid in this time bucket or later: an expired key opens nothing sealed after it.
    #[must_use]
    pub fn valid_from(mut self, bucket: Bucket) -> Self {
        self.bucket = Some(bucket);
        self
    }

    /// Asks for keys that this list does not revoke. Goes with [`AccessPolicy::valid_from`], and with no bucket before the
    /// list's own date: authorities leave out serials that had expired by then, and the cover those that expired before
    /// the bucket. Sealing holds to that, whichever of the two was asked for first.
    ///
    /// The list is compared with `now` (seconds since 1970) here, not at each sealing: whoever keeps a policy makes it
    /// anew by [`AccessPolicy::renew_by`].
    ///
    /// # Errors
    /// [`RevocationError::Stale`] for a list past its renewal, [`RevocationError::FromTheFuture`],
    /// [`RevocationError::OtherAuthority`] where list, parameters and policy are not of one authority version.
    pub fn excluding<B: Backend>(
        mut self,
        list: &RevocationList,
        parameters: &PublicParameters<B>,
        now: u64,
    ) -> Result<Self, RevocationError> {
        if !self.belongs_to(parameters) {
            return Err(RevocationError::OtherAuthority);
        }
        list.check(parameters, now)?;
        let terms = parameters.terms();
        let nodes = list.cover(terms, self.bucket);
        let listed_from = list.first_bucket(terms);
        let first_bucket = self.bucket.map_or(listed_from, |bucket| bucket.max(listed_from));
        let fitness = Some(Fitness { first_bucket, renew_by: list.dates().next_update });
        self.cover = Some(Cover { list_number: list.number(), issued_at: list.issued_at(), nodes, fitness });
        Ok(self)
    }

    /// The formula.
    #[must_use]
    pub fn formula(&self) -> &Formula {
        &self.formula
    }

    /// The time bucket that keys must reach.
    #[must_use]
    pub fn bucket(&self) -> Option<Bucket> {
        self.bucket
    }

    /// The number of the revocation list it was sealed with.
    #[must_use]
    pub fn revocation_list(&self) -> Option<u64> {
        self.cover.as_ref().map(|cover| cover.list_number)
    }

    /// Until when, in seconds since 1970, its revocation list may be sealed with; `None` without a list.
    #[must_use]
    pub fn renew_by(&self) -> Option<u64> {
        self.cover.as_ref()?.fitness.map(|fitness| fitness.renew_by)
    }

    /// What a holder of these labels would use of the formula, or misses; time bucket and revocation are left out.
    ///
    /// # Errors
    /// [`PolicyError`] where the policy was read under other declarations.
    pub fn explain<B: Backend>(
        &self,
        parameters: &PublicParameters<B>,
        holds: &dyn Fn(&Label) -> bool,
    ) -> Result<Explanation, PolicyError> {
        self.formula.explain(parameters.schema(), parameters.scope(), Namespace::Attribute, holds)
    }

    /// What a holder of these labels would still need, in the cheapest way; empty if nothing.
    pub(crate) fn missing<B: Backend>(
        &self,
        parameters: &PublicParameters<B>,
        holds: &dyn Fn(&Label) -> bool,
    ) -> Vec<String> {
        let scope = parameters.scope();
        let explained = self.formula.explain(parameters.schema(), scope, Namespace::Attribute, holds);
        let mut missing = explained.map_or_else(|_| Vec::new(), |explained| explained.missing);
        let terms = parameters.terms();
        let late = |bucket: &Bucket| !terms.validity_gate(scope, *bucket).satisfied(holds);
        if let Some(bucket) = self.bucket.filter(late) {
            let bits = terms.bucket_length().bits();
            let ends = held_path(bits, &|prefix| holds(&terms.validity_label(scope, prefix)));
            let ends = ends.and_then(|path| u32::try_from(path.value << (bits - path.len)).ok()).map(Bucket::new);
            let why = ends.map_or_else(
                || "this key names no end: have one issued that expires".to_owned(),
                |ends| {
                    format!(
                        "this key ends with {}, and has expired by then: have a new one issued",
                        moment(terms, ends, Edge::End)
                    )
                },
            );
            missing.push(format!("validity at {} or later ({why})", moment(terms, bucket, Edge::Start)));
        }
        let shut_out = |cover: &&Cover| !terms.serial_gate(scope, &cover.nodes).satisfied(holds);
        if let Some(cover) = self.cover.as_ref().filter(shut_out) {
            let node = |prefix: &Prefix| terms.serial_gate(scope, std::slice::from_ref(prefix)).satisfied(holds);
            let why = held_path(u32::from(terms.serial_bits()), &node).map_or_else(
                || "this key has no serial: have one issued that has".to_owned(),
                |path| format!("it revokes serial {}, this key's: have a new one issued", path.value),
            );
            missing.push(format!("a serial that revocation list {} does not revoke ({why})", cover.list_number));
        }
        missing
    }

    /// Whether it was made under these parameters.
    pub(crate) fn belongs_to<B: Backend>(&self, parameters: &PublicParameters<B>) -> bool {
        self.parameters == *parameters.fingerprint()
    }

    /// The whole tree: formula and requirements.
    pub(crate) fn gate<B: Backend>(&self, parameters: &PublicParameters<B>) -> Result<Gate, SealError> {
        let (terms, scope) = (parameters.terms(), parameters.scope());
        let mut parts = vec![self.gate.clone()];
        if let Some(bucket) = self.bucket {
            if !terms.has_bucket(bucket) {
                return Err(SealError::BucketOutOfRange { bucket });
            }
            parts.push(terms.validity_gate(scope, bucket));
        }
        let nodes = self.checked_cover()?;
        // Counted before labels are made: the cover of a long list has a million nodes.
        let rows = parts.iter().map(Gate::rows).sum::<usize>() + nodes.len();
        if rows > MAX_ROWS {
            return Err(SealError::TooManyRows { rows, max: MAX_ROWS });
        }
        if !nodes.is_empty() {
            parts.push(terms.serial_gate(scope, nodes));
        }
        Ok(if let [_] = parts.as_slice() { parts.swap_remove(0) } else { Gate::All(parts) })
    }

    /// The nodes of the cover, if there is one and it fits the bucket.
    fn checked_cover(&self) -> Result<&[Prefix], SealError> {
        let Some(cover) = &self.cover else { return Ok(&[]) };
        let Some(bucket) = self.bucket else { return Err(SealError::CoverWithoutBucket) };
        if cover.nodes.is_empty() {
            return Err(SealError::AllRevoked);
        }
        match cover.fitness {
            Some(Fitness { first_bucket, .. }) if bucket < first_bucket => {
                Err(SealError::BucketBeforeList { bucket, first: first_bucket })
            }
            _ => Ok(&cover.nodes),
        }
    }

    /// The one encoding of the policy, as it stands in a ciphertext and is bound by it.
    pub(crate) fn statement(&self) -> Vec<u8> {
        let mut out = Vec::new();
        put_counted(&mut out, self.formula.to_string().as_bytes());
        out.push(u8::from(self.bucket.is_some()));
        if let Some(bucket) = self.bucket {
            out.extend_from_slice(&bucket.number().to_be_bytes());
        }
        out.push(u8::from(self.cover.is_some()));
        if let Some(Cover { list_number, issued_at, nodes, fitness: _ }) = &self.cover {
            out.extend_from_slice(&list_number.to_be_bytes());
            out.extend_from_slice(&issued_at.to_be_bytes());
            out.extend_from_slice(&u16::try_from(nodes.len()).unwrap_or(u16::MAX).to_be_bytes());
            for Prefix { len, value } in nodes {
                out.push(u8::try_from(*len).unwrap_or(u8::MAX));
                out.extend_from_slice(&u32::try_from(*value).unwrap_or(u32::MAX).to_be_bytes());
            }
        }
        out
    }

    /// Reads a statement out of a ciphertext; anything but its one encoding is refused.
    pub(crate) fn from_statement<B: Backend>(
        bytes: &[u8],
        parameters: &PublicParameters<B>,
    ) -> Result<Self, OpenError> {
        let Statement { text, bucket, cover } = Statement::read(bytes)?;
        let mut policy = Self::parse(text, parameters)?;
        policy.bucket = bucket;
        policy.cover = cover;
        let bits = u32::from(parameters.terms().serial_bits());
        let fits = |node: &Prefix| node.len <= bits && node.value < 1 << node.len;
        if policy.cover.as_ref().is_some_and(|cover| !cover.nodes.iter().all(fits)) {
            return Err(DecodeError::Malformed { part: "cover" }.into());
        }
        if policy.statement() != bytes {
            return Err(DecodeError::Malformed { part: "policy, which is not in its canonical form," }.into());
        }
        Ok(policy)
    }
}

/// The longest prefix that a key holds of the one path that it has in a tree; `None` where it has none. Of two children it
/// is asked for the greater first: a key that was narrowed keeps the prefixes of what it was narrowed to.
fn held_path(bits: u32, holds: &dyn Fn(&Prefix) -> bool) -> Option<Prefix> {
    let mut path = Some(Prefix { len: 0, value: 0 }).filter(holds)?;
    while path.len < bits {
        let child = |bit| Prefix { len: path.len + 1, value: path.value << 1 | bit };
        match [child(1), child(0)].into_iter().find(|child| holds(child)) {
            Some(longer) => path = longer,
            None => break,
        }
    }
    Some(path)
}

/// Which end of a bucket is meant.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Edge {
    Start,
    End,
}

/// A bucket for people: its day, or the first or last minute of its hour (ISO 8601, UTC).
fn moment(terms: &Terms, bucket: Bucket, edge: Edge) -> String {
    let (days, hour) = match terms.bucket_length() {
        BucketLength::Day => (bucket.number(), None),
        BucketLength::Hour => (bucket.number() / 24, Some(bucket.number() % 24)),
    };
    let epoch = Date::new(1970, 1, 1).map_or(0, Date::days);
    let Some(date) = Date::from_days(epoch.saturating_add(days)) else {
        return format!("time bucket {}", bucket.number());
    };
    match (hour, edge) {
        (None, _) => date.to_string(),
        (Some(hour), Edge::Start) => format!("{date}T{hour:02}:00Z"),
        (Some(hour), Edge::End) => format!("{date}T{hour:02}:59Z"),
    }
}

/// The fields of a statement, before the formula is looked at.
pub(crate) struct Statement<'a> {
    pub(crate) text: &'a str,
    pub(crate) bucket: Option<Bucket>,
    pub(crate) cover: Option<Cover>,
}

impl<'a> Statement<'a> {
    pub(crate) fn read(bytes: &'a [u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(bytes);
        let text = reader.text(MAX_POLICY, "policy text")?;
        let bucket = if flag(&mut reader, "bucket")? { Some(Bucket::new(reader.u32("bucket")?)) } else { None };
        let cover = if flag(&mut reader, "cover")? { Some(read_cover(&mut reader)?) } else { None };
        reader.end()?;
        Ok(Self { text, bucket, cover })
    }
}

fn flag(reader: &mut Reader<'_>, part: &'static str) -> Result<bool, DecodeError> {
    match reader.u8(part)? {
        0 => Ok(false),
        1 => Ok(true),
        _ => Err(DecodeError::Malformed { part }),
    }
}

fn read_cover(reader: &mut Reader<'_>) -> Result<Cover, DecodeError> {
    let (list_number, issued_at) = (reader.u64("cover")?, reader.u64("cover")?);
    let count = usize::from(reader.u16("cover")?);
    if count > MAX_ROWS {
        return Err(DecodeError::TooLong { part: "cover", len: count, max: MAX_ROWS });
    }
    let mut node = || Ok(Prefix { len: u32::from(reader.u8("cover")?), value: u64::from(reader.u32("cover")?) });
    let nodes: Result<Vec<Prefix>, DecodeError> = (0..count).map(|_| node()).collect();
    Ok(Cover { list_number, issued_at, nodes: nodes?, fitness: None })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::validity::Serial;
    use crate::{Attributes, Authority, AuthorityId, Dates, Grant, Narrowing, OpenError, Schema, Seed, UserKey};

    /// 2030-02-01 as a day, and 15 o'clock of it as an hour.
    const DAY: u32 = 21_946;
    const HOUR: u32 = DAY * 24 + 15;

    struct Clinic {
        authority: Authority,
        attributes: Attributes,
    }

    impl Clinic {
        fn new(length: BucketLength) -> Self {
            let terms = Terms::new(length, 20).unwrap();
            let authority = Authority::generate(AuthorityId([7; 16]), Schema::default(), terms, Seed::new([1; 32]));
            Self { authority, attributes: Attributes::parse("role = doctor", &Schema::default()).unwrap() }
        }

        fn key(&self, until: Option<u32>, serial: Option<u32>) -> UserKey {
            let (valid_until, serial) = (until.map(Bucket::new), serial.map(Serial::new));
            let grant = Grant { attributes: &self.attributes, valid_until, serial };
            self.authority.issue(&grant, Seed::new([2; 32])).unwrap()
        }

        /// What is missing of a file that asks for this bucket, and for the list if there is one.
        fn lacks(&self, key: &UserKey, from: u32, revoked: &[u32]) -> Vec<String> {
            let parameters = self.authority.parameters();
            let policy = AccessPolicy::parse("role = doctor", parameters).unwrap().valid_from(Bucket::new(from));
            let policy = match revoked {
                [] => policy,
                revoked => {
                    let revoked: BTreeMap<_, _> =
                        revoked.iter().map(|serial| (Serial::new(*serial), Bucket::new(from))).collect();
                    let dates = Dates { number: 4, issued_at: 1_000, next_update: 2_000 };
                    let list = self.authority.revocation_list(dates, revoked).unwrap();
                    policy.excluding(&list, parameters, 1_500).unwrap()
                }
            };
            let (sealed, secret) = crate::seal(parameters, &policy, b"", Seed::new([3; 32])).unwrap();
            let satisfied = key.satisfies(parameters, &sealed);
            match crate::open(parameters, key, &sealed, b"") {
                Ok(opened) => {
                    assert!(satisfied && opened.is_same(&secret));
                    Vec::new()
                }
                Err(OpenError::NotSatisfied { missing }) => {
                    assert!(!satisfied, "public data says the same: {missing:?}");
                    missing
                }
                Err(error) => panic!("{error}"),
            }
        }
    }

    #[test]
    fn a_refusal_says_which_of_the_four_it_is_and_what_to_do() {
        let clinic = Clinic::new(BucketLength::Day);
        let expects = |key: &UserKey, revoked: &[u32], expected: &[&str]| {
            assert_eq!(clinic.lacks(key, DAY, revoked), expected);
        };
        expects(&clinic.key(Some(DAY), Some(9)), &[8], &[]);
        expects(
            &clinic.key(None, None),
            &[],
            &["validity at 2030-02-01 or later (this key names no end: have one issued that expires)"],
        );
        expects(
            &clinic.key(Some(DAY - 1), None),
            &[],
            &[
                "validity at 2030-02-01 or later (this key ends with 2030-01-31, and has expired by then: have a new one issued)",
            ],
        );
        let late = "validity at 2030-02-01 or later (this key ends with 1970-01-01, and has expired by then: have a new one issued)";
        let revoked = "a serial that revocation list 4 does not revoke";
        expects(
            &clinic.key(Some(0), Some(1_048_575)),
            &[1_048_575],
            &[late, &format!("{revoked} (it revokes serial 1048575, this key's: have a new one issued)")],
        );
        expects(
            &clinic.key(Some(DAY), None),
            &[8],
            &[&format!("{revoked} (this key has no serial: have one issued that has)")],
        );
        expects(
            &clinic.key(Some(DAY), Some(0)),
            &[0],
            &[&format!("{revoked} (it revokes serial 0, this key's: have a new one issued)")],
        );
    }

    #[test]
    fn hours_are_shown_to_the_minute() {
        let clinic = Clinic::new(BucketLength::Hour);
        assert!(clinic.lacks(&clinic.key(Some(HOUR), None), HOUR, &[]).is_empty());
        let said = clinic.lacks(&clinic.key(Some(HOUR - 16), None), HOUR, &[]);
        assert_eq!(
            said,
            [
                "validity at 2030-02-01T15:00Z or later (this key ends with 2030-01-31T23:59Z, and has expired by then: have a new one issued)"
            ]
        );
    }

    #[test]
    fn a_narrowed_key_is_said_to_end_where_it_was_narrowed_to() {
        let clinic = Clinic::new(BucketLength::Day);
        let narrowing = Narrowing { valid_until: Some(Bucket::new(DAY - 1)), ..Narrowing::default() };
        let parent = clinic.key(Some(DAY + 100), None);
        let child = parent.delegate(clinic.authority.parameters(), &narrowing, Seed::new([4; 32])).unwrap();
        let ends = moment(clinic.authority.parameters().terms(), child.valid_until().unwrap(), Edge::End);
        let said = clinic.lacks(&child, DAY, &[]);
        assert!(said[0].contains(&format!("ends with {ends}")), "{said:?}");
    }

    #[test]
    fn what_is_another_authoritys_is_not_satisfied() {
        let (clinic, mut other) = (Clinic::new(BucketLength::Day), Clinic::new(BucketLength::Day));
        other.authority =
            Authority::generate(AuthorityId([8; 16]), Schema::default(), Terms::default(), Seed::new([1; 32]));
        let parameters = clinic.authority.parameters();
        let policy = AccessPolicy::parse("role = doctor", parameters).unwrap();
        let (sealed, _) = crate::seal(parameters, &policy, b"", Seed::new([3; 32])).unwrap();
        assert!(clinic.key(None, None).satisfies(parameters, &sealed));
        let theirs = other.key(None, None);
        assert!(!theirs.satisfies(other.authority.parameters(), &sealed) && !theirs.satisfies(parameters, &sealed));
        let next = clinic.authority.rotate(Schema::default(), Terms::default(), Seed::new([5; 32])).unwrap();
        let grant = Grant { attributes: &clinic.attributes, valid_until: None, serial: None };
        let newer = next.issue(&grant, Seed::new([6; 32])).unwrap();
        assert!(!newer.satisfies(next.parameters(), &sealed));
    }
}

//! How long a refusal takes: by public data, of whatever was handed in; by the transform, beside an opening of the same
//! size. A sender of nonsense should cost a reader little, and the time of a refusal should say nothing.

use wardkeep_abe::{AccessPolicy, Attributes, Authority, AuthorityId, Ciphertext, Grant, Schema, Terms, UserKey};
use wardkeep_abe::{open, seal};

use crate::policy::Policy;
use crate::sample::{self, Limits};
use crate::{Fail, USES};

/// Sizes at which the transform refuses.
const SIZES: [&str; 3] = ["and1", "and50", "and512"];
/// Where the statement's length stands in a ciphertext: behind magic, format, scheme, authority and version.
const STATEMENT: usize = 7 + 2 + 16 + 4;
const CONTEXT: &[u8] = b"ward 7";

/// Prints the slowest structural refusal, and for each size an opening and a refusal by the transform.
pub(crate) fn measure(limits: &Limits) -> Result<(), Fail> {
    structural(limits)?;
    SIZES.iter().try_for_each(|size| by_the_transform(limits, &Policy::named(size)?))
}

/// One authority, with a key for the attributes.
fn issued(attributes: &str) -> Result<(Authority, UserKey), Fail> {
    let authority = Authority::generate(AuthorityId([7; 16]), Schema::default(), Terms::default(), sample::seed());
    let attributes = Attributes::parse(attributes, authority.parameters().schema())?;
    let key = authority.issue(&Grant { attributes: &attributes, valid_until: None, serial: None }, sample::seed())?;
    Ok((authority, key))
}

fn sealed(authority: &Authority, policy: &str) -> Result<Vec<u8>, Fail> {
    let policy = AccessPolicy::parse(policy, authority.parameters())?;
    Ok(seal(authority.parameters(), &policy, CONTEXT, sample::seed())?.0.to_bytes().to_vec())
}

fn structural(limits: &Limits) -> Result<(), Fail> {
    let (authority, key) = issued("a = x, level = 3")?;
    let honest = sealed(&authority, "a = x")?;
    let leaves =
        |count: usize, between: &str| (0..count).map(|at| format!("x{at} = y")).collect::<Vec<_>>().join(between);
    let ranges = (0..17).map(|at| format!("level != {}", at + 1_000_000_007)).collect::<Vec<_>>().join(" or ");
    let texts = [
        "(".repeat(1 << 20),
        "(".repeat(1 << 16),
        "a = x or ".repeat(1 << 13),
        format!("{} or", leaves(7_000, " or ")),
        format!("a = {}", "y".repeat(1 << 16)),
        format!("a = {}", "\u{1f468}\u{301}".repeat(1 << 13)),
        format!("9999999999 of ({})", "a = x, ".repeat(1 << 12)),
        (0..64).fold("a = x".to_owned(), |inner, at| {
            let gate = if at % 2 == 0 { "or" } else { "and" };
            format!("a = x {gate} ({inner})")
        }),
        ranges,
        "a = x ".to_owned(),
    ];
    let mut hostile: Vec<Vec<u8>> = texts.iter().map(|text| with_policy(&honest, text)).collect();
    // Honest in form, 512 rows large, and not for this key; then with a point too few.
    for policy in [leaves(512, " and "), leaves(512, " or "), format!("256 of ({})", leaves(512, ", "))] {
        hostile.push(sealed(&authority, &policy)?);
    }
    let mut short = sealed(&authority, &leaves(512, " and "))?;
    short.truncate(short.len() - 48);
    hostile.push(short);
    let refused = |bytes: &Vec<u8>| match Ciphertext::from_bytes(bytes) {
        Ok(read) => open(authority.parameters(), &key, &read, CONTEXT).is_err(),
        Err(_) => true,
    };
    if hostile.iter().any(|bytes| !refused(bytes)) {
        return Err("a hostile ciphertext opened".into());
    }
    let works: Vec<_> = hostile.iter().map(|bytes| || refused(bytes)).collect();
    let slowest = limits.in_turns(&works).into_iter().fold(0.0, f64::max);
    println!("wardkeep refuse-structure hostile {slowest:.2} us");
    Ok(())
}

/// The same ciphertext with another policy text, asking for neither time nor serials.
fn with_policy(honest: &[u8], text: &str) -> Vec<u8> {
    let (before, rest) = honest.split_at(STATEMENT);
    let (length, rest) = rest.split_at(4);
    let length = length.iter().fold(0, |length, byte| length << 8 | usize::from(*byte));
    let mut out = before.to_vec();
    out.extend_from_slice(&(text.len() as u32 + 6).to_be_bytes());
    out.extend_from_slice(&(text.len() as u32).to_be_bytes());
    out.extend_from_slice(text.as_bytes());
    out.extend_from_slice(&[0, 0]);
    out.extend_from_slice(rest.get(length..).unwrap_or_default());
    out
}

fn by_the_transform(limits: &Limits, policy: &Policy) -> Result<(), Fail> {
    let (authority, key) = issued(&policy.attributes)?;
    let honest = sealed(&authority, &policy.text)?;
    let changed = |place: usize| {
        let mut bytes = honest.clone();
        bytes.iter_mut().skip(place).take(1).for_each(|byte| *byte ^= 1);
        Ciphertext::from_bytes(&bytes)
    };
    // The masked message, and the first bytes of the last row's point, which then decodes to nothing or to another.
    let (masked, point) = (changed(honest.len() - 1)?, changed(honest.len() - 32 - 48)?);
    let honest = Ciphertext::from_bytes(&honest)?;
    let opens = |sealed: &Ciphertext| open(authority.parameters(), &key, sealed, CONTEXT).is_ok();
    if [&honest, &masked, &point].map(opens) != [true, false, false] {
        return Err("what was changed opened, or what was not did not".into());
    }
    for _ in 0..USES {
        opens(&honest);
    }
    let works = [&honest, &masked, &point].map(|sealed| move || opens(sealed));
    if let [opening, refusals @ ..] = limits.in_turns(&works).as_slice() {
        println!("wardkeep opening {} {opening:.2} us", policy.name);
        println!("wardkeep refusal {} {:.2} us", policy.name, refusals.iter().copied().fold(0.0, f64::max));
    }
    Ok(())
}

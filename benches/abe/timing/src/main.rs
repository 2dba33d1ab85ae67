//! Looks for branches and addresses that depend on a secret, as Langley's ctgrind does: memcheck follows undefined bits
//! through all arithmetic and complains where one decides what is executed or which address is read. Here the undefined
//! bits are the seeds that every secret exponent is drawn from.
//!
//! Outside of valgrind the program does the same work and marks nothing. `leak` as the argument does what must be
//! found, so that silence means something.

mod memcheck;

use memcheck::{define, undefine};
use wardkeep_abe::{
    AccessPolicy, Attributes, Authority, AuthorityId, Bucket, Grant, Narrowing, Schema, Seed, Serial, Terms, open, seal,
};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let schema = Schema::parse("level: number(8)")?;
    let authority = Authority::generate(AuthorityId([7; 16]), schema, Terms::default(), Seed::new([1; 32]));
    let public = authority.parameters();
    let attributes = Attributes::parse("a = x, b = x, c = x, level = 9", public.schema())?;
    let grant = Grant { attributes: &attributes, valid_until: Some(Bucket::new(200)), serial: Some(Serial::new(3)) };
    let policy = AccessPolicy::parse("a = x and (b = x or level > 3) and 2 of (a = x, b = x, c = x)", public)?;

    // Sixteen times, so that points without a table, with a table of their own and the fixed bases all take part.
    for number in 0..16 {
        let key = authority.issue(&grant, secret_seed(number))?;
        drop(key.delegate(
            public,
            &Narrowing { without: vec!["c".into()], ..Narrowing::default() },
            secret_seed(number),
        )?);
        let mut bytes = key.to_bytes();
        define(&mut bytes);
        let (sealed, secret) = seal(public, &policy, b"context", secret_seed(number))?;
        let mut sealed_bytes = sealed.to_bytes().to_vec();
        define(&mut sealed_bytes);
        if std::env::args().any(|argument| argument == "leak") && secret.expose().iter().any(|byte| *byte == 0) {
            println!("a byte of the secret is zero");
        }
        // What an opening does with a key is told from public data; its steps are those of sealing.
        let key = wardkeep_abe::UserKey::from_bytes(&bytes, public)?;
        let read = wardkeep_abe::Ciphertext::from_bytes(&sealed_bytes)?;
        drop(open(public, &key, &read, b"context")?);
    }
    println!("done");
    Ok(())
}

/// A seed whose bits count as undefined.
fn secret_seed(number: u8) -> Seed {
    let mut bytes = [number; 32];
    undefine(&mut bytes);
    Seed::new(bytes)
}

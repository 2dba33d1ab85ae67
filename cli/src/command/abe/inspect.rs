//! `wardkeep abe inspect`: what a file says of itself; never anything secret.

use std::path::Path;

use serde_json::{Value, json};
use wardkeep_abe::{Authority, Bucket, Ciphertext, PublicParameters, RevocationList, Scheme, Serial, UserKey};
use wardkeep_envelope::batch::BatchOpener;
use wardkeep_envelope::{AbeStanza, AllOfStanza, Opener, RsaStanza, Stanza, StanzaKind, WrappedKey};

use super::authority::hex;
use super::when::{last_moment, moment};
use super::{AbeError, files};
use crate::args::abe::Inspect;
use crate::command::CommandError;
use crate::error::FileError;
use crate::output::{self, Format};

/// Bytes that tell what a file is.
const MAGIC: usize = 8;

/// Shows a file.
pub(super) fn run(format: Format, args: &Inspect) -> Result<(), CommandError> {
    let parameters = args.parameters.as_deref().map(files::parameters).transpose()?;
    let shown = shown(&args.file, parameters.as_ref())?;
    Ok(output::show(format, &shown, &[])?)
}

fn shown(path: &Path, parameters: Option<&PublicParameters>) -> Result<Value, AbeError> {
    let needs = |what| AbeError::NeedsParameters { path: path.to_owned(), what };
    let start = files::beginning(path, MAGIC)?;
    match start.as_slice() {
        b"WARDKEEP" => return envelope(path),
        b"WKPBATCH" => return batch(path),
        _ => {}
    }
    match start.get(..7).unwrap_or_default() {
        b"WKABEPP" => Ok(of_parameters("public parameters", &files::parameters(path)?)),
        b"WKABEKF" => files::key(path).map(|(parameters, key)| of_key(&parameters, &key)),
        b"WKABEUK" => {
            let parameters = parameters.ok_or(needs("a key without its authority's public parameters"))?;
            let key = UserKey::from_bytes(&files::secret(path)?, parameters).map_err(AbeError::decoding(path))?;
            Ok(of_key(parameters, &key))
        }
        b"WKABEMK" => {
            let authority = Authority::from_bytes(&files::secret(path)?).map_err(AbeError::decoding(path))?;
            Ok(of_parameters("authority key", authority.parameters()))
        }
        b"WKABERL" => {
            let parameters = parameters.ok_or(needs("a list of revoked keys, shown once its signature was checked"))?;
            Ok(of_list(parameters, &files::revocations(path, parameters)?))
        }
        b"WKABECT" => {
            let ciphertext = Ciphertext::from_bytes(&files::public(path)?).map_err(AbeError::decoding(path))?;
            Ok(with(of_ciphertext(&ciphertext), "kind", "ciphertext"))
        }
        _ => Err(AbeError::Unknown { path: path.to_owned() }),
    }
}

fn with(mut shown: Value, name: &str, value: &str) -> Value {
    if let Value::Object(fields) = &mut shown {
        fields.insert(name.to_owned(), json!(value));
    }
    shown
}

fn of_parameters(kind: &str, parameters: &PublicParameters) -> Value {
    let declarations: Vec<String> = parameters.schema().to_text().lines().map(str::to_owned).collect();
    let scheme = match parameters.scheme() {
        Scheme::CiphertextPolicy => "ciphertexts carry the policy",
        Scheme::KeyPolicy => "keys carry the policy",
    };
    json!({
        "kind": kind,
        "authority": parameters.authority().to_string(),
        "version": parameters.version(),
        "scheme": scheme,
        "bucket_seconds": parameters.terms().bucket_length().seconds(),
        "serial_bits": parameters.terms().serial_bits(),
        "declarations": declarations,
        "signing_key": hex(parameters.signing_key()),
        "fingerprint": hex(parameters.fingerprint()),
    })
}

fn of_key(parameters: &PublicParameters, key: &UserKey) -> Value {
    json!({
        "kind": "key",
        "authority": key.authority().to_string(),
        "version": key.version(),
        "attributes": key.attributes(),
        "valid_until": key.valid_until().map(|bucket| last_moment(parameters.terms(), bucket)),
        "bucket": key.valid_until().map(Bucket::number),
        "serial": key.serial().map(Serial::number),
        "labels": key.labels().len(),
    })
}

fn of_list(parameters: &PublicParameters, list: &RevocationList) -> Value {
    let dates = list.dates();
    let serials: Vec<u32> = list.revoked().keys().map(|serial| serial.number()).collect();
    json!({
        "kind": "list of revoked keys",
        "authority": parameters.authority().to_string(),
        "version": parameters.version(),
        "number": dates.number,
        "issued_at": moment(dates.issued_at),
        "next_update": moment(dates.next_update),
        "count": serials.len(),
        "revoked": serials,
    })
}

fn of_ciphertext(ciphertext: &Ciphertext) -> Value {
    let list = ciphertext.revocation_list();
    json!({
        "authority": ciphertext.authority().to_string(),
        "version": ciphertext.version(),
        "policy": ciphertext.text(),
        "rows": ciphertext.rows(),
        "not_before_bucket": ciphertext.bucket().map(Bucket::number),
        "revocation_list": list.map(|(number, _)| number),
        "revocation_list_date": list.map(|(_, date)| moment(date)),
        "bytes": ciphertext.to_bytes().len(),
    })
}

/// What the header claims: it is authentic once somebody opened the envelope.
fn envelope(path: &Path) -> Result<Value, AbeError> {
    let file = std::fs::File::open(path).map_err(FileError::at("read", path))?;
    let opener = Opener::from_reader(std::io::BufReader::new(file))?;
    Ok(of_header("envelope", opener.claimed_context(), opener.stanzas()))
}

fn batch(path: &Path) -> Result<Value, AbeError> {
    let bytes = files::public(path)?;
    let opener = BatchOpener::from_bytes(&bytes)?;
    let shown = of_header("batch", opener.claimed_context(), opener.stanzas());
    Ok(with(shown, "batch", &hex(opener.claimed_id().as_bytes())))
}

fn of_header(kind: &str, context: &[u8], stanzas: &[Stanza]) -> Value {
    // A context of ours is JSON; another is shown as far as it is text.
    let context = serde_json::from_slice(context).unwrap_or_else(|_| json!(String::from_utf8_lossy(context)));
    let opened_by: Vec<Value> = stanzas.iter().map(of_stanza).collect();
    json!({ "kind": kind, "context": context, "opened_by_any_of": opened_by })
}

fn of_stanza(stanza: &Stanza) -> Value {
    let kind = stanza.kind().to_string();
    let read = match stanza.kind() {
        StanzaKind::ABE => AbeStanza::read(stanza).map(|read| read.map(|read| of_ciphertext(read.ciphertext()))),
        StanzaKind::KMS => WrappedKey::read(stanza).map(|read| read.map(|read| json!({ "key": read.key() }))),
        StanzaKind::RSA => {
            RsaStanza::read(stanza).map(|read| read.map(|read| json!({ "recipient": hex(read.fingerprint) })))
        }
        StanzaKind::ALL_OF => AllOfStanza::read(stanza)
            .map(|read| read.map(|read| json!({ "parts": read.parts().iter().map(of_stanza).collect::<Vec<_>>() }))),
        _ => None,
    };
    let shown = match read {
        None => json!({ "bytes": stanza.body().len() }),
        Some(Err(_)) => json!({ "malformed": true }),
        Some(Ok(shown)) => shown,
    };
    with(shown, "by", &kind)
}

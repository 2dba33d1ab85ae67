//! Attribute-based encryption with a server: authorities, user keys, registered public keys, seal and open.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Subcommand};
use wardkeep_model::{EntityUid, KeyId};

use crate::args::connection::Connection;
use crate::args::keys::{Context, KeyList, KeyName1, ListArgs};
use crate::command::abe::text::Text;

/// Authorities of the key service.
#[derive(Debug, Subcommand)]
pub(crate) enum Authority {
    /// Make an authority, with the attributes that the policy bundle in force declares for its name.
    Create(KeyName1),
    /// List authorities that the caller may see.
    List(KeyList),
    /// Show one authority.
    Get(KeyName1),
    /// Begin a new version, with the attributes that the bundle in force declares.
    Rotate(KeyName1),
    /// Fetch the public parameters into a file: all that sealing needs.
    Parameters(Fetch),
    /// Export the master key as shares for custodians, of which so many open it.
    Escrow(Escrow),
    /// Put shares together again, into a folder as `wardkeep abe local` uses it. Asks no server.
    Combine(Combine),
}

/// The pinned signing key.
#[derive(Debug, Clone, Args)]
pub(crate) struct Pin {
    /// The key that the authority signs with, in hexadecimal, as `wardkeep abe authority parameters` shows it: nothing
    /// that another key signed is taken. Without it the server's word counts.
    #[arg(long, env = "WARDKEEP_ABE_SIGNING_KEY", value_name = "HEX", value_parser = signing_key)]
    pub(crate) signing_key: Option<[u8; 32]>,
}

/// Fetch something public.
#[derive(Debug, Args)]
pub(crate) struct Fetch {
    /// The authority, `ring/key`.
    #[arg(long, env = "WARDKEEP_ABE_AUTHORITY", value_name = "KEY", value_parser = KeyId::parse)]
    pub(crate) key: KeyId,
    /// Of this version; without it the newest.
    #[arg(long = "key-version", env = "WARDKEEP_KEY_VERSION", value_name = "NUMBER")]
    pub(crate) version: Option<u32>,
    /// Write it here; an older one of its kind that stands there is replaced.
    #[arg(long, env = "WARDKEEP_OUT", value_name = "FILE")]
    pub(crate) out: PathBuf,
    /// Replace what stands there, although it is of another kind.
    #[arg(long, env = "WARDKEEP_FORCE", value_parser = clap::builder::BoolishValueParser::new())]
    pub(crate) force: bool,
    #[command(flatten)]
    pub(crate) pin: Pin,
    #[command(flatten)]
    pub(crate) connection: Connection,
}

/// Export an authority.
#[derive(Debug, Args)]
pub(crate) struct Escrow {
    /// The authority, `ring/key`.
    #[arg(long, env = "WARDKEEP_ABE_AUTHORITY", value_name = "KEY", value_parser = KeyId::parse)]
    pub(crate) key: KeyId,
    /// This version; without it the newest.
    #[arg(long = "key-version", env = "WARDKEEP_KEY_VERSION", value_name = "NUMBER")]
    pub(crate) version: Option<u32>,
    /// How many shares open it.
    #[arg(long, env = "WARDKEEP_ABE_THRESHOLD", value_name = "NUMBER", value_parser = clap::value_parser!(u8).range(2..=16))]
    pub(crate) threshold: u8,
    /// How many shares there are.
    #[arg(long, env = "WARDKEEP_ABE_SHARES", value_name = "NUMBER", value_parser = clap::value_parser!(u8).range(2..=16))]
    pub(crate) shares: u8,
    /// File with a custodian's RSA public key, PEM or JWK; given once a share, in their order.
    #[arg(long = "recipient", env = "WARDKEEP_RECIPIENTS", value_name = "FILE", value_delimiter = ',')]
    pub(crate) recipients: Vec<PathBuf>,
    /// The shares in the clear, as files that their owner alone may read: whoever asks holds the authority until they are
    /// given away.
    #[arg(long, env = "WARDKEEP_ABE_PLAIN_SHARES", value_parser = clap::builder::BoolishValueParser::new(),
          conflicts_with = "recipients", required_unless_present = "recipients")]
    pub(crate) plain: bool,
    /// Folder for the shares, `share-1` and so on; made if it does not exist. None there is replaced.
    #[arg(long, env = "WARDKEEP_ABE_SHARES_DIR", value_name = "FOLDER")]
    pub(crate) dir: PathBuf,
    #[command(flatten)]
    pub(crate) connection: Connection,
}

/// Put shares together.
#[derive(Debug, Args)]
pub(crate) struct Combine {
    /// The shares, as their custodians got them or opened.
    #[arg(required = true, value_name = "SHARE")]
    pub(crate) shares: Vec<PathBuf>,
    /// File with a custodian's RSA private key (PKCS#8 PEM), for shares that are sealed; may be given again.
    #[arg(long = "private-key", env = "WARDKEEP_PRIVATE_KEYS", value_name = "FILE", value_delimiter = ',')]
    pub(crate) private_keys: Vec<PathBuf>,
    /// The authority's folder; made if it does not exist.
    #[arg(long, env = "WARDKEEP_ABE_DIR", value_name = "FOLDER")]
    pub(crate) dir: PathBuf,
    /// The newest revocation list that the service signed: what it revokes stays revoked.
    #[arg(long, env = "WARDKEEP_ABE_REVOCATIONS", value_name = "FILE")]
    pub(crate) revocations: Option<PathBuf>,
    /// The first serial that the service has given to nobody. Without it this version numbers no more keys: `wardkeep abe
    /// local rotate` begins one that does.
    #[arg(long, env = "WARDKEEP_ABE_NEXT_SERIAL", value_name = "NUMBER")]
    pub(crate) next_serial: Option<u32>,
}

/// User keys of an authority.
#[derive(Debug, Subcommand)]
pub(crate) enum UserKey {
    /// Have a key issued, with the attributes that the server knows of the holder.
    Issue(IssueKey),
    /// Open a key that came sealed, with the private key it was sealed for. Asks no server.
    Unseal(Unseal),
    /// List issued keys; the keys themselves are kept nowhere.
    List(ListKeys),
    /// Revoke keys by serial, or all of a holder.
    Revoke(RevokeKeys),
}

/// Have a key issued.
#[derive(Debug, Args)]
pub(crate) struct IssueKey {
    /// The authority, `ring/key`.
    #[arg(long, env = "WARDKEEP_ABE_AUTHORITY", value_name = "KEY", value_parser = KeyId::parse)]
    pub(crate) key: KeyId,
    /// Write the key here, readable by its owner only; with another `--subject` the envelope with it, for that subject to
    /// open.
    #[arg(long, env = "WARDKEEP_OUT", value_name = "FILE")]
    pub(crate) out: PathBuf,
    /// How long it is to be valid, as `90m`, `24h` or `7d`; rounded up to the end of a time bucket. Without it as long as
    /// the server allows.
    #[arg(long, env = "WARDKEEP_ABE_VALID_FOR", value_name = "TIME", value_parser = duration)]
    pub(crate) valid_for: Option<Duration>,
    /// Only if this is the newest version.
    #[arg(long = "key-version", env = "WARDKEEP_KEY_VERSION", value_name = "NUMBER")]
    pub(crate) version: Option<u32>,
    /// Have it sent sealed for an RSA key that is made for this one answer, so that not even the end of the TLS connection
    /// sees it.
    #[arg(long, env = "WARDKEEP_ABE_SEALED", value_parser = clap::builder::BoolishValueParser::new(), conflicts_with_all = ["private_key", "subject"])]
    pub(crate) sealed: bool,
    /// The same, for this RSA private key (PKCS#8 PEM).
    #[arg(long, env = "WARDKEEP_PRIVATE_KEY", value_name = "FILE", conflicts_with = "subject")]
    pub(crate) private_key: Option<PathBuf>,
    /// Replace the key file if it exists.
    #[arg(long, env = "WARDKEEP_FORCE", value_parser = clap::builder::BoolishValueParser::new())]
    pub(crate) force: bool,
    #[command(flatten)]
    pub(crate) pin: Pin,
    #[command(flatten)]
    pub(crate) connection: Connection,
}

/// Open a sealed key.
#[derive(Debug, Args)]
pub(crate) struct Unseal {
    /// The envelope.
    #[arg(long = "in", env = "WARDKEEP_IN", value_name = "FILE")]
    pub(crate) input: PathBuf,
    /// The RSA private key (PKCS#8 PEM) that it was sealed for.
    #[arg(long, env = "WARDKEEP_PRIVATE_KEY", value_name = "FILE")]
    pub(crate) private_key: PathBuf,
    /// Write the key here, readable by its owner only.
    #[arg(long, env = "WARDKEEP_OUT", value_name = "FILE")]
    pub(crate) out: PathBuf,
    /// Replace the key file if it exists.
    #[arg(long, env = "WARDKEEP_FORCE", value_parser = clap::builder::BoolishValueParser::new())]
    pub(crate) force: bool,
    #[command(flatten)]
    pub(crate) pin: Pin,
}

/// List issued keys.
#[derive(Debug, Args)]
pub(crate) struct ListKeys {
    /// Only those of this authority, `ring/key`.
    #[arg(long, env = "WARDKEEP_ABE_AUTHORITY", value_name = "KEY", value_parser = KeyId::parse)]
    pub(crate) key: Option<KeyId>,
    /// Only those of this holder, `Type::"id"`.
    #[arg(long = "of", env = "WARDKEEP_ABE_HOLDER", value_name = "ENTITY", value_parser = EntityUid::parse)]
    pub(crate) holder: Option<EntityUid>,
    #[command(flatten)]
    pub(crate) list: ListArgs,
}

/// Revoke keys.
#[derive(Debug, Args)]
pub(crate) struct RevokeKeys {
    /// The authority, `ring/key`.
    #[arg(long, env = "WARDKEEP_ABE_AUTHORITY", value_name = "KEY", value_parser = KeyId::parse)]
    pub(crate) key: KeyId,
    /// The version of the serials; needed once the authority has more than one.
    #[arg(long = "key-version", env = "WARDKEEP_KEY_VERSION", value_name = "NUMBER", conflicts_with = "holder")]
    pub(crate) version: Option<u32>,
    #[command(flatten)]
    pub(crate) which: Which,
    #[command(flatten)]
    pub(crate) connection: Connection,
}

/// Which keys.
#[derive(Debug, Args)]
#[group(required = true, multiple = false, id = "which")]
pub(crate) struct Which {
    /// The serial; may be given again.
    #[arg(long = "serial", id = "serials", env = "WARDKEEP_ABE_SERIALS", value_name = "NUMBER", value_delimiter = ',')]
    pub(crate) serials: Vec<u32>,
    /// All keys of this holder, `Type::"id"`, of every version.
    #[arg(long = "of", env = "WARDKEEP_ABE_HOLDER", value_name = "ENTITY", value_parser = EntityUid::parse)]
    pub(crate) holder: Option<EntityUid>,
}

/// Public keys registered for people, for whom others have user keys issued.
#[derive(Debug, Subcommand)]
pub(crate) enum Recipient {
    /// Register an RSA public key.
    Put(PutRecipient),
    /// Show what is registered.
    Get(RecipientName),
    /// Remove what is registered.
    Delete(RecipientName),
}

/// Register a public key.
#[derive(Debug, Args)]
pub(crate) struct PutRecipient {
    /// File with the RSA public key, PEM or JWK.
    #[arg(long, env = "WARDKEEP_RECIPIENT", value_name = "FILE")]
    pub(crate) recipient: PathBuf,
    #[command(flatten)]
    pub(crate) subject: RecipientName,
}

/// Whose public key.
#[derive(Debug, Args)]
pub(crate) struct RecipientName {
    /// The subject, `Type::"id"`.
    #[arg(value_parser = EntityUid::parse)]
    pub(crate) entity: EntityUid,
    #[command(flatten)]
    pub(crate) connection: Connection,
}

/// Protect a file under a policy, with what the server publishes of the authority.
#[derive(Debug, Args)]
pub(crate) struct RemoteSeal {
    /// The authority, `ring/key`.
    #[arg(long, env = "WARDKEEP_ABE_AUTHORITY", value_name = "KEY", value_parser = KeyId::parse)]
    pub(crate) key: KeyId,
    /// Who may open, as `role = doctor and level >= 3`; `@FILE` reads it from a file.
    #[arg(long, env = "WARDKEEP_ABE_POLICY", value_name = "POLICY")]
    pub(crate) policy: Text,
    /// The file to protect; `-` is standard input.
    #[arg(long = "in", env = "WARDKEEP_IN", value_name = "FILE")]
    pub(crate) input: PathBuf,
    /// The protected file; `-` is standard output.
    #[arg(long, env = "WARDKEEP_OUT", value_name = "FILE")]
    pub(crate) out: PathBuf,
    /// Ask for a decision of the key service too, at every opening: over a data key of this key, `ring/key`.
    #[arg(long, alias = "require-online", env = "WARDKEEP_ABE_ONLINE_KEY", value_name = "KEY", value_parser = KeyId::parse)]
    pub(crate) online_key: Option<KeyId>,
    /// Shut out no revoked keys: only expiry ends them.
    #[arg(long, env = "WARDKEEP_ABE_WITHOUT_REVOCATIONS", value_parser = clap::builder::BoolishValueParser::new())]
    pub(crate) without_revocations: bool,
    /// Ask neither when a key expired nor whether it is revoked: all that were ever issued with the attributes open.
    #[arg(long, env = "WARDKEEP_ABE_WITHOUT_TIME", value_parser = clap::builder::BoolishValueParser::new())]
    pub(crate) without_time: bool,
    /// Replace the protected file if it exists.
    #[arg(long, env = "WARDKEEP_FORCE", value_parser = clap::builder::BoolishValueParser::new())]
    pub(crate) force: bool,
    #[command(flatten)]
    pub(crate) pin: Pin,
    #[command(flatten)]
    pub(crate) context: Context,
    #[command(flatten)]
    pub(crate) connection: Connection,
}

/// Open a protected file; off line, unless the file asks for a decision of the key service.
#[derive(Debug, Args)]
pub(crate) struct RemoteOpen {
    /// The file with the user key.
    #[arg(long, visible_alias = "abe-key", env = "WARDKEEP_ABE_KEY", value_name = "FILE")]
    pub(crate) key_file: PathBuf,
    /// The protected file; `-` is standard input.
    #[arg(long = "in", env = "WARDKEEP_IN", value_name = "FILE")]
    pub(crate) input: PathBuf,
    /// The opened file; `-` is standard output, whose reader must wait for exit code 0.
    #[arg(long, env = "WARDKEEP_OUT", value_name = "FILE")]
    pub(crate) out: PathBuf,
    /// Replace the opened file if it exists.
    #[arg(long, env = "WARDKEEP_FORCE", value_parser = clap::builder::BoolishValueParser::new())]
    pub(crate) force: bool,
    #[command(flatten)]
    pub(crate) context: Context,
    #[command(flatten)]
    pub(crate) connection: Connection,
}

/// A time as a number and its unit.
fn duration(text: &str) -> Result<Duration, String> {
    let form = || "write a number and its unit: `90m`, `24h` or `7d`".to_owned();
    let (number, unit) = text.split_at_checked(text.len().saturating_sub(1)).ok_or_else(form)?;
    let seconds = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 3_600,
        "d" => 86_400,
        _ => return Err(form()),
    };
    if !number.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(form());
    }
    let number: u64 = number.parse().map_err(|_| form())?;
    number.checked_mul(seconds).filter(|seconds| *seconds > 0).map(Duration::from_secs).ok_or_else(form)
}

/// 32 bytes in hexadecimal.
pub(crate) fn signing_key(text: &str) -> Result<[u8; 32], String> {
    let form = || "write the 64 hexadecimal digits of the signing key".to_owned();
    if text.len() != 64 || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Err(form());
    }
    let mut out = [0; 32];
    for (at, byte) in out.iter_mut().enumerate() {
        let digits = text.get(at * 2..at * 2 + 2).ok_or_else(form)?;
        *byte = u8::from_str_radix(digits, 16).map_err(|_| form())?;
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_a_number_and_a_unit() {
        for (text, seconds) in [("1s", 1), ("90m", 5_400), ("24h", 86_400), ("31d", 2_678_400)] {
            assert_eq!(duration(text), Ok(Duration::from_secs(seconds)), "{text}");
        }
        for bad in [
            "",
            "24",
            "h",
            "-1h",
            "+1h",
            "1.5h",
            "1 h",
            "0h",
            "24H",
            "1w",
            "1é",
            "99999999999999999999d",
            "213503982334602d",
        ] {
            assert!(duration(bad).is_err_and(|said| said.contains("24h")), "{bad}");
        }
    }

    #[test]
    fn a_signing_key_is_64_hexadecimal_digits() {
        assert_eq!(signing_key(&"0aF".repeat(22)[..64]).map(|key| (key[0], key[1])), Ok((0x0a, 0xf0)));
        for bad in [&"a".repeat(63), &"a".repeat(65), &"g".repeat(64), &format!("+{}", "a".repeat(63)), &"é".repeat(32)]
        {
            assert!(signing_key(bad).is_err_and(|said| said.contains("64")), "{bad}");
        }
    }
}

//! The bytes of wrapped data keys and ciphertexts, and the bytes that bind them
//! (docs/formats.md, *Wrapped keys, ciphertexts, signatures*).
//!
//! Every form begins with a header in clear that says what it is, under which key and which version. The
//! header is authenticated: its content, the key's usage, the verb and the context stand in the AAD of the
//! AES forms, and in both label and tag of the RSA form. The context itself is *not* in it: whoever opens
//! brings the context, and a false one fails like any forgery.

use sha2::{Digest, Sha256};
use wardkeep_model::{EncryptionContext, KeyId, KeyUsage, KeyVersion};

use crate::error::KmsError;

/// First bytes of everything made here.
const MAGIC: [u8; 2] = *b"WK";
/// Version of the formats on this page.
const FORMAT: u8 = 1;
/// Magic, format, kind, key version, length of the key id.
const FIXED: usize = 2 + 1 + 1 + 4 + 1;
/// Random nonce of XAES-256-GCM, in bytes.
pub const NONCE: usize = 24;
/// Tag of AES-GCM, in bytes.
pub const AES_TAG: usize = 16;
/// Tag of HMAC-SHA-256, in bytes.
pub const MAC: usize = 32;
/// A data key, in bytes.
pub const DATA_KEY: usize = 32;
/// Longest plaintext of `encrypt`, in bytes.
pub const MAX_PLAINTEXT: usize = 65_536;
/// Longest form of all: a ciphertext of the longest plaintext under the longest key id.
pub const MAX_WRAPPED: usize = FIXED + 127 + NONCE + MAX_PLAINTEXT + AES_TAG;

/// Begins every AAD.
const AAD_DOMAIN: &[u8] = b"wardkeep kms aad v1";
/// Begins every OAEP label.
const LABEL_DOMAIN: &[u8] = b"wardkeep kms oaep v1";
/// Begins the input of every tag.
const TAG_DOMAIN: &[u8] = b"wardkeep kms tag v1";

/// What a form holds; one byte of its header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum WrappedKind {
    /// A data key under an AES key: nonce, 32 bytes, tag.
    AesDataKey,
    /// A data key under an RSA key: the service's tag, OAEP bytes.
    RsaDataKey,
    /// A ciphertext of `encrypt`: nonce, data, tag.
    Ciphertext,
}

/// What a header says, before anything was checked: enough to decide on the right key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WrappedInfo {
    /// The key it names.
    pub key: KeyId,
    /// The version it names.
    pub version: KeyVersion,
    /// What it holds.
    pub kind: WrappedKind,
}

impl WrappedKind {
    /// The byte of the header.
    const fn byte(self) -> u8 {
        match self {
            Self::AesDataKey => 1,
            Self::RsaDataKey => 2,
            Self::Ciphertext => 3,
        }
    }

    /// The kind of a header's byte.
    const fn from_byte(byte: u8) -> Option<Self> {
        match byte {
            1 => Some(Self::AesDataKey),
            2 => Some(Self::RsaDataKey),
            3 => Some(Self::Ciphertext),
            _ => None,
        }
    }

    /// Usage and verb, as they stand in every binding: two forms never share theirs.
    const fn purpose(self) -> (KeyUsage, &'static str) {
        match self {
            Self::AesDataKey | Self::RsaDataKey => (KeyUsage::Wrap, "data-key"),
            Self::Ciphertext => (KeyUsage::Encrypt, "encrypt"),
        }
    }
}

/// Writes a header into a buffer with room for `body` more bytes.
pub(crate) fn header(kind: WrappedKind, key: &KeyId, version: KeyVersion, body: usize) -> Vec<u8> {
    let id = key.as_str().as_bytes();
    let mut out = Vec::with_capacity(FIXED + id.len() + body);
    out.extend_from_slice(&MAGIC);
    out.extend_from_slice(&[FORMAT, kind.byte()]);
    out.extend_from_slice(&version.get().to_be_bytes());
    // Two names of at most 63 bytes and a slash: 127 fits a byte.
    out.push(u8::try_from(id.len()).unwrap_or(u8::MAX));
    out.extend_from_slice(id);
    out
}

/// Reads a header and gives it with the body behind it. Nothing is authenticated yet.
///
/// # Errors
/// [`KmsError::Malformed`] for anything this service never makes.
pub(crate) fn parse(wrapped: &[u8]) -> Result<(WrappedInfo, &[u8]), KmsError> {
    if wrapped.len() > MAX_WRAPPED {
        return Err(KmsError::TooLarge { len: wrapped.len(), max: MAX_WRAPPED });
    }
    split(wrapped).ok_or(KmsError::Malformed)
}

/// Header and body, if every length is that of its kind.
fn split(wrapped: &[u8]) -> Option<(WrappedInfo, &[u8])> {
    let (fixed, rest) = wrapped.split_first_chunk::<FIXED>()?;
    let [m0, m1, format, kind, v0, v1, v2, v3, len] = *fixed;
    if [m0, m1] != MAGIC || format != FORMAT {
        return None;
    }
    let (id, body) = rest.split_at_checked(usize::from(len))?;
    let key = KeyId::parse(std::str::from_utf8(id).ok()?).ok()?;
    let version = KeyVersion::new(u32::from_be_bytes([v0, v1, v2, v3]))?;
    let kind = WrappedKind::from_byte(kind)?;
    let fits = match kind {
        WrappedKind::AesDataKey => body.len() == NONCE + DATA_KEY + AES_TAG,
        WrappedKind::RsaDataKey => matches!(body.len().checked_sub(MAC), Some(384 | 512)),
        WrappedKind::Ciphertext => (NONCE + AES_TAG..=NONCE + MAX_PLAINTEXT + AES_TAG).contains(&body.len()),
    };
    fits.then_some((WrappedInfo { key, version, kind }, body))
}

/// Format, kind, usage, verb, version and key id, each with its length where that varies.
fn bind(out: &mut Vec<u8>, domain: &[u8], info: &WrappedInfo) {
    let (usage, verb) = info.kind.purpose();
    out.extend_from_slice(domain);
    out.extend_from_slice(&[0, FORMAT, info.kind.byte()]);
    out.extend_from_slice(&info.version.get().to_be_bytes());
    for part in [usage.as_str(), verb, info.key.as_str()] {
        out.push(u8::try_from(part.len()).unwrap_or(u8::MAX));
        out.extend_from_slice(part.as_bytes());
    }
}

/// Appends the canonical context with its length.
fn bind_context(out: &mut Vec<u8>, context: &EncryptionContext) {
    let canonical = context.canonical();
    out.extend_from_slice(&u32::try_from(canonical.len()).unwrap_or(u32::MAX).to_be_bytes());
    out.extend_from_slice(canonical);
}

/// AAD of the AES forms.
pub(crate) fn aad(info: &WrappedInfo, context: &EncryptionContext) -> Vec<u8> {
    let mut out = Vec::with_capacity(192 + context.canonical().len());
    bind(&mut out, AAD_DOMAIN, info);
    bind_context(&mut out, context);
    out
}

/// Label of the OAEP bytes. The context stands in it as its SHA-256, so that the label stays short.
pub(crate) fn oaep_label(info: &WrappedInfo, context: &EncryptionContext) -> Vec<u8> {
    let mut out = Vec::with_capacity(224);
    bind(&mut out, LABEL_DOMAIN, info);
    out.extend_from_slice(&Sha256::digest(context.canonical()));
    out
}

/// What the service's own tag is made over, without the OAEP bytes that follow it.
///
/// OAEP's label binds but does not authenticate: the public key is public, so anybody could wrap a data
/// key of their choice for any context. Only this tag says that the service made it.
pub(crate) fn tag_input(info: &WrappedInfo, context: &EncryptionContext) -> Vec<u8> {
    let mut out = Vec::with_capacity(192 + context.canonical().len());
    bind(&mut out, TAG_DOMAIN, info);
    bind_context(&mut out, context);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn info(kind: WrappedKind) -> WrappedInfo {
        WrappedInfo { key: KeyId::parse("ring/key").unwrap(), version: KeyVersion::FIRST, kind }
    }

    fn made(kind: WrappedKind, body: usize) -> Vec<u8> {
        let info = info(kind);
        let mut out = header(kind, &info.key, info.version, body);
        out.resize(out.len() + body, 7);
        out
    }

    #[test]
    fn headers_round_trip_and_sizes_are_exact() {
        for (kind, body) in
            [(WrappedKind::AesDataKey, 72), (WrappedKind::RsaDataKey, 416), (WrappedKind::Ciphertext, 40)]
        {
            let bytes = made(kind, body);
            let (read, rest) = parse(&bytes).unwrap();
            assert_eq!((read, rest.len()), (info(kind), body));
            for cut in 0..bytes.len() {
                let shorter = parse(&bytes[..cut]);
                assert!(shorter.is_err(), "{kind:?} cut to {cut} bytes");
            }
        }
        assert_eq!(parse(&made(WrappedKind::AesDataKey, 73)), Err(KmsError::Malformed));
        assert!(matches!(parse(&vec![0; MAX_WRAPPED + 1]), Err(KmsError::TooLarge { .. })));
    }

    #[test]
    fn names_that_are_not_canonical_are_not_read() {
        let mut bytes = made(WrappedKind::AesDataKey, 72);
        let at = bytes.windows(8).position(|part| part == b"ring/key").unwrap();
        bytes[at] = b'R';
        assert_eq!(parse(&bytes), Err(KmsError::Malformed));
        bytes[at..at + 8].copy_from_slice(b"../a/key");
        assert_eq!(parse(&bytes), Err(KmsError::Malformed));
    }

    #[test]
    fn no_two_purposes_share_a_binding() {
        let context = EncryptionContext::default();
        let mut seen = std::collections::BTreeSet::new();
        for kind in [WrappedKind::AesDataKey, WrappedKind::RsaDataKey, WrappedKind::Ciphertext] {
            let info = info(kind);
            assert!(seen.insert(aad(&info, &context)));
            assert!(seen.insert(oaep_label(&info, &context)));
            assert!(seen.insert(tag_input(&info, &context)));
        }
    }

    proptest::proptest! {
        #[test]
        fn no_bytes_make_the_parser_fail(bytes: Vec<u8>) {
            let _ = parse(&bytes);
            let mut near = made(WrappedKind::Ciphertext, 64);
            for (at, byte) in bytes.iter().enumerate().take(near.len()) {
                near[at] ^= byte;
            }
            let _ = parse(&near);
        }
    }
}

//! Secrets on the wire: nowhere but in their own member, in no error, and in no value that could be printed or copied.
//!
//! Secrets in logs and errors have been the commonest leak of key services (CVE-2025-62513, 62705, 4166, 52893).

use std::fmt::Debug;

use proptest::prelude::*;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use wardkeep_api::certificate::Enrol;
use wardkeep_api::data_key::{DataKey, UnwrappedDataKey};
use wardkeep_api::encryption::{Decrypted, Encrypt};
use wardkeep_api::random::RandomBytes;
use wardkeep_api::token::IssuedToken;
use wardkeep_api::{Base64, Secret, SecretText};

/// Does not compile where a type has a trait after all: then there are two ways to read the last line.
macro_rules! has_not {
    ($kind:ty, $trait:path) => {
        const _: fn() = || {
            trait Ambiguous<A> {
                fn one() {}
            }
            impl<T: ?Sized> Ambiguous<()> for T {}
            struct Has;
            impl<T: ?Sized + $trait> Ambiguous<Has> for T {}
            let _ = <$kind as Ambiguous<_>>::one;
        };
    };
}

macro_rules! neither_shown_nor_copied {
    ($($kind:ty),+ $(,)?) => { $(
        has_not!($kind, Debug);
        has_not!($kind, std::fmt::Display);
        has_not!($kind, Clone);
        has_not!($kind, PartialEq);
    )+ };
}

neither_shown_nor_copied!(
    Secret,
    SecretText,
    DataKey,
    UnwrappedDataKey,
    Encrypt,
    Decrypted,
    RandomBytes,
    Enrol,
    IssuedToken,
);

/// In base64 as well as in the clear.
const CANARY: &str = "Y2FuYXJ5Y2FuYXJ5";
const CANARY_NUMBER: u64 = 4_815_162_342;

fn quiet<T: DeserializeOwned>(value: &Value) {
    let Err(error) = serde_json::from_str::<T>(&value.to_string()) else { panic!("taken: {value}") };
    let said = error.to_string();
    for leak in [CANARY, &CANARY[..8], "4815162342", "canary"] {
        assert!(!said.contains(leak), "{said}");
    }
}

#[test]
fn an_error_in_a_secret_does_not_show_it() {
    let spoilt = [
        json!(format!("{CANARY}!")),
        json!(format!("{CANARY}=")),
        json!(format!(" {CANARY}")),
        json!(CANARY_NUMBER),
        json!(-4_815_162_342_i64),
        json!(4_815_162_342.5),
        json!([CANARY]),
        json!({ "canary": CANARY }),
    ];
    for secret in &spoilt {
        quiet::<Secret>(secret);
        quiet::<Base64>(secret);
        quiet::<Encrypt>(&json!({"key": "r/k", "plaintext": secret}));
        quiet::<Decrypted>(&json!({"key": "r/k", "version": 1, "plaintext": secret}));
        quiet::<DataKey>(&json!({"key": "r/k", "version": 1, "wrapped": "AAAA", "plaintext": secret}));
        quiet::<UnwrappedDataKey>(&json!({"key": "r/k", "version": 1, "plaintext": secret}));
        quiet::<RandomBytes>(&json!({ "bytes": secret }));
    }
    // Any text is a token; what is no text is not shown.
    for secret in &spoilt[3..] {
        quiet::<SecretText>(secret);
        quiet::<Enrol>(&json!({"token": secret, "csr_pem": ""}));
    }
}

#[test]
fn an_error_elsewhere_in_the_body_shows_no_secret_of_it() {
    quiet::<Encrypt>(&json!({"plaintext": CANARY}));
    quiet::<Encrypt>(&json!({"key": 3, "plaintext": CANARY}));
    quiet::<Encrypt>(&json!({"key": "r/k", "plaintext": CANARY, "nonce": 3}));
    quiet::<Encrypt>(&json!({"key": "r/k", "plaintext": CANARY, "context": 3}));
    quiet::<Enrol>(&json!({"token": CANARY}));
    quiet::<Enrol>(&json!({"token": CANARY, "csr_pem": "", "more": 1}));
}

proptest! {
    #[test]
    fn secrets_arrive_as_they_were_sent(bytes in prop::collection::vec(any::<u8>(), 0..200), text in ".{0,60}") {
        let wire = serde_json::to_string(&Secret::new(bytes.clone())).unwrap();
        let back: Secret = serde_json::from_str(&wire).unwrap();
        prop_assert_eq!(back.expose(), &bytes[..]);
        prop_assert_eq!(back.into_bytes().to_vec(), bytes.clone());
        prop_assert_eq!(serde_json::to_string(&Base64(bytes)).unwrap(), wire, "one spelling for both");
        let wire = serde_json::to_string(&SecretText::new(text.clone())).unwrap();
        let back: SecretText = serde_json::from_str(&wire).unwrap();
        prop_assert_eq!(back.expose(), &text);
    }

    /// What reads as bytes is the one way to write them: two texts of one signature would be two signatures to a cache.
    #[test]
    fn bytes_have_one_spelling(text in prop_oneof!["[A-Za-z0-9+/=_-]{0,16}", "[A-Za-z0-9+/]{4}[A-Za-z0-9+/=]{4}", ".{0,12}"]) {
        let json = json!(text);
        if let Ok(bytes) = serde_json::from_value::<Base64>(json.clone()) {
            prop_assert_eq!(serde_json::to_value(&bytes).unwrap(), json);
        }
    }
}

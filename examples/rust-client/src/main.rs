//! Protects a note, reads it back, and shows that somebody else does not get it.
//!
//! Start a server with `wardkeep dev`, paste what it prints, then `cargo run -p wardkeep-example-rust-client`.

use std::error::Error;

use wardkeep_client::wire::key::{CreateKey, KeySpec, KeyUsage};
use wardkeep_client::wire::ring::CreateRing;
use wardkeep_client::{CallError, Client, EncryptionContext, EntityUid, KeyId, Settings};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    // WARDKEEP_ADDRESS, WARDKEEP_CA, WARDKEEP_CERT, WARDKEEP_KEY
    let client = Client::connect(Settings::from_env()?).await?;
    println!("the server takes us for {}", client.whoami().await?.identity);

    let key = KeyId::parse("example/notes")?;
    make_key(&client, &key).await?;

    let context = EncryptionContext::new([("purpose".to_owned(), "example".to_owned())].into(), None)?;
    let envelope = client.protect(&key, &context, b"Ana is allergic to penicillin").await?;
    println!("protected: {} bytes to store anywhere", envelope.len());

    let record = client.read(&envelope).await?;
    println!("read back: {}", String::from_utf8_lossy(record.plaintext()));

    let mallory = EntityUid::parse(r#"User::"mallory""#)?;
    match client.on_behalf_of(mallory).read(&envelope).await {
        Ok(_) => println!("mallory may read it too: a rule of yours says so"),
        Err(error) if error.is_denied() => println!("for mallory: {error}"),
        Err(error) => return Err(error.into()),
    }
    Ok(())
}

/// Makes ring and key, unless they are there from the last run.
async fn make_key(client: &Client, key: &KeyId) -> Result<(), CallError> {
    let ring = CreateRing { name: key.ring().to_string(), labels: [].into() };
    exists_or(client.rings().create(&ring).await)?;
    let key = CreateKey {
        key: key.to_string(),
        spec: KeySpec::Aes256Gcm,
        usage: KeyUsage::Wrap,
        labels: [].into(),
        rotation_days: None,
        activate: true,
    };
    exists_or(client.keys().create(&key).await)
}

fn exists_or<T>(made: Result<T, CallError>) -> Result<(), CallError> {
    match made {
        Ok(_) | Err(CallError::Conflict(_)) => Ok(()),
        Err(error) => Err(error),
    }
}

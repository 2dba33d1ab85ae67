//! Enrolment as somebody between client and server would like it to go.

use super::*;
use crate::testing::{Authority, Folder, Reply, Seen, Server, open};
use crate::{Client, files};

const WHO: &str = "spiffe://example/user/ana";
const SECRET: &str = "c2VjcmV0LWNhbmFyeS1jMlZqY21WMExXTmhibUZ5ZVE";

fn token_for(der: &[u8]) -> SecretText {
    SecretText::new(format!("{TOKEN_PREFIX}{SECRET}.{}", URL_SAFE_NO_PAD.encode(Sha256::digest(der))))
}

fn issuing(ca: Arc<Authority>) -> impl Fn(&Seen) -> Reply + Send + Sync {
    move |seen| Reply::ok(&ca.answer(&seen.json::<Enrol>().csr_pem, WHO))
}

/// A server of `ca` that presents its certificate and then these.
async fn presenting(ca: &Arc<Authority>, behind: &[CertificateDer<'static>]) -> (Server, Address) {
    let pair = ca.server();
    let chain = pair.der().0.into_iter().chain(behind.iter().cloned()).collect();
    let server = Server::start_with(open(chain, &pair), issuing(ca.clone())).await;
    let address = Address::parse(&format!("https://127.0.0.1:{}", server.port)).unwrap();
    (server, address)
}

fn files_in(folder: &tempfile::TempDir) -> EnrolFiles {
    let [ca, certificate, key] = ["ca.pem", "cert.pem", "key.pem"].map(|name| folder.path().join(name));
    EnrolFiles { ca, certificate, key }
}

#[tokio::test]
async fn a_token_becomes_three_files_that_work() {
    let ca = Authority::new("ca");
    let (server, address) = presenting(&ca, &[ca.der()]).await;
    let folder = tempfile::tempdir().unwrap();
    let files = files_in(&folder);
    let certificate = enrol(&address, &token_for(&ca.der()), &files).await.unwrap();
    assert_eq!(certificate.identity.unwrap().to_string(), WHO);
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 3);
    for path in [&files.ca, &files.certificate, &files.key] {
        assert!(!files::is_open_to_others(path), "{path:?}");
    }
    let seen = server.seen();
    assert_eq!((seen[0].method.as_str(), seen[0].path.as_str()), ("POST", "/v1/enrol"));
    assert!(seen[0].json::<Enrol>().token.expose().contains(SECRET));

    let api = Server::start(&ca, |_| Reply::Json(200, "{}".into())).await;
    let settings =
        crate::Settings::new(&format!("https://127.0.0.1:{}", api.port), files.ca, files.certificate, files.key);
    let client = Client::connect(settings.unwrap()).await.unwrap();
    client.tell(Call::get("/v1/whoami")).await.unwrap();
}

#[tokio::test]
async fn the_token_goes_to_nobody_but_the_pinned_ca() {
    let (ours, forged) = (Authority::new("ca"), Authority::new("ca"));
    let stray = ours.client(WHO).der().0.remove(0);
    let cases: [(&str, &Arc<Authority>, Vec<CertificateDer<'static>>); 4] = [
        ("a CA of the same name", &forged, vec![forged.der()]),
        ("our CA shown beside a chain that it did not sign", &forged, vec![ours.der()]),
        ("both CAs shown", &forged, vec![forged.der(), ours.der()]),
        ("our server that does not show its CA", &ours, vec![stray]),
    ];
    for (what, ca, behind) in cases {
        let (server, address) = presenting(ca, &behind).await;
        let folder = tempfile::tempdir().unwrap();
        let error = enrol(&address, &token_for(&ours.der()), &files_in(&folder)).await.unwrap_err();
        assert!(matches!(error, EnrolError::Call(CallError::Connect { .. })), "{what}: {error:?}");
        assert!(server.seen().is_empty(), "{what}: the token was sent");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0, "{what}: something was left behind");
    }
}

#[tokio::test]
async fn a_pin_on_a_leaf_pins_nothing() {
    let ca = Authority::new("ca");
    let pair = ca.server();
    let leaf = pair.der().0.remove(0);
    for chain in [vec![leaf.clone()], vec![leaf.clone(), leaf.clone()], vec![leaf.clone(), ca.der(), leaf.clone()]] {
        let server = Server::start_with(open(chain, &pair), issuing(ca.clone())).await;
        let address = Address::parse(&format!("https://127.0.0.1:{}", server.port)).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let error = enrol(&address, &token_for(&leaf), &files_in(&folder)).await.unwrap_err();
        assert!(matches!(error, EnrolError::Call(CallError::Connect { .. })), "{error:?}");
        assert!(server.seen().is_empty());
    }
}

#[tokio::test]
async fn the_servers_name_still_counts() {
    let ca = Authority::new("ca");
    let (server, _) = presenting(&ca, &[ca.der()]).await;
    let address = Address::parse(&format!("https://localhost:{}", server.port)).unwrap();
    let folder = tempfile::tempdir().unwrap();
    assert!(enrol(&address, &token_for(&ca.der()), &files_in(&folder)).await.is_err());
    assert!(server.seen().is_empty());
}

#[tokio::test]
async fn existing_files_are_not_replaced_and_the_token_is_kept() {
    let ca = Authority::new("ca");
    let (server, address) = presenting(&ca, &[ca.der()]).await;
    let folder = Folder::new(&ca, &ca.client(WHO));
    let files = files_in(&folder.folder);
    let error = enrol(&address, &token_for(&ca.der()), &files).await.unwrap_err();
    assert!(matches!(error, EnrolError::Exists { .. }), "{error:?}");
    assert!(server.seen().is_empty());
}

#[tokio::test]
async fn a_folder_that_cannot_be_written_to_is_found_out_before_the_token_is_spent() {
    let ca = Authority::new("ca");
    let (server, address) = presenting(&ca, &[ca.der()]).await;
    let folder = tempfile::tempdir().unwrap();
    let mut files = files_in(&folder);
    files.key = folder.path().join("missing").join("key.pem");
    let error = enrol(&address, &token_for(&ca.der()), &files).await.unwrap_err();
    assert!(matches!(error, EnrolError::Write(_)), "{error:?}");
    assert!(server.seen().is_empty());
}

#[tokio::test]
async fn a_refused_token_leaves_nothing_and_is_not_repeated() {
    let ca = Authority::new("ca");
    let pair = ca.server();
    let chain = pair.der().0.into_iter().chain([ca.der()]).collect();
    let server = Server::start_with(open(chain, &pair), |_| Reply::problem(403, "token-refused")).await;
    let address = Address::parse(&format!("https://127.0.0.1:{}", server.port)).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let error = enrol(&address, &token_for(&ca.der()), &files_in(&folder)).await.unwrap_err();
    assert_eq!(error.side(), Side::Denied);
    assert!(!format!("{error} {error:?}").contains(SECRET));
    assert_eq!(server.seen().len(), 1);
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[test]
fn tokens_have_one_form() {
    let pin = URL_SAFE_NO_PAD.encode([0xAB; 32]);
    let good = format!("wk1.{SECRET}.{pin}");
    assert_eq!(pin_of(&good), Some([0xAB; 32]));
    assert_eq!(pin_of(&format!(" {good}\n")), Some([0xAB; 32]), "as a file would hold it");
    let bad = [
        String::new(),
        "wk1".to_owned(),
        format!("wk2.{SECRET}.{pin}"),
        format!("wk1.{SECRET}"),
        format!("wk1.{SECRET}."),
        format!("wk1..{pin}"),
        format!("wk1.{SECRET}.{pin}.x"),
        format!("wk1.{SECRET}.{}", "!".repeat(PART)),
        format!("wk1.{SECRET}.{}", URL_SAFE_NO_PAD.encode([1; 31])),
    ];
    for text in bad {
        assert_eq!(pin_of(&text), None, "{text}");
    }
}

#[tokio::test]
async fn a_file_in_the_way_is_named_and_everything_stays() {
    let ca = Authority::new("ca");
    let (server, address) = presenting(&ca, &[ca.der()]).await;
    for taken in ["cert.pem", "key.pem"] {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join(taken), "mine").unwrap();
        let error = enrol(&address, &token_for(&ca.der()), &files_in(&folder)).await.unwrap_err();
        let said = error.to_string();
        assert!(said.contains(taken) && said.contains("move it away"), "{said}");
        assert_eq!(error.side(), Side::Local);
        assert_eq!(std::fs::read_to_string(folder.path().join(taken)).unwrap(), "mine");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    }
    assert!(server.seen().is_empty(), "no token was spent");
}

/// The certificate is written last: where it stands, everything stands. What fails before leaves no key behind.
#[tokio::test]
async fn answers_that_are_no_certificate_leave_nothing() {
    let ca = Authority::new("ca");
    let other = Applicant::new().unwrap();
    let csr = other.csr_pem.clone();
    type Answer = Box<dyn Fn(&Authority, &Seen) -> Reply + Send + Sync>;
    let answers: [(&str, Answer); 3] = [
        ("for another key", Box::new(move |ca, _| Reply::ok(&ca.answer(&csr, WHO)))),
        (
            "unreadable",
            Box::new(|ca, seen| {
                let mut answer = ca.answer(&seen.json::<Enrol>().csr_pem, WHO);
                answer.certificate_pem = "rubbish".to_owned();
                Reply::ok(&answer)
            }),
        ),
        ("of another form", Box::new(|_, _| Reply::Json(200, "[]".to_owned()))),
    ];
    for (what, answer) in answers {
        let pair = ca.server();
        let chain = pair.der().0.into_iter().chain([ca.der()]).collect();
        let authority = ca.clone();
        let server = Server::start_with(open(chain, &pair), move |seen| answer(&authority, seen)).await;
        let address = Address::parse(&format!("https://127.0.0.1:{}", server.port)).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let error = enrol(&address, &token_for(&ca.der()), &files_in(&folder)).await.unwrap_err();
        assert_eq!(error.side(), Side::Remote, "{what}: {error:?}");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0, "{what}");
    }
}

#[tokio::test]
async fn a_token_is_sent_once_and_without_the_space_around_it() {
    let ca = Authority::new("ca");
    let pair = ca.server();
    let chain = pair.der().0.into_iter().chain([ca.der()]).collect();
    let server = Server::start_with(open(chain, &pair), |_| Reply::HangUp).await;
    let address = Address::parse(&format!("https://127.0.0.1:{}", server.port)).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let token = SecretText::new(format!("  {}\r\n", token_for(&ca.der()).expose()));
    let error = enrol(&address, &token, &files_in(&folder)).await.unwrap_err();
    assert!(matches!(error, EnrolError::Call(CallError::Broken { .. })), "{error:?}");
    let seen = server.seen();
    assert_eq!(seen.len(), 1, "it may be spent: whoever sends it again learns nothing new");
    assert_eq!(seen[0].json::<Enrol>().token.expose(), token_for(&ca.der()).expose());
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
}

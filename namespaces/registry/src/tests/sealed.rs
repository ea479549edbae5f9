//! What holds secrets is sealed where it lies, and all of it: a record of another kind with a secret in it fails here.

use super::*;
use crate::NewStoredSecret;
use wasmyard_model::bindings::BindingDecl;
use wasmyard_model::client_ca::MtlsCertificate;
use wasmyard_model::secret::Secret;
use wasmyard_stores::Seal;

const CANARY: &str = "canary-51c0ffee-9d2b";

/// Turns every bit: no cipher, and nothing shows.
#[derive(Debug)]
struct Turned;

impl Seal for Turned {
    fn id(&self) -> [u8; 8] {
        *b"turned--"
    }

    fn seal(&self, _: &[u8], plain: &[u8]) -> Option<Vec<u8>> {
        Some(plain.iter().map(|byte| !byte).collect())
    }

    fn open(&self, _: &[u8], sealed: &[u8]) -> Option<Vec<u8>> {
        Some(sealed.iter().map(|byte| !byte).collect())
    }
}

async fn open(directory: &std::path::Path, asked: &mut Vec<bool>) -> Registry {
    let key = |is_sealed| {
        asked.push(is_sealed);
        Ok::<Arc<dyn Seal>, std::io::Error>(Arc::new(Turned))
    };
    Registry::open_sealed(directory, RegistryOptions::default(), key).await.unwrap()
}

fn secret(name: &str) -> BindingDecl {
    let wire = serde_json::json!({ "type": "secret_text", "name": name, "text": CANARY });
    BindingDecl::from_json(&wire).unwrap()
}

/// The keys under which the canary lies, in whatever file of the directory.
fn lies_in(directory: &std::path::Path) -> Vec<String> {
    let files = ["registry.sqlite", "registry.sqlite-wal"].map(|name| directory.join(name));
    let holds = |path: &std::path::PathBuf| {
        let bytes = std::fs::read(path).unwrap_or_default();
        bytes.windows(CANARY.len()).any(|part| part == CANARY.as_bytes())
    };
    files.iter().filter(|path| holds(path)).map(|path| path.display().to_string()).collect()
}

#[tokio::test]
async fn secrets_of_every_kind_are_sealed_and_there_after_a_start() {
    let directory = tempfile::tempdir().unwrap();
    let mut asked = Vec::new();
    let registry = open(directory.path(), &mut asked).await;
    registry.create_namespace(NewNamespace::named(ns("production"))).await.unwrap();
    for key in [user("production", "shop"), platform("edge")] {
        // Two versions: one serves, and one is kept.
        for content in ["one", "two"] {
            let bindings = vec![secret("A").into()];
            let draft = UploadDraft { bindings, ..draft(&registry, content).await };
            let upload = Upload::parse(draft).unwrap();
            registry.deploy(&key, upload).await.unwrap();
        }
        registry.put_binding(&key, secret("B")).await.unwrap();
    }
    let webhook = Some(Secret::new(CANARY));
    let webhook = registry.create_webhook("hook", "https://hooks.test/", webhook).await.unwrap();
    let store = registry.create_secret_store("shared").await.unwrap().id;
    let stored = NewStoredSecret {
        name: "stored".to_owned(),
        value: Secret::new(CANARY),
        comment: String::new(),
        scopes: vec!["workers".to_owned()],
    };
    registry.create_stored_secrets(&store, &[stored]).await.unwrap();
    let certificate = MtlsCertificate {
        id: registry.new_mtls_certificate_id().unwrap(),
        name: String::new(),
        ca: false,
        certificates: String::new(),
        issuer: String::new(),
        signature: String::new(),
        serial_number: String::new(),
        uploaded_on: registry.clock().now(),
        expires_on: registry.clock().now(),
    };
    registry.create_mtls_certificate(&certificate, Some(&Secret::new(CANARY))).await.unwrap();
    let identity = registry.client_identity(&certificate.id).await.unwrap().unwrap();
    assert_eq!((identity.certificate, identity.key.expose()), (certificate, CANARY));
    let token_key = registry.asset_token_key().await.unwrap();
    assert_eq!(lies_in(directory.path()), [""; 0]);
    let bytes = std::fs::read(directory.path().join("registry.sqlite-wal")).unwrap();
    let shown = |text: &str| bytes.windows(text.len()).any(|part| part == text.as_bytes());
    assert!(shown("production") && !shown(token_key.expose()), "names are no secrets, and what signs is one");

    drop(registry);
    let registry = soon(async {
        loop {
            let key = |is_sealed| {
                asked.push(is_sealed);
                Ok::<Arc<dyn Seal>, std::io::Error>(Arc::new(Turned))
            };
            match Registry::open_sealed(directory.path(), RegistryOptions::default(), key).await {
                Ok(registry) => return registry,
                Err(RegistryError::Store(StoreError::Locked { .. })) => tokio::task::yield_now().await,
                Err(error) => panic!("{error:?}"),
            }
        }
    })
    .await;
    assert_eq!(asked, [false, true], "whoever has the key is told whether it has to be the same");
    let script = registry.script(&user("production", "shop")).await.unwrap().unwrap();
    assert_eq!(script.version.bindings, [secret("A"), secret("B")]);
    assert_eq!(registry.kept(&user("production", "shop")).await.unwrap().unwrap().versions().len(), 3);
    let found = registry.webhook(&webhook.id).await.unwrap();
    assert_eq!(found.secret.map(|secret| secret.expose().to_owned()).as_deref(), Some(CANARY));
    let value = registry.stored_secret_value(&store, "stored").await.unwrap();
    assert_eq!(value.map(|value| value.expose().to_owned()).as_deref(), Some(CANARY));
    assert_eq!(registry.asset_token_key().await.unwrap().expose(), token_key.expose());
}

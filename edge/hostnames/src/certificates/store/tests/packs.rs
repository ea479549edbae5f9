//! What is kept by pack: served when it is said, and in nobody's way before.

use wasmyard_model::ids::CertificatePackId;

use super::*;

fn pack(number: u8) -> CertificatePackId {
    CertificatePackId::parse(&format!("00000000-0000-4000-8000-0000000000{number:02}")).unwrap()
}

fn one_for(name: &str) -> (Vec<Pair>, Vec<u8>) {
    let pair = pair(name, &PKCS_ECDSA_P256_SHA256);
    let leaf = pair.chain[0].to_vec();
    (vec![pair], leaf)
}

async fn served_leaf(store: &CertificateStore, name: &str) -> Option<Vec<u8>> {
    leaf(&keys(store, name).await.ok()?, name, ECDSA)
}

#[tokio::test]
async fn what_is_kept_of_a_pack_is_served_when_it_is_said_and_stays_when_the_name_goes() {
    let data = tempfile::tempdir().unwrap();
    let store = CertificateStore::open(data.path()).unwrap();
    let (shop, plain) = (served_name("shop.test"), Settings::default());
    let (old, old_leaf) = one_for("shop.test");
    let (new, new_leaf) = one_for("shop.test");
    store.keep(&pack(1), old).await.unwrap();
    assert!(store.find("shop.test").is_none(), "kept, and not served");
    assert!(matches!(store.serve(&shop, &pack(2), &plain).await, Err(PutError::NotKept(_))));
    store.serve(&shop, &pack(1), &plain).await.unwrap();
    assert_eq!(served_leaf(&store, "shop.test").await, Some(old_leaf.clone()));
    // Another zone waits for the same name: what is kept for it disturbs nobody.
    store.keep(&pack(2), new).await.unwrap();
    assert_eq!(served_leaf(&store, "shop.test").await, Some(old_leaf.clone()));
    store.serve(&shop, &pack(2), &plain).await.unwrap();
    assert_eq!(served_leaf(&store, "shop.test").await, Some(new_leaf.clone()));
    assert_eq!((store.names_of(&pack(1)).await.unwrap(), store.len()), (Vec::new(), 1));
    // What was served before is forgotten without harm, and what is served now is there after a start.
    assert!(store.forget(&pack(1)).await.unwrap());
    assert!(!store.forget(&pack(1)).await.unwrap());
    drop(store);
    let store = CertificateStore::open(data.path()).unwrap();
    assert_eq!(served_leaf(&store, "shop.test").await, Some(new_leaf.clone()));
    assert!(store.stop_serving(&shop).await.unwrap());
    assert!(store.find("shop.test").is_none());
    store.serve(&shop, &pack(2), &plain).await.unwrap();
    assert_eq!(served_leaf(&store, "shop.test").await, Some(new_leaf));
    assert!(store.forget(&pack(2)).await.unwrap());
    assert!(store.find("shop.test").is_none(), "nobody is served with what is gone");
}

#[tokio::test]
async fn new_certificates_of_a_pack_are_served_at_once_where_the_old_ones_were_and_with_their_settings() {
    let data = tempfile::tempdir().unwrap();
    let store = CertificateStore::open(data.path()).unwrap();
    let strict = Settings { least_version: LeastVersion::Tls13, ..Settings::default() };
    let (shop, below) = (served_name("shop.test"), served_name("*.shop.test"));
    let both = |algorithm| {
        let key = KeyPair::generate_for(algorithm).unwrap();
        let names = ["shop.test".to_owned(), "*.shop.test".to_owned()];
        let made = CertificateParams::new(names).unwrap().self_signed(&key).unwrap();
        Pair::from_pem(made.pem().as_bytes(), key.serialize_pem().as_bytes()).unwrap()
    };
    store.keep(&pack(1), vec![both(&PKCS_ECDSA_P256_SHA256)]).await.unwrap();
    store.serve(&shop, &pack(1), &strict).await.unwrap();
    store.serve(&below, &pack(1), &Settings::default()).await.unwrap();
    let before = store.find("shop.test").unwrap();
    let renewed = vec![both(&PKCS_ECDSA_P256_SHA256), both(&PKCS_RSA_SHA256)];
    let leaf = renewed[0].chain[0].to_vec();
    store.keep(&pack(1), renewed).await.unwrap();
    let after = store.find("shop.test").unwrap();
    assert_eq!((after.group, after.certificate == before.certificate), (before.group, false));
    assert_eq!(served_leaf(&store, "shop.test").await.as_ref(), Some(&leaf));
    assert_eq!(served_leaf(&store, "a.shop.test").await.as_ref(), Some(&leaf));
    let with = store.served_with(&shop).await.unwrap().unwrap();
    assert_eq!(with, ServedWith { pack: Some(pack(1)), settings: Some(strict) });
    assert!(store.set_settings(&shop, &Settings::default()).await.unwrap());
    assert_eq!(store.find("shop.test").unwrap().group, store.find("a.shop.test").unwrap().group);
    // New ones that are not for what is served change nothing.
    let error = store.keep(&pack(1), one_for("shop.test").0).await.unwrap_err();
    assert!(error.is_refusal() && error.to_string().contains("*.shop.test"), "{error}");
    assert_eq!(served_leaf(&store, "shop.test").await.as_ref(), Some(&leaf));
    let error = store.serve(&served_name("other.test"), &pack(1), &Settings::default()).await.unwrap_err();
    assert!(error.is_refusal(), "{error}");
    assert!(!store.set_settings(&served_name("other.test"), &Settings::default()).await.unwrap());
    let kept = store.kept(&pack(1)).await.unwrap().unwrap();
    assert_eq!(kept.len(), 2);
    assert_eq!(kept[0].chain[0].to_vec(), leaf);
    assert_eq!(store.kept(&pack(9)).await.unwrap(), None);
}

#[tokio::test]
async fn a_record_of_a_pack_does_not_open_under_another_pack() {
    let data = tempfile::tempdir().unwrap();
    let store = CertificateStore::open(data.path()).unwrap();
    for number in [1, 2] {
        store.keep(&pack(number), one_for("shop.test").0).await.unwrap();
    }
    tamper(data.path(), "UPDATE packs SET id = (SELECT max(id) FROM records) WHERE pack LIKE '%01'");
    store.serve(&served_name("shop.test"), &pack(1), &Settings::default()).await.unwrap();
    let record = store.inner.vault.record(2).unwrap().unwrap().unwrap();
    let forged = Record { owner: Owner::Pack(pack(1)), ..record };
    assert!(matches!(store.inner.opened(&forged).unwrap(), Err(Damaged::Seal)));
}

#[tokio::test]
async fn secrets_come_back_under_their_own_label_and_are_nowhere_in_clear() {
    let data = tempfile::tempdir().unwrap();
    let store = CertificateStore::open(data.path()).unwrap();
    let secret = b"the key of an account, in PKCS8".to_vec();
    store.keep_secret("one", secret.clone().into()).await.unwrap();
    store.keep_secret("two", b"another".to_vec().into()).await.unwrap();
    drop(store);
    for file in std::fs::read_dir(data.path()).unwrap() {
        let bytes = std::fs::read(file.unwrap().path()).unwrap();
        assert!(!bytes.windows(secret.len()).any(|bytes| bytes == secret));
    }
    let store = CertificateStore::open(data.path()).unwrap();
    assert_eq!(store.secret("one").await.unwrap().unwrap().as_slice(), secret);
    assert!(store.secret("three").await.unwrap().is_none());
    tamper(data.path(), "UPDATE secrets SET sealed = (SELECT sealed FROM secrets WHERE label = 'two')");
    assert!(matches!(store.secret("one").await, Err(PutError::Damaged { .. })), "another's secret");
    store.forget_secret("one").await.unwrap();
    assert!(store.secret("one").await.unwrap().is_none());
}

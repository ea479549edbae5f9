use std::time::{Duration, SystemTime};

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair,
    PKCS_ECDSA_P256_SHA256, PKCS_ECDSA_P384_SHA384, PKCS_RSA_SHA256, SanType, SignatureAlgorithm,
};
use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use wasmyard_model::hostname::{BundleMethod, CertificateError};

use super::*;

type Issuer = CertifiedIssuer<'static, KeyPair>;

fn ca(name: &str, above: Option<&Issuer>) -> Issuer {
    let mut params = CertificateParams::new(Vec::<String>::new()).unwrap();
    params.distinguished_name.push(DnType::CommonName, name);
    params.distinguished_name.push(DnType::OrganizationName, format!("{name} Ltd"));
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let key = KeyPair::generate().unwrap();
    match above {
        Some(above) => CertifiedIssuer::signed_by(params, key, above).unwrap(),
        None => CertifiedIssuer::self_signed(params, key).unwrap(),
    }
}

/// A root and an authority below it.
struct Authorities {
    root: Issuer,
    below: Issuer,
}

impl Authorities {
    fn new() -> Self {
        let root = ca("Root", None);
        let below = ca("Below", Some(&root));
        Self { root, below }
    }

    fn trust(&self) -> Trust {
        let mut roots = RootCertStore::empty();
        roots.add(self.root.der().clone()).unwrap();
        Trust::new(roots)
    }
}

struct Leaf {
    pem: String,
    key: String,
}

fn leaf_with(
    by: &Issuer,
    names: &[&str],
    algorithm: &'static SignatureAlgorithm,
    change: impl FnOnce(&mut CertificateParams),
) -> Leaf {
    let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
    let mut params = CertificateParams::new(names).unwrap();
    change(&mut params);
    let key = KeyPair::generate_for(algorithm).unwrap();
    let certificate = params.signed_by(&key, by).unwrap();
    Leaf { pem: certificate.pem(), key: key.serialize_pem() }
}

fn leaf(by: &Issuer) -> Leaf {
    leaf_with(by, &["shop.customer.dev"], &PKCS_ECDSA_P256_SHA256, |_| {})
}

fn judged_for(
    name: &str,
    bundling: BundleMethod,
    certificate: &str,
    key: &str,
    trust: &Trust,
) -> Result<Pair, CertificateError> {
    let name = ServedName::parse(name).unwrap();
    let wanted = Wanted { name: &name, bundling, now: SystemTime::now() };
    let (certificate, key) = (certificate.to_owned(), UploadedKey::Pem(Secret::new(key)));
    Upload { certificate, key }.judge(wanted, trust)
}

fn judged(certificate: &str, key: &str, trust: &Trust) -> Result<Pair, CertificateError> {
    judged_for("shop.customer.dev", BundleMethod::Ubiquitous, certificate, key, trust)
}

fn chain(accepted: &Pair) -> Vec<CertificateDer<'static>> {
    accepted.chain.clone()
}

#[test]
fn what_openssl_and_editors_write_is_read() {
    let authorities = Authorities::new();
    let (trust, leaf) = (authorities.trust(), leaf(&authorities.below));
    let whole = format!("{}{}", leaf.pem, authorities.below.pem());
    let spaced = format!("\n\r\n{}\n\n{}", authorities.below.pem(), leaf.pem);
    for text in [
        whole.clone(),
        whole.replace('\n', "\r\n"),
        whole.trim_end().to_owned(),
        spaced.clone(),
        whole.clone() + &authorities.root.pem(),
        whole.clone() + &leaf.pem,
        format!("-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n{whole}"),
    ] {
        let accepted = judged(&text, &leaf.key, &trust).unwrap();
        assert_eq!(chain(&accepted).len(), 2, "the leaf and what stands below the root: {text}");
        assert!(accepted.is_for(&ServedName::parse("shop.customer.dev").unwrap()));
    }
    let key =
        format!("-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n{}", leaf.key);
    assert!(judged(&whole, &key.replace('\n', "\r\n"), &trust).is_ok());
}

/// The forms that `openssl` writes keys in: PKCS#8, PKCS#1 and SEC1.
#[test]
fn keys_of_all_forms_are_read() {
    let authorities = Authorities::new();
    let trust = authorities.trust().knowing([authorities.below.der().clone()]);
    let openssl = |arguments: &[&str], input: &str| {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("key.pem");
        std::fs::write(&file, input).unwrap();
        let output =
            std::process::Command::new("openssl").args(arguments).arg("-in").arg(&file).output().unwrap();
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap()
    };
    let elliptic = leaf(&authorities.below);
    let sec1 = openssl(&["ec"], &elliptic.key);
    assert!(sec1.contains("EC PRIVATE KEY"), "{sec1}");
    assert!(judged(&elliptic.pem, &sec1, &trust).is_ok());
    let rsa = leaf_with(&authorities.below, &["shop.customer.dev"], &PKCS_RSA_SHA256, |_| {});
    let pkcs1 = openssl(&["rsa", "-traditional"], &rsa.key);
    assert!(pkcs1.contains("RSA PRIVATE KEY"), "{pkcs1}");
    assert!(judged(&rsa.pem, &pkcs1, &trust).is_ok());
    let locked = openssl(&["pkcs8", "-topk8", "-passout", "pass:x"], &elliptic.key);
    let error = judged(&elliptic.pem, &locked, &trust).unwrap_err();
    assert!(matches!(&error, CertificateError::Key(why) if why.contains("password")), "{error}");
}

#[test]
fn every_rule_has_its_own_error() {
    use CertificateError as Broken;
    let authorities = Authorities::new();
    let trust = authorities.trust().knowing([authorities.below.der().clone()]);
    let (mine, other) = (leaf(&authorities.below), leaf(&authorities.below));
    let error = |certificate: &str, key: &str| judged(certificate, key, &trust).unwrap_err();

    assert_eq!(error(" \n", &mine.key), Broken::Empty);
    assert!(matches!(error("text", &mine.key), Broken::Unparsable(_)));
    assert!(matches!(error(&mine.pem.replace("MII", "MIJ"), &mine.key), Broken::Unparsable(_)));
    let broken = "-----BEGIN CERTIFICATE-----\nbm8=\n-----END CERTIFICATE-----\n";
    assert!(matches!(error(broken, &mine.key), Broken::Unparsable(_)));
    let unended = "-----BEGIN CERTIFICATE-----\nbm8=\n";
    assert!(matches!(error(unended, &mine.key), Broken::Unparsable(_)));
    for text in [format!("{}{}", mine.pem, mine.key), mine.key.clone()] {
        let refused = error(&text, &mine.key);
        assert!(matches!(&refused, Broken::Unparsable(why) if why.contains("custom_key")), "{refused}");
    }
    assert!(matches!(error(&mine.pem, "text"), Broken::Key(_)));
    assert!(matches!(error(&mine.pem, &mine.pem), Broken::Key(_)));
    assert_eq!(error(&mine.pem, &other.key), Broken::Mismatch);
    assert_eq!(error(&(mine.pem.clone() + &other.pem), &mine.key), Broken::ManyLeaves(2));
    assert_eq!(error(&authorities.below.pem(), &mine.key), Broken::NoLeaf);
    let refused =
        judged_for("www.customer.dev", BundleMethod::Force, &mine.pem, &mine.key, &trust).unwrap_err();
    assert!(
        matches!(&refused, Broken::OtherName { others, .. } if others == "shop.customer.dev"),
        "{refused}"
    );
    assert!(matches!(
        judged_for("*.customer.dev", BundleMethod::Force, &mine.pem, &mine.key, &trust),
        Err(Broken::OtherName { .. })
    ));

    let strong = CertifiedIssuer::self_signed(
        {
            let mut params = CertificateParams::new(Vec::<String>::new()).unwrap();
            params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
            params
        },
        KeyPair::generate_for(&PKCS_ECDSA_P384_SHA384).unwrap(),
    )
    .unwrap();
    let by_384 = leaf_with(&strong, &["shop.customer.dev"], &PKCS_ECDSA_P256_SHA256, |_| {});
    let refused = error(&by_384.pem, &by_384.key);
    assert!(matches!(&refused, Broken::Signature(oid) if oid == "1.2.840.10045.4.3.3"), "{refused}");

    let stranger = ca("Stranger", None);
    let by_stranger = leaf(&stranger);
    let refused = error(&(by_stranger.pem.clone() + &stranger.pem()), &by_stranger.key);
    assert!(matches!(&refused, Broken::Bundle(why) if why.contains("force")), "{refused}");
    let day = Duration::from_secs(86_400);
    let old = leaf_with(&authorities.below, &["shop.customer.dev"], &PKCS_ECDSA_P256_SHA256, |params| {
        params.not_before = (SystemTime::now() - 30 * day).into();
        params.not_after = (SystemTime::now() - day).into();
    });
    for bundling in [BundleMethod::Ubiquitous, BundleMethod::Optimal, BundleMethod::Force] {
        let refused = judged_for("shop.customer.dev", bundling, &old.pem, &old.key, &trust).unwrap_err();
        assert!(matches!(&refused, Broken::Bundle(why) if why.contains("expired")), "{refused}");
    }
    let early = leaf_with(&authorities.below, &["shop.customer.dev"], &PKCS_ECDSA_P256_SHA256, |params| {
        params.not_before = (SystemTime::now() + day).into();
        params.not_after = (SystemTime::now() + 30 * day).into();
    });
    let refused = error(&early.pem, &early.key);
    assert!(matches!(&refused, Broken::Bundle(why) if why.contains("not valid yet")), "{refused}");
    let client = leaf_with(&authorities.below, &["shop.customer.dev"], &PKCS_ECDSA_P256_SHA256, |params| {
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    });
    let refused = error(&client.pem, &client.key);
    assert!(matches!(&refused, Broken::Bundle(why) if why.contains("not for servers")), "{refused}");
}

/// Text of strangers costs no more than its bounds.
#[test]
fn bombs_are_refused_by_size_and_count() {
    use CertificateError as Broken;
    let authorities = Authorities::new();
    let (trust, mine) = (authorities.trust(), leaf(&authorities.below));
    let error = |certificate: &str, key: &str| judged(certificate, key, &trust).unwrap_err();
    assert!(matches!(error(&"a".repeat(300 << 10), &mine.key), Broken::Unparsable(_)));
    assert!(matches!(error(&mine.pem, &"a".repeat(300 << 10)), Broken::Key(_)));
    let crowd: String = (0..12).map(|_| ca("One of many", None).pem()).collect();
    assert!(matches!(error(&(mine.pem.clone() + &crowd), &mine.key), Broken::Unparsable(_)));
    let many: Vec<String> = (0..3_000).map(|number| format!("n{number}.customer.dev")).collect();
    let large = leaf_with(&authorities.below, &[], &PKCS_ECDSA_P256_SHA256, |params| {
        params.subject_alt_names =
            many.iter().map(|name| SanType::DnsName(name.as_str().try_into().unwrap())).collect();
    });
    assert!(matches!(error(&large.pem, &large.key), Broken::Unparsable(_)));
    let deep =
        "-----BEGIN CERTIFICATE-----\nMIAwgDCAMIAwgDCAMIAwgDCA\n-----END CERTIFICATE-----\n".repeat(1_000);
    assert!(matches!(error(&deep, &mine.key), Broken::Unparsable(_)));
}

#[test]
fn chains_are_made_whole_from_what_is_known_and_by_method() {
    let authorities = Authorities::new();
    let mine = leaf(&authorities.below);
    let bare = authorities.trust();
    assert!(matches!(judged(&mine.pem, &mine.key, &bare), Err(CertificateError::Bundle(_))));
    let knowing = bare.clone().knowing([authorities.below.der().clone()]);
    assert_eq!(chain(&judged(&mine.pem, &mine.key, &knowing).unwrap()).len(), 2);

    // The authority is signed by a root of its own name as well: two ways, the longer by an older root.
    let older = ca("Older", None);
    let mut params = CertificateParams::new(Vec::<String>::new()).unwrap();
    params.distinguished_name.push(DnType::CommonName, "Root");
    params.distinguished_name.push(DnType::OrganizationName, "Root Ltd");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let crossed = params.signed_by(authorities.root.key(), &older).unwrap();
    let mut roots = RootCertStore::empty();
    roots.add(authorities.root.der().clone()).unwrap();
    roots.add(older.der().clone()).unwrap();
    let both = Trust::new(roots).knowing([authorities.below.der().clone(), crossed.der().clone()]);
    let length = |bundling| {
        chain(&judged_for("shop.customer.dev", bundling, &mine.pem, &mine.key, &both).unwrap()).len()
    };
    assert_eq!(length(BundleMethod::Optimal), 2);
    assert_eq!(length(BundleMethod::Ubiquitous), 3);
    assert_eq!(length(BundleMethod::Force), 1, "as it was given");

    // Force serves what nobody believes, in the order in which it was given.
    let stranger = ca("Stranger", None);
    let theirs = leaf(&stranger);
    let given = format!("{}{}", stranger.pem(), theirs.pem);
    let forced = judged_for("shop.customer.dev", BundleMethod::Force, &given, &theirs.key, &bare).unwrap();
    assert_eq!(chain(&forced).last(), Some(stranger.der()));
    assert_eq!(chain(&forced).len(), 2);
}

#[test]
fn wildcards_and_keys_that_were_made_here() {
    let authorities = Authorities::new();
    let trust = authorities.trust().knowing([authorities.below.der().clone()]);
    let wild = leaf_with(&authorities.below, &["*.customer.dev"], &PKCS_ECDSA_P256_SHA256, |_| {});
    for name in ["*.customer.dev", "shop.customer.dev"] {
        assert!(judged_for(name, BundleMethod::Optimal, &wild.pem, &wild.key, &trust).is_ok(), "{name}");
    }
    assert!(judged_for("customer.dev", BundleMethod::Optimal, &wild.pem, &wild.key, &trust).is_err());
    let ours = Zeroizing::new(pem::key(&wild.key).unwrap().secret_der().to_vec());
    let name = ServedName::parse("*.customer.dev").unwrap();
    let wanted = Wanted { name: &name, bundling: BundleMethod::Optimal, now: SystemTime::now() };
    let upload = Upload { certificate: wild.pem.clone(), key: UploadedKey::Ours(ours) };
    assert!(upload.judge(wanted, &trust).is_ok());
    assert_eq!(format!("{upload:?}"), "Upload");
}

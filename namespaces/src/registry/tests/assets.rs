//! What serving reads of assets is what was put, and goes with it.

use super::*;
use crate::assets::{AssetContent, AssetScope, Encoding, Manifest};

async fn read(content: AssetContent) -> Vec<u8> {
    match content {
        AssetContent::Memory(bytes) => bytes.to_vec(),
        AssetContent::File { file, len } => {
            let mut bytes = Vec::new();
            std::io::Read::read_to_end(&mut &file, &mut bytes).unwrap();
            assert_eq!(bytes.len() as u64, len);
            bytes
        }
    }
}

#[tokio::test]
async fn a_manifest_is_read_once_and_held() {
    let registry = registry().await;
    let manifest = Manifest::new(AssetScope::platform(), Vec::new()).unwrap();
    let digest = registry.put_component(manifest.encode()).await.unwrap();
    assert!(registry.manifest_cached(&digest).is_none());
    let read = registry.manifest(&digest).await.unwrap();
    assert!(Arc::ptr_eq(&read, &registry.manifest(&digest).await.unwrap()));
    assert!(registry.manifest_cached(&digest).is_some_and(|cached| Arc::ptr_eq(&cached, &read)));
    let other = registry.put_component(Bytes::from_static(b"no manifest")).await.unwrap();
    let unreadable = registry.manifest(&other).await.unwrap_err();
    assert_eq!(unreadable.to_string(), format!("the manifest {other} cannot be read"));
    let missing = registry.manifest(&Digest::of(b"missing")).await.unwrap_err();
    assert_eq!(
        (missing.kind(), missing.to_string().as_str()),
        (ErrorKind::Internal, "the registry's blob store failed")
    );
}

#[tokio::test]
async fn a_variant_is_what_was_put_and_goes_with_its_source() {
    let folder = tempfile::tempdir().unwrap();
    let options = RegistryOptions { blob_grace: Duration::ZERO, ..RegistryOptions::default() };
    let registry = Registry::open_directory(folder.path(), options).await.unwrap();
    let (scope, source) = (AssetScope::namespace("n"), Digest::of(b"source"));
    let name = crate::assets::content_blob(&scope, &source);
    registry.inner.blobs.put_as(&name, Bytes::from_static(b"source")).await.unwrap();
    let referred = crate::registry::record::referred(&name, "somebody").unwrap();
    registry.inner.store.append(&[], std::slice::from_ref(&referred)).await.unwrap();
    assert!(registry.variant(&scope, &source, Encoding::Br).await.unwrap().is_none());
    registry.put_variant(&scope, &source, Encoding::Br, Bytes::from_static(b"small")).await.unwrap();
    let variant = registry.variant(&scope, &source, Encoding::Br).await.unwrap().unwrap();
    assert_eq!(read(variant).await, b"small");
    assert_eq!(read(registry.asset(&scope, &source).await.unwrap()).await, b"source");
    for elsewhere in [AssetScope::platform(), AssetScope::namespace("m")] {
        assert!(registry.variant(&elsewhere, &source, Encoding::Br).await.unwrap().is_none());
        assert!(registry.asset(&elsewhere, &source).await.is_err());
    }
    assert_eq!(registry.collect_garbage().await.unwrap(), Swept::default());
    registry.inner.store.append(&[], &[crate::store::Write::delete(referred.key())]).await.unwrap();
    let mut swept = registry.collect_garbage().await.unwrap().blobs;
    // The variant may have been looked at before its source went.
    swept += registry.collect_garbage().await.unwrap().blobs;
    assert_eq!(swept, 2);
    assert!(registry.variant(&scope, &source, Encoding::Br).await.unwrap().is_none());
    assert_eq!(registry.inner.store.count("variant/").await.unwrap(), 0);
    assert_eq!(registry.inner.store.count("ref/").await.unwrap(), 0);
}

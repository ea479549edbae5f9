//! `wasmyard:platform/request-info`: what a guest may know of the request it handles.

use wasmyard_namespaces::script::ScriptKey;

use super::request_info_wit::{CallingScript, ClientCertificate, Host, TlsConnection};
use crate::guest::state::State;
use crate::seams::ClientCertificateInfo;

impl Host for State {
    fn ray_id(&mut self) -> wasmtime::Result<String> {
        Ok(self.info.ray_id.as_ref().to_owned())
    }

    fn client_address(&mut self) -> wasmtime::Result<String> {
        Ok(self.info.client_address.to_string())
    }

    fn hostname(&mut self) -> wasmtime::Result<String> {
        Ok(self.info.hostname.as_ref().to_owned())
    }

    fn hostname_metadata(&mut self) -> wasmtime::Result<Option<String>> {
        Ok(self.info.hostname_metadata.as_deref().map(str::to_owned))
    }

    fn tls(&mut self) -> wasmtime::Result<Option<TlsConnection>> {
        Ok(self.info.tls.as_deref().map(|tls| TlsConnection {
            version: tls.version.to_owned(),
            cipher: tls.cipher.to_owned(),
            server_name: tls.server_name.as_deref().map(str::to_owned),
            client_certificate: tls.client_certificate.clone().map(shown),
        }))
    }

    fn script(&mut self) -> wasmtime::Result<String> {
        Ok(match &self.version.key {
            ScriptKey::Platform(script) | ScriptKey::User { script, .. } => script.to_string(),
        })
    }

    fn namespace(&mut self) -> wasmtime::Result<Option<String>> {
        Ok(match &self.version.key {
            ScriptKey::Platform(_) => None,
            ScriptKey::User { namespace, .. } => Some(namespace.to_string()),
        })
    }

    fn caller(&mut self) -> wasmtime::Result<Option<CallingScript>> {
        Ok(self.entry.caller.as_ref().map(|caller| CallingScript {
            script: caller.script().to_string(),
            namespace: caller.namespace().map(ToString::to_string),
        }))
    }
}

fn shown(certificate: ClientCertificateInfo) -> ClientCertificate {
    let ClientCertificateInfo {
        subject,
        issuer,
        serial,
        fingerprint_sha256,
        fingerprint_sha1,
        not_before,
        not_after,
        subject_key,
        issuer_key,
    } = certificate;
    ClientCertificate {
        subject,
        issuer,
        serial,
        fingerprint_sha256,
        fingerprint_sha1,
        not_before,
        not_after,
        subject_key,
        issuer_key,
    }
}

//! `mtls_certificate`: a certificate that the script's requests show to whoever is asked.

use serde_json::{Map, Value};

use super::fields::Fields;
use super::{Binding, BindingError, Reference};
use crate::ids::MtlsCertificateId;

/// A certificate that is shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientCertificate {
    /// Which one: it was uploaded with its key.
    pub certificate_id: MtlsCertificateId,
}

impl Binding for ClientCertificate {
    const TYPE: &'static str = "mtls_certificate";
    const FIELDS: &'static [&'static str] = &["certificate_id"];

    fn parse(fields: &Fields<'_>) -> Result<Self, BindingError> {
        let text = fields.text("certificate_id")?.to_ascii_lowercase();
        let certificate_id = MtlsCertificateId::parse(&text)
            .map_err(|_| fields.wrong("certificate_id", "the id of an mTLS certificate: a UUID"))?;
        Ok(Self { certificate_id })
    }

    fn view(&self, fields: &mut Map<String, Value>) {
        fields.insert("certificate_id".to_owned(), Value::from(self.certificate_id.as_str()));
    }

    fn refers_to(&self) -> Vec<Reference<'_>> {
        vec![Reference::MtlsCertificate(&self.certificate_id)]
    }
}

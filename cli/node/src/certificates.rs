//! Has what is served over TLS follow the record of custom hostnames, where the process that changed it did not come to it.
//!
//! Owns no rule of it. Apart from the checks of hostnames, whose questions to name servers take their time: what is issued is
//! to be served at once.

use wasmyard_control::Control;
use wasmyard_namespaces::hostname::CustomName;
use wasmyard_namespaces::ids::{CertificatePackId, CustomCsrId, ZoneId};
use wasmyard_namespaces::registry::{
    CERTIFICATE_AGE, CERTIFICATE_DELETE, CERTIFICATE_DEPLOY, CERTIFICATE_FORGET, CSR_FORGET, Done,
    ZONE_DEPLOY, hostname_of_check,
};

/// Makes what is due follow, as it comes, until it is dropped.
pub(crate) async fn run(control: Control) {
    let registry = control.registry().clone();
    let (forgetting, keyless, ageing) = (control.clone(), control.clone(), control.clone());
    let (zones, deleting) = (control.clone(), control.clone());
    let jobs = registry.jobs().on(CERTIFICATE_DEPLOY, move |job| {
        let control = control.clone();
        async move {
            let Ok(name) = CustomName::parse(&job.key) else { return Done::Finished };
            control.deploy_in_time(&name).await.into()
        }
    });
    let jobs = jobs.on(CERTIFICATE_FORGET, move |job| {
        let control = forgetting.clone();
        async move {
            let Ok(pack) = CertificatePackId::parse(&job.key) else { return Done::Finished };
            control.forget_certificates(&pack).await.into()
        }
    });
    let jobs = jobs.on(CSR_FORGET, move |job| {
        let control = keyless.clone();
        async move {
            let Ok(id) = CustomCsrId::parse(&job.key) else { return Done::Finished };
            control.forget_csr_key(&id).await.into()
        }
    });
    let jobs = jobs.on(CERTIFICATE_DELETE, move |job| {
        let control = deleting.clone();
        async move {
            let Some((zone, id)) = hostname_of_check(&job.key) else { return Done::Finished };
            control.delete_certificates(&zone, &id).await.into()
        }
    });
    let jobs = jobs.on(CERTIFICATE_AGE, move |job| {
        let control = ageing.clone();
        async move {
            let Some((zone, id)) = hostname_of_check(&job.key) else { return Done::Finished };
            control.age_certificates(&zone, &id).await.into()
        }
    });
    let jobs = jobs.on(ZONE_DEPLOY, move |job| {
        let control = zones.clone();
        async move {
            let Ok(zone) = ZoneId::parse(&job.key) else { return Done::Finished };
            control.deploy_zone(&zone).await.into()
        }
    });
    jobs.run().await;
}

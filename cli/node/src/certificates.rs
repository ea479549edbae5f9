//! Has what is served over TLS follow the record of custom hostnames, where the process that changed it did not come to it.
//!
//! Owns no rule of it. Apart from the checks of hostnames, whose questions to name servers take their time: what is issued is
//! to be served at once.

use wasmyard_control::Control;
use wasmyard_namespaces::hostname::CustomName;
use wasmyard_namespaces::ids::CertificatePackId;
use wasmyard_namespaces::registry::{CERTIFICATE_DEPLOY, CERTIFICATE_FORGET, Done};

/// Makes what is due follow, as it comes, until it is dropped.
pub(crate) async fn run(control: Control) {
    let registry = control.registry().clone();
    let forgetting = control.clone();
    let jobs = registry.jobs().on(CERTIFICATE_DEPLOY, move |job| {
        let control = control.clone();
        async move {
            let Ok(name) = CustomName::parse(&job.key) else { return Done::Finished };
            done(control.deploy_name(&name).await)
        }
    });
    let jobs = jobs.on(CERTIFICATE_FORGET, move |job| {
        let control = forgetting.clone();
        async move {
            let Ok(pack) = CertificatePackId::parse(&job.key) else { return Done::Finished };
            done(control.forget_certificates(&pack).await)
        }
    });
    jobs.run().await;
}

fn done(made: wasmyard_control::Result<()>) -> Done {
    made.map_or_else(|error| Done::Failed(error.to_string()), |()| Done::Finished)
}

//! What whoever deploys meets: the control plane, and what it changes for the next request.
//!
//! - `any_call`: calls that have no command
//! - `asset_uploads`: folders of files on their way up
//! - `bad_limits`: limits that cannot be, wherever somebody sets them
//! - `crons`: scripts that run by themselves
//! - `cache`: responses that components keep
//! - `capabilities`: what components import, told and held against a policy
//! - `d1`: SQL databases, as scripts and the API reach them
//! - `deploy`: from an upload to the next request, with traffic flowing
//! - `kv`: keys and values, as scripts and the API reach them
//! - `uploads`: what is refused, in which words, and that nothing of it stays
//! - `queues`: messages, as scripts and the API send them and are handed them
//! - `mtls`: requests of scripts that show a certificate
//! - `ratelimit`: what scripts let through, by keys
//! - `secret_stores`: secrets that several scripts share
//! - `tails`: what becomes of invocations, for who watches
//! - `terraform`: what is applied is read again without a difference
//! - `versions`: versions that are kept, deployments of them, and who meets which
//! - `webhooks`: what happens to certificates is told
//! - `zones`: zones and custom hostnames from the command line, and their records in bulk

mod any_call;
mod asset_uploads;
mod bad_limits;
mod cache;
mod capabilities;
mod clients;
mod crons;
mod d1;
mod deploy;
mod kv;
mod mtls;
mod queues;
mod r2;
mod ratelimit;
mod s3;
mod secret_stores;
mod storage;
mod tails;
mod terraform;
mod uploads;
mod versions;
mod webhooks;
mod zones;

/// A platform whose dispatcher, in JavaScript, asks the script of `production` that the host's first label names.
fn dispatching_by_label() -> crate::support::Site {
    let site = crate::support::Site::new(
        r#"
        [namespaces.production]
        [scripts.edge]
        main = "edge.js"
        bindings = [{ type = "dispatch_namespace", name = "D", namespace = "production" }]
        [[routes]]
        pattern = "*/*"
        script = "edge"
        "#,
    );
    let edge = "export default { fetch: (request, env) => env.D.get(new URL(request.url).hostname.split('.')[0]).fetch(request) };";
    site.write("edge.js", edge);
    site
}

//! The path of a request that no visitor sent: a dispatcher on another node, which somebody develops, calls a script here.
//!
//! Shorter than a visitor's: the caller has named the script, and is told of a failure as a script is.

use std::pin::pin;
use std::sync::Arc;

use http::uri::Scheme;
use http::{Request, Response, Version};
use wasmyard_events::InRay;
use wasmyard_listener::Client;
use wasmyard_namespaces::limits::LimitSpec;
use wasmyard_namespaces::script::ScriptKey;
use wasmyard_runtime::{Body, Failure};

use super::Dispatcher;
use crate::trace::Trace;
use crate::visit::{Answer, Tracked, VisitLog};
use crate::{head, respond};

impl Dispatcher {
    /// Answers a request to a script that no route led to: a dispatcher on another node calls it.
    ///
    /// # Errors
    /// What that dispatcher would be told if it were here.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future, or the body of the answer, cancels everything that runs for the request.
    pub async fn call(
        &self,
        script: ScriptKey,
        limits: LimitSpec,
        mut request: Request<Body>,
        client: Client,
    ) -> Result<Response<Tracked>, Failure> {
        // Its target is whole, as over HTTP/2, and says how its visitor came: the connection is the other node's.
        *request.version_mut() = Version::HTTP_2;
        let client = Client::at(client.address, request.uri().scheme() == Some(&Scheme::HTTPS));
        let trace = Trace::of_visit(&self.sink, &self.underway);
        let log = VisitLog::open(trace, client.address, &request);
        let answer = async {
            let visit = head::read(request, client, &log)
                .map_err(|wrong| Failure::InvalidArgument(format!("request: {wrong}")))?;
            self.scripts.called_from_afar(visit, script, limits).await
        };
        let ray_id = Arc::clone(&log.trace.ray_id);
        let answer = InRay { ray_id: Arc::clone(&ray_id), future: pin!(answer) }.await;
        match answer {
            Ok(answer) => {
                log.answered(Answer { status: answer.status(), reason: "ok" });
                Ok(Tracked::answer(respond::passed_on(answer, &ray_id), log))
            }
            Err(failure) => {
                log.answered(respond::noted(&failure));
                Err(failure)
            }
        }
    }
}

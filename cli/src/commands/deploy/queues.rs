//! Queues that a configuration names, made through the API, and who consumes them.

use std::collections::BTreeSet;

use reqwest::Method;
use serde_json::{Value, json};
use wasmyard_namespaces::{BindingDecl, NamespaceName, QueueName, Reference, ScriptKey};
use wasmyard_node::config::DeclaredConsumer;

use crate::client::{Body, Client};
use crate::commands::queues::{found, path};
use crate::commands::text;
use crate::failure::Failure;

/// The code for a queue that is there already.
const NAME_TAKEN: i64 = 11_009;

/// Makes the queues that are bound or consumed, where there are none.
pub(super) async fn made(
    client: &Client,
    bindings: &[BindingDecl],
    consumers: &[DeclaredConsumer],
) -> Result<(), Failure> {
    let bound = bindings.iter().flat_map(|decl| decl.kind.refers_to());
    let bound = bound.filter_map(|to| if let Reference::Queue(name) = to { Some(name) } else { None });
    let names: BTreeSet<&QueueName> = bound.chain(consumers.iter().map(|consumer| &consumer.queue)).collect();
    for name in names {
        let body = Body::Json(json!({ "queue_name": name.as_str() }));
        match client.call_account(Method::POST, &path(&[]), &[], body).await {
            Err(error) if error.code() == Some(NAME_TAKEN) => {}
            made => drop(made?),
        }
    }
    Ok(())
}

/// Has a script that is there consume queues.
pub(super) async fn consume(
    client: &Client,
    key: &ScriptKey,
    consumers: &[DeclaredConsumer],
) -> Result<(), Failure> {
    for DeclaredConsumer { queue, settings, dead_letters } in consumers {
        let queue = found(client, queue.as_str()).await?;
        let id = text(&queue, "/queue_id");
        let body = Body::Json(json!({
            "type": "worker",
            "script_name": key.script().as_str(),
            "dispatch_namespace": key.namespace().map(ToString::to_string),
            "settings": settings,
            "dead_letter_queue": dead_letters.as_ref().map(QueueName::as_str),
        }));
        let own = queue.pointer("/consumers/0").filter(|consumer| is_own(consumer, key));
        let consumer = own.map(|consumer| text(consumer, "/consumer_id"));
        match &consumer {
            Some(consumer) => {
                client.call_account(Method::PUT, &path(&[&id, "consumers", consumer]), &[], body).await?
            }
            None => client.call_account(Method::POST, &path(&[&id, "consumers"]), &[], body).await?,
        };
    }
    Ok(())
}

fn is_own(consumer: &Value, key: &ScriptKey) -> bool {
    let namespace = consumer.get("dispatch_namespace").and_then(Value::as_str);
    text(consumer, "/script") == key.script().as_str()
        && namespace == key.namespace().map(NamespaceName::as_str)
}

//! Owns the routes of queues.

use wasmyard_namespaces::access::Family;

use crate::resources::queues::{self, consumers, messages};
use crate::table::{Table, op};

#[rustfmt::skip]
pub(super) fn rows(t: &mut Table) {
    t.area("Queues", "queues", "/client/v4/accounts/{account_id}/queues").needs(Family::Queues)
        .get("", queues::list, op("list", "List the queues by their names").pages().query("name", "Queues of this name alone; may be repeated").returns::<Vec<queues::View>>())
        .post("", queues::create, op("create", "Create a queue").takes::<queues::Wanted>().returns::<queues::View>())
        .get("/{queue_id}", queues::get, op("get", "Show a queue with who sends to it and who consumes it").returns::<queues::View>())
        .put("/{queue_id}", queues::update, op("update", "Change a queue's name or settings; what is left out stays").forced().takes::<queues::Change>().returns::<queues::View>())
        .patch("/{queue_id}", queues::update, op("edit", "Change a queue's name or settings; what is left out stays").forced().takes::<queues::Change>().returns::<queues::View>())
        .delete("/{queue_id}", queues::delete, op("delete", "Delete a queue with all that is in it").forced())
        .get("/{queue_id}/metrics", queues::metrics, op("metrics.get", "Count what waits in a queue").returns::<queues::Metrics>())
        .get("/{queue_id}/purge", queues::purged, op("purge.get", "Say whether the queue is being emptied: never, since that is done at once").returns::<queues::Purged>())
        .post("/{queue_id}/purge", queues::purge, op("purge.start", "Remove all messages of a queue").takes::<queues::Purge>().returns::<queues::View>())
        .get("/{queue_id}/consumers", consumers::list, op("consumers.list", "List the consumers of a queue: none, or one").returns::<Vec<consumers::View>>())
        .post("/{queue_id}/consumers", consumers::create, op("consumers.create", "Give a queue a consumer: a script, or whoever pulls").takes::<consumers::Wanted>().returns::<consumers::View>())
        .get("/{queue_id}/consumers/{consumer_id}", consumers::get, op("consumers.get", "Show a consumer").returns::<consumers::View>())
        .put("/{queue_id}/consumers/{consumer_id}", consumers::update, op("consumers.update", "Replace a consumer").takes::<consumers::Wanted>().returns::<consumers::View>())
        .delete("/{queue_id}/consumers/{consumer_id}", consumers::delete, op("consumers.delete", "Take a consumer away; messages wait"))
        .post("/{queue_id}/messages", messages::push, op("messages.push", "Send a message").takes::<messages::Pushed>().returns::<messages::Sent>())
        .post("/{queue_id}/messages/batch", messages::push_batch, op("messages.bulkPush", "Send up to 100 messages, all or none").takes::<messages::PushedBatch>().returns::<messages::Sent>())
        .post("/{queue_id}/messages/pull", messages::pull, op("messages.pull", "Have up to 100 messages handed over for a time").takes::<messages::Pull>().returns::<messages::Handed>())
        .post("/{queue_id}/messages/ack", messages::ack, op("messages.ack", "Say what becomes of messages that were handed over").takes::<messages::Ack>().returns::<messages::Acked>())
        .post("/{queue_id}/messages/preview", messages::preview, op("messages.preview", "Look at the oldest messages; nothing is handed over").reads().takes::<messages::Preview>().returns::<messages::Previewed>());
}

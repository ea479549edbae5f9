// The calls of python_sdk.py by the TypeScript SDK. Takes the address of the API and, by WASMYARD_API_TOKEN, its token.
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';

const require = createRequire(join(process.env.WASMYARD_NODE_MODULES, 'index.js'));
const { default: Cloudflare, NotFoundError } = require('cloudflare');

const client = new Cloudflare({ apiToken: process.env.WASMYARD_API_TOKEN, baseURL: process.argv[2], maxRetries: 0 });
const account_id = '0123456789abcdef0123456789abcdef';
let calls = 0;

function check(what, holds) {
  calls += 1;
  if (!holds) throw new Error(`typescript: ${what} is not as it should be`);
}

async function gone(what, call) {
  try {
    await call();
  } catch (error) {
    if (error instanceof NotFoundError) return check(what, true);
    throw error;
  }
  throw new Error(`typescript: ${what} is still there`);
}

async function all(pages) {
  const rows = [];
  for await (const row of pages) rows.push(row);
  return rows;
}

const zone = await client.zones.create({ account: { id: account_id }, name: 'saas.test', type: 'full' });
const zone_id = zone.id;
check('the zone', zone.name === 'saas.test');
check('the list of zones', (await all(client.zones.list({ name: 'saas.test' }))).length === 1);
check('the zone by its id', (await client.zones.get({ zone_id })).id === zone_id);
check('the zone paused', (await client.zones.edit({ zone_id, paused: true })).paused === true);
await client.zones.edit({ zone_id, paused: false });
for (const [id, value] of [['ssl', 'strict'], ['min_tls_version', '1.2'], ['always_use_https', 'on']]) {
  check(id, (await client.zones.settings.edit(id, { zone_id, value })).value === value);
  check(id, (await client.zones.settings.get(id, { zone_id })).value === value);
}
check('the hold', (await client.zones.holds.create({ zone_id, include_subdomains: true })).hold === true);
check('the hold shown', (await client.zones.holds.get({ zone_id })).hold === true);
check('the hold taken back', (await client.zones.holds.delete({ zone_id })).hold === false);

const { records } = client.dns;
const record = { zone_id, type: 'AAAA', name: 'service', content: '100::', proxied: true, ttl: 1 };
const made = await records.create(record);
check('the record', made.name === 'service.saas.test');
check('the list of records', (await all(records.list({ zone_id, type: 'AAAA' }))).length === 1);
check('the record shown', (await records.get(made.id, { zone_id })).content === '100::');
check('the record changed', (await records.edit(made.id, { ...record, comment: 'x' })).comment === 'x');
check('the record replaced', (await records.update(made.id, record)).proxied === true);
const posts = [{ type: 'A', name: 'b', content: '192.0.2.1', ttl: 1 }];
const batch = await records.batch({ zone_id, posts });
check('the batch', batch.posts.length === 1);
check('the export', (await records.export({ zone_id })).includes('service.saas.test.'));
check('the import', (await records.import({ zone_id, file: 'i 300 IN A 192.0.2.2\n' })).recs_added === 1);
check('the record deleted', (await records.delete(batch.posts[0].id, { zone_id })).id === batch.posts[0].id);

const { customHostnames } = client;
const { fallbackOrigin } = customHostnames;
check('the fallback origin', (await fallbackOrigin.update({ zone_id, origin: 'service.saas.test' })).status === 'active');
check('the fallback origin shown', (await fallbackOrigin.get({ zone_id })).origin === 'service.saas.test');
const ssl = { method: 'txt', type: 'dv' };
const shop = await customHostnames.create({
  zone_id, hostname: 'shop.customer.test', ssl: { ...ssl, settings: { http2: 'on' } }, custom_metadata: { plan: 'gold' },
});
check('the hostname', shop.hostname === 'shop.customer.test' && shop.ssl.method === 'txt');
check('the list of hostnames', (await all(customHostnames.list({ zone_id, per_page: 5 }))).length === 1);
const named = await all(customHostnames.list({ zone_id, hostname: { exact: 'shop.customer.test' } }));
check('the hostname by its name', named[0].id === shop.id);
check('the hostname shown', (await customHostnames.get(shop.id, { zone_id })).custom_metadata.plan === 'gold');
const changed = await customHostnames.edit(shop.id, { zone_id, custom_metadata: { plan: 'free' } });
check('the hostname changed', changed.custom_metadata.plan === 'free');
check('the hostname asked for again', (await customHostnames.edit(shop.id, { zone_id, ssl })).id === shop.id);
check('the label of delegated validation', (await client.dcvDelegation.get({ zone_id })).uuid.length === 16);

const mtls = client.mtlsCertificates;
const certificates = readFileSync(process.env.WASMYARD_CLIENT_CA, 'utf8');
const authority = await mtls.create({ account_id, ca: true, certificates, name: 'partner' });
check('the authority of clients', authority.issuer === 'CN=partner' && authority.type === 'custom');
check('the list of authorities', (await all(mtls.list({ account_id }))).length === 1);
check('the authority shown', (await mtls.get(authority.id, { account_id })).name === 'partner');
const asking = client.certificateAuthorities.hostnameAssociations;
const mtls_certificate_id = authority.id;
const hostnamesThatAsk = ['shop.customer.test'];
const asked = await asking.update({ zone_id: zone.id, hostnames: hostnamesThatAsk, mtls_certificate_id });
check('the hostnames that ask', asked.hostnames[0] === 'shop.customer.test');
check('the hostnames shown', (await asking.get({ zone_id: zone.id, mtls_certificate_id })).hostnames.length === 1);
check('who asks', (await all(mtls.associations.get(authority.id, { account_id })))[0].status === 'active');
await asking.update({ zone_id: zone.id, hostnames: [], mtls_certificate_id });
check('the authority deleted', (await mtls.delete(authority.id, { account_id })).id === authority.id);
await gone('the authority', () => mtls.get(authority.id, { account_id }));

const { queues } = client;
const queue = await queues.create({ account_id, queue_name: 'sdk-jobs' });
const { queue_id } = queue;
check('the queue', (await queues.get(queue_id, { account_id })).queue_name === 'sdk-jobs');
check('the list of queues', (await all(queues.list({ account_id }))).some((one) => one.queue_id === queue_id));
const settled = await queues.edit(queue_id, { account_id, settings: { message_retention_period: 600 } });
check('the settings of the queue', settled.settings.message_retention_period === 600);
const puller = await queues.consumers.create(queue_id, { account_id, type: 'http_pull', settings: { batch_size: 5 } });
check('the consumer', (await queues.consumers.get(queue_id, puller.consumer_id, { account_id })).type === 'http_pull');
check('the list of consumers', (await all(queues.consumers.list(queue_id, { account_id }))).length === 1);
await queues.consumers.update(queue_id, puller.consumer_id, { account_id, type: 'http_pull', settings: { batch_size: 6 } });
await queues.messages.push(queue_id, { account_id, body: 'hello', content_type: 'text' });
const bulk = await queues.messages.bulkPush(queue_id, { account_id, messages: [{ body: { a: 1 }, content_type: 'json' }] });
check('the backlog', bulk.metadata.metrics.backlog_count === 2);
const pulled = await queues.messages.pull(queue_id, { account_id, batch_size: 10, visibility_timeout_ms: 60000 });
check('the messages', pulled.messages.length === 2 && pulled.messages[0].body === 'hello');
const [{ lease_id }, later] = pulled.messages;
const acked = await queues.messages.ack(queue_id, {
  account_id, acks: [{ lease_id }], retries: [{ lease_id: later.lease_id, delay_seconds: 60 }],
});
check('the acknowledgement', acked.ackCount === 1 && acked.retryCount === 1);
check('the figures of the queue', (await queues.getMetrics(queue_id, { account_id })).backlog_count === 1);
await queues.purge.start(queue_id, { account_id, delete_messages_permanently: true });
check('the purge', (await queues.purge.status(queue_id, { account_id })).completed !== undefined);
await queues.consumers.delete(queue_id, puller.consumer_id, { account_id });
await queues.delete(queue_id, { account_id });
await gone('the queue', () => queues.get(queue_id, { account_id }));

const { webhooks } = client.alerting.destinations;
const url = process.env.WASMYARD_RECEIVER;
const hook = await webhooks.create({ account_id, name: 'ops', url, secret: 's' });
check('the webhook', (await webhooks.get(hook.id, { account_id })).url === url);
check('the list of webhooks', (await all(webhooks.list({ account_id }))).length === 1);
const { policies } = client.alerting;
const policy = await policies.create({
  account_id, name: 'certificates', enabled: true, alert_type: 'custom_ssl_certificate_event_type',
  mechanisms: { webhooks: [{ id: hook.id }] },
});
check('the policy', (await policies.get(policy.id, { account_id })).name === 'certificates');
check('the list of policies', (await all(policies.list({ account_id }))).length === 1);

check('the hostname deleted', (await customHostnames.delete(shop.id, { zone_id })).id === shop.id);
await gone('the hostname', () => customHostnames.get(shop.id, { zone_id }));
await policies.delete(policy.id, { account_id });
await webhooks.delete(hook.id, { account_id });
await gone('the webhook', () => webhooks.get(hook.id, { account_id }));
check('the fallback origin taken away', (await fallbackOrigin.delete({ zone_id })).origin === 'service.saas.test');
check('the zone deleted', (await client.zones.delete({ zone_id })).id === zone_id);
await gone('the zone', () => client.zones.get({ zone_id }));
console.log(`typescript: ${calls} checks of the SDK hold`);

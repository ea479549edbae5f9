"""Every call on zones, DNS records, custom hostnames and notifications of the Python SDK, in strict mode, where an answer
that lacks a field or has another type is an error. Takes the address of the API and, by WASMYARD_API_TOKEN, its token."""

import os
import sys

from cloudflare import Cloudflare, NotFoundError

client = Cloudflare(
    api_token=os.environ["WASMYARD_API_TOKEN"], base_url=sys.argv[1], _strict_response_validation=True, max_retries=0
)
ACCOUNT = "0123456789abcdef0123456789abcdef"
calls = 0


def check(what, holds):
    global calls
    calls += 1
    if not holds:
        raise SystemExit(f"python: {what} is not as it should be")


def gone(what, call):
    try:
        call()
    except NotFoundError:
        check(what, True)
        return
    raise SystemExit(f"python: {what} is still there")


zone = client.zones.create(account={"id": ACCOUNT}, name="saas.test", type="full")
check("the zone", zone.name == "saas.test" and zone.status == "active")
check("the list of zones", [found.id for found in client.zones.list(name="saas.test")] == [zone.id])
check("the zone by its id", client.zones.get(zone_id=zone.id).id == zone.id)
check("the zone paused", client.zones.edit(zone_id=zone.id, paused=True).paused is True)
client.zones.edit(zone_id=zone.id, paused=False)
check("the activation check", client.zones.activation_check.trigger(zone_id=zone.id).id == zone.id)
for setting, value in [("ssl", "strict"), ("min_tls_version", "1.2"), ("always_use_https", "on")]:
    check(setting, client.zones.settings.edit(setting_id=setting, zone_id=zone.id, value=value).value == value)
    check(setting, client.zones.settings.get(setting_id=setting, zone_id=zone.id).value == value)
check("the hold", client.zones.holds.create(zone_id=zone.id, include_subdomains=True).hold is True)
check("the hold shown", client.zones.holds.get(zone_id=zone.id).hold is True)
check("the hold changed", client.zones.holds.edit(zone_id=zone.id, include_subdomains=False).hold is True)
check("the hold taken back", client.zones.holds.delete(zone_id=zone.id).hold is False)

records = client.dns.records
made = records.create(zone_id=zone.id, type="AAAA", name="service", content="100::", proxied=True, ttl=1)
check("the record", made.name == "service.saas.test")
check("the list of records", [found.id for found in records.list(zone_id=zone.id, type="AAAA")] == [made.id])
check("the record shown", records.get(made.id, zone_id=zone.id).content == "100::")
check("the record changed", records.edit(made.id, zone_id=zone.id, type="AAAA", name="service", content="100::", ttl=1, comment="x").comment == "x")
check("the record replaced", records.update(made.id, zone_id=zone.id, type="AAAA", name="service", content="100::", proxied=True, ttl=1).proxied is True)
batch = records.batch(zone_id=zone.id, posts=[{"type": "A", "name": "b", "content": "192.0.2.1", "ttl": 1}])
check("the batch", len(batch.posts) == 1)
check("the export", "service.saas.test." in records.export(zone_id=zone.id))
imported = records.import_(zone_id=zone.id, file="i 300 IN A 192.0.2.2\n")
check("the import", imported.recs_added == 1)
check("the record deleted", records.delete(batch.posts[0].id, zone_id=zone.id).id == batch.posts[0].id)

hostnames = client.custom_hostnames
fallback = hostnames.fallback_origin
check("the fallback origin", fallback.update(zone_id=zone.id, origin="service.saas.test").status == "active")
check("the fallback origin shown", fallback.get(zone_id=zone.id).origin == "service.saas.test")
shop = hostnames.create(
    zone_id=zone.id,
    hostname="shop.customer.test",
    ssl={"method": "txt", "type": "dv", "settings": {"http2": "on", "min_tls_version": "1.2", "tls_1_3": "on"}},
    custom_metadata={"plan": "gold"},
)
check("the hostname", shop.hostname == "shop.customer.test" and shop.ssl.method == "txt")
plain = hostnames.create(zone_id=zone.id, hostname="plain.customer.test")
check("a hostname without a certificate", plain.ssl is None)
found = [row.hostname for row in hostnames.list(zone_id=zone.id, per_page=5)]
check("the list of hostnames", found == ["shop.customer.test", "plain.customer.test"])
found = [row.id for row in hostnames.list(zone_id=zone.id, hostname={"exact": "shop.customer.test"})]
check("the hostname by its name", found == [shop.id])
check("the hostname shown", hostnames.get(shop.id, zone_id=zone.id).custom_metadata == {"plan": "gold"})
changed = hostnames.edit(shop.id, zone_id=zone.id, custom_metadata={"plan": "free"}, custom_origin_server="service.saas.test")
check("the hostname changed", changed.custom_metadata == {"plan": "free"} and changed.ssl.method == "txt")
again = hostnames.edit(shop.id, zone_id=zone.id, ssl={"method": "txt", "type": "dv"})
check("the hostname asked for again", again.id == shop.id)
check("the label of delegated validation", len(client.dcv_delegation.get(zone_id=zone.id).uuid) == 16)

mtls = client.mtls_certificates
with open(os.environ["WASMYARD_CLIENT_CA"]) as file:
    authority = mtls.create(account_id=ACCOUNT, ca=True, certificates=file.read(), name="partner")
check("the authority of clients", authority.issuer == "CN=partner" and authority.type == "custom" and authority.ca is True)
check("the list of authorities", [row.id for row in mtls.list(account_id=ACCOUNT)] == [authority.id])
check("the authority shown", mtls.get(authority.id, account_id=ACCOUNT).serial_number == authority.serial_number)
asking = client.certificate_authorities.hostname_associations
named = asking.update(zone_id=zone.id, hostnames=["shop.customer.test"], mtls_certificate_id=authority.id)
check("the hostnames that ask", named.hostnames == ["shop.customer.test"])
check("the hostnames shown", asking.get(zone_id=zone.id, mtls_certificate_id=authority.id).hostnames == named.hostnames)
check("who asks", [row.status for row in mtls.associations.get(authority.id, account_id=ACCOUNT)] == ["active"])
check("no hostname asks", asking.update(zone_id=zone.id, hostnames=[], mtls_certificate_id=authority.id).hostnames == [])
check("the authority deleted", mtls.delete(authority.id, account_id=ACCOUNT).id == authority.id)
gone("the authority", lambda: mtls.get(authority.id, account_id=ACCOUNT))

alerting = client.alerting
check("what there can be told of", alerting.available_alerts.list(account_id=ACCOUNT) is not None)
receiver = os.environ["WASMYARD_RECEIVER"]
hook = alerting.destinations.webhooks.create(account_id=ACCOUNT, name="ops", url=receiver, secret="s")
shown = alerting.destinations.webhooks.get(hook.id, account_id=ACCOUNT)
check("the webhook", shown.url == receiver and getattr(shown, "secret", None) is None)
check("the list of webhooks", [row.id for row in alerting.destinations.webhooks.list(account_id=ACCOUNT)] == [hook.id])
check("the webhook changed", alerting.destinations.webhooks.update(hook.id, account_id=ACCOUNT, name="ops2", url=receiver).id == hook.id)
policy = alerting.policies.create(
    account_id=ACCOUNT,
    name="certificates",
    enabled=True,
    alert_type="custom_ssl_certificate_event_type",
    mechanisms={"webhooks": [{"id": hook.id}]},
)
check("the policy", alerting.policies.get(policy.id, account_id=ACCOUNT).name == "certificates")
check("the list of policies", [row.id for row in alerting.policies.list(account_id=ACCOUNT)] == [policy.id])
check("the policy changed", alerting.policies.update(policy.id, account_id=ACCOUNT, name="other").id == policy.id)

check("the hostname deleted", hostnames.delete(shop.id, zone_id=zone.id).id == shop.id)
gone("the hostname", lambda: hostnames.get(shop.id, zone_id=zone.id))
check("the log of events", list(alerting.history.list(account_id=ACCOUNT)) is not None)
alerting.policies.delete(policy.id, account_id=ACCOUNT)
gone("the policy", lambda: alerting.policies.get(policy.id, account_id=ACCOUNT))
alerting.destinations.webhooks.delete(hook.id, account_id=ACCOUNT)
gone("the webhook", lambda: alerting.destinations.webhooks.get(hook.id, account_id=ACCOUNT))
check("the fallback origin taken away", fallback.delete(zone_id=zone.id).origin == "service.saas.test")
gone("the fallback origin", lambda: fallback.get(zone_id=zone.id))
check("the zone deleted", client.zones.delete(zone_id=zone.id).id == zone.id)
gone("the zone", lambda: client.zones.get(zone_id=zone.id))
print(f"python: {calls} checks of the SDK hold")

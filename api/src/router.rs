//! Owns every route, on one page. What a row says here is what is served and what `/openapi.json` lists.
//! Must never hold a handler: those are in the file of their resource.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Router;
use axum::middleware::from_fn_with_state;
use serde_json::{Map, Value};
use wasmyard_namespaces::access::{Family, Group};

use crate::guard;
use crate::openapi;
use crate::query::DIRECTIONS;
use crate::resources::{
    acme_accounts, alerting, assets, audit_logs, bindings, client_ca, clients, content, custom_csrs,
    custom_hostnames, d1, deployments, dns_records, fallback_origin, graphql, health, kv, namespaces, r2,
    routes, run, schedules, scripts, secret_stores, secrets, services, settings, storage, subdomain, tags,
    tails, tokens, versions, zone_routes, zones,
};
use crate::state::{ApiState, Shared};
use crate::table::{Access, Asks, At, Operation, Table, op};
use crate::views;

mod queues;

const FILTER: &str = "Tag filter like customer-1:yes,archived:no";
const PURGE: &str =
    "\"true\": what scripts keep things in that is their own goes at once; otherwise it is kept for a while";
const INHERIT: &str =
    "\"strict\": a binding of type inherit that finds nothing is an error, instead of being left out";

const EXPIRATION: &str = "When the value goes, in seconds since 1970: a minute from now at least";
const EXPIRATION_TTL: &str = "When the value goes, in seconds from now: 60 at least";

const SINCE: &str = "Then or later: a moment in RFC 3339, or a day";
const BEFORE: &str = "Before that";
const ACTION: &str = "create, update or delete; or the name of a call";

const BACKWARDS: &str = "\"desc\": the other way round";

const BASE64: &str = "Must be \"true\": contents come in Base64";

/// The whole table. One row is one line, so that it reads as a table.
#[rustfmt::skip]
pub(crate) fn table() -> Table {
    let mut table = Table::new();
    let t = &mut table;

    t.area("Namespaces", "namespaces", "/client/v4/accounts/{account_id}/workers/dispatch/namespaces").needs(Family::Scripts)
        .get("", namespaces::list, op("list", "List the dispatch namespaces").of_what_may_be_seen().pages().returns::<Vec<views::namespace::View>>())
        .post("", namespaces::create, op("create", "Create a dispatch namespace").takes::<namespaces::Create>().returns::<views::namespace::View>())
        .get("/{dispatch_namespace}", namespaces::get, op("get", "Show a namespace").of_what_may_be_seen().returns::<views::namespace::View>())
        .put("/{dispatch_namespace}", namespaces::update, op("update", "Rename or change a namespace").on(At::Account).forced().takes::<namespaces::Patch>().returns::<views::namespace::View>())
        .patch("/{dispatch_namespace}", namespaces::update, op("edit", "Change a namespace").on(At::Account).forced().takes::<namespaces::Patch>().returns::<views::namespace::View>())
        .delete("/{dispatch_namespace}", namespaces::delete, op("delete", "Delete a namespace with all its scripts").on(At::Account).forced().query("purge", PURGE));

    t.area("Namespaces", "namespaces.tails", "/client/v4/accounts/{account_id}/workers/dispatch/namespaces/{dispatch_namespace}/tails").needs(Family::Tail)
        .get("", tails::list, op("list", "List the live tails of all scripts of a namespace").returns::<Vec<tails::View>>())
        .post("", tails::create, op("create", "Begin a live tail of all scripts of a namespace").reads().takes::<tails::Wanted>().or_nothing().returns::<tails::View>())
        .delete("/{tail_id}", tails::delete, op("delete", "End a live tail").reads());

    t.area("User scripts", "userScripts", "/client/v4/accounts/{account_id}/workers/dispatch/namespaces/{dispatch_namespace}/scripts").needs(Family::Scripts)
        .get("", scripts::list_in_namespace, op("list", "List the scripts of a namespace").of_what_may_be_seen().pages().query("tags", FILTER).returns::<Vec<views::script::NamespacedView>>())
        .delete("", scripts::delete_by_tags, op("deleteByTags", "Delete every script that matches a tag filter").forced().query("purge", PURGE).query("tags", FILTER).returns::<scripts::Deleted>())
        .get("/{script_name}", scripts::get_in_namespace, op("get", "Show a user script").returns::<views::script::NamespacedView>());
    t.area("User scripts", "userScripts", "/client/v4/accounts/{account_id}/workers/dispatch/namespaces/{dispatch_namespace}/scripts/{script_name}").needs(Family::Scripts);
    each_script(t);
    t.get("/bindings", bindings::list, op("bindings.list", "List the bindings; secrets without their values").returns::<Vec<views::binding::View>>())
        .get("/tags", tags::list, op("tags.list", "List the tags; with a filter: whether it matches").query("tags", FILTER).returns::<tags::Listed>())
        .get("/references", services::references, op("references.get", "List what refers to the script, and what it refers to").returns::<services::References>())
        .put("/tags", tags::set, op("tags.set", "Replace all tags").forced().takes::<Vec<String>>().returns::<Vec<String>>())
        .patch("/tags", tags::change, op("tags.change", "Add and remove tags, all or nothing").forced().takes::<tags::Change>().returns::<Vec<String>>())
        .put("/tags/{tag}", tags::add, op("tags.add", "Add one tag").forced().returns::<tags::Changed>())
        .delete("/tags/{tag}", tags::remove, op("tags.remove", "Remove one tag").forced().returns::<tags::Changed>());

    t.post("/run", run::run, op("run", "Have the script answer a request of a dispatcher on another node").needs(Family::Dispatch).returns_raw(crate::remote::CONTENT_TYPE));

    t.area("Platform scripts", "scripts", "/client/v4/accounts/{account_id}/workers/scripts").needs(Family::Scripts)
        .get("", scripts::list_platform, op("list", "List the platform scripts").of_what_may_be_seen().pages().returns::<Vec<views::script::View>>())
        .get("/{script_name}", content::download, op("get", "Download a platform script").returns_raw("multipart/form-data"));
    t.area("Platform scripts", "scripts", "/client/v4/accounts/{account_id}/workers/scripts/{script_name}").needs(Family::Scripts);
    each_script(t);
    t.get("/content/v2", content::download, op("content.getV2", "Download the component, at the path that SDKs use").returns_raw("multipart/form-data"))
        .get("/script-settings", settings::get_script_level, op("scriptSettings.get", "Show the settings that are not versioned").returns::<settings::ScriptLevel>())
        .patch("/script-settings", settings::patch_script_level, op("scriptSettings.edit", "Change the tags").forced().takes::<settings::ScriptLevelPatch>().returns::<settings::ScriptLevel>())
        .get("/routes", zone_routes::of_script, op("routes.list", "List the routes of the script").needs(Family::Routes).on(At::Zones).returns::<Vec<zone_routes::View>>())
        .put("/routes", zone_routes::set_of_script, op("routes.set", "Have the script have these routes and no others").needs(Family::Routes).on(At::Zones).takes::<Vec<zone_routes::OfScript>>().returns::<Vec<String>>())
        .get("/references", services::references, op("references.get", "List what refers to the script").returns::<services::References>())
        .get("/subdomain", subdomain::get, op("subdomain.get", "Say whether the script is served under workers.dev: it is not").returns::<subdomain::Subdomain>())
        .post("/subdomain", subdomain::set, op("subdomain.create", "Ask to serve the script under workers.dev, which there is not: a remark says so").takes::<subdomain::Wanted>().returns::<subdomain::Subdomain>())
        .delete("/subdomain", subdomain::get, op("subdomain.delete", "Serve the script under workers.dev no more").returns::<subdomain::Subdomain>());

    t.area("Static assets", "assets", "/client/v4/accounts/{account_id}/workers/assets")
        .session()
        .post("/upload", assets::upload, op("upload", "Upload contents that a session asked for").query("base64", BASE64).takes_contents().returns::<assets::Uploaded>().succeeds(&[(201, "All contents of the manifest are there: the result has the completion token."), (202, "Some contents are missing.")]));

    t.area("Keys and values", "kv", "/client/v4/accounts/{account_id}/storage/kv/namespaces").needs(Family::Kv)
        .get("", kv::list, op("list", "List the KV namespaces by their titles").pages().returns::<Vec<kv::View>>())
        .post("", kv::create, op("create", "Create a KV namespace").takes::<kv::Titled>().returns::<kv::View>())
        .get("/{namespace_id}", kv::get, op("get", "Show a KV namespace").returns::<kv::View>())
        .put("/{namespace_id}", kv::rename, op("update", "Give a KV namespace another title").takes::<kv::Titled>().returns::<kv::View>())
        .delete("/{namespace_id}", kv::delete, op("delete", "Delete a KV namespace with all that is in it").forced())
        .get("/{namespace_id}/keys", kv::values::keys, op("keys.list", "List keys in the order of their bytes").query("prefix", "Keys that begin with this").query("cursor", "The cursor of the page before").query("limit", "Keys of a page, 1 to 1000").returns::<Vec<kv::values::KeyView>>())
        .get("/{namespace_id}/values/{*key_name}", kv::values::get, op("values.get", "Read a value").returns_raw("application/octet-stream"))
        .put("/{namespace_id}/values/{*key_name}", kv::values::put, op("values.update", "Put a value: the body, or the parts value and metadata of a form").query("expiration", EXPIRATION).query("expiration_ttl", EXPIRATION_TTL).takes_value())
        .delete("/{namespace_id}/values/{*key_name}", kv::values::delete, op("values.delete", "Delete a value"))
        .get("/{namespace_id}/metadata/{*key_name}", kv::values::metadata, op("metadata.get", "Read what was put beside a value").returns::<Value>())
        .put("/{namespace_id}/bulk", kv::bulk::put, op("bulk.update", "Put up to 10,000 values, all or none").takes_long::<Vec<kv::bulk::Put>>().returns::<kv::bulk::Done>())
        .delete("/{namespace_id}/bulk", kv::bulk::delete, op("bulk.remove", "Delete up to 10,000 values, all or none").takes_long::<Vec<String>>().returns::<kv::bulk::Done>())
        .post("/{namespace_id}/bulk/delete", kv::bulk::delete, op("bulk.delete", "Delete up to 10,000 values, all or none").takes_long::<Vec<String>>().returns::<kv::bulk::Done>())
        .post("/{namespace_id}/bulk/get", kv::bulk::get, op("bulk.get", "Read up to 100 values").reads().takes::<kv::bulk::Get>().returns::<kv::bulk::Values>());

    queues::rows(t);
    t.area("SQL databases", "d1", "/client/v4/accounts/{account_id}/d1/database").needs(Family::D1)
        .get("", d1::list, op("list", "List the databases by their names").pages().query("name", "Databases with this in their names").returns::<Vec<d1::View>>())
        .post("", d1::create, op("create", "Create a database").takes::<d1::Create>().returns::<d1::View>())
        .get("/{database_id}", d1::get, op("get", "Show a database, named by its identifier or its name").returns::<d1::View>())
        .put("/{database_id}", d1::update, op("update", "Ask for reads to be answered elsewhere, which there is not: a remark says so").takes::<d1::Change>().returns::<d1::View>())
        .patch("/{database_id}", d1::update, op("edit", "Ask for reads to be answered elsewhere, which there is not: a remark says so").takes::<d1::Change>().returns::<d1::View>())
        .delete("/{database_id}", d1::delete, op("delete", "Delete a database with its past").forced())
        .post("/{database_id}/query", d1::query::query, op("query", "Carry out statements; rows are objects").takes_long::<d1::query::Asked>().returns::<Vec<d1::query::Objects>>())
        .post("/{database_id}/raw", d1::query::raw, op("raw", "Carry out statements; rows are lists").takes_long::<d1::query::Asked>().returns::<Vec<d1::query::Lists>>())
        .post("/{database_id}/import", d1::transfer::import, op("import", "Carry out a file of statements: ask where to send it, have it carried out, ask how far that is").takes::<d1::transfer::Import>().returns::<d1::transfer::ProgressView>())
        .post("/{database_id}/export", d1::transfer::export, op("export", "Write a database as a file of statements, and ask how far that is").takes::<d1::transfer::Export>().returns::<d1::transfer::ProgressView>())
        .get("/{database_id}/time_travel/bookmark", d1::travel::bookmark, op("timeTravel.bookmark", "Name the present, or an earlier moment").query("timestamp", "The moment, in RFC 3339").returns::<d1::travel::Named>())
        .post("/{database_id}/time_travel/restore", d1::travel::restore, op("timeTravel.restore", "Go back to a moment").query("bookmark", "The name of the moment").query("timestamp", "The moment itself, in RFC 3339").returns::<d1::travel::RestoredView>());

    t.area("SQL databases", "d1", "/client/v4/accounts/{account_id}/d1").open()
        .put("/uploads/{place}", d1::transfer::upload, op("upload", "Send a file of statements to the place that an import named").takes_value().returns_raw("text/plain"))
        .get("/exports/{place}", d1::transfer::download, op("download", "Fetch the file of an export").returns_raw("application/sql"));

    t.area("Analytics", "analytics", "/client/v4")
        .post("/graphql", graphql::query, op("graphql", "Ask for figures in GraphQL: how much a bucket holds, and no others").for_any_token().reads().takes::<graphql::Query>().returns_raw("application/json"));
    t.area("Objects", "r2.buckets", "/client/v4/accounts/{account_id}/r2/buckets").needs(Family::R2)
        .get("", r2::list, op("list", "List the buckets by their names").query("name_contains", "Buckets that have this in their names").query("start_after", "Names after this one").query("per_page", "Buckets of a page, 1 to 1000; 20 where it is left out").one_of("order", "By what", r2::ORDERS).one_of("direction", BACKWARDS, DIRECTIONS).query("cursor", "The cursor of the page before").returns::<r2::Listed>())
        .post("", r2::create, op("create", "Create a bucket").takes::<r2::Wanted>().returns::<r2::View>())
        .get("/{bucket_name}", r2::get, op("get", "Show a bucket").returns::<r2::View>())
        .patch("/{bucket_name}", r2::edit, op("edit", "Change the storage class of what is put without one, which the header cf-r2-storage-class names").returns::<r2::View>())
        .delete("/{bucket_name}", r2::delete, op("delete", "Delete a bucket that holds no objects").forced())
        .get("/{bucket_name}/usage", r2::usage, op("usage", "How much a bucket holds").returns::<r2::Usage>())
        .get("/{bucket_name}/objects", r2::objects::list, op("objects.list", "List objects in the order of their keys' bytes").query("prefix", "Keys that begin with this").query("delimiter", "Keys that have this behind the prefix are listed once, up to it").query("start_after", "Keys after this one").query("per_page", "Objects of a page, 1 to 1000").query("cursor", "The cursor of the page before").returns::<Vec<r2::objects::View>>())
        .delete("/{bucket_name}/objects", r2::objects::delete_many, op("objects.deleteMany", "Delete up to 1,000 objects, all or none").takes_long::<Vec<String>>().returns::<Vec<r2::objects::Deleted>>())
        .get("/{bucket_name}/objects/{*object_key}", r2::objects::get, op("objects.get", "Read an object, or the range of it that the header Range names").returns_raw("*/*"))
        .put("/{bucket_name}/objects/{*object_key}", r2::objects::put, op("objects.upload", "Put an object: the body, with what the headers say of it").takes_value().or_nothing().returns::<r2::objects::View>())
        .delete("/{bucket_name}/objects/{*object_key}", r2::objects::delete, op("objects.delete", "Delete an object").returns::<r2::objects::Deleted>());


    t.area("Routes", "routes", "/client/v4/accounts/{account_id}/workers/routes").needs(Family::Routes)
        .get("", routes::list, op("list", "List the routes").pages().returns::<Vec<routes::View>>())
        .post("", routes::create, op("create", "Add a route").takes::<routes::Wanted>().returns::<routes::View>())
        .get("/{route_id}", routes::get, op("get", "Show a route").returns::<routes::View>())
        .put("/{route_id}", routes::update, op("update", "Replace a route").forced().takes::<routes::Wanted>().returns::<routes::View>())
        .delete("/{route_id}", routes::delete, op("delete", "Delete a route").forced().returns::<routes::Removed>());

    t.area("Zones", "zones", "/client/v4/zones").needs(Family::Zone)
        .get("", zones::list, op("list", "List the zones").on(At::Zones).of_what_may_be_seen().counted().query("name", "The name, or one of contains:, starts_with:, ends_with:, equal:, not_equal: and a text").query("status", "Statuses, repeated or with commas").query("type", "Types, repeated or with commas").one_of("order", "By what; otherwise in the order in which they were made", zones::ORDERS).one_of("direction", BACKWARDS, DIRECTIONS).returns::<Vec<views::zone::View>>())
        .post("", zones::create, op("create", "Make a zone, which is in use at once").on(At::Zones).takes::<zones::Create>().returns::<views::zone::View>());
    t.area("Zones", "zones", "/client/v4/zones/{zone_id}").needs(Family::Zone)
        .get("", zones::get, op("get", "Show a zone").returns::<views::zone::View>())
        .patch("", zones::edit, op("edit", "Pause a zone, or go on with it").forced().takes::<zones::Patch>().returns::<views::zone::View>())
        .delete("", zones::delete, op("delete", "Delete a zone with its DNS records and custom hostnames").forced().returns::<zones::Identified>())
        .put("/activation_check", zones::activation_check, op("activationCheck.trigger", "Nothing: a zone is in use at once").returns::<zones::Identified>())
        .get("/settings", zones::settings, op("settings.list", "List the settings").needs(Family::ZoneSettings).returns::<Vec<zones::SettingView>>())
        .get("/settings/{setting_id}", zones::setting, op("settings.get", "Show a setting").needs(Family::ZoneSettings).returns::<zones::SettingView>())
        .patch("/settings/{setting_id}", zones::set_setting, op("settings.edit", "Set a setting").needs(Family::ZoneSettings).forced().takes::<zones::SettingValue>().returns::<zones::SettingView>())
        .get("/hold", zones::hold, op("holds.get", "Show whether the zone keeps its name from others").returns::<zones::HoldView>())
        .post("/hold", zones::put_hold, op("holds.create", "Keep the zone's name from others").forced().query("include_subdomains", "\"true\": the names below it as well").returns::<zones::HoldView>())
        .patch("/hold", zones::edit_hold, op("holds.edit", "Change the hold").forced().takes::<zones::HoldPatch>().returns::<zones::HoldView>())
        .delete("/hold", zones::delete_hold, op("holds.delete", "Take the hold away").forced().query("hold_after", "The moment from which on it holds again, in RFC 3339").returns::<zones::HoldView>());
    t.area("Routes of zones", "zoneRoutes", "/client/v4/zones/{zone_id}/workers/routes").needs(Family::Routes)
        .get("", zone_routes::list, op("list", "List the routes that take requests for hosts of the zone").returns::<Vec<zone_routes::View>>())
        .post("", zone_routes::create, op("create", "Make a route for hosts of the zone").takes::<zone_routes::Wanted>().returns::<zone_routes::View>())
        .get("/{route_id}", zone_routes::get, op("get", "Show a route").returns::<zone_routes::View>())
        .put("/{route_id}", zone_routes::update, op("update", "Change a route").forced().takes::<zone_routes::Wanted>().returns::<zone_routes::View>())
        .delete("/{route_id}", zone_routes::delete, op("delete", "Remove a route").forced().returns::<routes::Removed>());
    t.area("DNS records", "dns.records", "/client/v4/zones/{zone_id}/dns_records").needs(Family::Dns)
        .get("", dns_records::list, op("list", "List what is kept of the zone's DNS").counted().query("name", "The whole name; name.exact, name.contains, name.startswith and name.endswith as well").query("content", "The content; with .exact, .contains, .startswith and .endswith as well").query("type", "A, AAAA or CNAME").query("proxied", "true or false").query("search", "A part of name or content").query("comment", "The comment; with .exact, .contains, .startswith, .endswith, .present and .absent as well").one_of("match", "any: one of the filters holds", dns_records::MATCHES).one_of("order", "By what; otherwise in the order in which they were made", dns_records::ORDERS).one_of("direction", BACKWARDS, DIRECTIONS).returns::<Vec<dns_records::View>>())
        .post("", dns_records::create, op("create", "Add a record").takes::<dns_records::Wanted>().returns::<dns_records::View>())
        .post("/batch", dns_records::bulk::batch, op("batch", "Delete, change, replace and add records, all or none").forced().takes::<dns_records::bulk::Batch>().returns::<dns_records::bulk::Done>())
        .get("/export", dns_records::bulk::export, op("export", "The records as a file of a name server").returns_raw("text/plain"))
        .post("/import", dns_records::bulk::import, op("import", "Add the records of a name server's file; messages name the lines that were passed over").takes_zone_file().returns::<dns_records::bulk::Imported>())
        .get("/{dns_record_id}", dns_records::get, op("get", "Show a record").returns::<dns_records::View>())
        .put("/{dns_record_id}", dns_records::update, op("update", "Replace a record").forced().takes::<dns_records::Wanted>().returns::<dns_records::View>())
        .patch("/{dns_record_id}", dns_records::edit, op("edit", "Change a record").forced().takes::<dns_records::Wanted>().returns::<dns_records::View>())
        .delete("/{dns_record_id}", dns_records::delete, op("delete", "Delete a record").forced().returns::<zones::Identified>());
    t.area("Custom hostnames", "customHostnames", "/client/v4/zones/{zone_id}").needs(Family::Ssl)
        .get("/custom_hostnames", custom_hostnames::list, op("list", "List the custom hostnames, in the order in which they were made").counted().query("cursor", "The cursor of the page before, instead of a number")
            .query("hostname", "The whole name; hostname.exact as well").query("hostname.startsWith", "The beginning of the name").query("hostname.contain", "A part of the name").query("id", "The identifier")
            .query("hostname_status", "A status").query("ssl_status", "A status of the certificate").query("certificate_authority", "Who was asked for it").query("custom_origin_server", "An origin").query("wildcard", "true or false").query("ssl", "1: with a certificate; 0: without")
            .one_of("order", "By what; otherwise in the order in which they were made", custom_hostnames::ORDERS).one_of("direction", BACKWARDS, DIRECTIONS).returns::<Vec<views::custom_hostname::View>>())
        .post("/custom_hostnames", custom_hostnames::create, op("create", "Make a custom hostname, which waits until it was shown whose it is").takes::<custom_hostnames::Wanted>().succeeds(&[(201, "Made.")]).returns::<views::custom_hostname::View>())
        .get("/custom_hostnames/fallback_origin", fallback_origin::get, op("fallbackOrigin.get", "Show where requests go that have no origin of their own").returns::<fallback_origin::View>())
        .put("/custom_hostnames/fallback_origin", fallback_origin::put, op("fallbackOrigin.update", "Set it").forced().takes::<fallback_origin::Wanted>().returns::<fallback_origin::View>())
        .delete("/custom_hostnames/fallback_origin", fallback_origin::delete, op("fallbackOrigin.delete", "Take it away").forced().returns::<fallback_origin::View>())
        .get("/custom_hostnames/quota", custom_hostnames::quota, op("quota", "How many there are, and may be").returns::<custom_hostnames::QuotaView>())
        .get("/custom_hostnames/{custom_hostname_id}", custom_hostnames::get, op("get", "Show a custom hostname").returns::<views::custom_hostname::View>())
        .patch("/custom_hostnames/{custom_hostname_id}", custom_hostnames::edit, op("edit", "Change a custom hostname; the same method and type again start its checks anew").forced().takes::<custom_hostnames::Wanted>().succeeds(&[(202, "Taken; what follows from it comes later.")]).returns::<views::custom_hostname::View>())
        .delete("/custom_hostnames/{custom_hostname_id}", custom_hostnames::delete, op("delete", "Delete a custom hostname: nobody is served under its names any more").forced().returns::<zones::Identified>())
        .put("/custom_hostnames/{custom_hostname_id}/certificate_pack/{certificate_pack_id}/certificates/{certificate_id}", custom_hostnames::certificates::replace, op("customHostnames.certificatePack.certificates.update", "Replace a custom certificate by one with the same kind of key").takes::<custom_hostnames::CertificateWanted>().returns::<views::custom_hostname::View>().succeeds(&[(202, "Replaced.")]))
        .delete("/custom_hostnames/{custom_hostname_id}/certificate_pack/{certificate_pack_id}/certificates/{certificate_id}", custom_hostnames::certificates::delete, op("customHostnames.certificatePack.certificates.delete", "Delete a custom certificate of a pack that has another one").returns::<zones::Identified>().succeeds(&[(202, "Deleted.")]))
        .get("/dcv_delegation/uuid", custom_hostnames::dcv_delegation, op("dcvDelegation.get", "The label under which validation of certificates can be delegated").returns::<custom_hostnames::DcvView>());
    t.area("Secrets Store", "secretsStore", "/client/v4/accounts/{account_id}/secrets_store").needs(Family::SecretStores)
        .get("/quota", secret_stores::quota, op("quota.get", "How many secrets there are, and can be").returns::<secret_stores::Quota>())
        .get("/stores", secret_stores::list_stores, op("stores.list", "List the stores of secrets, by their names").counted().one_of("direction", BACKWARDS, DIRECTIONS).returns::<Vec<secret_stores::StoreView>>())
        .post("/stores", secret_stores::create_store, op("stores.create", "Make a store of secrets").takes::<secret_stores::CreateStore>().returns::<secret_stores::StoreView>())
        .get("/stores/{store_id}", secret_stores::get_store, op("stores.get", "Show a store of secrets").returns::<secret_stores::StoreView>())
        .delete("/stores/{store_id}", secret_stores::delete_store, op("stores.delete", "Delete a store with the secrets in it").forced())
        .get("/stores/{store_id}/secrets", secret_stores::list, op("secrets.list", "List the secrets of a store, without their values").counted().query("search", "A part of name or comment").query("scopes", "Services that may all use it, repeated or with commas").one_of("order", "By what; otherwise by their names", secret_stores::ORDERS).one_of("direction", BACKWARDS, DIRECTIONS).returns::<Vec<secret_stores::View>>())
        .post("/stores/{store_id}/secrets", secret_stores::create, op("secrets.create", "Put secrets into a store: all of them, or none").takes::<Vec<secret_stores::Create>>().returns::<Vec<secret_stores::View>>())
        .get("/stores/{store_id}/secrets/{secret_id}", secret_stores::get, op("secrets.get", "Show a secret, without its value").returns::<secret_stores::View>())
        .patch("/stores/{store_id}/secrets/{secret_id}", secret_stores::edit, op("secrets.edit", "Change a secret").takes::<secret_stores::Patch>().returns::<secret_stores::View>())
        .delete("/stores/{store_id}/secrets/{secret_id}", secret_stores::delete, op("secrets.delete", "Delete a secret").forced().returns::<secret_stores::View>())
        .post("/stores/{store_id}/secrets/{secret_id}/duplicate", secret_stores::duplicate, op("secrets.duplicate", "Make another secret of the same value").takes::<secret_stores::Duplicate>().returns::<secret_stores::View>());

    t.area("Notifications", "alerting", "/client/v4/accounts/{account_id}/alerting/v3").needs(Family::Notifications)
        .get("/available_alerts", alerting::available, op("availableAlerts.list", "List what there can be told of").returns::<alerting::Available>())
        .get("/destinations/eligible", alerting::eligible, op("destinations.eligible.get", "List the ways in which can be told").returns::<alerting::Eligible>())
        .get("/destinations/webhooks", alerting::webhooks::list, op("destinations.webhooks.list", "List the webhooks").returns::<Vec<alerting::webhooks::View>>())
        .post("/destinations/webhooks", alerting::webhooks::create, op("destinations.webhooks.create", "Make a webhook, when it takes a test message").takes::<alerting::webhooks::Wanted>().returns::<alerting::Identified>())
        .get("/destinations/webhooks/{webhook_id}", alerting::webhooks::get, op("destinations.webhooks.get", "Show a webhook").returns::<alerting::webhooks::View>())
        .put("/destinations/webhooks/{webhook_id}", alerting::webhooks::update, op("destinations.webhooks.update", "Replace a webhook, when it takes a test message").takes::<alerting::webhooks::Wanted>().returns::<alerting::Identified>())
        .delete("/destinations/webhooks/{webhook_id}", alerting::webhooks::delete, op("destinations.webhooks.delete", "Delete a webhook that no policy names").returns::<alerting::Identified>())
        .get("/policies", alerting::policies::list, op("policies.list", "List the notification policies").returns::<Vec<alerting::policies::View>>())
        .post("/policies", alerting::policies::create, op("policies.create", "Make a notification policy").takes::<alerting::policies::Wanted>().returns::<alerting::Identified>())
        .get("/policies/{policy_id}", alerting::policies::get, op("policies.get", "Show a notification policy").returns::<alerting::policies::View>())
        .put("/policies/{policy_id}", alerting::policies::update, op("policies.update", "Replace a notification policy").takes::<alerting::policies::Wanted>().returns::<alerting::Identified>())
        .delete("/policies/{policy_id}", alerting::policies::delete, op("policies.delete", "Delete a notification policy").returns::<alerting::Identified>())
        .get("/history", alerting::history, op("history.list", "List what was sent and what was given up, the newest first").counted().query("since", "Sent then or later, in RFC 3339").query("before", "Sent before that").returns::<Vec<alerting::Sent>>());

    t.area("Accounts with authorities", "acmeAccounts", "/client/v4/accounts/{account_id}/acme_accounts").needs(Family::Ssl)
        .put("/{certificate_authority}/key", acme_accounts::roll_key, op("key.update", "Give the account that is had with an authority of certificates another key").returns::<acme_accounts::View>());

    t.area("mTLS certificates", "mtlsCertificates", "/client/v4/accounts/{account_id}/mtls_certificates").needs(Family::Ssl)
        .get("", client_ca::list, op("list", "List mTLS certificates: authorities of clients, and those that scripts show").counted().query("ca", "Only authorities, or only others").query("name", "Only those of this name").returns::<Vec<client_ca::View>>())
        .post("", client_ca::create, op("create", "Upload certificates of authorities of clients, or one that scripts show, with its key").takes::<client_ca::Wanted>().returns::<client_ca::View>())
        .get("/{mtls_certificate_id}", client_ca::get, op("get", "Show an mTLS certificate").returns::<client_ca::View>())
        .delete("/{mtls_certificate_id}", client_ca::delete, op("delete", "Delete an mTLS certificate that no hostname asks for and no script is bound to").forced().returns::<client_ca::View>())
        .get("/{mtls_certificate_id}/associations", client_ca::associations, op("associations.get", "Show whether hostnames or scripts use it").returns::<Vec<client_ca::Association>>());
    t.area("mTLS certificates", "certificateAuthorities", "/client/v4/zones/{zone_id}/certificate_authorities").needs(Family::Ssl)
        .get("/hostname_associations", client_ca::hostnames, op("hostnameAssociations.get", "List the hostnames that ask clients for certificates of these authorities").query("mtls_certificate_id", "The authorities").returns::<client_ca::Hostnames>())
        .put("/hostname_associations", client_ca::associate, op("hostnameAssociations.update", "Have these hostnames, and no others of the zone, ask clients for certificates of these authorities").takes::<client_ca::HostnamesWanted>().returns::<client_ca::Hostnames>());
    t.area("Custom CSRs", "customCsrs", "/client/v4/zones/{zone_id}/custom_csrs").needs(Family::Ssl);
    each_csr(t);
    t.area("Custom CSRs", "accountCustomCsrs", "/client/v4/accounts/{account_id}/custom_csrs").needs(Family::Ssl);
    each_csr(t);

    t.area("Audit log", "auditLogs", "/client/v4/accounts/{account_id}").needs(Family::Account)
        .get("/audit_logs", audit_logs::list, op("list", "List who changed what, the newest first").counted().query("since", SINCE).query("before", BEFORE).query("id", "One entry").query("actor.ip", "From this address").query("action.type", ACTION).query("zone.name", "In this zone").one_of("direction", "asc: the oldest first", DIRECTIONS).returns::<Vec<audit_logs::View>>())
        .get("/logs/audit", audit_logs::list_by_cursor, op("listByCursor", "List who changed what, the newest first, as the newest clients ask for it").query("since", SINCE).query("before", BEFORE).query("actor_token_id", "By the token with this id").query("actor_token_name", "By the token with this name").query("actor_ip_address", "From this address").query("action_type", ACTION).one_of("action_result", "How it ended", audit_logs::RESULTS).query("zone_id", "In this zone").query("zone_name", "In the zone with this name").query("resource_id", "To what has this id or name").query("resource_type", "To things of this kind").query("limit", "Entries of a page, 1 to 1000").query("cursor", "The cursor of the page before").one_of("direction", "asc: the oldest first", DIRECTIONS).returns::<Vec<audit_logs::Entry>>());

    // Tokens belong to the one operator, whichever of the two paths a client takes.
    t.area("API tokens", "tokens", "/client/v4/user/tokens").needs(Family::Tokens);
    each_token(t);
    t.area("API tokens", "accountTokens", "/client/v4/accounts/{account_id}/tokens").needs(Family::Tokens)
        .get("/verify", tokens::verify, op("verify", "Say whether the token is good").for_any_token().returns::<tokens::Verified>());
    each_token(t);

    t.area("Client start-up", "clients", "/client/v4").needs(Family::Scripts)
        .get("/user", clients::user, op("user", "Say who asks").for_any_token().returns::<Map<String, Value>>())
        .get("/user/tokens/verify", tokens::verify, op("verifyToken", "Say whether the token is good").for_any_token().returns::<tokens::Verified>())
        .get("/accounts/{account_id}", clients::account_of, op("account", "Show the one account").for_any_token().returns::<Map<String, Value>>())
        .get("/accounts", clients::accounts, op("accounts", "List the one account").for_any_token().returns::<Vec<Map<String, Value>>>())
        .get("/memberships", clients::memberships, op("memberships", "List the one membership").for_any_token().returns::<Vec<Map<String, Value>>>())
        .get("/accounts/{account_id}/workers/services/{script_name}", services::get, op("services.get", "Show a platform script as a service").returns::<Map<String, Value>>())
        .get("/accounts/{account_id}/workers/workers/{script_name}", subdomain::worker, op("workers.get", "Show a platform script as the newest clients ask for it").returns::<subdomain::Worker>())
        .get("/accounts/{account_id}/workers/subdomain", subdomain::of_account, op("subdomain", "Show the account's name under workers.dev: there is none, and clients want one").for_any_token().returns::<subdomain::AccountSubdomain>())
        .get("/accounts/{account_id}/workers/account-settings", clients::account_settings, op("accountSettings.get", "Show the account's settings").for_any_token().returns::<clients::AccountSettings>())
        .get("/accounts/{account_id}/workers/domains", clients::nothing, op("domains", "List scripts with hosts of their own: none; a route for the host does it").of_what_may_be_seen().returns::<Vec<Map<String, Value>>>())
        .get("/accounts/{account_id}/workers/durable_objects/namespaces", clients::nothing, op("durableObjects", "List namespaces of Durable Objects: none").of_what_may_be_seen().returns::<Vec<Map<String, Value>>>())
        .delete("/accounts/{account_id}/workers/services/{script_name}", services::delete, op("services.delete", "Delete a platform script").forced())
        .get("/accounts/{account_id}/workers/tails/by-consumer/{script_name}", clients::no_tails, op("tailsByConsumer", "List the tails that a script consumes: none").of_what_may_be_seen().returns::<Vec<Map<String, Value>>>());

    t.area("Operation", "operation", "")
        .open()
        .get("/health/live", health::live, op("live", "Whether the process answers").returns_raw("text/plain"))
        .get("/health/ready", health::ready, op("ready", "Whether the platform can take traffic").returns_raw("text/plain"))
        .get("/metrics", health::metrics, op("metrics", "Metrics in Prometheus text format").returns_raw("text/plain"))
        .get("/tails/{tail_id}", tails::read_over_socket, op("tail", "Read a live tail over a WebSocket: by its address, once").succeeds(&[(101, "The protocol changes.")]).returns_raw("application/octet-stream"))
        .get("/openapi.json", health::openapi, op("openapi", "This document").returns_raw("application/json"));
    table
}

/// The rows that user scripts and platform scripts share.
#[rustfmt::skip]
fn each_script(t: &mut Table) {
    t.post("/assets-upload-session", assets::begin, op("assets.begin", "Begin an upload of static assets: says which contents are missing").needs(Family::Assets).takes_long::<assets::Begin>().returns::<assets::Begun>())
        .put("", scripts::upload, op("upload", "Upload a component, assets or both: a new version, which serves at once").query("bindings_inherit", INHERIT).takes_module().returns::<scripts::Uploaded>())
        .delete("", scripts::delete, op("delete", "Delete the script").forced().query("purge", PURGE))
        .get("/storage", storage::list, op("storage.list", "List what the script keeps things in that is its own, and how much is in it").returns::<Vec<storage::View>>())
        .delete("/storage", storage::remove, op("storage.delete", "Remove what is the script's own and no version of it leads to, without waiting").forced().returns::<storage::Removed>())
        .get("/content", content::download, op("content.get", "Download the component").returns_raw("multipart/form-data"))
        .put("/content", content::replace, op("content.replace", "Replace the component and keep everything else").takes_module().returns::<views::script::View>())
        .get("/deployments", deployments::list, op("deployments.list", "List the deployments: which versions serve, and which did before").returns::<deployments::Deployments>())
        .post("/deployments", deployments::create, op("deployments.create", "Have one version serve that is kept, or two, with their percentages").forced().takes::<deployments::Create>().returns::<deployments::View>())
        .get("/deployments/{deployment_id}", deployments::get, op("deployments.get", "Show a deployment").returns::<deployments::View>())
        .delete("/deployments/{deployment_id}", deployments::delete, op("deployments.delete", "Forget a deployment that has ended").returns::<deployments::Deleted>())
        .get("/versions", versions::list, op("versions.list", "List the versions that are kept").returns::<versions::Versions>())
        .post("/versions", versions::create, op("versions.create", "Upload a version that does not serve until it is deployed").query("bindings_inherit", INHERIT).takes_module().returns::<versions::View>())
        .get("/versions/{version_id}", versions::get, op("versions.get", "Show a version").returns::<versions::View>())
        .get("/tails", tails::list, op("tails.list", "List the live tails of the script").needs(Family::Tail).returns::<Vec<tails::View>>())
        .post("/tails", tails::create, op("tails.create", "Begin a live tail of the script").needs(Family::Tail).reads().takes::<tails::Wanted>().or_nothing().returns::<tails::View>())
        .delete("/tails/{tail_id}", tails::delete, op("tails.delete", "End a live tail").needs(Family::Tail).reads())
        .get("/settings", settings::get, op("settings.get", "Show bindings, limits, tags and compatibility").returns::<settings::View>())
        .patch("/settings", settings::patch, op("settings.edit", "Change bindings, limits, tags or compatibility").forced().takes_settings::<settings::Patch>().returns::<settings::View>())
        .get("/schedules", schedules::get, op("schedules.get", "List the cron triggers of the script").returns::<schedules::Schedules>())
        .put("/schedules", schedules::set, op("schedules.set", "Have the script run by these cron triggers and no others").forced().takes::<Vec<schedules::Wanted>>().returns::<schedules::Schedules>())
        .post("/schedules/run", schedules::run, op("schedules.run", "Have the script run at once for one of its cron triggers").takes::<schedules::Wanted>().returns::<schedules::Schedules>().succeeds(&[(202, "It runs as soon as there is a place.")]))
        .get("/secrets", secrets::list, op("secrets.list", "List the names of the secrets").returns::<Vec<secrets::View>>())
        .put("/secrets", secrets::put, op("secrets.put", "Add or replace a secret").forced().takes::<secrets::Put>().returns::<secrets::View>())
        .get("/secrets/{secret_name}", secrets::get, op("secrets.get", "Show whether a secret exists").returns::<secrets::View>())
        .delete("/secrets/{secret_name}", secrets::delete, op("secrets.delete", "Delete a secret").forced())
        .patch("/secrets-bulk", secrets::bulk, op("secrets.bulk", "Put and delete several secrets").forced().takes::<secrets::Bulk>().returns::<BTreeMap<String, secrets::View>>());
}

/// The rows that zones and the account share.
#[rustfmt::skip]
fn each_csr(t: &mut Table) {
    t.get("", custom_csrs::list, op("list", "List requests for certificates").counted().one_of("order", "By what; otherwise in the order in which they were made", custom_csrs::ORDERS).one_of("direction", BACKWARDS, DIRECTIONS).returns::<Vec<custom_csrs::View>>())
        .post("", custom_csrs::create, op("create", "Make a key, which stays here, and a request for a certificate").takes::<custom_csrs::Wanted>().returns::<custom_csrs::View>().succeeds(&[(201, "Made.")]))
        .get("/{custom_csr_id}", custom_csrs::get, op("get", "Show a request").returns::<custom_csrs::View>())
        .delete("/{custom_csr_id}", custom_csrs::delete, op("delete", "Delete a request and its key, unless a certificate of it is in use").returns::<zones::Identified>());
}

/// The rows that both ways to the tokens share.
#[rustfmt::skip]
fn each_token(t: &mut Table) {
    t.get("/permission_groups", tokens::permission_groups, op("permissionGroups.list", "List what tokens can be given").for_any_token().query("name", "The name of one").query("scope", "The kind of resources").returns::<Vec<tokens::GroupView>>())
        .get("", tokens::list, op("list", "List the tokens, without their texts").returns::<Vec<tokens::View>>())
        .post("", tokens::create, op("create", "Make a token; its text is shown this once").takes_exactly::<tokens::Wanted>().returns::<tokens::Made>())
        .get("/{token_id}", tokens::get, op("get", "Show a token, without its text").returns::<tokens::View>())
        .delete("/{token_id}", tokens::revoke, op("delete", "Revoke a token: it is refused at once").returns::<tokens::Revoked>())
        .put("/{token_id}", tokens::update, op("update", "Give a token another name and other policies").takes_exactly::<tokens::Wanted>().returns::<tokens::View>())
        .put("/{token_id}/value", tokens::roll, op("value.update", "Replace the text of a token; the old one is refused at once").returns::<String>());
}

/// All routes: the v4 API, health, metrics and the document.
///
/// The caller binds the listener; nothing here trusts the network it is on. Only `/health/*`, `/metrics` and
/// `/openapi.json` answer without a token; uploads of contents take the token of their session.
pub fn router(state: ApiState) -> Router {
    let shared = Shared::new(state);
    let (mut guarded, mut open) = (Router::new(), Router::new());
    for operation in table().operations {
        let side = if operation.access == Access::Token { &mut guarded } else { &mut open };
        let bounds = guard::bounds(&shared, &operation);
        let mut handler = operation
            .handler
            .layer(from_fn_with_state(operation.asks, guard::permit))
            .layer(from_fn_with_state(bounds, guard::finish));
        if operation.access == Access::Session {
            handler = handler.layer(from_fn_with_state(Arc::clone(&shared), guard::throttle));
        }
        *side = std::mem::take(side).route(&operation.path, handler);
    }
    let guarded = guarded
        .method_not_allowed_fallback(guard::no_method)
        .layer(from_fn_with_state(Arc::clone(&shared), guard::admit))
        .layer(from_fn_with_state(Arc::clone(&shared), guard::throttle));
    open.method_not_allowed_fallback(guard::no_method)
        .merge(guarded)
        .fallback(guard::no_route)
        .with_state(shared)
}

/// The OpenAPI document, as `/openapi.json` serves it.
#[must_use]
pub fn openapi_document() -> serde_json::Value {
    openapi::document(&table())
}

/// A call, and the permission that it needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CallPermission {
    /// Its method.
    pub method: String,
    /// Its path, with its variable segments.
    pub path: String,
    /// The name of the least permission group; none where any token may make the call.
    pub permission: Option<&'static str>,
    /// Whether it shows what the token may see, and nothing else.
    pub lists: bool,
}

/// Every call that asks for a token, with the permission that it needs.
#[must_use]
pub fn permissions() -> Vec<CallPermission> {
    let of_tokens = table().operations.into_iter().filter(|operation| operation.access == Access::Token);
    of_tokens
        .map(|Operation { method, path, asks, .. }| {
            let (permission, lists) = match asks {
                Asks::Nothing => (None, false),
                Asks::Of { family, level, lists, .. } => (Some(Group::of(family, level).name()), lists),
            };
            CallPermission { method: method.to_string(), path, permission, lists }
        })
        .collect()
}

//! Owns the OpenAPI document: the route table, written the way tools read it.
//! Must never list anything by hand that the table or the types already say.

use schemars::Schema;
use schemars::generate::SchemaGenerator;
use serde_json::{Map, Value, json};

use wasmyard_kv::limits::MAX_KEY_BYTES;

use crate::error::{Code, CsrCode};
use crate::patterns::{MOMENT, TAG_FILTER};
use crate::table::{Access, Operation, Parameter, Returns, Table, Takes, schema_generator};

/// The document of a table.
pub(crate) fn document(table: &Table) -> Value {
    let mut generator = schema_generator();
    let mut paths = Map::new();
    for operation in &table.operations {
        let path =
            paths.entry(operation.path.replace("{*", "{")).or_insert_with(|| Value::Object(Map::new()));
        if let Value::Object(methods) = path {
            methods
                .insert(operation.method.as_str().to_ascii_lowercase(), describe(operation, &mut generator));
        }
    }
    let lenient: Vec<Schema> =
        table.operations.iter().filter_map(|operation| lenient(&operation.takes, &mut generator)).collect();
    let mut schemas = generator.take_definitions(true);
    // A slip of a key is refused, and a strange one is taken with a remark.
    for schema in &lenient {
        let name = schema.get("$ref").and_then(Value::as_str).and_then(|path| path.rsplit('/').next());
        if let Some(fields) = name.and_then(|name| schemas.get_mut(name)).and_then(Value::as_object_mut) {
            fields.remove("additionalProperties");
        }
    }
    schemas.insert("Failure".to_owned(), failure());
    let mut document = json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Wasmyard control plane",
            "version": env!("CARGO_PKG_VERSION"),
            "license": { "name": "Apache-2.0", "identifier": "Apache-2.0" },
            "description": "Namespaces, scripts, tags, secrets and routes, in the wire format of Cloudflare's v4 API.",
        },
        "security": [{ "token": [] }, { "key": [], "email": [] }],
        "paths": paths,
        "components": {
            "securitySchemes": {
                "token": { "type": "http", "scheme": "bearer" },
                "key": { "type": "apiKey", "in": "header", "name": "X-Auth-Key" },
                "session": { "type": "http", "scheme": "bearer", "bearerFormat": "JWT", "description": "The token of an upload session of assets." },
                "email": { "type": "apiKey", "in": "header", "name": "X-Auth-Email" },
            },
            "schemas": schemas,
        },
    });
    without_true(&mut document);
    document
}

/// What a call takes in which there may be keys that nothing here knows.
fn lenient(takes: &Takes, generator: &mut SchemaGenerator) -> Option<Schema> {
    match takes {
        Takes::Json(schema) | Takes::Settings(schema) => Some(schema(generator)),
        Takes::Module => Some(generator.subschema_for::<crate::metadata::Metadata>()),
        Takes::Exactly(_) | Takes::Contents | Takes::Nothing | Takes::Value | Takes::ZoneFile => None,
    }
}

/// Writes the schema that takes anything as `{}`. `true` says the same in JSON Schema, and most tools that read OpenAPI stop at it.
fn without_true(value: &mut Value) {
    let anything = |value: &mut Value| {
        if *value == Value::Bool(true) {
            *value = json!({});
        }
    };
    match value {
        Value::Array(values) => values.iter_mut().for_each(without_true),
        Value::Object(fields) => {
            if let Some(Value::Object(properties)) = fields.get_mut("properties") {
                properties.values_mut().for_each(anything);
            }
            fields.get_mut("items").into_iter().for_each(anything);
            fields.values_mut().for_each(without_true);
        }
        _ => {}
    }
}

fn describe(operation: &Operation, generator: &mut SchemaGenerator) -> Value {
    let mut described = json!({
        "operationId": operation.id,
        "tags": [operation.area],
        "summary": operation.summary,
        "parameters": parameters(operation),
        "responses": responses(operation, generator),
    });
    if let Value::Object(fields) = &mut described {
        if let Some(content) = request_content(&operation.takes, generator) {
            fields.insert(
                "requestBody".to_owned(),
                json!({ "required": !operation.bodiless, "content": content }),
            );
        }
        match operation.access {
            Access::Token => {}
            Access::Session => drop(fields.insert("security".to_owned(), json!([{ "session": [] }]))),
            Access::Open => drop(fields.insert("security".to_owned(), json!([]))),
        }
    }
    described
}

fn parameters(operation: &Operation) -> Vec<Value> {
    let in_path =
        operation.path.split('/').filter_map(|segment| segment.strip_prefix('{')?.strip_suffix('}'));
    // A segment with a star may have slashes in it.
    let in_path = in_path.map(|name| name.trim_start_matches('*'));
    in_path
        .map(|name| json!({ "name": name, "in": "path", "required": true, "schema": in_path_schema(name) }))
        .chain(operation.query.iter().map(|parameter| {
            let Parameter { name, meaning, .. } = parameter;
            let schema = query_schema(parameter);
            json!({ "name": name, "in": "query", "required": false, "description": meaning, "schema": schema })
        }))
        .collect()
}

/// What a segment of a path may be. Each grammar is owned by the type that reads it; where two kinds of identifiers share a
/// name, this is what both have in common.
fn in_path_schema(name: &str) -> Value {
    let (pattern, longest) = match name {
        "account_id" => ("^[A-Za-z0-9_-]+$", 64),
        "dispatch_namespace" => ("^[a-z0-9][a-z0-9_-]*$", 64),
        "script_name" => ("^[a-z0-9_][a-z0-9_-]*$", 255),
        "secret_name" => ("^[A-Za-z_][A-Za-z0-9_]*$", 64),
        "tag" => (r"^[^,&\u0000-\u001F\u007F]+$", 1024),
        "key_name" => ("^.+$", MAX_KEY_BYTES),
        // Given by the server: clients pass on what they were told.
        _ => ("^[A-Za-z0-9-]+$", 64),
    };
    json!({ "type": "string", "minLength": 1, "maxLength": longest, "pattern": pattern })
}

fn query_schema(parameter: &Parameter) -> Value {
    let Parameter { name, choices, held, .. } = parameter;
    if !choices.is_empty() {
        // What is empty was not given.
        let with_none: Vec<&str> = choices.iter().copied().chain([""]).collect();
        return json!({ "type": "string", "enum": with_none });
    }
    match *name {
        "page" | "per_page" if *held => {
            json!({ "anyOf": [{ "type": "integer", "minimum": 1 }, { "const": "" }] })
        }
        "bindings_inherit" => json!({ "type": "string", "enum": ["strict"] }),
        "force" => json!({ "type": "string", "enum": ["true", "false"] }),
        "base64" => json!({ "type": "string", "enum": ["true"] }),
        "page" => json!({ "type": "integer", "minimum": 1 }),
        "per_page" | "limit" => json!({ "type": "integer", "minimum": 1, "maximum": 1000 }),
        "expiration" => json!({ "type": "integer", "minimum": 0 }),
        "expiration_ttl" => json!({ "type": "integer", "minimum": 60 }),
        "prefix" => json!({ "type": "string", "maxLength": MAX_KEY_BYTES }),
        "tags" => json!({ "type": "string", "pattern": TAG_FILTER }),
        "since" | "before" | "hold_after" => json!({ "type": "string", "pattern": MOMENT }),
        "actor.ip" | "actor_ip_address" => {
            json!({ "type": "string", "anyOf": [{ "format": "ipv4" }, { "format": "ipv6" }] })
        }
        "wildcard" | "proxied" | "ssl" | "include_subdomains" => {
            json!({ "type": "string", "enum": ["true", "false", "1", "0", ""] })
        }
        _ => json!({ "type": "string" }),
    }
}

fn request_content(takes: &Takes, generator: &mut SchemaGenerator) -> Option<Value> {
    match takes {
        Takes::Nothing => None,
        Takes::Contents => Some(json!({
            "multipart/form-data": { "schema": {
                "type": "object",
                "additionalProperties": { "type": "string", "contentEncoding": "base64" },
            } },
        })),
        Takes::ZoneFile => Some(json!({
            "multipart/form-data": { "schema": {
                "type": "object",
                "required": ["file"],
                "properties": {
                    "file": { "type": "string", "contentMediaType": "text/plain" },
                    "proxied": { "type": "string", "enum": ["true", "false"] },
                },
            } },
        })),
        Takes::Value => Some(json!({
            "multipart/form-data": { "schema": {
                "type": "object",
                "required": ["value"],
                "properties": {
                    "value": { "type": "string", "contentMediaType": "application/octet-stream" },
                    "metadata": { "type": "string", "contentMediaType": "application/json" },
                },
            } },
            "application/octet-stream": {},
        })),
        Takes::Json(schema) | Takes::Exactly(schema) => {
            Some(json!({ "application/json": { "schema": schema(generator) } }))
        }
        Takes::Module => {
            let metadata = generator.subschema_for::<crate::metadata::Metadata>();
            Some(json!({
                "multipart/form-data": { "schema": {
                    "type": "object",
                    "required": ["metadata"],
                    "properties": { "metadata": metadata },
                    "additionalProperties": { "type": "string", "contentMediaType": "application/wasm" },
                } },
                "application/wasm": { "schema": { "type": "string", "contentMediaType": "application/wasm" } },
            }))
        }
        Takes::Settings(schema) => {
            let schema = schema(generator);
            Some(json!({
                "multipart/form-data": { "schema": {
                    "type": "object", "required": ["settings"], "properties": { "settings": schema },
                } },
                "application/json": { "schema": schema },
            }))
        }
    }
}

fn responses(operation: &Operation, generator: &mut SchemaGenerator) -> Value {
    let content = match &operation.returns {
        Returns::Raw(media_type) => json!({ *media_type: {} }),
        Returns::Enveloped(schema) => json!({ "application/json": { "schema": {
            "type": "object",
            "required": ["success", "errors", "messages", "result"],
            "properties": {
                "success": { "const": true },
                "errors": { "type": "array", "maxItems": 0 },
                "messages": { "type": "array" },
                "result": schema(generator),
            },
        } } }),
    };
    let successes = operation.successes.iter();
    let mut responses: Value = successes
        .map(|(status, meaning)| (status.to_string(), json!({ "description": meaning, "content": content })))
        .collect::<Map<String, Value>>()
        .into();
    // Whoever is let in without a token is refused where the path names what is not there.
    if (operation.access != Access::Open || operation.path.contains('{'))
        && let Value::Object(responses) = &mut responses
    {
        let content = json!({ "application/json": { "schema": { "$ref": "#/components/schemas/Failure" } } });
        responses
            .insert("default".to_owned(), json!({ "description": "Refused or failed.", "content": content }));
    }
    responses
}

/// The envelope of an error, with every code there is.
fn failure() -> Value {
    let usual = Code::ALL.iter().map(|code| (code.number(), code.status(), code.meaning().to_owned()));
    let of_csrs = CsrCode::ALL
        .iter()
        .map(|code| (code.number(), code.status(), format!("Custom CSRs: {}", code.meaning())));
    let codes: Vec<Value> = usual
        .chain(of_csrs)
        .map(|(number, status, meaning)| json!({ "const": number, "description": format!("{status} {meaning}") }))
        .collect();
    json!({
        "type": "object",
        "required": ["success", "errors", "messages", "result"],
        "properties": {
            "success": { "const": false },
            "errors": { "type": "array", "minItems": 1, "items": {
                "type": "object",
                "required": ["code", "message"],
                "properties": { "code": { "type": "integer", "anyOf": codes }, "message": { "type": "string" } },
            } },
            "messages": { "type": "array" },
            "result": { "type": "null" },
        },
    })
}

//! Every key of `wasmyard.toml`, declared once: what may be written behind it, what holds without it, what it means.
//!
//! Reading the file, the hint at a key that is none, defaults, bounds and the tables of `docs/configuration.md` are made
//! from these lines. Must never say what a value leads to: that is `resolve`'s work.

use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};

use serde_json::Value as Json;
use wasmyard_api::Rates;
use wasmyard_cache::CacheLimits;
use wasmyard_control::InHandshakes;
use wasmyard_dispatcher::{DispatcherConfig, EgressConfig, OriginsConfig, Roots};
use wasmyard_listener::tls::LeastVersion;
use wasmyard_listener::{ForwardedField, ListenerConfig};
use wasmyard_namespaces::ConfigName;
use wasmyard_namespaces::limits::{LimitRow, LimitScope, Unit, table};
use wasmyard_ownership::Dnssec;

use super::document::{Reader, Spot, Table};
use super::forms::numbers::{Count, MachineSize, Millis, Part, Size};
use super::forms::{Address, Any, Choice, Flag, Name, NoKey, Number, Numbers, PathOr, Text, Texts};
use super::locate::DATA_DIR;
use super::section::{
    ByName, Entries, ForeignMany, Key, Many, Maybe, One, Section, Shared, by_name, leaf, many, many_apart,
    maybe, maybe_apart, one, section, shared,
};

section! {
    /// The whole file.
    RawConfig {
        /// What a node binds and takes on.
        server: One<RawServer> = one("server"),
        /// How visitors are served over TLS.
        tls: One<RawTls> = one("tls"),
        /// Where scripts may send requests.
        egress: One<RawEgress> = one("egress"),
        /// How custom hostnames are checked.
        hostnames: One<RawHostnames> = one("hostnames"),
        /// Where notifications may be sent.
        webhooks: One<RawWebhooks> = one("webhooks"),
        /// Zones with their records and custom hostnames.
        zones: ByName<RawZone> = by_name("zones.NAME", "a table of zones, [zones.\"saas.example\"]"),
        /// How requests go to servers outside.
        origins: One<RawOrigins> = one("origins"),
        /// Where certificates of custom hostnames come from.
        certificates: One<RawCertificates> = one("certificates"),
        /// The name server of delegated validation.
        dcv: One<RawDcv> = one("dcv"),
        /// Objects.
        r2: One<RawR2> = one("r2"),
        /// How much scripts' caches may take.
        cache: One<RawCache> = one("cache"),
        /// What holds for every script.
        limits: One<RawPlatformLimits> = one("limits"),
        /// Namespaces that exist from the start.
        namespaces: ByName<RawNamespace> = by_name("namespaces.NAME", "a table of namespaces, [namespaces.NAME]"),
        /// Platform scripts.
        scripts: ByName<RawScript> = by_name("scripts.NAME", SCRIPTS),
        /// Who answers which requests.
        routes: Many<RawRoute> = many_apart("routes"),
    }
}

const SCRIPTS: &str = "a table of scripts, [scripts.NAME]";

fn loopback(port: u16) -> Address {
    Address(SocketAddr::V4(SocketAddrV4::new(Ipv4Addr::LOCALHOST, port)))
}

section! {
    /// `[server]`
    RawServer {
        /// where visitors connect; port 0 lets the system choose
        listen: Address = loopback(8787),
        /// where visitors connect over TLS, such as `"0.0.0.0:443"`; with what certificates says [`[tls]`](#tls). Port 0 lets
        /// the system choose
        listen_tls: Text = Text("no TLS"),
        /// whether visitors are served over [HTTP/3](tls.md#http3) as well: by UDP, on the address of `listen_tls`
        http3: Flag = Flag("`true`"),
        /// v4 API, metrics, health
        api_listen: Address = loopback(8788),
        /// the data directory
        data: PathOr = PathOr(DATA_DIR),
        /// where the [master key](secrets.md) comes from, which wraps the key that secrets are sealed with: `"file:PATH"`,
        /// `"env:NAME"` or `"command:LINE"`
        master_key: Text = Text("none: that key lies in the data directory as it is"),
        /// the name under which the routes of this file are owned: a start removes routes that an earlier form of the file
        /// declared, and never those of a configuration with another name. Nodes that share a registry and have different
        /// files need different names
        configuration: Name<ConfigName> = Name::usual(),
        /// how many [versions](versions.md) of each script are kept, those that serve among them and pinned ones aside
        kept_versions: Count = Count::or(10),
        /// visitors' connections open at once
        max_connections: Count = Count::or(ListenerConfig::default().max_connections),
        /// of these, those of one client: an IPv4 address, or a /64 network of IPv6. One more is closed
        max_connections_per_client: Part = Part { one_of: 8, whole: "max_connections", within: true },
        /// connections to the API open at once; one client may have a quarter of them
        api_max_connections: Count = Count(512),
        /// calls of the API with one [token](tokens.md) within five minutes; one more gets 429
        api_calls_per_token: Count = Count(Rates::default().per_token),
        /// calls of the API from one address within a second, good token or not; from this machine as many as come
        api_calls_per_second: Count = Count(Rates::default().per_address),
        /// for how many days an entry of the [audit log](tokens.md#the-audit-log) is kept
        audit_days: Count = Count(90),
        /// for how many days [storage of a script's own](storage.md) is kept that nothing leads to any more
        storage_days: Count = Count(7),
        /// addresses and networks of proxies that are believed, such as `["127.0.0.1", "10.0.0.0/8"]`:
        /// [behind-a-proxy.md](behind-a-proxy.md)
        trusted_proxies: Texts = Texts("none"),
        /// the field in which they name the visitor
        forwarded_field: Choice<ForwardedField> = Choice {
            words: &[("x-forwarded-for", ForwardedField::XForwardedFor), ("forwarded", ForwardedField::Forwarded)],
            expected: "the field in which proxies name the client",
            default: ForwardedField::default(),
        },
        /// whether their connections begin with a header of the PROXY protocol
        proxy_protocol: Flag = Flag("`false`"),
        /// the same for connections to the API
        api_proxy_protocol: Flag = Flag("`false`"),
        /// whether [custom hostnames](hostnames.md) may end in `test`, `example`, `invalid`, `localhost`, `example.com` and their
        /// like, for a laboratory; `dev` lets them
        reserved_names: Flag = Flag("`false`"),
        /// scripts running at once; half as many requests are admitted, because a request may run a chain of scripts
        max_invocations: Count = Count::or(DispatcherConfig::default().admission.invocations),
        /// of these, user scripts of one namespace
        max_per_namespace: Part = Part { one_of: 2, whole: "max_invocations", within: true },
        /// of these, one user script
        max_per_script: Part = Part { one_of: 4, whole: "max_invocations", within: true },
        /// longest wait of an invocation for its place; 0 refuses at once
        admission_wait_ms: Millis = Millis::from_zero(DispatcherConfig::default().admission.wait),
        /// linear memories and tables of all guests together, such as `"8GiB"`
        guest_memory: MachineSize =
            MachineSize { least: 1 << 20, without: "three quarters of the machine's memory" },
        /// [static files](assets.md#memory-and-figures) held in memory, beside `guest_memory`
        // Less would not hold the largest file that is held in memory; more is a slip.
        asset_memory: Size =
            Size { range: 8 << 20..=1 << 40, default: DispatcherConfig::default().asset_memory_bytes },
        /// longest time for a request's head to arrive, from its first byte; and for a new connection to begin one. For the
        /// API, too
        header_read_ms: Millis = Millis::or(ListenerConfig::default().header_timeout),
        /// longest time that a connection may be without a request
        idle_ms: Millis = Millis::or(ListenerConfig::default().idle_timeout),
        /// how long a visitor may take less than 1 KiB a second of an answer that is ready
        slow_reader_ms: Millis = Millis::or(ListenerConfig::default().slow_reader),
        /// how long requests in flight may go on after SIGTERM; then as long again for calls of the API
        drain_ms: Millis = Millis::from_zero(ListenerConfig::default().drain),
    }
}

section! {
    /// `[tls]`
    RawTls {
        /// whether requests in clear text are sent to https instead of being answered: with 301, or 308 where the method is
        /// neither GET nor HEAD
        redirect: Flag = Flag("`false`"),
        /// the port that they are sent to, where visitors know another one than that of `listen_tls`
        redirect_port: Number = Number("the port of `listen_tls`"),
        /// for how many seconds browsers are told to ask over https alone (HSTS); a script that says so itself is left alone
        hsts_seconds: Number = Number("not told"),
        /// a certificate in files, below
        certificates: Many<RawCertificate> = many_apart("tls.certificates"),
    }
}

section! {
    /// `[[tls.certificates]]`
    RawCertificate {
        /// the chain in PEM form, the hosts' own certificate first: a path
        chain: Text = Text("required"),
        /// its private key in PEM form, without a password: a path
        key: Text = Text("required"),
        /// the hosts that are served with it, such as `["shop.example", "*.shop.example"]`. Two entries may serve one host, if
        /// one has a key on an elliptic curve and the other one of RSA
        hosts: Texts = Texts("all that it is for"),
        /// the least version that is spoken
        min_version: Choice<LeastVersion> = Choice {
            words: &[("1.2", LeastVersion::Tls12), ("1.3", LeastVersion::Tls13)],
            expected: "the least version of TLS",
            default: LeastVersion::Tls12,
        },
        /// whether HTTP/2 is offered
        http2: Flag = Flag("`true`"),
        /// whether clients that name no host are served with it, as those are that ask for an address
        default: Flag = Flag("`false`: they are refused"),
        /// whose certificates clients are asked for: a path to those of authorities in PEM form, up to eight
        client_ca: Text = Text("nothing is asked of clients"),
        /// what becomes of a client that has none: `"required"` refuses it in the handshake, `"optional"` leaves it to the
        /// script. One that shows a certificate of somebody else is refused in any case
        client_certificates: Choice<ClientCertificates> = Choice {
            words: &[("required", ClientCertificates::Required), ("optional", ClientCertificates::Optional)],
            expected: "\"required\" or \"optional\"",
            default: ClientCertificates::Required,
        },
    }
}

/// What becomes of a client that has no certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ClientCertificates {
    Required,
    Optional,
}

section! {
    /// `[egress]`
    RawEgress {
        /// What a namespace has, too.
        rules: Shared<RawEgressRules> = shared(),
        /// who is asked for addresses of names: IP addresses, with or without a port. The file of hosts of the machine comes
        /// before them
        name_servers: Texts = Texts("the machine's"),
        /// whose certificates are believed: the machine's, `"bundled"` for those that came with the build, `"none"` for those
        /// in `ca_file` alone
        roots: Choice<Roots> = Choice {
            words: &[("system", Roots::System), ("bundled", Roots::Bundled), ("none", Roots::None)],
            expected: "\"system\", \"bundled\" or \"none\"",
            default: EgressConfig::default().roots,
        },
        /// a PEM file of private authorities that are believed as well
        ca_file: Text = Text("none"),
        /// connections at once, in use or kept for the next request
        max_connections: Count = Count::or(EgressConfig::default().max_connections),
        /// how many of these one namespace may have
        max_connections_per_namespace: Part = Part { one_of: 2, whole: "max_connections", within: false },
        /// how many of these may lead to one host and port; each namespace, and the platform's own scripts, have so many
        max_connections_per_host: Count = Count::or(EgressConfig::default().max_connections_per_host),
        /// longest look-up of a name
        dns_ms: Millis = Millis::or(EgressConfig::default().dns_timeout),
        /// longest wait for a connection
        connect_ms: Millis = Millis::or(EgressConfig::default().connect_timeout),
        /// longest TLS handshake
        tls_ms: Millis = Millis::or(EgressConfig::default().tls_timeout),
        /// longest wait for the head of a response, from the last piece of the request
        first_byte_ms: Millis = Millis::or(EgressConfig::default().first_byte_timeout),
        /// longest pause inside a response's body
        between_bytes_ms: Millis = Millis::or(EgressConfig::default().between_bytes_timeout),
        /// how long a connection is kept unused
        idle_ms: Millis = Millis::or(EgressConfig::default().pool_idle),
    }
}

section! {
    /// `[hostnames]`
    RawHostnames {
        /// who is asked whose a custom hostname is: IP addresses, with or without a port. More than half of them must say the
        /// same, so that two are better than one
        name_servers: Texts = Texts("the machine's"),
        /// whether their answers are validated by DNSSEC: `"auto"` where a name server hands out the signatures of the root, `"on"`
        /// always, so that one that does not shows nothing, `"off"` never
        dnssec: Choice<Dnssec> = Choice {
            words: &[("auto", Dnssec::Auto), ("on", Dnssec::On), ("off", Dnssec::Off)],
            expected: "\"auto\", \"on\" or \"off\"",
            default: Dnssec::Auto,
        },
        /// a file of DNSKEY records of the root, in place of the root's own: for networks with a root of their own
        trust_anchor_file: Text = Text("the root's"),
        /// addresses and networks at which visitors reach this platform, such as `["192.0.2.10"]`: customers' names that can
        /// have no CNAME have one of these
        apex_addresses: Texts = Texts("none"),
        /// a PEM file of private authorities whose certificates customers may bring, beside those that browsers believe
        certificate_ca_file: Text = Text("none"),
        /// networks that are not public and from which an ownership token may be fetched all the same
        allow_private: Texts = Texts("none"),
        /// names that no zone may have as its own or as a custom hostname: `"bank.example"` with all names below it,
        /// `"*.bank.example"` only those below it
        blocked: Texts = Texts("none"),
    }
}

section! {
    /// `[origins]`
    RawOrigins {
        /// addresses that are not public and may be origins all the same: a network such as `"10.1.0.0/16"`, or a name whose
        /// addresses may be your own
        allow_private: Texts = Texts("none"),
        /// the port of origins where a zone's `ssl` is `off` or `flexible`
        http_port: Number = Number("80"),
        /// the port of origins where it is `full` or `strict`
        https_port: Number = Number("443"),
        /// who is asked where a name is that an origin's CNAME leads to: IP addresses, with or without a port. The file of hosts
        /// of the machine comes before them
        name_servers: Texts = Texts("the machine's"),
        /// whose certificates are believed where a zone's `ssl` is `strict`: the machine's, `"bundled"` for those that came with
        /// the build, `"none"` for those in `ca_file` alone
        roots: Choice<Roots> = Choice {
            words: &[("system", Roots::System), ("bundled", Roots::Bundled), ("none", Roots::None)],
            expected: "\"system\", \"bundled\" or \"none\"",
            default: OriginsConfig::default().roots,
        },
        /// a PEM file of private authorities that are believed as well
        ca_file: Text = Text("none"),
        /// connections at once, in use or kept for the next request
        max_connections: Count = Count::or(OriginsConfig::default().max_connections),
        /// requests at once of one zone
        max_per_zone: Part = Part { one_of: 2, whole: "max_connections", within: false },
        /// connections to one origin
        max_per_origin: Part = Part { one_of: 4, whole: "max_connections", within: false },
        /// longest look-up of a name
        dns_ms: Millis = Millis::or(OriginsConfig::default().dns_timeout),
        /// longest wait for a connection, and for a place where there are as many as may be
        connect_ms: Millis = Millis::or(OriginsConfig::default().connect_timeout),
        /// longest TLS handshake
        tls_ms: Millis = Millis::or(OriginsConfig::default().tls_timeout),
        /// longest wait for the head of an answer, from the last piece of the request
        first_byte_ms: Millis = Millis::or(OriginsConfig::default().first_byte_timeout),
        /// longest pause inside an answer's body
        between_bytes_ms: Millis = Millis::or(OriginsConfig::default().between_bytes_timeout),
        /// how long a connection is kept unused
        idle_ms: Millis = Millis::or(OriginsConfig::default().pool_idle),
    }
}

section! {
    /// `[certificates]`
    RawCertificates {
        /// the authority that is asked where nobody chose one; the others come after it, when it cannot be reached
        default: Text = Text("the first by name"),
        /// how many certificates a zone may ask for within a minute; one more is refused, and so are all for 30 seconds then
        per_minute: Count = Count::or(15),
        /// when an authority is shown in a handshake at port 443 that a name leads here whose `ssl.method` is `http`
        /// (TLS-ALPN-01): `"after-http"` when it did not see the file at port 80, `"first"` before that is tried, `"never"`
        tls_alpn: Choice<InHandshakes> = Choice {
            words: &[
                ("after-http", InHandshakes::AfterFile),
                ("first", InHandshakes::First),
                ("never", InHandshakes::Never),
            ],
            expected: "\"after-http\", \"first\" or \"never\"",
            default: InHandshakes::AfterFile,
        },
        /// an authority, below
        authorities: ByName<RawAuthority> =
            by_name("certificates.authorities.NAME", "a table of authorities, [certificates.authorities.NAME]"),
    }
}

section! {
    /// `[certificates.authorities.NAME]`
    RawAuthority {
        /// where its directory is: an `https://` address
        directory: Text = Text("required"),
        /// a PEM file of the authorities that its own certificate is believed by, beside the machine's
        roots: Text = Text("none"),
        /// whom it may write to, such as `["mailto:operator@example.com"]`
        contact: Texts = Texts("nobody"),
        /// how many orders it is sent within an hour, and half as many of one zone; what is more waits for its turn. The bound of
        /// Let's Encrypt is 300 in three hours
        orders_per_hour: Count = Count::or(100),
        /// the id of the key of an account that it keeps outside of ACME (external account binding)
        eab_kid: Text = Text("none"),
        /// the file with that key, as the authority gave it: base64url
        eab_key_file: Text = Text("none"),
    }
}

section! {
    /// `[r2]`
    RawR2 {
        /// where clients of the [S3 protocol](r2.md#the-s3-protocol) are answered, such as `"127.0.0.1:8789"`. Port 0 lets the system
        /// choose
        s3_listen: Text = Text("no S3 protocol"),
    }
}

section! {
    /// `[cache]`
    RawCache {
        /// what the [caches](cache.md) of all scripts take on the disk, below the data directory
        disk: Size = Size { range: 16 << 20..=1 << 44, default: CacheLimits::default().disk_bytes },
        /// of this, those of one script; not more than `disk`
        script_disk: Size = Size { range: 1 << 20..=1 << 44, default: CacheLimits::default().script_bytes },
        /// what is held in memory of it, beside `guest_memory`
        memory: Size = Size { range: 1 << 20..=1 << 40, default: CacheLimits::default().memory_bytes },
    }
}

section! {
    /// `[dcv]`
    RawDcv {
        /// the name below which customers delegate validation, such as `"dcv.saas.example"`: a zone of its own, for which the zone
        /// above it names `name_server`
        suffix: Text = Text("nothing is delegated"),
        /// where it is answered for, over UDP and TCP, such as `"0.0.0.0:53"`. Port 0 lets the system choose
        listen: Text = Text("required with `suffix`"),
        /// the host of this server in the NS record of the zone above, such as `"ns.saas.example"`; not below `suffix`
        name_server: Text = Text("required with `suffix`"),
    }
}

section! {
    /// `[webhooks]`
    RawWebhooks {
        /// the only ports that may be reached
        ports: Numbers = Numbers("`[80, 443]`"),
        /// networks that are not public and that webhooks may be in all the same, such as `["10.1.0.0/16"]`
        allow_private: Texts = Texts("none"),
    }
}

section! {
    /// What `[egress]` and `[namespaces.NAME.egress]` have in common.
    RawEgressRules {
        /// the only hosts that requests may go to; `[]` lets nothing out
        allow_hosts: Texts = Texts("every host"),
        /// hosts that no request goes to, whatever else is allowed; a network refuses names that lead into it, too
        deny_hosts: Texts = Texts("none"),
        /// addresses that are not public and may be reached by platform scripts, and by those of namespaces that name them,
        /// too: a network such as `"10.1.0.0/16"`, or a name whose addresses may be your own
        allow_private: Texts = Texts("none"),
        /// the only ports that may be reached, such as `[80, 443]`
        ports: Numbers = Numbers("all but mail"),
    }
}

impl RawEgressRules {
    /// The lists that are there, even where they are empty.
    pub(super) fn named(&self) -> impl Iterator<Item = &'static str> {
        let Self { allow_hosts, deny_hosts, allow_private, ports, place: _ } = self;
        let lists = [
            ("allow_hosts", allow_hosts.is_some()),
            ("deny_hosts", deny_hosts.is_some()),
            ("allow_private", allow_private.is_some()),
            ("ports", ports.is_some()),
        ];
        lists.into_iter().filter(|(_, named)| *named).map(|(list, _)| list)
    }
}

section! {
    /// `[limits]`
    RawPlatformLimits {
        /// the most that anybody may ask for: a table of the same keys
        ceiling: One<RawLimits> = one("limits"),
        /// What namespaces and scripts have, too.
        own: Shared<RawLimits> = shared(),
    }
}

/// `[limits]`, `[limits.ceiling]`, and `limits = { ... }` of a namespace or script: what is set there, as the field of a
/// `LimitSpec` and its value. The keys are those of the table of limits.
#[derive(Debug)]
pub(super) struct RawLimits {
    pub(super) set: Vec<(&'static str, Spot<Json>)>,
}

/// The limits of an invocation, which are the ones that can be set.
fn settable() -> impl Iterator<Item = &'static LimitRow> {
    table().iter().filter(|row| row.scope == LimitScope::Invocation)
}

impl Section for RawLimits {
    fn unset() -> Self {
        Self { set: Vec::new() }
    }

    fn read(table: &mut Table<'_, '_>, reader: &mut Reader<'_>) -> Self {
        let set = settable().filter_map(|row| {
            let spot = match row.unit {
                Unit::Bytes => table.byte_text(reader, row.config_key()).map(Spot::into_json),
                Unit::Milliseconds | Unit::Fuel | Unit::Count => {
                    table.number(reader, row.config_key()).map(Spot::into_json)
                }
            };
            Some((row.name, spot?))
        });
        Self { set: set.collect() }
    }

    fn keys() -> Vec<Key> {
        let key = |row: &LimitRow| {
            let value = match row.unit {
                Unit::Milliseconds => "number of milliseconds",
                Unit::Bytes => "size: `\"128MiB\"`, `\"256KiB\"`, or a number of bytes",
                Unit::Fuel | Unit::Count => "number",
            };
            leaf(row.config_key(), &[row.doc], Key::of(value))
        };
        settable().flat_map(key).collect()
    }
}

section! {
    /// `[namespaces.NAME]`
    RawNamespace {
        /// a table like `[limits]`, for all scripts of the namespace
        limits: One<RawLimits> = one("limits"),
        /// the platform script that every request of its scripts is given to: [outbound.md](outbound.md)
        outbound: Maybe<RawOutbound> = maybe(),
        /// whether its scripts may call each other through service bindings
        service_bindings: Flag = Flag("`false`"),
        /// namespaces whose scripts may be [bound to its scripts](outbound.md#service-bindings), such as `["production"]`
        callable_by: Texts = Texts("none"),
        /// whether its scripts are the operator's own code: then they see the real clocks, not ones of 1 ms
        /// ([limits.md](limits.md)), and have [`caches.default`](cache.md)
        trusted_workers: Flag = Flag("`false`"),
        /// what its scripts may [import and be bound to](versions.md#capabilities)
        capabilities: Maybe<RawCapabilities> = maybe(),
        /// where its scripts may send requests, [as above](#namespacesnameegress)
        egress: Maybe<RawEgressRules> = maybe_apart("namespaces.NAME.egress"),
        /// a user script, as below
        scripts: ByName<RawScript> = by_name("scripts.NAME", SCRIPTS),
    }
}

section! {
    /// `capabilities = { allow = [...], deny = [...] }`
    RawCapabilities {
        /// the only ones, such as `["wasi:*", "binding:kv_namespace"]`
        allow: Texts = Texts("all"),
        /// those that none of them may have, such as `["wasi:sockets/*"]`
        deny: Texts = Texts("none"),
    }
}

section! {
    /// `outbound = { script = "...", params = [...] }`
    RawOutbound {
        /// its name
        script: Text = Text("required in `outbound`"),
        /// the parameters that a dispatcher may give it
        params: Texts = Texts("none"),
    }
}

section! {
    /// `[scripts.NAME]` and `[namespaces.NAME.scripts.NAME]`
    RawScript {
        /// the component: a path
        main: Text = Text("required unless there are `assets`"),
        /// static files, below
        assets: Maybe<RawAssets> = maybe_apart("scripts.NAME.assets"),
        /// how `main` is made; `wasmyard dev` runs it, nothing else does
        build: Maybe<RawBuild> = maybe(),
        /// variables: a string becomes a `plain_text` binding, any other value a `json` one
        vars: Entries = Entries,
        /// what a script may use, see below
        bindings: ForeignMany = ForeignMany,
        /// [keys and values](kv.md), in the KV namespace of a title, which is made when it is missing
        kv_namespaces: Many<RawKv> = many(),
        /// [queues](queues.md) that the script consumes, which are made when they are missing
        queue_consumers: Many<RawConsumer> = many(),
        /// [SQL databases](d1.md), by their names; one that is missing is made
        d1_databases: Many<RawD1> = many(),
        /// [objects](r2.md), in the bucket of a name, which is made when it is missing
        r2_buckets: Many<RawBucket> = many(),
        /// a table like `[limits]`
        limits: One<RawLimits> = one("limits"),
        /// up to eight
        tags: Texts = Texts("none"),
        /// [cron expressions](cron.md) by which the script runs by itself, up to sixteen
        crons: Texts = Texts("none"),
        /// switches for behaviour; the one that there is: `reuse_instances`, for platform scripts, see
        /// [performance](performance.md#instances-that-are-used-again)
        compatibility_flags: Texts = Texts("none"),
    }
}

section! {
    /// `[[scripts.NAME.kv_namespaces]]`
    RawKv {
        /// the name under which the script sees it
        binding: Text = Text("required"),
        /// the title
        title: Text = Text("required"),
    }
}

section! {
    /// `[[scripts.NAME.queue_consumers]]`
    RawConsumer {
        /// the queue
        queue: Text = Text("required"),
        /// messages that are handed over together, up to 100
        max_batch_size: Number = Number("10"),
        /// how long a batch waits until it is full: up to 60 seconds
        max_batch_timeout: Number = Number("5"),
        /// how often a message comes again that was not handled, up to 100
        max_retries: Number = Number("3"),
        /// after how many seconds it comes again
        retry_delay: Number = Number("0"),
        /// batches that are handled at the same time, up to 250
        max_concurrency: Number = Number("as many as there are places"),
        /// the queue that messages go to which came as often as they may; made when it is missing
        dead_letter_queue: Text = Text("none: they go"),
    }
}

section! {
    /// `[[scripts.NAME.d1_databases]]`
    RawD1 {
        /// the name under which the script sees it
        binding: Text = Text("required"),
        /// the database's name
        database_name: Text = Text("required"),
    }
}

section! {
    /// `[[scripts.NAME.r2_buckets]]`
    RawBucket {
        /// the name under which the script sees it
        binding: Text = Text("required"),
        /// the bucket's name
        bucket_name: Text = Text("required"),
    }
}

section! {
    /// `build = { command = "...", cwd = "...", watch = [...] }`
    RawBuild {
        /// given to `sh -c`
        command: Text = Text("required in `build`"),
        /// where it runs: a path
        cwd: Text = Text("the folder of `wasmyard.toml`"),
        /// files and folders whose change calls for a build
        watch: Texts = Texts("`src` in `cwd`, else `cwd`"),
    }
}

section! {
    /// `assets = { ... }`. The grammar of how files are served is the model's, which reads these values.
    RawAssets {
        /// the folder. [How it is read](assets.md#uploading): `.assetsignore`, `_headers`, `_redirects`
        directory: Text = Text("required"),
        /// the name under which the script fetches its own files; the same as a binding of type `assets`
        binding: Text = Text("none"),
        /// how paths find HTML files
        html_handling: Any = Any {
            value: "`\"auto-trailing-slash\"`, `\"force-trailing-slash\"`, `\"drop-trailing-slash\"` or `\"none\"`",
            without: "`\"auto-trailing-slash\"`",
        },
        /// what is served where nothing is found
        not_found_handling: Any =
            Any { value: "`\"none\"`, `\"404-page\"` or `\"single-page-application\"`", without: "`\"none\"`" },
        /// whether the script is asked before the files are: always, or for what rules like `["/api/*", "!/api/docs/*"]` say
        run_worker_first: Any = Any { value: "`true`, `false` or list of strings", without: "`false`" },
        /// whether files with a fingerprint in their name are served as immutable
        immutable_fingerprinted: Any = Any { value: "`true` or `false`", without: "`false`" },
        /// [the path that all files are below](assets.md#below-a-path)
        base_path: Any = Any { value: "a path", without: "the root" },
        /// what people write who know it from elsewhere
        _headers: NoKey = NoKey(RULES_FILE),
        /// the same
        _redirects: NoKey = NoKey(RULES_FILE),
    }
}

/// Where rules are written instead.
const RULES_FILE: (&str, &str) = ("is a file in the folder, and no key here", "write the rules to that file");

section! {
    /// `[[routes]]`
    RawRoute {
        /// which requests
        pattern: Text = Text("required"),
        /// a platform script answers
        script: Text = Text(""),
        /// the user script answers whose name the `*` in the host matched
        namespace: Text = Text(""),
        /// this status, from 200 to 599: opted out of dispatch
        respond: Number = Number(""),
    }
}

section! {
    /// `[zones.NAME]`
    RawZone {
        /// [settings](hostnames.md#a-zone), such as `{ ssl = "strict", min_tls_version = "1.2" }`
        settings: Entries = Entries,
        /// the name in the zone where requests go for which a custom hostname has no origin of its own
        fallback_origin: Text = Text("none"),
        /// keeps others from making a zone of this name, or a custom hostname of it active
        hold: Maybe<RawHold> = maybe(),
        /// what is to be known of the zone's DNS
        dns_records: Many<RawDnsRecord> = many(),
        /// customers' own names, below
        hostnames: ByName<RawHostname> =
            by_name("zones.NAME.hostnames.NAME", "a table of custom hostnames, [zones.NAME.hostnames.NAME]"),
    }
}

section! {
    /// `hold = { ... }`
    RawHold {
        /// whether the names below the zone's are kept as well
        include_subdomains: Flag = Flag("`false`"),
    }
}

section! {
    /// `[[zones.NAME.dns_records]]`
    RawDnsRecord {
        /// `"A"`, `"AAAA"` or `"CNAME"`
        r#type: Text = Text("required"),
        /// whole, or without the zone's; `"@"` is the zone itself, and the first label may be `*`
        name: Text = Text("required"),
        /// an address, or a name
        content: Text = Text("required"),
        /// whether requests for the name come through the platform: such a name is an origin
        proxied: Flag = Flag("`false`"),
        /// seconds that an answer may be kept, 30 to 86400
        ttl: Number = Number("1: the platform chooses"),
        /// a note
        comment: Text = Text("none"),
        /// labels to sort by
        tags: Texts = Texts("none"),
    }
}

section! {
    /// `[zones.NAME.hostnames.NAME]`
    RawHostname {
        /// the certificate that it is to have
        ssl: Maybe<RawSsl> = maybe(),
        /// a table of at most 4 KB for your scripts, such as `{ plan = "gold" }`
        custom_metadata: Any = Any { value: "table", without: "none" },
        /// where its requests go: a name in the zone with a proxied record
        custom_origin_server: Text = Text("the zone's `fallback_origin`"),
        /// which name is asked for in the handshake with it, or `":request_host_header:"`
        custom_origin_sni: Text = Text("the origin's own"),
    }
}

section! {
    /// `ssl = { ... }`. What may stand here is the model's, which reads these values.
    RawSsl {
        /// how the authority is shown that the name is the customer's: `"http"` or `"txt"`
        method: Text = Text("none; together with `type`"),
        /// `"dv"`
        r#type: Text = Text("none; together with `method`"),
        /// who makes it: `"digicert"`, `"google"`, `"lets_encrypt"` or `"ssl_com"`
        certificate_authority: Text = Text("the platform chooses"),
        /// how its chain is built: `"ubiquitous"`, `"optimal"` or `"force"`
        bundle_method: Text = Text("`\"ubiquitous\"`"),
        /// whether it is for all names one label below as well; by `txt`
        wildcard: Flag = Flag("`false`"),
        /// needed where the name has more than 64 characters
        cloudflare_branding: Flag = Flag("`false`"),
        /// settings of TLS; what is left out has its default
        settings: Maybe<RawTlsSettings> = maybe(),
    }
}

section! {
    /// `settings = { ... }` of `ssl`
    RawTlsSettings {
        /// `"on"` or `"off"`
        http2: Text = Text("`\"on\"`"),
        /// `"on"` or `"off"`
        tls_1_3: Text = Text("`\"on\"`"),
        /// `"on"` or `"off"`
        early_hints: Text = Text("`\"off\"`"),
        /// `"1.0"`, `"1.1"`, `"1.2"` or `"1.3"`
        min_tls_version: Text = Text("`\"1.0\"`"),
        /// names of cipher suites of TLS 1.2
        ciphers: Texts = Texts("all that are served"),
    }
}

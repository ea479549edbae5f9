//! Owns the one table of codes by which clients tell failures apart.
//! Must never hold a text that a client sees as it is: those are with the errors.

use http::StatusCode;

/// Writes a table of codes once: the enum, its numbers, its statuses and its documentation cannot disagree.
macro_rules! codes {
    ($(#[doc = $about:literal])+ $table:ident; $($(#[doc = $doc:literal])+ $name:ident = $number:literal, $status:ident;)+) => {
        $(#[doc = $about])+
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum $table { $($(#[doc = $doc])+ $name,)+ }

        impl $table {
            /// Every code, in the order of the table.
            pub const ALL: &[$table] = &[$($table::$name,)+];

            /// The number in `errors[].code`.
            #[must_use]
            pub const fn number(self) -> u32 { match self { $($table::$name => $number,)+ } }

            /// The HTTP status that goes with it.
            #[must_use]
            pub const fn status(self) -> StatusCode { match self { $($table::$name => StatusCode::$status,)+ } }

            /// One line for the documentation.
            #[must_use]
            pub const fn meaning(self) -> &'static str { match self { $($table::$name => concat!($($doc),+).trim_ascii(),)+ } }
        }
    };
}

/// A code of either table. Which one a number is of, the path of the call says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AnyCode {
    /// Of the one for everything else.
    Usual(Code),
    /// Of the one for requests for certificates.
    Csr(CsrCode),
}

impl AnyCode {
    /// The number in `errors[].code`.
    #[must_use]
    pub const fn number(self) -> u32 {
        match self {
            AnyCode::Usual(code) => code.number(),
            AnyCode::Csr(code) => code.number(),
        }
    }

    /// The HTTP status that goes with it.
    #[must_use]
    pub const fn status(self) -> StatusCode {
        match self {
            AnyCode::Usual(code) => code.status(),
            AnyCode::Csr(code) => code.status(),
        }
    }
}

impl From<Code> for AnyCode {
    fn from(code: Code) -> AnyCode {
        AnyCode::Usual(code)
    }
}

impl From<CsrCode> for AnyCode {
    fn from(code: CsrCode) -> AnyCode {
        AnyCode::Csr(code)
    }
}

impl PartialEq<Code> for AnyCode {
    fn eq(&self, other: &Code) -> bool {
        *self == AnyCode::Usual(*other)
    }
}

// Numbers below 90000 and 100119 are those that existing clients know and act upon. Where none is known for a
// case, the number is our own, from 90000 upwards.
codes! {
    /// What went wrong, as clients tell it apart: they read the number, not the HTTP status.
    Code;
    /// The path leads nowhere, or the account identifier in it is not well-formed.
    NoRoute = 7003, NOT_FOUND;
    /// The path exists, the method is not one of its methods.
    MethodNotAllowed = 7001, METHOD_NOT_ALLOWED;
    /// The API token is missing or wrong.
    Authentication = 10000, UNAUTHORIZED;
    /// The API token is good, and lacks the permission that the message names; or a token was to have more than the one that
    /// makes it.
    Forbidden = 10000, FORBIDDEN;
    /// The API token is good, and may not be used from this address.
    Location = 9109, FORBIDDEN;
    /// There were too many calls with this token, or from this address; `Retry-After` says when to call again.
    TooManyCalls = 971, TOO_MANY_REQUESTS;
    /// The content type of an upload is not one that this endpoint reads.
    ContentType = 10001, UNSUPPORTED_MEDIA_TYPE;
    /// Something failed inside; the log of the server says what.
    Internal = 10002, INTERNAL_SERVER_ERROR;
    /// A name in the path or a value in the query breaks its rule.
    MalformedParameter = 10004, BAD_REQUEST;
    /// The body is not the JSON or the multipart form that it claims to be.
    Unparsable = 10006, BAD_REQUEST;
    /// No platform script has this name.
    ScriptNotFound = 10007, NOT_FOUND;
    /// The KV namespace has no value under this key.
    KvKeyNotFound = 10009, NOT_FOUND;
    /// No KV namespace has this identifier.
    KvNamespaceNotFound = 10013, NOT_FOUND;
    /// A KV namespace of this title exists already.
    KvTitleTaken = 10014, BAD_REQUEST;
    /// `If-Match` names another content than the script has by now.
    OtherContent = 10018, PRECONDITION_FAILED;
    /// An upload or a value in a body was read and refused; the message names the rule.
    Validation = 10021, BAD_REQUEST;
    /// The module, or the body as a whole, is larger than this server takes.
    TooLarge = 10027, PAYLOAD_TOO_LARGE;
    /// A binding of type `inherit` finds nothing to inherit from.
    InheritUnresolved = 10057, BAD_REQUEST;
    /// No service has this name (the name that wrangler uses for a platform script).
    ServiceNotFound = 10090, NOT_FOUND;
    /// No user script has this name in the namespace.
    UserScriptNotFound = 10092, NOT_FOUND;
    /// No dispatch namespace has this name.
    NamespaceNotFound = 100119, NOT_FOUND;
    /// What was asked of a database breaks a rule; the message names it.
    D1Invalid = 7400, BAD_REQUEST;
    /// No database has this identifier or name.
    D1NotFound = 7404, NOT_FOUND;
    /// There are as many databases as there may be.
    D1Quota = 7406, FORBIDDEN;
    /// A statement was refused, or went over a bound; the message is SQLite's own, or names the bound.
    D1Refused = 7500, BAD_REQUEST;
    /// A database of this name exists already.
    D1NameTaken = 7502, BAD_REQUEST;
    /// The file of the database is not what was written; others are served.
    D1Damaged = 7503, INTERNAL_SERVER_ERROR;
    /// Something of that name exists already.
    Exists = 90001, CONFLICT;
    /// Another change to the same thing came in between; nothing was changed, so the call can be repeated.
    Conflict = 90002, CONFLICT;
    /// The script has no secret of this name.
    SecretNotFound = 90003, NOT_FOUND;
    /// No route has this identifier.
    RouteNotFound = 90004, NOT_FOUND;
    /// It was declared in the configuration file and can be changed only there.
    Configured = 90005, CONFLICT;
    /// Others refer to what is to go; `?force=true` has it go all the same.
    Referenced = 90015, CONFLICT;
    /// The body stopped arriving, or took longer than allowed.
    SlowBody = 90006, REQUEST_TIMEOUT;
    /// The server did not finish in time; the change may still take effect.
    Timeout = 90007, SERVICE_UNAVAILABLE;
    /// The store is not available at the moment, or too much waits to be compiled; the call can be repeated.
    Unavailable = 90008, SERVICE_UNAVAILABLE;
    /// The change was made, and its entry in the audit log could not be written.
    NotAudited = 90023, INTERNAL_SERVER_ERROR;
    /// No API token has this identifier.
    TokenNotFound = 90010, NOT_FOUND;
    /// No version, or no deployment, of this identifier is kept of the script.
    VersionNotFound = 90009, NOT_FOUND;
    /// The token in `assets.jwt` is not the completion token of an upload for this script, or not any more.
    CompletionToken = 90011, BAD_REQUEST;
    /// The manifest of an upload of assets breaks a rule; the message names the file and the rule.
    AssetManifest = 90012, BAD_REQUEST;
    /// A content is not what the manifest of its session says.
    AssetContent = 90013, BAD_REQUEST;
    /// The KV namespace holds as much as it may; the message names the limit.
    KvQuota = 90016, FORBIDDEN;
    /// No queue has this identifier.
    QueueNotFound = 90040, NOT_FOUND;
    /// The queue has no consumer of this identifier.
    QueueConsumerNotFound = 90041, NOT_FOUND;
    /// The queue has a consumer already.
    QueueConsumerTaken = 90042, CONFLICT;
    /// The queue, or the platform, holds as much as it may; the message names the limit.
    QueueQuota = 90043, FORBIDDEN;
    /// Messages cannot be pulled: the queue has no consumer of the type `http_pull`, or its delivery is paused.
    QueueNotPulled = 90044, CONFLICT;
    /// A queue of this name exists already.
    QueueNameTaken = 11009, CONFLICT;
    /// Settings of a consumer of a queue break a rule, which the message names.
    QueueConsumerSettings = 100127, BAD_REQUEST;
    /// Settings of a queue break a rule, which the message names.
    QueueSettings = 100128, BAD_REQUEST;
    /// No bucket has this name.
    R2BucketNotFound = 10006, NOT_FOUND;
    /// A bucket of this name exists already.
    R2BucketExists = 10004, CONFLICT;
    /// The bucket holds objects.
    R2BucketNotEmpty = 10008, CONFLICT;
    /// The bucket has no object under this key.
    R2ObjectNotFound = 10007, NOT_FOUND;
    /// A condition of the request does not hold of the object.
    R2Precondition = 10031, PRECONDITION_FAILED;
    /// The content has another checksum than it was to have.
    R2Digest = 10037, BAD_REQUEST;
    /// The range has nothing of the object in it.
    R2Range = 10039, RANGE_NOT_SATISFIABLE;
    /// The bucket holds as much as it may; the message names the limit.
    R2Quota = 90028, FORBIDDEN;
    /// The content of an object is not what was put; others are served.
    R2Damaged = 90027, INTERNAL_SERVER_ERROR;
    /// The hash of an asset names another content in this namespace already.
    AssetConflict = 90014, CONFLICT;

    /// No certificates of authorities of clients have this identifier.
    MtlsNotFound = 90030, NOT_FOUND;
    /// Authorities of clients, or which hostnames ask for them: a rule is broken, which the message names.
    Mtls = 90031, BAD_REQUEST;
    /// Hostnames ask clients for certificates of these authorities.
    MtlsInUse = 90032, CONFLICT;

    /// No webhook or notification policy has this identifier.
    AlertNotFound = 90019, NOT_FOUND;
    /// The webhook did not take a test message; the message says why.
    WebhookTest = 90020, BAD_REQUEST;
    /// The zone asked for more certificates within a minute than it may; `Retry-After` says when it may ask again.
    TooManyCertificates = 90021, TOO_MANY_REQUESTS;

    /// No store of secrets, or no secret in it, has this identifier.
    SecretStoreNotFound = 90024, NOT_FOUND;

    /// There is no tail of this identifier, or somebody reads it already.
    TailNotFound = 90025, NOT_FOUND;
    /// As many tails are open as there can be.
    TooManyTails = 90026, TOO_MANY_REQUESTS;

    /// The authority of certificates did not do it; the message says why.
    Authority = 90022, BAD_GATEWAY;

    // Zones, by the numbers of the API that clients know.
    /// There is a zone of this name already.
    ZoneExists = 1061, BAD_REQUEST;
    /// The name is held by the zone above it, or there are as many zones as there may be.
    ZoneRefused = 90017, FORBIDDEN;
    /// The value is none that this setting takes.
    ZoneSetting = 1007, BAD_REQUEST;
    /// A DNS record breaks a rule; `error_chain` names it.
    DnsRecord = 1004, BAD_REQUEST;
    /// The zone has no DNS record of this identifier.
    DnsRecordNotFound = 81044, NOT_FOUND;
    /// The name has records already, and a CNAME record stands alone.
    DnsRecordBesideCname = 81053, BAD_REQUEST;
    /// There is a DNS record like it already.
    DnsRecordExists = 81058, BAD_REQUEST;
    /// The zone has as many DNS records as it may.
    DnsRecordQuota = 81045, BAD_REQUEST;
    /// The zone has no fallback origin.
    FallbackOriginNotFound = 1551, NOT_FOUND;
    /// The fallback origin is not in the zone.
    FallbackOrigin = 90018, BAD_REQUEST;

    // Custom hostnames, by the numbers of the API that clients know; `error_chain` names the value.
    /// Custom hostnames: the body is not the JSON that it claims to be, or does not fit.
    HostnameJson = 1400, BAD_REQUEST;
    /// Custom hostnames: the metadata is no JSON object, or too large.
    HostnameMetadata = 1401, BAD_REQUEST;
    /// Custom hostnames: the zone may have none.
    HostnameNoQuota = 1404, FORBIDDEN;
    /// Custom hostnames: the zone has as many as it may.
    HostnameQuota = 1405, FORBIDDEN;
    /// Custom hostnames: the zone has one of this name.
    HostnameDuplicate = 1406, CONFLICT;
    /// Custom hostnames: the name is none.
    HostnameName = 1407, BAD_REQUEST;
    /// Custom hostnames: the name has characters outside ASCII.
    HostnameAscii = 1408, BAD_REQUEST;
    /// Custom hostnames: the name ends in a reserved top domain.
    HostnameReserved = 1409, BAD_REQUEST;
    /// Custom hostnames: nobody can own the name.
    HostnameSuffix = 1410, BAD_REQUEST;
    /// Custom hostnames: the name is kept for documentation.
    HostnameDocumentation = 1411, BAD_REQUEST;
    /// Custom hostnames: a wildcard has no metadata.
    HostnameMetadataOfWildcard = 1412, BAD_REQUEST;
    /// Custom hostnames: the name of the origin is none, or its SNI has no origin.
    OriginName = 1415, BAD_REQUEST;
    /// Custom hostnames: the name of the origin has characters outside ASCII.
    OriginAscii = 1416, BAD_REQUEST;
    /// Custom hostnames: the name of the origin ends in a reserved top domain.
    OriginReserved = 1417, BAD_REQUEST;
    /// Custom hostnames: nobody can own the name of the origin.
    OriginSuffix = 1418, BAD_REQUEST;
    /// Custom hostnames: the name of the origin is kept for documentation.
    OriginDocumentation = 1419, BAD_REQUEST;
    /// Custom hostnames: the origin is a wildcard.
    OriginWildcard = 1420, BAD_REQUEST;
    /// Custom hostnames: the zone has no proxied record for the origin.
    OriginUnknown = 1421, BAD_REQUEST;
    /// Custom hostnames: `http2` is neither on nor off.
    SettingHttp2 = 1422, BAD_REQUEST;
    /// Custom hostnames: `tls_1_2_only` is neither on nor off.
    SettingTls12Only = 1423, BAD_REQUEST;
    /// Custom hostnames: `tls_1_3` is neither on nor off.
    SettingTls13 = 1424, BAD_REQUEST;
    /// Custom hostnames: `min_tls_version` is no version.
    SettingMinTlsVersion = 1425, BAD_REQUEST;
    /// Custom hostnames: the certificate is no text of certificates, or too large.
    CertificateUnparsable = 1426, BAD_REQUEST;
    /// Custom hostnames: there is no certificate.
    CertificateEmpty = 1427, BAD_REQUEST;
    /// Custom hostnames: the private key is none, or of a kind that is not served.
    CertificateKey = 1428, BAD_REQUEST;
    /// Custom hostnames: the private key is not the certificate's.
    CertificateMismatch = 1429, BAD_REQUEST;
    /// Custom hostnames: the identifier of a custom CSR is none.
    CertificateCsrId = 1430, BAD_REQUEST;
    /// Custom hostnames: neither the zone nor the account has a custom CSR of this identifier.
    CertificateCsrNotFound = 1431, NOT_FOUND;
    /// Custom hostnames: there is no such way of validation.
    SslMethod = 1432, BAD_REQUEST;
    /// Custom hostnames: there is no such type of certificate.
    SslType = 1433, BAD_REQUEST;
    /// Custom hostnames: something else in `ssl` is not accepted.
    Ssl = 1434, BAD_REQUEST;
    /// Custom hostnames: the identifier is none.
    HostnameId = 1435, BAD_REQUEST;
    /// Custom hostnames: the zone has none of this identifier.
    HostnameNotFound = 1436, NOT_FOUND;
    /// Custom hostnames: the list filter `hostname.contain` is none.
    HostnameContain = 1437, BAD_REQUEST;
    /// Custom hostnames: list filters that exclude each other.
    HostnameFilters = 1438, BAD_REQUEST;
    /// Custom hostnames: the name stays.
    HostnameRename = 1439, CONFLICT;
    /// Custom hostnames: method and type come together.
    SslMethodAndType = 1440, BAD_REQUEST;
    /// Custom hostnames: no chain leads from the certificate to an authority that is believed, or it has expired.
    CertificateBundle = 1441, BAD_REQUEST;
    /// Custom hostnames: cipher suites that are not known, or none that is served.
    SettingCiphers = 1442, BAD_REQUEST;
    /// Custom hostnames: cipher suites cannot be chosen beside TLS 1.3 alone.
    SettingCiphersOfTls13 = 1443, BAD_REQUEST;
    /// Custom hostnames: the chain has certificates of several hosts.
    CertificateLeaves = 1444, BAD_REQUEST;
    /// Custom hostnames: the chain has certificates of authorities alone.
    CertificateNoLeaf = 1445, BAD_REQUEST;
    /// Custom hostnames: the certificate is not for the hostname.
    CertificateName = 1446, BAD_REQUEST;
    /// Custom hostnames: the certificate is signed in a way that is not taken.
    CertificateSignature = 1447, BAD_REQUEST;
    /// Custom hostnames: a wildcard has no managed certificate.
    SslManagedWildcard = 1448, BAD_REQUEST;
    /// Custom hostnames: there is no such way of building chains.
    SslBundleMethod = 1449, BAD_REQUEST;
    /// Custom hostnames: the name is too long for a certificate without branding.
    SslBranding = 1469, BAD_REQUEST;
}

codes! {
    /// What went wrong with a request for a certificate (`custom_csrs`). The numbers are those of custom hostnames, and mean
    /// other things.
    CsrCode;
    /// The body is not the JSON that it claims to be, or does not fit.
    Json = 1400, BAD_REQUEST;
    /// There are as many as there may be.
    Quota = 1403, FORBIDDEN;
    /// This server keeps no keys, because it serves no visitors over TLS.
    Access = 1404, FORBIDDEN;
    /// `country` is missing, or none.
    Country = 1405, BAD_REQUEST;
    /// `state` is missing, or none.
    State = 1406, BAD_REQUEST;
    /// `locality` is missing, or none.
    Locality = 1407, BAD_REQUEST;
    /// `organization` is missing, or none.
    Organization = 1408, BAD_REQUEST;
    /// `common_name` is missing, or none.
    CommonName = 1409, BAD_REQUEST;
    /// `common_name` is too long.
    CommonNameLong = 1410, BAD_REQUEST;
    /// `sans` is missing, or empty.
    NoSans = 1411, BAD_REQUEST;
    /// A name is none, or there are too many.
    San = 1412, BAD_REQUEST;
    /// A name has characters outside ASCII.
    SanAscii = 1413, BAD_REQUEST;
    /// A name ends in a reserved top domain.
    SanReserved = 1414, BAD_REQUEST;
    /// Nobody can own a name.
    SanSuffix = 1415, BAD_REQUEST;
    /// A name is kept for documentation.
    SanDocumentation = 1416, BAD_REQUEST;
    /// There is no such kind of key.
    KeyType = 1417, BAD_REQUEST;
    /// The identifier is none.
    Id = 1418, BAD_REQUEST;
    /// There is none of this identifier.
    NotFound = 1419, NOT_FOUND;
    /// A certificate that was made for it is in use.
    InUse = 1420, CONFLICT;
}

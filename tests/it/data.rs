//! What visitors and scripts meet: the data plane, request by request.
//!
//! - `afterwards`: work after the response
//! - `answers`: answers that a script gives as a whole: they arrive as they are, or are refused, and why
//! - `assets_serve`: static files as visitors and scripts get them, and in a browser
//! - `cheap_client`: what one client may hold or spend, and who is served meanwhile
//! - `dropped`: what a script lets go of is stopped
//! - `early_hints`: what a page needs, said ahead of it where its hostname asks for that
//! - `fairness`: short requests ahead of those that compute for long
//! - `gate`: outbound workers, and that there is no way around them
//! - `guests`: components that were made without our SDK
//! - `handlers`: events that are no requests, as a component handles them
//! - `headers`: what a worker is told, and what it is never told
//! - `hostile`: attacks of every kind, a row each, and who notices
//! - `hostnames`: customers' own names, shown to be theirs and served
//! - `http3`: visitors by UDP, who is told of that, and what goes ahead of answers
//! - `limits`: a script that misbehaves, and its neighbour
//! - `messages`: what two parties may read differently: framing, lengths, paths, fields
//! - `meters`: what an invocation may use beside CPU and memory, and how it is told
//! - `mistakes`: what customers get wrong, and names that they may not have
//! - `origins`: servers outside that visitors are proxied to
//! - `outbound`: where a script's own requests go
//! - `overload`: too many at once, too much memory, visitors who do not read or go away
//! - `own_requests`: requests of a script's own: they arrive as they were made, in one call or in many
//! - `protocol`: HTTP/1.1 and HTTP/2 as they should be, and as they should not
//! - `proxies`: who the visitor is behind a proxy
//! - `reuse`: instances of platform scripts that serve one request after the other, through the whole platform
//! - `routing`: host and path -> who answers
//! - `sandbox`: what a script cannot reach, and what is not left of it
//! - `services`: script to script by a service binding
//! - `strangers`: hellos with names that nobody has, certificates and keys that are bombs, and where keys must not be
//! - `streaming`: bodies of any length, both ways, with trailers
//! - `takeovers`: names that another zone would like to have
//! - `tls`: visitors over TLS, with certificates in files

mod acme;
mod afterwards;
mod answers;
mod assets_serve;
mod cheap_client;
mod client_certificates;
mod dropped;
mod early_hints;
mod fairness;
mod foreign_clients;
mod gate;
mod guests;
mod handlers;
mod headers;
mod hostile;
mod hostnames;
mod http3;
mod javascript;
mod limits;
mod messages;
mod meters;
mod mistakes;
mod origins;
mod outbound;
mod overload;
mod own_requests;
mod protocol;
mod proxies;
mod reuse;
mod routing;
mod sandbox;
mod services;
mod strangers;
mod streaming;
mod takeovers;
mod tls;

//! Networks that pass requests on to somewhere else, as far as their own documents say which names and addresses are theirs.
//!
//! Owns the two lists. They explain what was seen, and decide nothing: one that is missing costs a hint.

use std::net::IpAddr;

use ipnet::IpNet;

/// Names that such networks have their customers point at, and whose they are.
const NAMES: [(&str, &str); 22] = [
    ("cdn.cloudflare.net", "Cloudflare"),
    ("cloudfront.net", "Amazon CloudFront"),
    ("elb.amazonaws.com", "Amazon Elastic Load Balancing"),
    ("akamaiedge.net", "Akamai"),
    ("edgekey.net", "Akamai"),
    ("edgesuite.net", "Akamai"),
    ("akamaized.net", "Akamai"),
    ("fastly.net", "Fastly"),
    ("fastlylb.net", "Fastly"),
    ("azureedge.net", "Azure CDN"),
    ("azurefd.net", "Azure Front Door"),
    ("b-cdn.net", "bunny.net"),
    ("cdn77.org", "CDN77"),
    ("incapdns.net", "Imperva"),
    ("kxcdn.com", "KeyCDN"),
    ("netlify.app", "Netlify"),
    ("vercel-dns.com", "Vercel"),
    ("github.io", "GitHub Pages"),
    ("herokudns.com", "Heroku"),
    ("myshopify.com", "Shopify"),
    ("squarespace.com", "Squarespace"),
    ("wixdns.net", "Wix"),
];

/// Addresses that such networks answer at, and whose they are.
const ADDRESSES: [(&str, &str); 24] = [
    ("103.21.244.0/22", "Cloudflare"),
    ("103.22.200.0/22", "Cloudflare"),
    ("103.31.4.0/22", "Cloudflare"),
    ("104.16.0.0/13", "Cloudflare"),
    ("104.24.0.0/14", "Cloudflare"),
    ("108.162.192.0/18", "Cloudflare"),
    ("131.0.72.0/22", "Cloudflare"),
    ("141.101.64.0/18", "Cloudflare"),
    ("162.158.0.0/15", "Cloudflare"),
    ("172.64.0.0/13", "Cloudflare"),
    ("173.245.48.0/20", "Cloudflare"),
    ("188.114.96.0/20", "Cloudflare"),
    ("190.93.240.0/20", "Cloudflare"),
    ("197.234.240.0/22", "Cloudflare"),
    ("198.41.128.0/17", "Cloudflare"),
    ("2400:cb00::/32", "Cloudflare"),
    ("2606:4700::/32", "Cloudflare"),
    ("2803:f800::/32", "Cloudflare"),
    ("2a06:98c0::/29", "Cloudflare"),
    ("151.101.0.0/16", "Fastly"),
    ("199.232.0.0/16", "Fastly"),
    ("2a04:4e40::/32", "Fastly"),
    ("76.76.21.0/24", "Vercel"),
    ("185.199.108.0/22", "GitHub Pages"),
];

/// Whose a name is.
pub(crate) fn of_name(name: &str) -> Option<&'static str> {
    let is_below = |above: &str| {
        name.strip_suffix(above).is_some_and(|before| before.is_empty() || before.ends_with('.'))
    };
    NAMES.iter().find(|(above, _)| is_below(above)).map(|(_, whose)| *whose)
}

/// Whose an address is.
pub(crate) fn of_address(address: IpAddr) -> Option<&'static str> {
    let contains = |net: &str| net.parse::<IpNet>().is_ok_and(|net| net.contains(&address));
    ADDRESSES.iter().find(|(net, _)| contains(net)).map(|(_, whose)| *whose)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_addresses_are_told_apart_by_whole_labels_and_networks() {
        assert_eq!(of_name("d111.cloudfront.net"), Some("Amazon CloudFront"));
        assert_eq!(of_name("notcloudfront.net"), None);
        assert_eq!(of_address("104.18.1.2".parse().unwrap()), Some("Cloudflare"));
        assert_eq!(of_address("198.51.100.7".parse().unwrap()), None);
        for (net, _) in ADDRESSES {
            assert!(net.parse::<IpNet>().is_ok_and(|parsed| parsed.trunc() == parsed), "{net}");
        }
    }
}

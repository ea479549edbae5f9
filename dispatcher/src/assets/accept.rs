//! `Accept-Encoding`: which representation of a file a visitor is given (RFC 9110 section 12.5.3).

use http::header::{self, HeaderMap};
use wasmyard_namespaces::assets::Encoding;

/// How much a visitor wants each coding, in thousandths; zero is not at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Wishes {
    br: u16,
    zstd: u16,
    gzip: u16,
    identity: u16,
}

/// What a visitor is given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Choice {
    /// The file as it is.
    Identity,
    /// A variant.
    Encoded(Encoding),
    /// There is nothing that the visitor accepts.
    Nothing,
}

impl Wishes {
    /// A visitor who says nothing is given the file as it is.
    pub(super) fn of(headers: &HeaderMap) -> Wishes {
        let mut named: [Option<u16>; 4] = [None; 4];
        let mut rest = None;
        let mut any = false;
        for value in headers.get_all(header::ACCEPT_ENCODING) {
            let Ok(text) = value.to_str() else { continue };
            for (coding, weight) in text.split(',').filter_map(wish) {
                any = true;
                let is = |name: &str| coding.eq_ignore_ascii_case(name);
                let place = if is("br") {
                    0
                } else if is("zstd") {
                    1
                } else if is("gzip") || is("x-gzip") {
                    2
                } else if is("identity") {
                    3
                } else {
                    if is("*") {
                        rest = rest.or(Some(weight));
                    }
                    continue;
                };
                if let Some(slot) = named.get_mut(place) {
                    *slot = slot.or(Some(weight));
                }
            }
        }
        let [br, zstd, gzip, identity] = named;
        let rest_of_codings = rest.unwrap_or(0);
        // Not named, it is acceptable, but everything that is named is wanted more; `*;q=0` rules it out.
        let identity = identity.unwrap_or(match rest {
            Some(0) => 0,
            _ if any => 1,
            _ => 1000,
        });
        Wishes {
            br: br.unwrap_or(rest_of_codings),
            zstd: zstd.unwrap_or(rest_of_codings),
            gzip: gzip.unwrap_or(rest_of_codings),
            identity,
        }
    }

    pub(super) fn of_coding(&self, encoding: Encoding) -> u16 {
        match encoding {
            Encoding::Br => self.br,
            Encoding::Zstd => self.zstd,
            Encoding::Gzip => self.gzip,
        }
    }

    /// Whether the file may be given as it is.
    pub(super) fn identity(&self) -> bool {
        self.identity > 0
    }

    /// Chooses among the variants that there are, each with its size: the most wanted, and of those the
    /// smallest. The file itself comes after variants that are wanted as much.
    pub(super) fn choose(&self, variants: impl Iterator<Item = (Encoding, u64)>) -> Choice {
        let best = variants
            .map(|(encoding, size)| (self.of_coding(encoding), std::cmp::Reverse(size), encoding))
            .filter(|(weight, ..)| *weight > 0)
            .max();
        match best {
            Some((weight, _, encoding)) if weight >= self.identity => Choice::Encoded(encoding),
            _ if self.identity > 0 => Choice::Identity,
            Some((.., encoding)) => Choice::Encoded(encoding),
            None => Choice::Nothing,
        }
    }
}

/// One element of the list: a coding and its weight in thousandths. A weight that is none makes it count as if
/// it were not there.
fn wish(element: &str) -> Option<(&str, u16)> {
    let mut parts = element.split(';');
    let coding = parts.next()?.trim();
    if coding.is_empty() {
        return None;
    }
    let mut weight = 1000;
    for parameter in parts {
        let (name, value) = parameter.split_once('=')?;
        if name.trim().eq_ignore_ascii_case("q") {
            weight = thousandths(value.trim())?;
        }
    }
    Some((coding, weight))
}

/// `0`, `1`, `0.5`: at most three digits behind the point, never more than one.
fn thousandths(text: &str) -> Option<u16> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let valid = fraction.len() <= 3 && fraction.bytes().all(|byte| byte.is_ascii_digit());
    let fraction: u16 = format!("{fraction:0<3}").parse().ok().filter(|_| valid)?;
    match (whole, fraction) {
        ("0", fraction) => Some(fraction),
        ("1", 0) => Some(1000),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;
    use proptest::prelude::*;

    use super::*;

    const ALL: [(Encoding, u64); 3] = [(Encoding::Br, 100), (Encoding::Zstd, 110), (Encoding::Gzip, 120)];

    fn wishes(field: &str) -> Wishes {
        Wishes::of(&HeaderMap::from_iter([(header::ACCEPT_ENCODING, HeaderValue::from_str(field).unwrap())]))
    }

    #[test]
    fn the_most_wanted_is_given_and_of_those_the_smallest() {
        use Choice::{Encoded, Identity, Nothing};
        use Encoding::{Br, Gzip, Zstd};
        for (field, expected) in [
            ("gzip, deflate, br, zstd", Encoded(Br)),
            ("gzip", Encoded(Gzip)),
            ("x-gzip", Encoded(Gzip)),
            ("GZIP;Q=1.0", Encoded(Gzip)),
            ("gzip;q=0.9, zstd;q=1.0, br;q=0.1", Encoded(Zstd)),
            ("gzip;q=0.001", Encoded(Gzip)),
            ("*", Encoded(Br)),
            ("br;q=0, *", Encoded(Zstd)),
            ("identity", Identity),
            ("", Identity),
            ("deflate", Identity),
            ("identity;q=1, br;q=0.5", Identity),
            ("identity;q=0.5, br;q=0.5", Encoded(Br)),
            ("identity;q=1, *;q=0", Identity),
            ("gzip;q=0", Identity),
            ("*;q=0", Nothing),
            ("identity;q=0", Nothing),
            ("identity;q=0, gzip", Encoded(Gzip)),
            ("identity;q=0, gzip;q=0", Nothing),
            ("*;q=0.5, gzip", Encoded(Gzip)),
            ("br;q=nonsense, gzip", Encoded(Gzip)),
            ("br;q=1.5, gzip;q=0.1234", Identity),
            ("br;q=0.5, br;q=0", Encoded(Br)),
        ] {
            assert_eq!(wishes(field).choose(ALL.into_iter()), expected, "{field:?}");
        }
        assert_eq!(Wishes::of(&HeaderMap::new()).choose(ALL.into_iter()), Identity, "says nothing");
    }

    #[test]
    fn without_variants_the_file_is_given_as_it_is_where_that_is_accepted() {
        assert_eq!(wishes("br, gzip").choose(std::iter::empty()), Choice::Identity);
        assert_eq!(wishes("br, identity;q=0").choose(std::iter::empty()), Choice::Nothing);
    }

    #[test]
    fn several_fields_are_one_list() {
        let fields =
            ["gzip;q=0.5", "br"].map(|field| (header::ACCEPT_ENCODING, HeaderValue::from_static(field)));
        assert_eq!(
            Wishes::of(&HeaderMap::from_iter(fields)).choose(ALL.into_iter()),
            Choice::Encoded(Encoding::Br)
        );
    }

    proptest! {
        #[test]
        fn nothing_is_given_that_was_ruled_out(
            codings in proptest::collection::vec(
                ("(br|zstd|gzip|identity|\\*|deflate)", "(;q=(0|1|0\\.[0-9]{0,3}))?"), 0..8),
        ) {
            let field = codings.iter().map(|(coding, q)| format!("{coding}{q}")).collect::<Vec<_>>().join(",");
            let wishes = wishes(&field);
            match wishes.choose(ALL.into_iter()) {
                Choice::Encoded(encoding) => prop_assert!(wishes.of_coding(encoding) > 0, "{}", field),
                Choice::Identity => prop_assert!(wishes.identity(), "{}", field),
                Choice::Nothing => {
                    prop_assert!(!wishes.identity() && Encoding::ALL.iter().all(|e| wishes.of_coding(*e) == 0));
                }
            }
        }

        #[test]
        fn whatever_stands_in_the_field_is_survived(field in "[ -~]{0,200}") {
            wishes(&field).choose(ALL.into_iter());
        }
    }
}

//! Which IP addresses may be connected to.
//!
//! Addresses follow the IANA special-purpose registries (RFC 6890 and its updates): only globally reachable unicast
//! is public. A lab may open what is private; what could reach a cloud's metadata service is never opened.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Nothing when the address may be connected to; otherwise what kind of address it is, in words.
pub(crate) fn refusal(address: IpAddr, allow_private: bool) -> Option<&'static str> {
    let kind = match address {
        IpAddr::V4(v4) => kind_v4(v4),
        IpAddr::V6(v6) => kind_v6(v6),
    };
    match kind {
        Kind::Public => None,
        Kind::Private(_) if allow_private => None,
        Kind::Private(words) | Kind::Never(words) => Some(words),
    }
}

enum Kind {
    Public,
    Private(&'static str),
    Never(&'static str),
}

fn kind_v4(address: Ipv4Addr) -> Kind {
    match address.octets() {
        [0, ..] => Kind::Never("an unspecified address"),
        [127, ..] => Kind::Private("a loopback address"),
        [10, ..] | [172, 16..=31, ..] | [192, 168, ..] => Kind::Private("a private address"),
        [100, 64..=127, ..] => Kind::Private("a carrier-grade NAT address"),
        // 169.254.169.254 is the metadata service of every large cloud.
        [169, 254, ..] => Kind::Never("a link-local address"),
        // Azure's host service, reachable from inside only although the range is public.
        [168, 63, 129, 16] => Kind::Never("a metadata address"),
        [192, 0, 0, _] | [192, 88, 99, _] => Kind::Never("a protocol address"),
        [192, 0, 2, _] | [198, 51, 100, _] | [203, 0, 113, _] => Kind::Never("a documentation address"),
        [198, 18..=19, ..] => Kind::Never("a benchmarking address"),
        [224..=239, ..] => Kind::Never("a multicast address"),
        [240..=255, ..] => Kind::Never("a reserved or broadcast address"),
        _ => Kind::Public,
    }
}

fn kind_v6(address: Ipv6Addr) -> Kind {
    match address.segments() {
        [0, 0, 0, 0, 0, 0, 0, 0] => Kind::Never("an unspecified address"),
        [0, 0, 0, 0, 0, 0, 0, 1] => Kind::Private("a loopback address"),
        // Metadata, time and DNS services of EC2.
        [0xfd00, 0x0ec2, ..] => Kind::Never("a metadata address"),
        [0xfc00..=0xfdff, ..] => Kind::Private("a unique local address"),
        [0xfe80..=0xfebf, ..] => Kind::Never("a link-local address"),
        [0xff00..=0xffff, ..] => Kind::Never("a multicast address"),
        [0, 0, 0, 0, 0, 0xffff, ..] => Kind::Never("an IPv4-mapped address"),
        // Both NAT64 prefixes: 64:ff9b::/96 and 64:ff9b:1::/48.
        [0x64, 0xff9b, ..] => Kind::Never("a NAT64 address"),
        [0x2002, ..] => Kind::Never("a 6to4 address"),
        [0x2001, 0x0db8, ..] | [0x3fff, 0..=0x0fff, ..] => Kind::Never("a documentation address"),
        // 2001::/23 holds Teredo, ORCHID, benchmarking.
        [0x2001, 0..=0x01ff, ..] => Kind::Never("a protocol address"),
        // Only 2000::/3 is given out as global unicast.
        [0x2000..=0x3fff, ..] => Kind::Public,
        _ => Kind::Never("a reserved address"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(text: &str, allow_private: bool) -> bool {
        refusal(text.parse().unwrap(), allow_private).is_some()
    }

    #[test]
    fn public_addresses_are_allowed() {
        for text in [
            "1.1.1.1",
            "9.255.255.255",
            "11.0.0.0",
            "100.63.255.255",
            "100.128.0.0",
            "126.255.255.255",
            "128.0.0.0",
            "169.253.255.255",
            "169.255.0.0",
            "172.15.255.255",
            "172.32.0.0",
            "192.167.255.255",
            "192.169.0.0",
            "198.17.255.255",
            "198.20.0.0",
            "223.255.255.255",
            "2606:4700::1111",
            "2001:4860:4860::8888",
            "2600:1f00::1",
        ] {
            assert!(!refused(text, false), "{text}");
        }
    }

    #[test]
    fn private_addresses_are_for_labs() {
        for text in [
            "10.0.0.0",
            "10.255.255.255",
            "127.0.0.1",
            "127.255.255.255",
            "172.16.0.0",
            "172.31.255.255",
            "192.168.0.0",
            "192.168.255.255",
            "100.64.0.0",
            "100.127.255.255",
            "::1",
            "fc00::",
            "fdff::1",
        ] {
            assert!(refused(text, false), "{text}");
            assert!(!refused(text, true), "{text}");
        }
    }

    #[test]
    fn the_rest_is_never_allowed() {
        for text in [
            "0.0.0.0",
            "0.1.2.3",
            "169.254.0.0",
            "169.254.169.254",
            "169.254.255.255",
            "168.63.129.16",
            "192.0.0.192",
            "192.0.2.1",
            "192.88.99.1",
            "198.18.0.1",
            "198.19.255.255",
            "203.0.113.7",
            "224.0.0.1",
            "239.255.255.255",
            "240.0.0.1",
            "255.255.255.255",
            "::",
            "::127.0.0.1",
            "::ffff:127.0.0.1",
            "::ffff:169.254.169.254",
            "::ffff:8.8.8.8",
            "::ffff:0:a00:1",
            "64:ff9b::a9fe:a9fe",
            "64:ff9b:1::a00:1",
            "100::1",
            "2001::1",
            "2001:db8::1",
            "2002:a9fe:a9fe::1",
            "3fff::1",
            "4000::1",
            "5f00::1",
            "fd00:ec2::254",
            "fe80::1",
            "febf::1",
            "fec0::1",
            "ff02::1",
        ] {
            assert!(refused(text, false), "{text}");
            assert!(refused(text, true), "{text}");
        }
    }
}

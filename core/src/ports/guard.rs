//! Which addresses the gateway may reach. A table of the ranges that are not the public internet.
//!
//! An adapter that resolves names itself checks every address that a name resolves to and connects to a checked
//! one, so a name cannot change its mind in between; a name with one bad address is refused whole: a resolver that
//! mixes public and private answers is either wrong or hostile. Where the platform resolves, an adapter can only
//! look at what is written: [`host`].
//!
//! Sources: the IANA special-purpose address registries for IPv4 and IPv6 (RFC 6890 and later), and the
//! metadata services of clouds that live outside those ranges.

pub mod host;

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Ranges of IPv4 that are never a public provider, with why.
#[rustfmt::skip]
const REFUSED_V4: &[(Ipv4Addr, u32, &str)] = &[
    (Ipv4Addr::new(0, 0, 0, 0),        8,  "this network"),
    (Ipv4Addr::new(10, 0, 0, 0),       8,  "private"),
    (Ipv4Addr::new(100, 64, 0, 0),     10, "carrier-grade NAT"),
    (Ipv4Addr::new(127, 0, 0, 0),      8,  "loopback"),
    (Ipv4Addr::new(168, 63, 129, 16),  32, "cloud metadata"),
    (Ipv4Addr::new(169, 254, 0, 0),    16, "link-local"),
    (Ipv4Addr::new(172, 16, 0, 0),     12, "private"),
    (Ipv4Addr::new(192, 0, 0, 0),      24, "protocol assignments"),
    (Ipv4Addr::new(192, 0, 2, 0),      24, "documentation"),
    (Ipv4Addr::new(192, 88, 99, 0),    24, "6to4 relay"),
    (Ipv4Addr::new(192, 168, 0, 0),    16, "private"),
    (Ipv4Addr::new(198, 18, 0, 0),     15, "benchmarking"),
    (Ipv4Addr::new(198, 51, 100, 0),   24, "documentation"),
    (Ipv4Addr::new(203, 0, 113, 0),    24, "documentation"),
    (Ipv4Addr::new(224, 0, 0, 0),      4,  "multicast"),
    (Ipv4Addr::new(240, 0, 0, 0),      4,  "reserved"),
];

/// Ranges inside global unicast IPv6 (2000::/3) that are not the public internet, with why.
#[rustfmt::skip]
const REFUSED_V6: &[(Ipv6Addr, u32, &str)] = &[
    (Ipv6Addr::new(0x2001, 0, 0, 0, 0, 0, 0, 0),      23, "protocol assignments"),
    (Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 0),  32, "documentation"),
    (Ipv6Addr::new(0x2002, 0, 0, 0, 0, 0, 0, 0),      16, "6to4"),
    (Ipv6Addr::new(0x3fff, 0, 0, 0, 0, 0, 0, 0),      20, "documentation"),
];

/// Why `address` is not a public one; `None` when it is.
pub fn refusal(address: IpAddr) -> Option<&'static str> {
    match address {
        IpAddr::V4(v4) => refusal_v4(v4),
        IpAddr::V6(v6) => refusal_v6(v6),
    }
}

fn refusal_v4(address: Ipv4Addr) -> Option<&'static str> {
    let bits = u32::from(address);
    REFUSED_V4.iter().find(|(net, length, _)| (bits ^ u32::from(*net)) >> (32 - length) == 0).map(|row| row.2)
}

fn refusal_v6(address: Ipv6Addr) -> Option<&'static str> {
    let segments = address.segments();
    if let Some(v4) = address.to_ipv4_mapped() {
        return refusal_v4(v4);
    }
    // NAT64 (RFC 6052): the last 32 bits are where the packet really goes.
    if segments[..6] == [0x64, 0xff9b, 0, 0, 0, 0] {
        let [.., a, b, c, d] = address.octets();
        return refusal_v4(Ipv4Addr::new(a, b, c, d));
    }
    if segments[0] >> 13 != 0b001 {
        return Some(match segments[0] {
            _ if address.is_loopback() => "loopback",
            _ if address.is_unspecified() => "unspecified",
            s if s & 0xfe00 == 0xfc00 => "unique local",
            s if s & 0xffc0 == 0xfe80 => "link-local",
            s if s & 0xff00 == 0xff00 => "multicast",
            _ => "not global unicast",
        });
    }
    let bits = u128::from(address);
    REFUSED_V6.iter().find(|(net, length, _)| (bits ^ u128::from(*net)) >> (128 - length) == 0).map(|row| row.2)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_that_are_not_public_are_refused() {
        #[rustfmt::skip]
        let refused = [
            "0.0.0.0", "0.1.2.3", "10.0.0.1", "10.255.255.255", "100.64.0.1", "100.100.100.200", "100.127.255.255",
            "127.0.0.1", "127.255.255.254", "168.63.129.16", "169.254.0.1", "169.254.169.254", "172.16.0.1",
            "172.31.255.255", "192.0.0.1", "192.0.0.192", "192.0.2.7", "192.88.99.1", "192.168.1.1", "198.18.0.1",
            "198.19.255.255", "198.51.100.1", "203.0.113.9", "224.0.0.1", "239.255.255.255", "240.0.0.1", "255.255.255.255",
            "::", "::1", "::127.0.0.1", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:169.254.169.254", "64:ff9b::7f00:1",
            "64:ff9b::a9fe:a9fe", "64:ff9b:1::1", "100::1", "fc00::1", "fd00:ec2::254", "fdff::1", "fe80::1", "febf::1",
            "fec0::1", "ff02::1", "2001::1", "2001:db8::1", "2001:10::1", "2002:7f00:1::", "3fff::1", "5f00::1", "4000::1",
        ];
        for text in refused {
            let address: IpAddr = text.parse().expect(text);
            assert!(refusal(address).is_some(), "{text} must be refused");
        }
    }

    #[test]
    fn public_addresses_are_allowed() {
        #[rustfmt::skip]
        let allowed = [
            "1.1.1.1", "8.8.8.8", "9.255.255.255", "11.0.0.0", "100.63.255.255", "100.128.0.0", "126.255.255.255", "128.0.0.1",
            "168.63.129.15", "168.63.129.17", "169.253.255.255", "169.255.0.0", "172.15.255.255", "172.32.0.0",
            "191.255.255.255", "192.0.1.1", "192.167.255.255", "192.169.0.0", "198.17.255.255", "198.20.0.0", "223.255.255.255",
            "2606:4700::1111", "2a00:1450:4001::1", "2001:200::1", "2001:db7::1", "2001:4860:4860::8888", "3ffe::1",
            "::ffff:8.8.8.8", "64:ff9b::808:808",
        ];
        for text in allowed {
            let address: IpAddr = text.parse().expect(text);
            assert_eq!(refusal(address), None, "{text} must be allowed");
        }
    }
}

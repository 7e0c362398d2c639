//! Hosts that no provider has, as far as their text tells.
//!
//! On platforms that resolve names themselves, what a name leads to cannot be checked before it is called. What is checked
//! here is what is written: literal addresses of loopback, private, link-local and other special ranges, the names of
//! metadata services and of one's own machine.
//!
//! Invariant: a literal is refused in every spelling that an URL parser takes for one (`127.1`, `0x7f000001`, `2130706433`).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::refusal as refusal_of_address;

/// Names that lead to one's own machine or network, or to a cloud's metadata, wherever they are resolved.
const REFUSED_NAMES: &[&str] = &["localhost", "metadata", "local", "internal", "lan", "home.arpa", "intranet", "corp", "svc"];

/// Why a host is not one that a provider is reached at; `None` when it may be.
pub fn refusal(host: &str) -> Option<&'static str> {
    let host = host.trim_start_matches('[').trim_end_matches(']').trim_end_matches('.').to_ascii_lowercase();
    if let Some(address) = host.parse::<Ipv6Addr>().map(IpAddr::V6).ok().or_else(|| ipv4(&host).map(IpAddr::V4)) {
        return refusal_of_address(address);
    }
    let own = |name: &str| host.strip_suffix(name).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'));
    REFUSED_NAMES.iter().any(|name| own(name)).then_some("private name")
}

/// An IPv4 address as URLs write it: one to four numbers, decimal, octal or hexadecimal, of which the last fills the
/// rest (WHATWG URL, section 3.5).
fn ipv4(host: &str) -> Option<Ipv4Addr> {
    let mut numbers = Vec::new();
    for part in host.split('.') {
        numbers.push(number(part)?);
    }
    let last = numbers.pop().filter(|_| numbers.len() < 4)?;
    let mut address = last;
    if last >= 1 << (8 * (4 - numbers.len())) {
        return None;
    }
    for (place, part) in numbers.into_iter().enumerate() {
        address |= u64::from(u8::try_from(part).ok()?) << (8 * (3 - place));
    }
    Some(Ipv4Addr::from(u32::try_from(address).ok()?))
}

fn number(part: &str) -> Option<u64> {
    let (digits, radix) = match part {
        "" => return None,
        "0x" => return Some(0),
        _ if part.starts_with("0x") => (&part[2..], 16),
        _ if part.len() > 1 && part.starts_with('0') => (&part[1..], 8),
        _ => (part, 10),
    };
    let plain = digits.bytes().all(|byte| byte.is_ascii_alphanumeric());
    u64::from_str_radix(digits, radix).ok().filter(|_| plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_that_are_not_public_are_refused_in_every_spelling() {
        #[rustfmt::skip]
        let refused = [
            "127.0.0.1", "127.1", "0x7f.1", "0x7f000001", "2130706433", "017700000001", "0", "0x", "10.0.0.1", "10.1", "100.64.0.1",
            "169.254.169.254", "168.63.129.16", "172.16.0.1", "172.31.255.255", "192.168.1.1", "192.0.2.7", "198.18.0.1", "224.0.0.1",
            "255.255.255.255", "[::1]", "::", "[::ffff:127.0.0.1]", "64:ff9b::a9fe:a9fe", "fd00:ec2::254", "fe80::1", "ff02::1",
            "2001:db8::1", "2002:7f00:1::", "3fff::1", "localhost", "LOCALHOST.", "a.localhost", "metadata",
            "metadata.google.internal", "printer.local", "db.svc",
        ];
        for host in refused {
            assert!(refusal(host).is_some(), "{host} must be refused");
        }
    }

    #[test]
    fn public_hosts_are_allowed() {
        #[rustfmt::skip]
        let allowed = [
            "api.openai.com", "1.1.1.1", "8.8.8.8", "172.32.0.1", "100.128.0.1", "168.63.129.17", "223.255.255.255", "localhost.example.com",
            "notlocalhost.com", "mylocal", "2606:4700::1111", "[2001:4860:4860::8888]", "::ffff:8.8.8.8", "1.2.3.4.5", "256.1.1.1.example", "12ab.com",
        ];
        for host in allowed {
            assert_eq!(refusal(host), None, "{host} must be allowed");
        }
    }
}

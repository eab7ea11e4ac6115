//! Who may ask for what. Pure: requests come in as the few headers that count.
//!
//! A page of another site may make this browser send requests here, and a name of another site may
//! be made to mean this machine (DNS rebinding). Against the one stands the `Origin` of everything
//! that is more than reading, against the other the `Host` of everything.

use std::net::IpAddr;

/// How far the page can be reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reach {
    /// From this machine alone: reading is free.
    Machine,
    /// From the network: reading needs the token too.
    Network,
}

impl Reach {
    /// Returns how far an address reaches.
    pub(super) fn of(listen: IpAddr) -> Self {
        if listen.is_loopback() { Self::Machine } else { Self::Network }
    }
}

/// The rules of a server.
#[derive(Clone, Debug)]
pub(super) struct Rules {
    pub(super) reach: Reach,
    /// Names that people call this machine by, in lower case.
    pub(super) names: Vec<String>,
}

impl Rules {
    /// Returns whether a request may be meant for this server. An address cannot be rebound, a name
    /// must be known; the port may be another one, as behind a tunnel.
    pub(super) fn knows_host(&self, host: &str) -> bool {
        let name = without_port(host).to_ascii_lowercase();
        let address: Option<IpAddr> =
            name.trim_start_matches('[').trim_end_matches(']').parse().ok();
        match (address, self.reach) {
            (Some(address), Reach::Machine) => address.is_loopback() || self.names.contains(&name),
            (Some(_), Reach::Network) => true,
            (None, _) => name == "localhost" || self.names.contains(&name),
        }
    }
}

/// Returns whether a page of this server sent the request.
pub(super) fn is_own_origin(origin: &str, host: &str) -> bool {
    let plain = origin.strip_prefix("http://").or_else(|| origin.strip_prefix("https://"));
    plain.is_some_and(|origin| origin.eq_ignore_ascii_case(host))
}

/// Returns the host without its port.
fn without_port(host: &str) -> &str {
    match host.rsplit_once(':') {
        // Colons within brackets belong to the address.
        Some((name, port))
            if !port.contains(']') && (name.ends_with(']') || !name.contains(':')) =>
        {
            name
        }
        Some(_) | None => host,
    }
}

/// Returns the value of a cookie.
pub(super) fn cookie<'c>(cookies: &'c str, name: &str) -> Option<&'c str> {
    let mut pairs = cookies.split(';').filter_map(|pair| pair.trim().split_once('='));
    pairs.find(|(of, _)| *of == name).map(|(_, value)| value)
}

/// Returns what stands behind `Bearer` in an `Authorization`.
pub(super) fn bearer(authorization: &str) -> Option<&str> {
    let (scheme, token) = authorization.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules(listen: &str) -> Rules {
        let reach = Reach::of(listen.parse().unwrap());
        Rules { reach, names: vec!["gpu-box".to_owned()] }
    }

    #[test]
    fn a_name_that_was_made_to_mean_this_machine_is_a_stranger() {
        let here = rules("127.0.0.1");
        for host in ["localhost:7007", "127.0.0.1:7007", "[::1]:7007", "LOCALHOST", "gpu-box:1"] {
            assert!(here.knows_host(host), "{host}");
        }
        for host in ["evil.example:7007", "10.0.0.7:7007", "", ":7007", "localhost.evil.example"] {
            assert!(!here.knows_host(host), "{host}");
        }
        let there = rules("0.0.0.0");
        for host in ["10.0.0.7:7007", "[fe80::1]:7007", "fe80::1", "gpu-box"] {
            assert!(there.knows_host(host), "{host}");
        }
        assert!(!there.knows_host("evil.example"));
    }

    #[test]
    fn only_a_page_of_this_very_address_is_its_own() {
        assert!(is_own_origin("http://localhost:7007", "localhost:7007"));
        assert!(is_own_origin("https://gpu-box", "GPU-box"));
        for origin in ["null", "http://localhost:8000", "http://evil.example", "localhost:7007", ""]
        {
            assert!(!is_own_origin(origin, "localhost:7007"), "{origin}");
        }
    }

    #[test]
    fn cookies_and_tokens_are_found_among_others() {
        assert_eq!(cookie("a=1; byol=x=y; c", "byol"), Some("x=y"));
        assert_eq!(cookie("abyol=1", "byol"), None);
        assert_eq!(bearer("bearer abc"), Some("abc"));
        assert_eq!(bearer("Basic abc"), None);
        assert_eq!(bearer("abc"), None);
    }
}

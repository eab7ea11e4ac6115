//! Addresses of pages: names and filters are text of people, and an address has its own alphabet.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use crate::ids::TrainKey;

/// Everything but what addresses leave as it is (RFC 3986, unreserved).
const CODED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

fn coded(text: &str) -> String {
    utf8_percent_encode(text, CODED).to_string()
}

/// Returns the address of a sweep.
pub(super) fn sweep(name: &str) -> String {
    format!("/sweeps/{}", coded(name))
}

/// Returns the address of a trial of a sweep.
pub(super) fn trial(sweep_name: &str, key: &TrainKey) -> String {
    format!("{}/trials/{key}", sweep(sweep_name))
}

/// Returns the address of one of a trial's logs.
pub(super) fn log(sweep_name: &str, key: &TrainKey, attempt: u32, stream: &str) -> String {
    format!("{}/logs/{attempt}/{stream}", trial(sweep_name, key))
}

/// Returns the address of a sweep's figures.
pub(super) fn figures(name: &str) -> String {
    format!("{}/figures", sweep(name))
}

/// Returns the address of one of them in one edition, with the ending that tells its width.
pub(super) fn figure(name: &str, file: &str, ending: &str, edition: &str) -> String {
    with_query(&format!("{}/{}{ending}", figures(name), coded(file)), &[("v", edition)])
}

/// Returns the address of acts upon a sweep.
pub(super) fn act(name: &str) -> String {
    format!("{}/act", sweep(name))
}

/// Returns the address of the question before one.
pub(super) fn act_with(name: &str, verb: &str, filter: &str, trial: &str) -> String {
    with_query(&act(name), &[("verb", verb), ("where", filter), ("trial", trial)])
}

/// Returns an address with a query of these pairs, those without a value left out.
pub(super) fn with_query(address: &str, pairs: &[(&str, &str)]) -> String {
    let pairs: Vec<String> = pairs
        .iter()
        .filter(|(_, value)| !value.is_empty())
        .map(|(name, value)| format!("{}={}", coded(name), coded(value)))
        .collect();
    match pairs.is_empty() {
        true => address.to_owned(),
        false => format!("{address}?{}", pairs.join("&")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_of_people_stays_within_its_place() {
        assert_eq!(sweep("a/../b?c#d"), "/sweeps/a%2F..%2Fb%3Fc%23d");
        let query = [("where", "state == \"done\" && x"), ("sort", ""), ("page", "2")];
        assert_eq!(
            with_query("/x", &query),
            "/x?where=state%20%3D%3D%20%22done%22%20%26%26%20x&page=2"
        );
        assert_eq!(with_query("/x", &[("page", "")]), "/x");
    }
}

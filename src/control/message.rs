//! What goes over the socket: one line of JSON each way. Pure.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

/// Version of both messages.
const SCHEMA: u32 = 1;

/// Longest message, with its line end.
pub(super) const LONGEST: u64 = 1 << 20;

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Message<T> {
    schema: u32,
    message: T,
}

/// Only the version, which must be readable whatever else changes.
#[derive(Deserialize)]
struct Version {
    schema: u32,
}

/// Returns a message's line.
pub(super) fn line<T: Serialize>(message: T) -> Vec<u8> {
    let mut line =
        serde_json::to_vec(&Message { schema: SCHEMA, message }).expect("plain data serialises");
    line.push(b'\n');
    line
}

/// Reads a line; the error is one line for people.
pub(super) fn read<T: DeserializeOwned>(line: &[u8]) -> Result<T, String> {
    let Some(json) = line.strip_suffix(b"\n") else {
        return Err(if line.len() as u64 >= LONGEST {
            format!("a message has at most {LONGEST} bytes")
        } else {
            "a message ends with a line end".to_owned()
        });
    };
    match serde_json::from_slice::<Message<T>>(json) {
        Ok(Message { schema: SCHEMA, message }) => Ok(message),
        Ok(Message { schema, .. }) => Err(other_version(schema)),
        Err(error) => Err(match serde_json::from_slice(json) {
            Ok(Version { schema }) if schema != SCHEMA => other_version(schema),
            Ok(Version { .. }) | Err(_) => format!("this is no message: {error}"),
        }),
    }
}

fn other_version(schema: u32) -> String {
    format!("this version speaks schema {SCHEMA}, not {schema}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::drive::command::{Answer, Request, RunWish, StopHow, When};
    use crate::drive::orphans::Elsewhere;
    use crate::ids::AttemptNo;
    use crate::store::Edit;

    #[test]
    fn every_message_is_read_as_it_was_written() {
        let trials = || vec![crate::ids::TrainKey::of_canonical_json("{}")];
        let requests = [
            Request::Who,
            Request::Run { wish: RunWish::Pause },
            Request::Stop { trials: trials(), how: StopHow::ByForce },
            Request::Edit { edit: Edit::Hold { trials: trials() } },
            Request::Edit { edit: Edit::Remove { sweep: "tiny\n".into() } },
        ];
        for request in requests {
            let line = line(&request);
            assert_eq!(line.iter().filter(|byte| **byte == b'\n').count(), 1);
            assert_eq!(read::<Request>(&line), Ok(request));
        }
        let far = Elsewhere {
            trial: trials().remove(0),
            attempt: AttemptNo(2),
            host: Some("other".into()),
            pid: None,
        };
        let answers = [
            Answer::Granted { count: 3, when: When::NextRun },
            Answer::Stopping { asked: 1, elsewhere: vec![far] },
        ];
        for answer in answers {
            assert_eq!(read::<Answer>(&line(&answer)), Ok(answer));
        }
        let earlier = b"{\"schema\":1,\"message\":{\"answer\":\"granted\",\"count\":3}}\n";
        assert_eq!(read(earlier), Ok(Answer::Granted { count: 3, when: When::Now }));
    }

    #[test]
    fn what_is_no_message_is_told_why() {
        let told = |text: &str| read::<Request>(text.as_bytes()).unwrap_err();
        assert!(told("{\"schema\":1,\"message\":{\"request\":\"who\"}}").contains("line end"));
        assert!(told("{\"schema\":2,\"message\":{\"request\":\"dance\"}}\n").contains("schema 1"));
        assert!(told("{\"schema\":1,\"message\":{\"request\":\"dance\"}}\n").contains("dance"));
        assert!(told("\n").contains("no message"));
        assert!(told(&"x".repeat(1 << 20)).contains("at most"));
    }
}

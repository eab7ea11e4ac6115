//! Names of things: content hashes, attempt numbers, devices. Knows nothing of what they name.

use std::fmt;
use std::marker::PhantomData;
use std::str::FromStr;

use serde::de::Visitor;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Hexadecimal digits of a key: 128 bits, enough that two specs never share one by chance.
const KEY_DIGITS: usize = 32;

/// A text that is not a key: 32 lower-case hexadecimal digits were expected.
#[derive(Debug, thiserror::Error)]
#[error("`{0}` is not a key of {KEY_DIGITS} lower-case hexadecimal digits")]
pub struct ParseKeyError(String);

/// Reads a key without a text of its own in between.
struct KeyVisitor<K>(PhantomData<K>);

impl<K: FromStr<Err = ParseKeyError>> Visitor<'_> for KeyVisitor<K> {
    type Value = K;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a key of {KEY_DIGITS} lower-case hexadecimal digits")
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<K, E> {
        text.parse().map_err(E::custom)
    }
}

macro_rules! key {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        ///
        /// Kept as its digits: lists hold tens of thousands, and none of them allocates.
        #[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name([u8; KEY_DIGITS]);

        impl $name {
            /// Returns the key of canonical JSON: the first 128 bits of its BLAKE3 hash.
            pub fn of_canonical_json(json: &str) -> Self {
                let hash = blake3::hash(json.as_bytes()).to_hex();
                hash[..KEY_DIGITS].parse().expect("a hash is written in such digits")
            }

            /// Returns all digits.
            pub fn as_str(&self) -> &str {
                std::str::from_utf8(&self.0).expect("hexadecimal digits are ASCII")
            }

            /// Returns the digits that people see, as git shortens its ids.
            pub fn short(&self) -> &str {
                &self.as_str()[..8]
            }
        }

        impl FromStr for $name {
            type Err = ParseKeyError;
            fn from_str(text: &str) -> Result<Self, ParseKeyError> {
                let is_hex = |digit: &u8| matches!(digit, b'0'..=b'9' | b'a'..=b'f');
                let digits = <[u8; KEY_DIGITS]>::try_from(text.as_bytes()).ok();
                let key = digits.filter(|digits| digits.iter().all(is_hex)).map(Self);
                key.ok_or_else(|| ParseKeyError(text.to_owned()))
            }
        }

        impl TryFrom<String> for $name {
            type Error = ParseKeyError;
            fn try_from(text: String) -> Result<Self, ParseKeyError> {
                text.parse()
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.as_str())
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                deserializer.deserialize_str(KeyVisitor(PhantomData))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.debug_tuple(stringify!($name)).field(&self.as_str()).finish()
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_str())
            }
        }
    };
}

key! {
    /// Identity of a trial: hash of the canonical training spec with its seed.
    TrainKey
}
key! {
    /// Identity of a group: the training spec without the seed.
    GroupKey
}
key! {
    /// Identity of an evaluation protocol.
    EvalKey
}

/// Number of an attempt within its trial, from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct AttemptNo(pub u32);

impl fmt::Display for AttemptNo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// Where an attempt computes.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DeviceId {
    /// The host's cores.
    Cpu,
    /// One NVIDIA GPU.
    Cuda {
        /// Index as `nvidia-smi` shows it, which is what `--devices cuda:N` names.
        index: u32,
        /// What the driver calls this very card; `CUDA_VISIBLE_DEVICES` is set to it.
        uuid: String,
    },
}

impl fmt::Display for DeviceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            DeviceId::Cpu => f.write_str("cpu"),
            DeviceId::Cuda { index, .. } => write!(f, "cuda:{index}"),
        }
    }
}

/// A place for one attempt at a time.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Slot {
    /// Where it computes.
    pub device: DeviceId,
    /// Number of the slot on its device, from 0.
    pub ordinal: u32,
    /// Cores that an attempt here may use.
    pub threads: u32,
}

//! Which trials a machine has the memory for. Knows nothing of how much a trial is estimated to
//! take, nor of how the memory is found out.

/// Memory of the devices here that a run would use.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Room {
    /// Bytes of the largest device; `None` where it cannot be told.
    pub largest: Option<u64>,
}

/// Whether a device here can hold a trial.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Hold {
    /// The largest one can.
    Fits,
    /// Not even the largest one can.
    TooLarge,
    /// Nobody knows.
    Unknown,
}

impl Room {
    /// Looks at devices of these sizes.
    pub(super) fn of(bytes: impl IntoIterator<Item = u64>) -> Self {
        Self { largest: bytes.into_iter().max() }
    }

    /// Judges a trial that takes this many bytes: one attempt runs on one device.
    pub(super) fn holds(self, bytes: u64) -> Hold {
        match self.largest {
            Some(largest) if bytes <= largest => Hold::Fits,
            Some(_) => Hold::TooLarge,
            None => Hold::Unknown,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_largest_device_decides_and_devices_are_not_added_up() {
        let room = Room::of([40, 80, 24]);
        assert_eq!(room.holds(80), Hold::Fits);
        assert_eq!(room.holds(81), Hold::TooLarge);
        assert_eq!(Room::of([]).holds(1), Hold::Unknown);
    }
}

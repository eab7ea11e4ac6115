//! Places for attempts on devices, and which one comes next. Knows nothing of trials.

use crate::ids::{DeviceId, Slot};

/// What a live attempt takes up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Seat {
    /// The slot with this place in the list.
    Slot(usize),
    /// No slot: an adopted attempt on a device that this run does not use, or that is full.
    Extra,
}

/// All slots of a run.
#[derive(Clone, Debug)]
pub(super) struct Slots {
    slots: Vec<(Slot, Use)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Use {
    Free,
    Taken,
}

impl Slots {
    pub(super) fn new(slots: Vec<Slot>) -> Self {
        Self { slots: slots.into_iter().map(|slot| (slot, Use::Free)).collect() }
    }

    /// Takes a slot on the device with the fewest taken ones; among equals the first listed.
    pub(super) fn take_emptiest(&mut self) -> Option<(Seat, Slot)> {
        let place = (0..self.slots.len())
            .filter(|&place| self.slots[place].1 == Use::Free)
            .min_by_key(|&place| self.taken_on(&self.slots[place].0.device))?;
        self.slots[place].1 = Use::Taken;
        Some((Seat::Slot(place), self.slots[place].0.clone()))
    }

    /// Takes a slot on `device` for an attempt that is there already.
    pub(super) fn take_on(&mut self, device: &DeviceId) -> Seat {
        let free = |(slot, taken): &(Slot, Use)| slot.device == *device && *taken == Use::Free;
        match self.slots.iter().position(free) {
            Some(place) => {
                self.slots[place].1 = Use::Taken;
                Seat::Slot(place)
            }
            None => Seat::Extra,
        }
    }

    pub(super) fn free(&mut self, seat: Seat) {
        match seat {
            Seat::Slot(place) => self.slots[place].1 = Use::Free,
            Seat::Extra => {}
        }
    }

    fn taken_on(&self, device: &DeviceId) -> usize {
        self.slots
            .iter()
            .filter(|(slot, taken)| slot.device == *device && *taken == Use::Taken)
            .count()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gpu(index: u32) -> DeviceId {
        DeviceId::Cuda { index, uuid: format!("GPU-{index}") }
    }

    fn slots() -> Slots {
        let of = |index, ordinal| Slot { device: gpu(index), ordinal, threads: 1 };
        Slots::new(vec![of(0, 0), of(0, 1), of(1, 0), of(1, 1)])
    }

    #[test]
    fn attempts_spread_over_devices_before_they_share_one() {
        let mut slots = slots();
        let order: Vec<_> =
            std::iter::from_fn(|| slots.take_emptiest().map(|(_, slot)| slot)).collect();
        let order: Vec<_> =
            order.iter().map(|slot| (slot.device.to_string(), slot.ordinal)).collect();
        let expected = [("cuda:0", 0), ("cuda:1", 0), ("cuda:0", 1), ("cuda:1", 1)];
        assert_eq!(order, expected.map(|(device, ordinal)| (device.to_owned(), ordinal)));
    }

    #[test]
    fn an_adopted_attempt_takes_a_slot_of_its_device_or_none() {
        let mut slots = slots();
        assert_eq!(slots.take_on(&gpu(1)), Seat::Slot(2));
        assert_eq!(slots.take_on(&gpu(1)), Seat::Slot(3));
        assert_eq!(slots.take_on(&gpu(1)), Seat::Extra);
        assert_eq!(slots.take_on(&DeviceId::Cpu), Seat::Extra);
        slots.free(Seat::Slot(3));
        assert_eq!(slots.take_on(&gpu(1)), Seat::Slot(3));
    }
}

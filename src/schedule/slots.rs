//! Places for attempts on devices, and which one comes next. Knows nothing of trials.

use crate::ids::{DeviceId, Slot};

/// What a live attempt takes up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Seat {
    /// A slot of a device of this run, both by their places in the lists.
    Slot {
        /// The device.
        device: usize,
        /// The slot.
        place: usize,
    },
    /// No slot: an adopted attempt on a device that this run does not use, or that is full.
    Extra,
}

impl Seat {
    pub(super) fn device(self) -> Option<usize> {
        match self {
            Seat::Slot { device, .. } => Some(device),
            Seat::Extra => None,
        }
    }
}

/// All slots of a run, by device.
#[derive(Clone, Debug)]
pub(super) struct Slots {
    devices: Vec<Device>,
}

#[derive(Clone, Debug)]
struct Device {
    id: DeviceId,
    service: Service,
    trust: Trust,
    slots: Vec<(Slot, Use)>,
    taken: usize,
    /// How many may be taken.
    room: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Use {
    Free,
    Taken,
}

/// Whether a device is used in this run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Service {
    In,
    /// Not any more.
    Out,
}

/// What the scheduler itself thinks of a device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Trust {
    Trusted,
    /// Trials died there at once; whether it is to blame is being found out elsewhere.
    Suspected,
}

impl Device {
    fn is_usable(&self) -> bool {
        self.service == Service::In && self.trust == Trust::Trusted && self.room > 0
    }
}

impl Slots {
    pub(super) fn new(slots: Vec<Slot>) -> Self {
        let mut devices: Vec<Device> = Vec::new();
        for slot in slots {
            match devices.iter_mut().find(|device| device.id == slot.device) {
                Some(device) => device.slots.push((slot, Use::Free)),
                None => devices.push(Device {
                    id: slot.device.clone(),
                    service: Service::In,
                    trust: Trust::Trusted,
                    slots: vec![(slot, Use::Free)],
                    taken: 0,
                    room: usize::MAX,
                }),
            }
        }
        Self { devices }
    }

    pub(super) fn devices(&self) -> usize {
        self.devices.len()
    }

    pub(super) fn id(&self, device: usize) -> &DeviceId {
        &self.devices[device].id
    }

    pub(super) fn find(&self, id: &DeviceId) -> Option<usize> {
        self.devices.iter().position(|device| device.id == *id)
    }

    /// Takes a slot on the usable device with the fewest taken ones; among equals the first listed.
    pub(super) fn take_emptiest(&mut self) -> Option<(Seat, Slot)> {
        let with_room = |device: &Device| {
            device.is_usable() && device.taken < device.slots.len().min(device.room)
        };
        let device = (0..self.devices.len())
            .filter(|&device| with_room(&self.devices[device]))
            .min_by_key(|&device| self.devices[device].taken)?;
        let place = self.take(device)?;
        let slot = self.devices[device].slots[place].0.clone();
        Some((Seat::Slot { device, place }, slot))
    }

    /// Takes a slot on `device` for an attempt that is there already.
    pub(super) fn take_on(&mut self, device: &DeviceId) -> Seat {
        let seat = self.find(device).and_then(|device| Some((device, self.take(device)?)));
        seat.map_or(Seat::Extra, |(device, place)| Seat::Slot { device, place })
    }

    fn take(&mut self, device: usize) -> Option<usize> {
        let device = &mut self.devices[device];
        let place = device.slots.iter().position(|(_, used)| *used == Use::Free)?;
        device.slots[place].1 = Use::Taken;
        device.taken += 1;
        Some(place)
    }

    pub(super) fn free(&mut self, seat: Seat) {
        match seat {
            Seat::Slot { device, place } => {
                let device = &mut self.devices[device];
                device.slots[place].1 = Use::Free;
                device.taken -= 1;
            }
            Seat::Extra => {}
        }
    }

    pub(super) fn is_in_service(&self, device: usize) -> bool {
        self.devices[device].service == Service::In
    }

    pub(super) fn take_out(&mut self, device: usize) {
        self.devices[device].service = Service::Out;
    }

    pub(super) fn set_rooms(&mut self, rooms: &[(DeviceId, u32)]) {
        for (id, room) in rooms {
            if let Some(device) = self.find(id) {
                self.devices[device].room = *room as usize;
            }
        }
    }

    pub(super) fn trust(&self, device: usize) -> Trust {
        self.devices[device].trust
    }

    pub(super) fn set_trust(&mut self, device: usize, trust: Trust) {
        self.devices[device].trust = trust;
    }

    /// Returns whether attempts may start on a device other than this one.
    pub(super) fn another_is_usable(&self, device: usize) -> bool {
        let other = |(place, other): (usize, &Device)| place != device && other.is_usable();
        self.devices.iter().enumerate().any(other)
    }

    /// Returns how many devices may be used now or later.
    pub(super) fn in_service(&self) -> usize {
        self.devices.iter().filter(|device| device.service == Service::In).count()
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

    fn taken(slots: &mut Slots) -> Vec<(String, u32)> {
        std::iter::from_fn(|| slots.take_emptiest())
            .map(|(_, slot)| (slot.device.to_string(), slot.ordinal))
            .collect()
    }

    #[test]
    fn attempts_spread_over_devices_before_they_share_one() {
        let expected = [("cuda:0", 0), ("cuda:1", 0), ("cuda:0", 1), ("cuda:1", 1)];
        assert_eq!(
            taken(&mut slots()),
            expected.map(|(device, ordinal)| (device.to_owned(), ordinal))
        );
    }

    #[test]
    fn an_adopted_attempt_takes_a_slot_of_its_device_or_none() {
        let mut slots = slots();
        assert_eq!(slots.take_on(&gpu(1)), Seat::Slot { device: 1, place: 0 });
        assert_eq!(slots.take_on(&gpu(1)), Seat::Slot { device: 1, place: 1 });
        assert_eq!(slots.take_on(&gpu(1)), Seat::Extra);
        assert_eq!(slots.take_on(&DeviceId::Cpu), Seat::Extra);
        slots.free(Seat::Slot { device: 1, place: 1 });
        assert_eq!(slots.take_on(&gpu(1)), Seat::Slot { device: 1, place: 1 });
    }

    #[test]
    fn no_more_are_taken_than_there_is_room_for() {
        let mut slots = slots();
        slots.set_rooms(&[(gpu(0), 1), (gpu(1), 0), (gpu(7), 1)]);
        assert_eq!(taken(&mut slots), [("cuda:0".to_owned(), 0)]);
        slots.set_rooms(&[(gpu(0), 9)]);
        assert_eq!(taken(&mut slots), [("cuda:0".to_owned(), 1)]);
    }

    #[test]
    fn only_devices_that_have_room_and_are_trusted_are_taken() {
        let mut slots = slots();
        slots.set_rooms(&[(gpu(0), 0)]);
        slots.set_trust(1, Trust::Suspected);
        assert_eq!(taken(&mut slots), []);
        assert_eq!(slots.in_service(), 2);
        slots.set_trust(1, Trust::Trusted);
        assert!(slots.another_is_usable(0) && !slots.another_is_usable(1));
        assert_eq!(taken(&mut slots).len(), 2);
        slots.take_out(0);
        slots.set_rooms(&[(gpu(0), 2)]);
        assert_eq!((taken(&mut slots), slots.in_service()), (Vec::new(), 1));
    }
}

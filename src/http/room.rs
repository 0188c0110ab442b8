//! Room for connections: for so many of each address, and for so many in all. There is always room for one more: where
//! all is taken, the address that has most of it gives its oldest. So an address that takes all it can get keeps no
//! other out, least of all an operator's probe, which would take a program that it cannot reach for dead.

use std::cmp::Reverse;
use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;
use std::sync::{Arc, Mutex};

use tokio::sync::oneshot;

use super::context::lock;
use super::rate::network;

/// Who is there.
#[derive(Clone, Debug)]
pub(super) struct Room {
    /// The most for one address: much of it, because a proxy has one address.
    of_one: usize,
    of_all: usize,
    taken: Arc<Mutex<Taken>>,
}

#[derive(Debug, Default)]
struct Taken {
    /// By address, and by when they came.
    places: HashMap<IpAddr, BTreeMap<u64, oneshot::Sender<()>>>,
    count: usize,
    came: u64,
}

/// A place, until it is dropped.
#[derive(Debug)]
pub(super) struct Place {
    room: Room,
    address: IpAddr,
    came: u64,
    asked_to_leave: oneshot::Receiver<()>,
}

impl Room {
    pub(super) fn new(of_one: usize, of_all: usize) -> Self {
        Self { of_one, of_all, taken: Arc::default() }
    }

    /// A place for one more of this address.
    pub(super) fn enter(&self, address: IpAddr) -> Place {
        let address = network(address);
        let mut taken = lock(&self.taken);
        if taken.places.get(&address).is_some_and(|places| places.len() >= self.of_one) {
            taken.free_oldest_of(address);
        } else if taken.count >= self.of_all {
            let has_most = |(_, places): &(&IpAddr, &BTreeMap<u64, _>)| {
                (places.len(), Reverse(places.first_key_value().map(|(came, _)| *came)))
            };
            if let Some(most) = taken.places.iter().max_by_key(has_most).map(|(address, _)| *address) {
                taken.free_oldest_of(most);
            }
        }
        taken.came += 1;
        taken.count += 1;
        let (came, (leave, asked_to_leave)) = (taken.came, oneshot::channel());
        taken.places.entry(address).or_default().insert(came, leave);
        Place { room: self.clone(), address, came, asked_to_leave }
    }
}

impl Taken {
    fn free_oldest_of(&mut self, address: IpAddr) {
        let oldest = self.places.get(&address).and_then(|places| places.first_key_value());
        if let Some(came) = oldest.map(|(came, _)| *came) {
            self.free(address, came);
        }
    }

    /// Gives a place to others. Whoever has it is told, by the drop of the sender.
    fn free(&mut self, address: IpAddr, came: u64) {
        let Some(places) = self.places.get_mut(&address) else { return };
        if places.remove(&came).is_some() {
            self.count -= 1;
        }
        if places.is_empty() {
            self.places.remove(&address);
        }
    }
}

impl Place {
    /// Returns when others are to have it.
    pub(super) async fn given_away(&mut self) {
        // Nothing is sent: the other half is dropped.
        let _ = (&mut self.asked_to_leave).await;
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        lock(&self.room.taken).free(self.address, self.came);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(last: u8) -> IpAddr {
        [10, 0, 0, last].into()
    }

    fn must_leave(place: &mut Place) -> bool {
        place.asked_to_leave.try_recv() == Err(oneshot::error::TryRecvError::Closed)
    }

    #[test]
    fn who_has_most_gives_its_oldest_to_one_who_comes_and_the_others_keep_theirs() {
        let room = Room::new(6, 8);
        let mut many: Vec<Place> = (0..5).map(|_| room.enter(address(1))).collect();
        let mut few: Vec<Place> = (0..3).map(|_| room.enter(address(2))).collect();
        let mut probe = room.enter(address(3));
        let told: Vec<bool> = many.iter_mut().map(must_leave).collect();
        assert_eq!(told, [true, false, false, false, false]);
        assert!(!few.iter_mut().any(must_leave) && !must_leave(&mut probe));
        // It is gone for good: dropped, it frees nothing once more.
        drop(many.remove(0));
        assert_eq!(lock(&room.taken).count, 8);
        drop((many, few, probe));
        let taken = lock(&room.taken);
        assert!(taken.places.is_empty() && taken.count == 0);
    }

    #[test]
    fn one_address_has_so_many_and_gives_its_own_oldest_for_one_more() {
        let room = Room::new(3, 8);
        let mut held: Vec<Place> = (0..4).map(|_| room.enter(address(1))).collect();
        assert_eq!(held.iter_mut().map(must_leave).collect::<Vec<_>>(), [true, false, false, false]);
        assert_eq!(lock(&room.taken).count, 3);
    }

    #[test]
    fn where_all_have_one_the_oldest_goes() {
        let room = Room::new(3, 4);
        let mut held: Vec<Place> = (0..5).map(|last| room.enter(address(last))).collect();
        assert_eq!(held.iter_mut().map(must_leave).collect::<Vec<_>>(), [true, false, false, false, false]);
    }
}

use proptest::prelude::*;
use uuid::Uuid;

use super::*;

fn owner(number: u8) -> OwnerId {
    OwnerId(Uuid::from_bytes([number; 16]))
}

fn key(number: u8) -> EntryKey {
    EntryKey::first([number; 16])
}

fn shares(all: u64, own: u64) -> Shares<u32> {
    Shares::new(Bounds { all, own }, 0)
}

fn keys(gone: &[Gone<u32>]) -> Vec<(OwnerId, EntryKey)> {
    gone.iter().map(|gone| (gone.owner, gone.key)).collect()
}

#[test]
fn a_flood_of_one_owner_pushes_out_its_own_alone() {
    let mut shares = shares(100, 100);
    for number in 0..3 {
        assert_eq!(shares.put(owner(1), key(number), 10, 0), []);
    }
    for number in 0..200 {
        let gone = shares.put(owner(2), key(number), 10, 0);
        assert!(gone.iter().all(|gone| gone.owner == owner(2)), "{gone:?}");
    }
    assert_eq!((shares.of(owner(1)), shares.of(owner(2))), (30, 70));
    // Many owners with little each push the large one down to their own size, and no further.
    for number in 3..9 {
        for each in 0..20 {
            shares.put(owner(number), key(each), 10, 0);
        }
    }
    for number in 1..9 {
        assert!((10..=20).contains(&shares.of(owner(number))), "{number} has {}", shares.of(owner(number)));
    }
    assert_eq!(shares.total(), 100);
}

#[test]
fn the_entry_that_was_not_used_for_longest_goes_first() {
    let mut shares = shares(30, 30);
    for number in 0..3 {
        shares.put(owner(1), key(number), 10, u32::from(number));
    }
    assert_eq!(shares.get(owner(1), key(0)), Some(&mut 0));
    assert_eq!(keys(&shares.put(owner(1), key(3), 10, 3)), [(owner(1), key(1))]);
    // What is found on the disk was used before all of that.
    assert_eq!(shares.shrink(20).len(), 1);
    assert_eq!(shares.put_used_at(owner(1), key(9), 10, 9, 0), []);
    assert_eq!(keys(&shares.put(owner(1), key(4), 10, 4)), [(owner(1), key(9))]);
}

#[test]
fn what_is_larger_than_an_owners_part_is_not_there() {
    let mut shares = shares(100, 40);
    shares.put(owner(1), key(0), 40, 0);
    let gone = shares.put(owner(1), key(1), 41, 1);
    assert_eq!(gone, [Gone { owner: owner(1), key: key(1), value: 1 }]);
    assert_eq!(shares.of(owner(1)), 40, "and nothing else went for it");
}

#[test]
fn what_is_being_written_counts_and_cannot_go() {
    let mut shares = shares(100, 60);
    let mut gone = Vec::new();
    shares.put(owner(2), key(0), 50, 0);
    assert_eq!(shares.write(owner(1), 60, &mut gone), Ok(()));
    assert_eq!(keys(&gone), [(owner(2), key(0))], "others make room, since all together are over the bound");
    assert_eq!(shares.write(owner(1), 1, &mut gone), Err(NoRoom), "more than its part");
    assert_eq!(shares.write(owner(2), 41, &mut gone), Err(NoRoom), "nothing is left that could go");
    shares.written(owner(1), 60);
    assert_eq!((shares.total(), shares.of(owner(1))), (0, 0));
}

#[derive(Clone, Debug)]
enum Step {
    Put(u8, u8, u64),
    Get(u8, u8),
    Remove(u8, u8),
    Forget(u8),
    Shrink(u64),
}

fn step() -> impl Strategy<Value = Step> {
    let (owner, key) = (0..4u8, 0..6u8);
    prop_oneof![
        4 => (owner.clone(), key.clone(), 1..40u64).prop_map(|(owner, key, bytes)| Step::Put(owner, key, bytes)),
        2 => (owner.clone(), key.clone()).prop_map(|(owner, key)| Step::Get(owner, key)),
        1 => (owner.clone(), key).prop_map(|(owner, key)| Step::Remove(owner, key)),
        1 => owner.prop_map(Step::Forget),
        1 => (0..100u64).prop_map(Step::Shrink),
    ]
}

proptest! {
    /// Against a plain list: what is there, how much it is, and that only those go who have most.
    #[test]
    fn the_books_are_right(steps in prop::collection::vec(step(), 1..200)) {
        const ALL: u64 = 100;
        const OWN: u64 = 60;
        let mut shares = shares(ALL, OWN);
        let mut model: Vec<(u8, u8, u64, u32)> = Vec::new();
        for (number, step) in steps.into_iter().enumerate() {
            let number = u32::try_from(number).unwrap();
            let size = |model: &Vec<(u8, u8, u64, u32)>, of: u8| {
                model.iter().filter(|entry| entry.0 == of).map(|entry| entry.2).sum::<u64>()
            };
            let gone = match step {
                Step::Put(to, at, bytes) => {
                    model.retain(|entry| (entry.0, entry.1) != (to, at));
                    model.push((to, at, bytes, number));
                    shares.put(owner(to), key(at), bytes, number)
                }
                Step::Get(of, at) => {
                    let found = shares.get(owner(of), key(at)).copied();
                    let known = model.iter().position(|entry| (entry.0, entry.1) == (of, at));
                    prop_assert_eq!(found, known.map(|index| model[index].3));
                    if let Some(index) = known {
                        let used = model.remove(index);
                        model.push(used);
                    }
                    Vec::new()
                }
                Step::Remove(of, at) => {
                    let known = model.iter().position(|entry| (entry.0, entry.1) == (of, at));
                    prop_assert_eq!(shares.remove(owner(of), key(at)), known.map(|index| model.remove(index).3));
                    Vec::new()
                }
                Step::Forget(of) => {
                    shares.remove_owner(owner(of));
                    model.retain(|entry| entry.0 != of);
                    Vec::new()
                }
                Step::Shrink(to) => shares.shrink(to),
            };
            for gone in gone {
                let index = model.iter().position(|entry| entry.3 == gone.value).unwrap();
                let of = model[index].0;
                let first = model.iter().position(|entry| entry.0 == of).unwrap();
                prop_assert_eq!(index, first, "the one that was not used for longest");
                let most = (0..4).map(|other| size(&model, other)).max().unwrap();
                prop_assert!(size(&model, of) == most || size(&model, of) > OWN, "of whoever has most");
                model.remove(index);
            }
            let total: u64 = model.iter().map(|entry| entry.2).sum();
            prop_assert_eq!(shares.total(), total);
            prop_assert_eq!(shares.entries(), model.len());
            for of in 0..4 {
                prop_assert_eq!(shares.of(owner(of)), size(&model, of));
                prop_assert!(size(&model, of) <= OWN);
            }
            prop_assert!(total <= ALL);
        }
    }
}

//! Against a map: whatever is put, read, removed, forgotten and started again, an entry is the last one that was put, or none.

use std::collections::HashMap;

use proptest::prelude::*;

use super::*;

#[derive(Clone, Debug)]
enum Step {
    /// Owner, resource, entry of it, size, in pieces.
    Put(u8, u8, u8, usize, bool),
    Get(u8, u8, u8),
    Remove(u8, u8),
    Forget(u8),
    Restart,
}

fn step() -> impl Strategy<Value = Step> {
    let (owner, primary, variant) = (0..3u8, 0..3u8, 0..3u8);
    let size = prop_oneof![3 => 0..2_000usize, 1 => 60_000..70_000usize, 1 => 260_000..300_000usize];
    prop_oneof![
        6 => (owner.clone(), primary.clone(), variant.clone(), size, any::<bool>())
            .prop_map(|(owner, primary, variant, size, pieces)| Step::Put(owner, primary, variant, size, pieces)),
        6 => (owner.clone(), primary.clone(), variant).prop_map(|(owner, primary, variant)| Step::Get(owner, primary, variant)),
        2 => (owner.clone(), primary).prop_map(|(owner, primary)| Step::Remove(owner, primary)),
        1 => owner.prop_map(Step::Forget),
        1 => Just(Step::Restart),
    ]
}

fn key(primary: u8, number: u8) -> EntryKey {
    if number == 0 { at(primary) } else { variant(primary, number) }
}

/// Runs the steps. With room for all, an entry is there exactly where the map has it.
async fn run(steps: &[Step], limits: CacheLimits, has_room: bool) {
    let folder = tempfile::tempdir().unwrap();
    let mut store = opened(folder.path(), limits).await;
    let mut model: HashMap<(u8, u8, u8), Vec<u8>> = HashMap::new();
    for (number, step) in steps.iter().enumerate() {
        match *step {
            Step::Put(of, primary, entry, size, pieces) => {
                let body: Vec<u8> = (0..size).map(|index| (index + number) as u8).collect();
                let space = store.space(owner(of), "a");
                let at = key(primary, entry);
                let is_kept = if pieces {
                    stream(&space, at, &body, 9_999).await
                } else {
                    put(&space, at, body.clone()).await
                };
                assert!(is_kept || !has_room);
                if entry == 0 && is_kept {
                    model.retain(|known, _| (known.0, known.1) != (of, primary));
                }
                model.remove(&(of, primary, entry));
                if is_kept {
                    model.insert((of, primary, entry), body);
                }
            }
            Step::Get(of, primary, entry) => {
                let found = get(&store.space(owner(of), "a"), key(primary, entry)).await;
                let known = model.get(&(of, primary, entry)).map(|body| Ok(body.clone()));
                assert!(found == known || (!has_room && found.is_none()), "{step:?}");
            }
            Step::Remove(of, primary) => {
                store.space(owner(of), "a").remove([primary; 16]).await;
                model.retain(|known, _| (known.0, known.1) != (of, primary));
            }
            Step::Forget(of) => {
                store.forget(owner(of)).await;
                model.retain(|known, _| known.0 != of);
            }
            Step::Restart => {
                drop(store);
                store = opened(folder.path(), limits).await;
            }
        }
        let (disk, memory, entries) = store.held();
        assert!(disk <= limits.disk_bytes && memory <= limits.memory_bytes);
        assert!(entries <= model.len() && (!has_room || entries == model.len()), "{step:?}: {entries}");
    }
    assert_eq!(files(folder.path()).len(), store.held().2);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]
    #[test]
    fn the_store_is_a_map(steps in prop::collection::vec(step(), 1..60)) {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).build().unwrap();
        runtime.block_on(run(&steps, limits(64 * MIB), true));
    }

    #[test]
    fn the_store_is_a_map_that_forgets_where_there_is_little_room(steps in prop::collection::vec(step(), 1..60)) {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).build().unwrap();
        let little = CacheLimits { memory_bytes: 40_000, ..limits(400_000) };
        runtime.block_on(run(&steps, little, false));
    }
}

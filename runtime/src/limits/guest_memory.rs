//! How much memory all guests hold together, and who of them holds how much. A user script has a share of it,
//! and so has its namespace: one tenant's memory never keeps another tenant's script, or the platform's own, from running.
//!
//! Sizes are counted and not what was touched: a guest may touch all that it was given, at any time.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use wasmyard_namespaces::name::NamespaceName;
use wasmyard_namespaces::script::ScriptKey;

use crate::outcome::Failure;

/// When it is worth trying again where memory is short.
pub(crate) const RETRY_AFTER: Duration = Duration::from_secs(1);

/// All memory is in so many parts, ...
const PARTS: u64 = 8;
/// ... of which user scripts may hold these together, so that platform scripts always find some, ...
const USER_PARTS: u64 = 6;
/// ... and beyond these only user scripts that hold less than their fair share get more.
const CROWDED_PARTS: u64 = 5;
/// From these on no platform script begins anew, so that those that run can grow and finish.
const FULL_PARTS: u64 = 7;

/// How much memory guests may hold, in bytes: linear memories, tables, and what the host holds for them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GuestMemoryLimits {
    /// All guests together.
    pub all: u64,
    /// The user scripts of one namespace together.
    pub per_namespace: u64,
    /// All invocations of one user script together.
    pub per_script: u64,
}

impl GuestMemoryLimits {
    /// No limit beside each invocation's own.
    pub const NONE: Self = Self { all: u64::MAX, per_namespace: u64::MAX, per_script: u64::MAX };
}

/// How much memory guests hold together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GuestMemoryFigures {
    /// Bytes of linear memory and tables of all guests that are alive.
    pub held_bytes: u64,
    /// What they may hold together.
    pub budget_bytes: u64,
}

/// Why there is no more memory for a guest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Short {
    /// All guests together hold what there is, or so much that only those below their fair share get more.
    All,
    /// The script, or its namespace, holds as much as it may: so many bytes.
    Share(u64),
}

impl From<Short> for Failure {
    fn from(short: Short) -> Self {
        match short {
            Short::All => Self::Overloaded { retry_after: RETRY_AFTER },
            Short::Share(limit) => Self::ExceededMemoryShare { limit, retry_after: RETRY_AFTER },
        }
    }
}

/// A number of bytes that several take from.
#[derive(Debug, Default)]
struct Pot(AtomicU64);

impl Pot {
    fn held(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }

    /// Takes bytes and says how many were taken before; none, and nothing taken, where it would be more than `most`.
    fn take(&self, bytes: u64, most: u64) -> Option<u64> {
        let more = |held: u64| held.checked_add(bytes).filter(|wanted| *wanted <= most);
        self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more).ok()
    }

    /// Gives bytes back and says how many are left.
    fn give_back(&self, bytes: u64) -> u64 {
        self.0.fetch_sub(bytes, Ordering::Relaxed).saturating_sub(bytes)
    }
}

/// The memory of all guests.
#[derive(Debug)]
pub(crate) struct GuestMemory {
    limits: GuestMemoryLimits,
    all: Pot,
    /// What user scripts hold of it.
    users: Pot,
    /// User scripts that hold any.
    holders: AtomicU64,
    accounts: Mutex<Accounts>,
}

/// Accounts that somebody has. What nobody has any more is removed when its last owner goes.
#[derive(Debug, Default)]
struct Accounts {
    scripts: HashMap<ScriptKey, Weak<MemoryAccount>>,
    namespaces: HashMap<NamespaceName, Weak<Pot>>,
}

impl GuestMemory {
    pub(crate) fn new(limits: GuestMemoryLimits) -> Self {
        Self {
            limits,
            all: Pot::default(),
            users: Pot::default(),
            holders: AtomicU64::new(0),
            accounts: Mutex::default(),
        }
    }

    /// The account of a script: the same for all its versions and invocations.
    pub(crate) fn account(self: &Arc<Self>, script: &ScriptKey) -> Arc<MemoryAccount> {
        let mut accounts = self.lock();
        if let Some(known) = accounts.scripts.get(script).and_then(Weak::upgrade) {
            return known;
        }
        let namespace = script.namespace().map(|name| {
            let known = accounts.namespaces.get(name).and_then(Weak::upgrade);
            known.unwrap_or_else(|| {
                let pot = Arc::new(Pot::default());
                accounts.namespaces.insert(name.clone(), Arc::downgrade(&pot));
                pot
            })
        });
        let account = Arc::new(MemoryAccount {
            script: script.clone(),
            own: Pot::default(),
            namespace,
            memory: Arc::clone(self),
        });
        accounts.scripts.insert(script.clone(), Arc::downgrade(&account));
        account
    }

    pub(crate) fn figures(&self) -> GuestMemoryFigures {
        GuestMemoryFigures { held_bytes: self.all.held(), budget_bytes: self.limits.all }
    }

    fn parts(&self, parts: u64) -> u64 {
        self.limits.all / PARTS * parts
    }

    /// What a user script that wants to hold `own` bytes is told, all user scripts together holding `users`.
    fn check_fair_share(&self, own: u64, users: u64) -> Result<(), Short> {
        // As if one more script were there already: there is room for the next one to come, always.
        let share = self.parts(USER_PARTS) / self.holders.load(Ordering::Relaxed).saturating_add(1);
        if users > self.parts(CROWDED_PARTS) && own > share {
            return Err(Short::All);
        }
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, Accounts> {
        self.accounts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What the invocations of one script hold together.
#[derive(Debug)]
pub(crate) struct MemoryAccount {
    script: ScriptKey,
    own: Pot,
    /// What all scripts of its namespace hold; none for a platform script.
    namespace: Option<Arc<Pot>>,
    memory: Arc<GuestMemory>,
}

impl MemoryAccount {
    /// Whether another invocation of the script may begin.
    pub(crate) fn check_room(&self) -> Result<(), Short> {
        let memory = &self.memory;
        let Some(namespace) = &self.namespace else {
            let full = memory.all.held() >= memory.parts(FULL_PARTS);
            return if full { Err(Short::All) } else { Ok(()) };
        };
        let GuestMemoryLimits { per_namespace, per_script, .. } = memory.limits;
        let own = self.own.held();
        if own >= per_script {
            return Err(Short::Share(per_script));
        }
        if namespace.held() >= per_namespace {
            return Err(Short::Share(per_namespace));
        }
        let users = memory.users.held();
        if users >= memory.parts(USER_PARTS) {
            return Err(Short::All);
        }
        memory.check_fair_share(own, users)
    }

    /// Takes bytes. An error takes nothing.
    pub(crate) fn take(&self, bytes: u64) -> Result<(), Short> {
        if bytes == 0 {
            return Ok(());
        }
        let memory = &self.memory;
        let limits = memory.limits;
        let Some(namespace) = &self.namespace else {
            return memory.all.take(bytes, limits.all).map(drop).ok_or(Short::All);
        };
        let before = self.own.take(bytes, limits.per_script).ok_or(Short::Share(limits.per_script))?;
        if before == 0 {
            memory.holders.fetch_add(1, Ordering::Relaxed);
        }
        let taken = self.take_of_others(before, bytes, namespace);
        if taken.is_err() {
            self.give_back_own(bytes);
        }
        taken
    }

    /// Takes bytes of a user script, which held `before`, from what it shares with others.
    fn take_of_others(&self, before: u64, bytes: u64, namespace: &Pot) -> Result<(), Short> {
        let memory = &self.memory;
        let limits = memory.limits;
        // A script that holds nothing yet may have its first bytes, however small the shares have become.
        if before > 0 {
            let users = memory.users.held().saturating_add(bytes);
            memory.check_fair_share(before.saturating_add(bytes), users)?;
        }
        namespace.take(bytes, limits.per_namespace).ok_or(Short::Share(limits.per_namespace))?;
        if memory.users.take(bytes, memory.parts(USER_PARTS)).is_none() {
            namespace.give_back(bytes);
            return Err(Short::All);
        }
        if memory.all.take(bytes, limits.all).is_none() {
            memory.users.give_back(bytes);
            namespace.give_back(bytes);
            return Err(Short::All);
        }
        Ok(())
    }

    pub(crate) fn give_back(&self, bytes: u64) {
        if bytes == 0 {
            return;
        }
        self.memory.all.give_back(bytes);
        if let Some(namespace) = &self.namespace {
            self.memory.users.give_back(bytes);
            namespace.give_back(bytes);
            self.give_back_own(bytes);
        }
    }

    fn give_back_own(&self, bytes: u64) {
        if self.own.give_back(bytes) == 0 {
            self.memory.holders.fetch_sub(1, Ordering::Relaxed);
        }
    }
}

impl Drop for MemoryAccount {
    fn drop(&mut self) {
        let mut accounts = self.memory.lock();
        // Another one may have been made under the same key in the meantime.
        if accounts.scripts.get(&self.script).is_some_and(|known| known.strong_count() == 0) {
            accounts.scripts.remove(&self.script);
        }
        let Some(name) = self.script.namespace() else { return };
        // This account's own part of the namespace's is still there.
        let last = self.namespace.as_ref().is_some_and(|pot| Arc::strong_count(pot) == 1);
        let own = self.namespace.as_ref().map(Arc::as_ptr);
        if last && accounts.namespaces.get(name).is_some_and(|known| Some(known.as_ptr()) == own) {
            accounts.namespaces.remove(name);
        }
    }
}

#[cfg(test)]
mod tests {
    use wasmyard_namespaces::name::ScriptName;

    use super::*;

    const LIMITS: GuestMemoryLimits = GuestMemoryLimits { all: 800, per_namespace: 400, per_script: 200 };

    fn user(namespace: &str, script: &str) -> ScriptKey {
        ScriptKey::user(NamespaceName::try_from(namespace).unwrap(), ScriptName::try_from(script).unwrap())
    }

    fn platform(script: &str) -> ScriptKey {
        ScriptKey::Platform(ScriptName::try_from(script).unwrap())
    }

    #[test]
    fn platform_scripts_do_not_begin_where_the_last_bytes_are_nearly_gone_but_may_grow() {
        let memory = Arc::new(GuestMemory::new(LIMITS));
        let script = memory.account(&platform("edge"));
        script.take(699).unwrap();
        script.check_room().unwrap();
        script.take(1).unwrap();
        assert_eq!(script.check_room(), Err(Short::All));
        script.take(100).unwrap();
        assert_eq!(script.take(1), Err(Short::All));
        script.give_back(800);
        script.check_room().unwrap();
        assert_eq!(memory.figures().held_bytes, 0);
    }

    #[test]
    fn a_script_and_a_namespace_have_a_share_and_their_neighbours_the_rest() {
        let memory = Arc::new(GuestMemory::new(LIMITS));
        let [one, two, three] = ["one", "two", "three"].map(|name| memory.account(&user("greedy", name)));
        one.take(200).unwrap();
        assert_eq!(one.take(1), Err(Short::Share(200)));
        assert_eq!(one.check_room(), Err(Short::Share(200)));
        two.take(200).unwrap();
        assert_eq!(three.take(1), Err(Short::Share(400)), "the namespace has all it may");
        assert_eq!(three.check_room(), Err(Short::Share(400)));
        let neighbour = memory.account(&user("quiet", "one"));
        neighbour.check_room().unwrap();
        neighbour.take(90).unwrap();
        assert_eq!(memory.figures().held_bytes, 490, "what was refused is not held");
        one.give_back(200);
        one.check_room().unwrap();
        three.take(100).unwrap();
    }

    #[test]
    fn where_many_hold_much_only_those_below_their_fair_share_get_more() {
        let memory = Arc::new(GuestMemory::new(LIMITS));
        let greedy = ["a", "b", "c"].map(|namespace| memory.account(&user(namespace, "greedy")));
        for script in &greedy {
            script.take(170).unwrap();
        }
        // 510 of the 600 that users may have: above five eighths of 800. Four share them, the next one included.
        for script in &greedy {
            assert_eq!(script.check_room(), Err(Short::All));
            assert_eq!(script.take(1), Err(Short::All));
        }
        let small = memory.account(&user("d", "small"));
        small.check_room().unwrap();
        small.take(60).unwrap();
        small.take(20).unwrap();
        small.check_room().unwrap();
        assert_eq!(small.take(20), Err(Short::All), "what is left is the platform's");
        let platform = memory.account(&platform("edge"));
        platform.check_room().unwrap();
        platform.take(200).unwrap();
    }

    #[test]
    fn versions_of_a_script_share_an_account_and_nothing_is_left_of_it_afterwards() {
        let memory = Arc::new(GuestMemory::new(LIMITS));
        let (first, second) = (memory.account(&user("a", "one")), memory.account(&user("a", "one")));
        assert!(Arc::ptr_eq(&first, &second));
        first.take(150).unwrap();
        assert_eq!(second.take(100), Err(Short::Share(200)));
        first.give_back(150);
        let sibling = memory.account(&user("a", "two"));
        drop((first, second));
        assert_eq!(memory.lock().scripts.len(), 1);
        assert_eq!(memory.lock().namespaces.len(), 1, "a sibling has it still");
        drop(sibling);
        assert!(memory.lock().scripts.is_empty());
        assert!(memory.lock().namespaces.is_empty());
        assert_eq!(memory.holders.load(Ordering::Relaxed), 0);
    }

    #[test]
    fn nothing_is_lost_or_made_up_when_many_take_and_give_at_once() {
        let memory = Arc::new(GuestMemory::new(LIMITS));
        std::thread::scope(|scope| {
            for number in 0..8_u64 {
                let memory = &memory;
                scope.spawn(move || {
                    let namespace = if number % 2 == 0 { "even" } else { "odd" };
                    let account = memory.account(&user(namespace, &format!("script{}", number % 3)));
                    for step in 0..5_000 {
                        let bytes = (number * 7 + step) % 90 + 1;
                        if account.take(bytes).is_ok() {
                            account.give_back(bytes);
                        }
                    }
                });
            }
        });
        assert_eq!(memory.figures().held_bytes, 0);
        assert_eq!(memory.users.held(), 0);
        assert_eq!(memory.holders.load(Ordering::Relaxed), 0);
    }
}

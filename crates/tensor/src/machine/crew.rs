//! The threads that share the work of one call: the calling thread, and helpers that stay awake for a moment after
//! each call.
//!
//! Waking a thread takes 20 to 50 µs. A step of training consists of hundreds of operations that take no longer than
//! that, with gaps between them in which the other threads would fall asleep. So a helper does not sleep at once: it
//! looks for more work for [`PATIENCE`]. The calling thread *offers* its work, cut into parts, and everyone who is awake
//! claims the next part, the calling thread included. It never waits for a thread to wake up. It waits only for
//! parts that a helper has begun.
//!
//! Helpers are jobs on the threads of rayon's global pool. A thread of a pool of the user divides its work
//! among the threads of that pool.

use super::clock::Instant;
use rayon::Yield;
use std::any::Any;
use std::cell::Cell;
use std::hint::spin_loop;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// How long a helper looks for work before its thread may sleep.
const PATIENCE: Duration = Duration::from_micros(200);
/// How long a helper occupies its thread of the pool at most. A thread that waits for other work of the pool may have
/// taken the helper's job, and goes on with its own when the job ends.
const TURN: Duration = Duration::from_millis(5);
/// The number of times that a waiting thread looks again before it lets other threads of the system run.
const LOOKS: u32 = 64;

type PartWork<'a> = dyn Fn(usize) + Sync + 'a;

/// Work that waits for helpers. It lies on the stack of the thread that offers it.
struct Offer<'a> {
    work: &'a PartWork<'a>,
    parts: usize,
    /// The first part that nobody has claimed.
    next: AtomicUsize,
    /// The number of helpers that hold a reference to this offer.
    helpers: AtomicUsize,
    panic: Mutex<Option<Box<dyn Any + Send>>>,
}

/// The address of an offer.
#[derive(Clone, Copy, PartialEq)]
struct Place(*const Offer<'static>);
// SAFETY: an offer contains a function that all threads may call, atomic numbers and a mutex.
unsafe impl Send for Place {}

/// The offers of all threads, the oldest first. An offer is in the list as long as its owner claims parts of it.
static OFFERS: Mutex<Vec<Place>> = Mutex::new(Vec::new());
/// The number of offers with a part that nobody has claimed. Helpers look at it before they lock the list.
static OPEN: AtomicUsize = AtomicUsize::new(0);
/// The number of helpers.
static HELPERS: AtomicUsize = AtomicUsize::new(0);
/// The number of helpers that look for work or are about to. The others run a part.
static IDLE: AtomicUsize = AtomicUsize::new(0);

thread_local! {
    /// Whether a helper runs on this thread.
    static HELPS: Cell<bool> = const { Cell::new(false) };
}

/// Returns whether this thread divides its work among the threads of a pool of the user.
fn in_a_pool() -> bool {
    rayon::current_thread_index().is_some() && !HELPS.get()
}

/// Returns whether it makes sense to call [`share`] with this argument: whether another thread is idle, or sleeps and
/// may be woken.
pub(super) fn has_help(wake: bool) -> bool {
    if in_a_pool() {
        return wake;
    }
    IDLE.load(Relaxed) > 0 || wake && HELPERS.load(Relaxed) + 1 < rayon::current_num_threads()
}

/// Calls `work` with each number below `parts`, on several threads, and returns when all calls have returned. If
/// `wake`, helpers that sleep are woken.
///
/// If a call panics, no further part is begun, and the panic continues on the calling thread.
pub(super) fn share(parts: usize, wake: bool, work: &PartWork<'_>) {
    if parts < 2 {
        return (0..parts).for_each(work);
    }
    if in_a_pool() {
        return rayon::scope(|scope| {
            for part in 1..parts {
                scope.spawn(move |_| work(part));
            }
            work(0);
        });
    }
    if wake {
        call_helpers(parts - 1);
    }
    if IDLE.load(Relaxed) == 0 {
        return (0..parts).for_each(work);
    }
    let offer = Offer {
        work,
        parts,
        next: AtomicUsize::new(0),
        helpers: AtomicUsize::new(0),
        panic: Mutex::new(None),
    };
    let place = Place(std::ptr::from_ref(&offer).cast());
    OPEN.fetch_add(1, Relaxed);
    lock(&OFFERS).push(place);
    offer.claim();
    // From here on no helper can find the offer; those that have found it are counted.
    lock(&OFFERS).retain(|&other| other != place);
    let mut looks = 0;
    while offer.helpers.load(Acquire) > 0 {
        pause(&mut looks);
    }
    if let Some(panic) = offer.panic.into_inner().unwrap_or_else(PoisonError::into_inner) {
        resume_unwind(panic);
    }
}

impl Offer<'_> {
    /// Runs parts until none is left. It does not panic.
    fn claim(&self) {
        let parts = catch_unwind(AssertUnwindSafe(|| {
            loop {
                let part = self.next.fetch_add(1, Relaxed);
                if part + 1 == self.parts {
                    OPEN.fetch_sub(1, Relaxed);
                }
                if part >= self.parts {
                    break;
                }
                (self.work)(part);
            }
        }));
        if let Err(panic) = parts {
            if self.next.swap(self.parts, Relaxed) < self.parts {
                OPEN.fetch_sub(1, Relaxed);
            }
            let mut first = lock(&self.panic);
            if first.is_none() {
                *first = Some(panic);
            } else {
                // Its destructor may panic, too.
                std::mem::forget(panic);
            }
        }
    }
}

/// Starts helpers until there are this many, or one on each other thread.
fn call_helpers(wanted: usize) {
    let wanted = wanted.min(rayon::current_num_threads() - 1);
    let mut helpers = HELPERS.load(Relaxed);
    while helpers < wanted {
        match HELPERS.compare_exchange_weak(helpers, helpers + 1, Relaxed, Relaxed) {
            Ok(_) => {
                IDLE.fetch_add(1, Relaxed);
                rayon::spawn(help);
                helpers += 1;
            }
            Err(now) => helpers = now,
        }
    }
}

/// Runs parts of offers until there have been none for some time.
fn help() {
    // The thread may take this job while it waits in another helper.
    if !HELPS.replace(true) {
        let turn = Instant::now();
        let (mut looks, mut begun) = (0, turn);
        loop {
            let pauses = looks % LOOKS == LOOKS - 1;
            if pauses && turn.elapsed() > TURN {
                HELPS.set(false);
                return rayon::spawn(help); // it is counted on
            }
            if OPEN.load(Relaxed) > 0 && help_oldest() {
                begun = Instant::now();
            } else if !pauses {
                spin_loop();
            } else if begun.elapsed() > PATIENCE {
                break;
            } else if rayon::yield_now() != Some(Yield::Executed) {
                std::thread::yield_now();
            }
            looks = looks.wrapping_add(1);
        }
        HELPS.set(false);
    }
    IDLE.fetch_sub(1, Relaxed);
    HELPERS.fetch_sub(1, Relaxed);
}

/// Runs parts of the oldest offer that has any, which is the largest where offers are made within parts. Returns whether
/// there is one.
fn help_oldest() -> bool {
    let found = {
        let offers = lock(&OFFERS);
        // SAFETY: the owner of an offer in the list does not return before it has removed the offer, and for that it
        // needs the lock that this thread holds.
        let open = |place: &&Place| unsafe {
            let offer = &*place.0;
            offer.next.load(Relaxed) < offer.parts
        };
        let found = offers.iter().find(open).copied();
        if let Some(place) = found {
            // SAFETY: as above. The owner waits until the number is 0 again.
            unsafe { (*place.0).helpers.fetch_add(1, Relaxed) };
            IDLE.fetch_sub(1, Relaxed);
        }
        found
    };
    let Some(place) = found else { return false };
    // SAFETY: the owner waits for this helper. After the subtraction the offer may be gone.
    unsafe {
        (*place.0).claim();
        // The owner may make its next offer as soon as the number of helpers is 0.
        IDLE.fetch_add(1, Relaxed);
        (*place.0).helpers.fetch_sub(1, Release);
    }
    true
}

/// Waits for a moment. After some calls it also lets other threads of the system run.
fn pause(looks: &mut u32) {
    *looks += 1;
    if looks.is_multiple_of(LOOKS) {
        std::thread::yield_now();
    } else {
        spin_loop();
    }
}

/// Locks a mutex. Nothing panics while one of these is locked.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Shares work in work, and counts how often each innermost part runs.
    fn count(depth: usize, counts: &[AtomicUsize]) {
        if depth == 0 {
            for count in counts {
                count.fetch_add(1, Relaxed);
            }
            return;
        }
        let size = counts.len().div_ceil(3);
        share(counts.len().div_ceil(size), true, &|part| {
            let from = part * size;
            count(depth - 1, &counts[from..counts.len().min(from + size)]);
        });
    }

    #[test]
    fn every_part_runs_once_however_deep_and_from_however_many_threads() {
        let threads: Vec<_> = (0..4)
            .map(|thread| {
                std::thread::spawn(move || {
                    for round in 0..300 {
                        let counts: Vec<_> =
                            (0..60 + thread * round % 50).map(|_| AtomicUsize::new(0)).collect();
                        count(round % 5, &counts);
                        assert!(counts.iter().all(|count| count.load(Relaxed) == 1));
                    }
                })
            })
            .collect();
        for thread in threads {
            thread.join().unwrap();
        }
    }

    #[test]
    fn a_panic_reaches_the_caller_and_ends_the_work() {
        for round in 0..50 {
            let begun = AtomicUsize::new(0);
            let panic = catch_unwind(AssertUnwindSafe(|| {
                share(1000, true, &|part| {
                    begun.fetch_add(1, Relaxed);
                    assert!(part != round, "part {part} failed");
                    std::thread::sleep(Duration::from_micros(10));
                });
            }));
            let panic = panic.unwrap_err();
            assert_eq!(*panic.downcast_ref::<String>().unwrap(), format!("part {round} failed"));
            assert!(begun.into_inner() < 1000);
        }
        let sum = AtomicUsize::new(0);
        share(100, true, &|part| _ = sum.fetch_add(part, Relaxed));
        assert_eq!(sum.into_inner(), 4950);
    }

    #[test]
    fn a_pool_of_the_user_does_the_work_of_its_threads() {
        let pool = rayon::ThreadPoolBuilder::new()
            .num_threads(3)
            .thread_name(|_| "of the user".into())
            .build()
            .unwrap();
        pool.install(|| {
            share(64, true, &|_| {
                assert_eq!(std::thread::current().name(), Some("of the user"));
            });
        });
    }
}

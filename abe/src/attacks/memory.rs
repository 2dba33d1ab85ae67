//! What a key leaves in memory. The allocator of the tests looks into every block that is given back: after a key was
//! read, used, narrowed and dropped, none may hold one of its points. That finds vectors that moved while they grew as
//! well as what was never wiped.
#![expect(unsafe_code, reason = "an allocator, and the raw bytes of a point, are what this test is about")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::{Cell, RefCell};

use super::*;

#[global_allocator]
static WATCHED: Watched = Watched;

struct Watched;
thread_local! {
    /// What is looked for on this thread; empty: nothing is looked at.
    static NEEDLES: RefCell<Vec<[u8; 48]>> = const { RefCell::new(Vec::new()) };
    static FOUND: Cell<usize> = const { Cell::new(0) };
}

// SAFETY: everything is the system's allocator; a block is looked at before it goes back, and nothing is written.
unsafe impl GlobalAlloc for Watched {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // Zeroed, so that whatever a block holds in the end was written while it was somebody's.
        // SAFETY: the caller's promise is passed on.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        let _ = NEEDLES.try_with(|needles| {
            let Ok(needles) = needles.try_borrow() else { return };
            if needles.is_empty() || layout.size() < 48 {
                return;
            }
            // SAFETY: the block is alive until the next line, and as long as its layout says.
            let bytes = unsafe { std::slice::from_raw_parts(block, layout.size()) };
            let held = bytes.windows(48).any(|window| needles.iter().any(|needle| needle == window));
            FOUND.set(FOUND.get() + usize::from(held));
        });
        // SAFETY: the caller's promise is passed on.
        unsafe { System.dealloc(block, layout) }
    }
}

/// The first coordinate of a point, as it lies in memory.
fn in_memory<T>(point: &T) -> [u8; 48] {
    assert!(size_of::<T>() >= 144, "three coordinates of 48 bytes at least");
    // SAFETY: as many bytes of a live value, all of them set: limbs without padding.
    unsafe { std::ptr::from_ref(point).cast::<[u8; 48]>().read() }
}

/// How many blocks with one of these were given back while `work` ran.
fn left_behind(needles: Vec<[u8; 48]>, work: impl FnOnce()) -> usize {
    FOUND.set(0);
    NEEDLES.set(needles);
    work();
    let needles = NEEDLES.take();
    drop(needles);
    FOUND.get()
}

#[test]
fn a_key_leaves_no_point_behind() {
    let (authority, mut fresh) = (authority("level: number(16)"), seeds());
    let public = authority.parameters();
    let issued = key(&authority, "a = x, b = x, c = x, d = x, level = 12345", fresh());
    let (bytes, policies) = (issued.to_bytes(), ["a = x and level >= 300", "3 of (a = x, b = x, c = x, d = x)"]);
    let sealed: Vec<Ciphertext> = policies.iter().map(|policy| sealed(&authority, policy, fresh()).0).collect();
    // As they lie in the memory of a key that was read: affine in Jacobian coordinates.
    let model = UserKey::from_bytes(&bytes, public).unwrap();
    let mut needles = vec![in_memory(&model.points().sk1), in_memory(&model.points().sk3)];
    needles.extend(model.points().sk2.iter().map(in_memory));
    // And as they stand in a key file, behind the names: sk1 in two halves, sk3, sk2 of each label.
    let points = bytes.len() - 48 * (needles.len() + 1);
    needles.extend(bytes[points..].chunks_exact(48).map(|part| <[u8; 48]>::try_from(part).unwrap()));
    assert_eq!(needles.len(), 2 * model.labels().len() + 5);

    let control = needles[3].to_vec();
    assert_eq!(left_behind(needles.clone(), move || drop(control)), 1, "the watcher sees");

    let seed = fresh();
    let found = left_behind(needles, || {
        let key = UserKey::from_bytes(&bytes, public).unwrap();
        assert!(sealed.iter().all(|sealed| open(public, &key, sealed, b"context").is_ok()));
        let narrowing = Narrowing { without: vec!["b".into()], ..Narrowing::default() };
        drop(key.delegate(public, &narrowing, seed).unwrap());
        drop(key.to_bytes());
        drop(key);
    });
    assert_eq!(found, 0, "blocks that were given back with a point of the key");
}

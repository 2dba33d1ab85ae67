//! Faults that tests plant: a disk that is full, and one that fails.

use std::sync::atomic::{AtomicI32, AtomicU32, Ordering};

use rusqlite::{Connection, ffi};

/// Planted faults; none by default.
#[derive(Default)]
pub(crate) struct Faults {
    /// Most pages the database may have; 0 for no bound.
    pages: AtomicU32,
    /// How many pages a slice of the reserve stands for.
    slice: AtomicU32,
    /// Extended code that the next transaction fails with; 0 for none.
    next: AtomicI32,
}

impl Faults {
    /// From now on the database cannot grow, but for `slice` pages each time the reserve gives some back.
    pub(crate) fn cap(&self, slice: u32) {
        self.slice.store(slice, Ordering::SeqCst);
        self.pages.store(1, Ordering::SeqCst);
    }

    /// The disk has space again.
    pub(crate) fn uncap(&self) {
        self.pages.store(0, Ordering::SeqCst);
    }

    pub(crate) fn is_capped(&self) -> bool {
        self.pages.load(Ordering::SeqCst) != 0
    }

    /// The next transaction fails with this extended code of the engine.
    pub(crate) fn fail_next(&self, code: i32) {
        self.next.store(code, Ordering::SeqCst);
    }

    pub(crate) fn raise(&self, connection: &Connection, given: bool) {
        if given && self.is_capped() {
            let now: u32 = connection.query_row("PRAGMA page_count", [], |row| row.get(0)).unwrap();
            self.pages.store(now + self.slice.load(Ordering::SeqCst), Ordering::SeqCst);
        }
    }

    pub(crate) fn prepare(&self, connection: &Connection) -> Result<(), rusqlite::Error> {
        let code = self.next.swap(0, Ordering::SeqCst);
        if code != 0 {
            return Err(rusqlite::Error::SqliteFailure(ffi::Error::new(code), None));
        }
        // The engine never goes below the pages there are: a bound of 1 means "not one more".
        let pages = match self.pages.load(Ordering::SeqCst) {
            0 => 1 << 30,
            pages => pages,
        };
        connection.query_row(&format!("PRAGMA max_page_count = {pages}"), [], |_| Ok(()))
    }
}

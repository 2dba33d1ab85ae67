//! The real binary under faults: killed, on a disk that fails or is full, on files that were put back or lost.
//!
//! | file | holds |
//! |---|---|
//! | `crash` | kill -9 at random moments of a mixed load; `make crash` runs it 200 times |
//! | `fsync` | writes that the disk refuses to make durable |
//! | `disk` | a disk that runs full, and gets room again |
//! | `head` | heads, data folders, root keys and locks that do not fit |
//! | `recovery` | the last resort, once every administrator is lost |
//! | `process`, `home`, `chance` | a server of the test's own, its folders, reproducible chance |
//! | `ledger`, `steward` | what was acknowledged: to a user of keys, to an administrator |
//!
//! A kill loses no page that the kernel holds, so that `crash` shows the order of writes and answers; `fsync` shows
//! that an answer waits for the disk.

#[cfg(test)]
mod chance;
#[cfg(test)]
mod crash;
#[cfg(test)]
mod disk;
#[cfg(test)]
mod fsync;
#[cfg(test)]
mod head;
#[cfg(test)]
mod home;
#[cfg(test)]
mod ledger;
#[cfg(test)]
mod process;
#[cfg(test)]
mod recovery;
#[cfg(test)]
mod step;
#[cfg(test)]
mod steward;

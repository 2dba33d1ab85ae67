//! What callers and the writer share.

use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::sync::{PoisonError, RwLock};

use crate::commit::Queue;
use crate::{Examination, Mode, SignedHead};

/// The queue, the newest head and the mode.
pub(crate) struct Shared {
    pub(crate) queue: Queue,
    head: RwLock<SignedHead>,
    mode: AtomicU8,
    reserve: AtomicU64,
    examination: AtomicU8,
    #[cfg(test)]
    pub(crate) faults: super::faults::Faults,
}

impl Shared {
    pub(crate) fn new(head: SignedHead) -> Self {
        Self {
            queue: Queue::new(),
            head: RwLock::new(head),
            mode: AtomicU8::new(0),
            reserve: AtomicU64::new(0),
            examination: AtomicU8::new(0),
            #[cfg(test)]
            faults: super::faults::Faults::default(),
        }
    }

    pub(crate) fn head(&self) -> SignedHead {
        *self.head.read().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn set_head(&self, head: SignedHead) {
        *self.head.write().unwrap_or_else(PoisonError::into_inner) = head;
    }

    pub(crate) fn mode(&self) -> Mode {
        match self.mode.load(Ordering::Acquire) {
            0 => Mode::Normal,
            1 => Mode::Reserve,
            2 => Mode::Spent,
            _ => Mode::Failed,
        }
    }

    pub(crate) fn set_mode(&self, mode: Mode) {
        let number = match mode {
            Mode::Normal => 0,
            Mode::Reserve => 1,
            Mode::Spent => 2,
            Mode::Failed => 3,
        };
        self.mode.store(number, Ordering::Release);
    }

    pub(crate) fn reserve(&self) -> u64 {
        self.reserve.load(Ordering::Relaxed)
    }

    pub(crate) fn set_reserve(&self, bytes: u64) {
        self.reserve.store(bytes, Ordering::Relaxed);
    }

    pub(crate) fn examination(&self) -> Examination {
        match self.examination.load(Ordering::Acquire) {
            0 => Examination::Pending,
            1 => Examination::Sound,
            _ => Examination::Damaged,
        }
    }

    pub(crate) fn set_examination(&self, sound: bool) {
        self.examination.store(if sound { 1 } else { 2 }, Ordering::Release);
    }
}

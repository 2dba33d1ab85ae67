//! Bodies with a time: a request's that must arrive, and an answer's that holds its place until it has left.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use axum::body::Body;
use bytes::Bytes;
use hyper::body::{Body as HttpBody, Frame, Incoming, SizeHint};
use tokio::time::{Instant, Sleep};

use super::live::Live;

/// Why a request's body ended early. Handlers find it in the source chain of axum's body error.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BodyError {
    /// It did not arrive in time; answer 408.
    #[error("the request's body did not arrive in time: send it within `limits.body_millis`")]
    Timeout,
    /// The connection or its framing broke.
    #[error("the request's body broke off: {0}")]
    Broken(#[from] hyper::Error),
}

/// A request body that must be complete by a moment, however steadily it trickles.
pub struct TimedBody {
    inner: Incoming,
    deadline: Instant,
    /// Made at the first wait: most bodies are there already, and a timer costs more than looking at them.
    sleep: Option<Pin<Box<Sleep>>>,
}

impl TimedBody {
    /// Bounds a body.
    #[must_use]
    pub fn new(inner: Incoming, deadline: Instant) -> Self {
        Self { inner, deadline, sleep: None }
    }
}

impl HttpBody for TimedBody {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        if let Poll::Ready(frame) = Pin::new(&mut self.inner).poll_frame(cx) {
            return Poll::Ready(frame.map(|frame| frame.map_err(BodyError::Broken)));
        }
        let deadline = self.deadline;
        let sleep = self.sleep.get_or_insert_with(|| Box::pin(tokio::time::sleep_until(deadline)));
        sleep.as_mut().poll(cx).map(|()| Some(Err(BodyError::Timeout)))
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

/// An open request; ends when dropped.
pub(super) struct Open {
    live: Arc<Live>,
    id: u64,
}

impl Open {
    pub(super) fn new(live: Arc<Live>) -> Self {
        let id = live.begin();
        Self { live, id }
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.live.end(self.id);
    }
}

/// An answer's body that keeps its request open until HTTP has taken the last of it.
pub(super) struct HeldBody {
    inner: Body,
    _open: Open,
}

impl HeldBody {
    pub(super) fn new(inner: Body, open: Open) -> Self {
        Self { inner, _open: open }
    }
}

impl HttpBody for HeldBody {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.inner).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

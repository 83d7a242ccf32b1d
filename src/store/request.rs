//! What the store can be asked, and how it answers.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::sync::oneshot;

use super::cdr::CdrQuery;
use super::error::StoreError;
use super::users::UserChanges;
use crate::directory::{Entry, PhotoChange, User};
use crate::records::KeptRecord;
use crate::shard::durable::{ConferenceWrite, Write};

/// A change of one user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum UserChange {
    /// A new user; refused when the address is taken.
    Add(User),
    /// The user of this address can no longer sign in.
    Disable(String),
    /// The user of this address can sign in again.
    Enable(String),
    /// What a directory service says of a user, who is made if need be; refused when an operator
    /// made one of that address. Changes nothing when he is so already.
    Entry(Box<Entry>),
    /// All users of the directory service were looked at, at this time in milliseconds.
    Looked(u64),
    /// A directory service has the user of this address no more: he is disabled until it has.
    /// Changes nothing when he is none of it.
    Missing(String),
    /// A user's picture is another one, or is taken away.
    Photo(Box<PhotoChange>),
    /// The user of this address is forgotten; its call detail records stay.
    Remove(String),
    /// All but the address of an existing user.
    Update(User),
}

/// What a shard has the store keep.
#[derive(Debug)]
pub enum Keep {
    /// A scheduled conference.
    Conference(ConferenceWrite),
    /// Rows of a user.
    User(Write),
}

impl Keep {
    /// Number of rows.
    pub fn len(&self) -> usize {
        match self {
            Keep::Conference(_) => 1,
            Keep::User(write) => write.rows.len(),
        }
    }
}

/// A request to the store's thread. Each carries the way back.
#[derive(Debug)]
pub enum Request {
    /// Changes together; each is applied on its own, and the first that is refused is answered.
    Change(Vec<UserChange>, Answer<()>),
    UsersSince(u64, Answer<Option<UserChanges>>),
    Cdrs(CdrQuery, Answer<Vec<KeptRecord>>),
    Flush(Answer<()>),
    Stop(Answer<()>),
}

/// The store's end of a [`Reply`].
#[derive(Debug)]
pub struct Answer<T>(oneshot::Sender<Result<T, StoreError>>);

impl<T> Answer<T> {
    /// Answers. Whether somebody still waits is not the store's concern.
    pub fn send(self, result: Result<T, StoreError>) {
        let _ = self.0.send(result);
    }
}

/// An answer to come. Await it on any executor, or [`wait`](Self::wait) on a plain thread.
#[derive(Debug)]
pub struct Reply<T>(oneshot::Receiver<Result<T, StoreError>>);

impl<T> Reply<T> {
    pub(super) fn channel() -> (Answer<T>, Self) {
        let (sender, receiver) = oneshot::channel();
        (Answer(sender), Reply(receiver))
    }

    /// The answer of a store whose thread has ended.
    pub(super) fn last(mut self) -> Result<T, StoreError> {
        self.0.try_recv().unwrap_or(Err(StoreError::Stopped))
    }

    /// Blocks until the answer is there. Not for a thread that runs an executor.
    pub fn wait(self) -> Result<T, StoreError> {
        self.0.blocking_recv().unwrap_or(Err(StoreError::Stopped))
    }
}

impl<T> Future for Reply<T> {
    type Output = Result<T, StoreError>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let received = ready!(Pin::new(&mut self.0).poll(context));
        Poll::Ready(received.unwrap_or(Err(StoreError::Stopped)))
    }
}

//! Accounts, for the API and the console: a connection to the database of its own, so that a request
//! waits neither for the store's thread nor holds it up.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::body::Bytes;
use tokio::sync::Semaphore;
use tokio::time::timeout;

use super::photo::{self, PhotoError};
use crate::admin::accounts::{AccountChange, Accounts, PhotoKey, Trouble};
use crate::base::aor::Aor;
use crate::config::Settings;
use crate::directory::{Photo, PhotoChange, User};
use crate::store::{Database, StoreError, UserChange, UserPage};

/// Where accounts are read and changed. Copies share one connection.
#[derive(Clone, Debug)]
pub struct AccountDesk {
    /// `None` for a server without accounts, as tests have it.
    database: Option<Arc<Mutex<Database>>>,
    answer_time: Duration,
    /// For a change, which waits for other writers.
    change_time: Duration,
    photo_pixels_max: usize,
    /// Where clients fetch pictures.
    photos_url: Option<Arc<str>>,
    /// The place of the picture that is being drawn: one takes much memory.
    easel: Arc<Semaphore>,
}

impl AccountDesk {
    /// A desk for the users of `database`.
    pub fn new(database: Option<Database>, settings: &Settings) -> Self {
        let limits = &settings.limits;
        AccountDesk {
            database: database.map(|database| Arc::new(Mutex::new(database))),
            answer_time: limits.admin_answer_timeout,
            change_time: limits.store_busy_timeout + limits.admin_answer_timeout,
            photo_pixels_max: limits.photo_pixels_max,
            photos_url: settings.api.url.as_deref().map(|url| format!("{url}/v1/photos").into()),
            easel: Arc::new(Semaphore::new(1)),
        }
    }

    /// The picture that a file shows, drawn away from the control thread.
    async fn draw(&self, file: Bytes) -> Result<Photo, Trouble> {
        let place = timeout(self.change_time, Arc::clone(&self.easel).acquire_owned()).await;
        let Ok(Ok(place)) = place else {
            return Err(Trouble::Unavailable("too many pictures come at once".to_owned()));
        };
        let pixels_max = self.photo_pixels_max;
        let drawn = tokio::task::spawn_blocking(move || {
            let drawn = photo::draw(&file, pixels_max);
            drop(place);
            drawn
        });
        match drawn.await {
            Ok(drawn) => Ok(drawn?),
            Err(_) => Err(Trouble::Unfit(PhotoError::Damaged.to_string())),
        }
    }

    /// Reads something from the database, away from the control thread.
    pub(super) async fn read<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Database) -> Result<T, Trouble> + Send + 'static,
    ) -> Result<T, Trouble> {
        self.with_database(self.answer_time, work).await
    }

    async fn with_database<T: Send + 'static>(
        &self,
        time: Duration,
        work: impl FnOnce(&mut Database) -> Result<T, Trouble> + Send + 'static,
    ) -> Result<T, Trouble> {
        let Some(database) = self.database.clone() else {
            return Err(Trouble::Unavailable("there is no database".to_owned()));
        };
        let task = tokio::task::spawn_blocking(move || {
            work(&mut database.lock().unwrap_or_else(PoisonError::into_inner))
        });
        match timeout(time, task).await {
            Ok(Ok(done)) => done,
            Ok(Err(_)) => Err(Trouble::Unavailable("the database failed".to_owned())),
            Err(_) => Err(Trouble::Unavailable("the database does not answer".to_owned())),
        }
    }
}

impl Accounts for AccountDesk {
    async fn users(
        &self,
        text: String,
        after: String,
        users_max: usize,
    ) -> Result<Vec<User>, Trouble> {
        let page = UserPage { text, after, users_max };
        self.read(move |database| Ok(database.users_page(&page)?)).await
    }

    async fn user(&self, user: Aor) -> Result<Option<User>, Trouble> {
        self.read(move |database| Ok(database.user(user.as_str())?)).await
    }

    async fn change(&self, change: AccountChange) -> Result<(), Trouble> {
        self.with_database(self.change_time, move |database| apply(database, change)).await
    }

    async fn set_photo(&self, user: Aor, file: Option<Bytes>) -> Result<(), Trouble> {
        let photo = match file {
            Some(file) => Some(self.draw(file).await?),
            None => None,
        };
        let url = self.photos_url.as_deref().zip(photo.as_ref().map(Photo::hash));
        let url = url.map(|(folder, hash)| format!("{folder}/{hash}"));
        let change = PhotoChange { aor: user.as_str().to_owned(), photo, url };
        let change = UserChange::Photo(Box::new(change));
        self.with_database(self.change_time, move |database| Ok(database.change_user(&change)?))
            .await
    }

    async fn photo(&self, which: PhotoKey) -> Result<Option<Photo>, Trouble> {
        self.read(move |database| {
            Ok(match which {
                PhotoKey::Of(user) => database.photo(user.as_str())?,
                PhotoKey::Hash(hash) => database.photo_by_hash(hash)?,
            })
        })
        .await
    }
}

impl From<PhotoError> for Trouble {
    fn from(error: PhotoError) -> Self {
        match error {
            PhotoError::TooManyPixels(_) => Trouble::TooManyPixels(error.to_string()),
            PhotoError::Kind | PhotoError::Damaged => Trouble::Unfit(error.to_string()),
        }
    }
}

fn apply(database: &mut Database, change: AccountChange) -> Result<(), Trouble> {
    let address = |user: Aor| user.as_str().to_owned();
    let change = match change {
        AccountChange::Add(user) => UserChange::Add(*user),
        AccountChange::Disable(user) => UserChange::Disable(address(user)),
        AccountChange::Enable(user) => UserChange::Enable(address(user)),
        AccountChange::Remove(user) => UserChange::Remove(address(user)),
        AccountChange::Password(user, password) => {
            let mut user = database.user(user.as_str())?.ok_or(Trouble::NoSuchUser)?;
            let realm = user.realm().to_owned();
            let set = user.set_password(&realm, &password);
            set.map_err(|error| Trouble::Unfit(error.to_string()))?;
            UserChange::Update(user)
        }
    };
    Ok(database.change_user(&change)?)
}

impl From<StoreError> for Trouble {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::NoSuchUser(_) => Trouble::NoSuchUser,
            StoreError::UserExists(_) => Trouble::UserExists,
            other => Trouble::Unavailable(other.to_string()),
        }
    }
}

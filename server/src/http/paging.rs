//! Lists in pages: `limit` and an opaque `cursor`.
//!
//! A cursor is the name after which the next page starts, in base64url. It needs no signature: it grants nothing,
//! for every item of a page is decided on by itself, and what is no name is refused.

use axum::extract::{FromRequestParts, Query};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::request::Parts;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use wardkeep_api::Page;

use super::problem::Fault;

/// Most items of a page.
pub const MAX_PAGE: usize = 500;
/// Items of a page where the caller does not say.
pub const USUAL_PAGE: usize = 100;

/// Why a page was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PageError {
    /// Not a number of items that a page may have.
    #[error("`limit` is 1 to {MAX_PAGE}")]
    Limit,
    /// Not a cursor that a list of this kind gave.
    #[error("`cursor` is not one that this list gave: take it from `next`, or leave it out to start anew")]
    Cursor,
}

/// Why a query string was refused. The message comes from our own types and echoes no value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the query is not understood: this route knows the parameters in its description, each once")]
pub struct QueryError;

/// The parameters of every list.
#[derive(Debug, Clone, Default, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct PageQuery {
    /// Items a page, 1 to 500. Default: 100.
    #[serde(default)]
    pub limit: Option<usize>,
    /// `next` of the page before.
    #[serde(default)]
    pub cursor: Option<String>,
}

impl PageQuery {
    /// The number of items.
    ///
    /// # Errors
    /// [`PageError::Limit`]
    pub fn limit(&self) -> Result<usize, PageError> {
        limit(self.limit)
    }

    /// The name after which the page starts, checked by `parse`.
    ///
    /// # Errors
    /// [`PageError::Cursor`]
    pub fn after<T>(&self, parse: impl FnOnce(&str) -> Option<T>) -> Result<Option<T>, PageError> {
        let Some(cursor) = &self.cursor else { return Ok(None) };
        let name = URL_SAFE_NO_PAD.decode(cursor).ok().and_then(|bytes| String::from_utf8(bytes).ok());
        name.and_then(|name| parse(&name)).map(Some).ok_or(PageError::Cursor)
    }
}

/// A number of items in bounds.
///
/// # Errors
/// [`PageError::Limit`]
pub fn limit(asked: Option<usize>) -> Result<usize, PageError> {
    match asked.unwrap_or(USUAL_PAGE) {
        fits @ 1..=MAX_PAGE => Ok(fits),
        _ => Err(PageError::Limit),
    }
}

/// The cursor that starts after a name.
#[must_use]
pub fn cursor(name: &str) -> String {
    URL_SAFE_NO_PAD.encode(name)
}

/// One page of a list that is at hand whole, starting after the item of a name.
pub fn by_name<T>(all: Vec<T>, limit: usize, after: Option<String>, name: impl Fn(&T) -> &String) -> Page<T> {
    let skipped =
        after.map_or(0, |after| all.iter().position(|item| *name(item) == after).map_or(all.len(), |at| at + 1));
    let more = all.len().saturating_sub(skipped) > limit;
    let items: Vec<T> = all.into_iter().skip(skipped).take(limit).collect();
    let next = items.last().filter(|_| more).map(|last| cursor(name(last)));
    Page { items, next }
}

/// A query string that is refused by a problem of ours.
#[derive(Debug)]
pub struct Asked<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for Asked<T> {
    type Rejection = Fault;
    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Fault> {
        Query::try_from_uri(&parts.uri).map(|Query(value)| Self(value)).map_err(|_| QueryError.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_leads_back_to_its_name_only() {
        let name = |text: &str| text.contains('/').then(|| text.to_owned());
        let query = |cursor: &str| PageQuery { limit: None, cursor: Some(cursor.to_owned()) };
        assert_eq!(query(&cursor("a/b")).after(name), Ok(Some("a/b".to_owned())));
        for bad in [cursor("plain").as_str(), "", "a/b", "%%%", "gIA"] {
            assert_eq!(query(bad).after(name), Err(PageError::Cursor), "{bad}");
        }
    }

    #[test]
    fn pages_follow_each_other_without_gap_or_overlap() {
        let all: Vec<String> = (0..7).map(|n| n.to_string()).collect();
        let (mut seen, mut after) = (Vec::new(), None);
        loop {
            let page = by_name(all.clone(), 3, after, |name| name);
            seen.extend(page.items);
            let Some(next) = page.next else { break };
            after = PageQuery { limit: None, cursor: Some(next) }.after(|name| Some(name.to_owned())).unwrap();
        }
        assert_eq!(seen, all);
        assert!(by_name(all, 3, Some("gone".into()), |name| name).items.is_empty());
    }

    #[test]
    fn pages_are_bounded() {
        assert_eq!((limit(None), limit(Some(1)), limit(Some(500))), (Ok(USUAL_PAGE), Ok(1), Ok(500)));
        assert_eq!((limit(Some(0)), limit(Some(501))), (Err(PageError::Limit), Err(PageError::Limit)));
    }
}

//! Owns lists that may be long: one page of them by keys, or all of them in a stream that holds one page at a time.
//! Must never hold a list, nor count what would have to be read for it.

use std::future::Future;

use axum::BoxError;
use axum::body::Body;
use axum::response::Response;
use bytes::Bytes;
use futures::stream;
use http::StatusCode;
use serde::Serialize;
use serde_json::json;

use crate::envelope;
use crate::error::ApiError;

/// Rows that are read at a time.
const PAGE: usize = 128;
/// The most rows that a client may ask for at once.
const MOST: usize = 1_000;

/// `?page=`, `?per_page=` and `?cursor=`, as lists take them.
#[derive(serde::Deserialize)]
pub(crate) struct Paging {
    #[serde(default = "first_page", deserialize_with = "from_one")]
    pub(crate) page: u32,
    per_page: Option<usize>,
    cursor: Option<String>,
}

fn first_page() -> u32 {
    1
}

fn from_one<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<u32, D::Error> {
    let page: u32 = serde::Deserialize::deserialize(deserializer)?;
    if page == 0 { Err(serde::de::Error::custom("page is a number from 1")) } else { Ok(page) }
}

/// What a list is made from: rows by their keys.
pub(crate) trait Rows: Send + 'static {
    /// What clients see of a row.
    type Row: Serialize + Send;

    /// Rows whose keys come after `after`, `limit` at most, each with its key, sorted by the keys. Fewer than `limit`
    /// are the last.
    fn page(
        &self,
        after: Option<&str>,
        limit: usize,
    ) -> impl Future<Output = Result<Vec<(String, Self::Row)>, ApiError>> + Send;

    /// How many there are, where that is known without reading them.
    fn count(&self) -> impl Future<Output = Result<Option<u64>, ApiError>> + Send;
}

/// Those rows of a list whose keys may be seen. How many there are of them nobody has counted.
pub(crate) struct Visible<R, F> {
    pub(crate) rows: R,
    pub(crate) whole: bool,
    pub(crate) shows: F,
}

impl<R: Rows + Sync, F: Fn(&str) -> bool + Send + Sync + 'static> Rows for Visible<R, F> {
    type Row = R::Row;

    async fn page(&self, after: Option<&str>, limit: usize) -> Result<Vec<(String, R::Row)>, ApiError> {
        if self.whole {
            return self.rows.page(after, limit).await;
        }
        let mut seen = Vec::new();
        let mut after = after.map(str::to_owned);
        loop {
            let found = self.rows.page(after.as_deref(), PAGE).await?;
            let is_last = found.len() < PAGE;
            after = found.last().map(|(key, _)| key.clone());
            seen.extend(found.into_iter().filter(|(key, _)| (self.shows)(key)));
            if is_last || seen.len() >= limit {
                seen.truncate(limit);
                return Ok(seen);
            }
        }
    }

    async fn count(&self) -> Result<Option<u64>, ApiError> {
        if self.whole { self.rows.count().await } else { Ok(None) }
    }
}

/// A list as it was asked for. Without `per_page` it comes whole on page 1, and clients that ask for page after page
/// find the next one empty.
///
/// # Errors
/// For `per_page` out of range; and those of the rows, as long as nothing was answered.
pub(crate) async fn answer<R: Rows>(rows: R, paging: Paging) -> Result<Response, ApiError> {
    match (paging.per_page, &paging.cursor) {
        (None, None) if paging.page <= 1 => in_a_stream(rows).await,
        (None, None) => {
            Ok(page::<R::Row>(&[], &Info { page: paging.page, per_page: MOST, ..Info::default() }))
        }
        (Some(0), _) => Err(ApiError::parameter(format_args!("per_page is a number from 1 to {MOST}"))),
        (Some(per_page), _) if per_page > MOST => {
            Err(ApiError::parameter(format_args!("per_page is a number from 1 to {MOST}")))
        }
        (Some(per_page), _) => one_page(rows, paging, per_page).await,
        (None, Some(_)) => one_page(rows, paging, MOST).await,
    }
}

/// One page of a list whose clients count pages and say nothing of their length, or more than there can be.
///
/// # Errors
/// Those of the rows.
pub(crate) async fn counted<R: Rows>(
    rows: R,
    page: u32,
    per_page: usize,
    cursor: Option<&str>,
) -> Result<Response, ApiError> {
    let cursor = cursor.map(str::to_owned);
    one_page(rows, Paging { page, per_page: Some(per_page), cursor }, per_page).await
}

/// One page of rows that are all there.
pub(crate) fn slice<T: Serialize>(rows: &[T], page: u32, per_page: usize) -> Response {
    let total = rows.len() as u64;
    let before = (page.saturating_sub(1) as usize).saturating_mul(per_page);
    let found: Vec<&T> = rows.iter().skip(before).take(per_page).collect();
    let total_pages = Some(total.div_ceil((per_page as u64).max(1)));
    let info = Info {
        page,
        per_page,
        count: found.len(),
        total_count: Some(total),
        total_pages,
        cursor: String::new(),
    };
    envelope::page(&found, &info)
}

/// `result_info` of one page. `cursor` asks for the next one; it is empty on the last.
#[derive(Default, Serialize)]
struct Info {
    page: u32,
    per_page: usize,
    count: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    total_count: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    total_pages: Option<u64>,
    cursor: String,
}

async fn one_page<R: Rows>(rows: R, paging: Paging, per_page: usize) -> Result<Response, ApiError> {
    let total_count = rows.count().await?;
    let per = u64::try_from(per_page).unwrap_or(u64::MAX);
    let total_pages = total_count.map(|count| count.div_ceil(per));
    let mut info = Info { page: paging.page, per_page, total_count, total_pages, ..Info::default() };
    let mut after = paging.cursor.filter(|cursor| !cursor.is_empty());
    if after.is_none() {
        // For clients that count pages: those before are read and dropped, one at a time.
        for _ in 1..paging.page {
            let passed = rows.page(after.as_deref(), per_page).await?;
            if passed.len() < per_page {
                return Ok(page::<R::Row>(&[], &info));
            }
            after = passed.into_iter().last().map(|(key, _)| key);
        }
    }
    let found = rows.page(after.as_deref(), per_page).await?;
    info.count = found.len();
    if let Some((key, _)) = found.last().filter(|_| found.len() == per_page) {
        info.cursor.clone_from(key);
    }
    Ok(page(&found, &info))
}

fn page<T: Serialize>(rows: &[(String, T)], info: &Info) -> Response {
    let rows: Vec<&T> = rows.iter().map(|(_, row)| row).collect();
    envelope::page(&rows, info)
}

/// Where the stream of a list is.
struct Place<R: Rows> {
    rows: R,
    /// What was read and not yet sent.
    found: Option<Vec<(String, R::Row)>>,
    after: Option<String>,
    count: usize,
}

/// All rows, a page at a time. A failure in the middle breaks the answer off, so that nobody takes it for whole.
async fn in_a_stream<R: Rows>(rows: R) -> Result<Response, ApiError> {
    // Before the head is sent: what is wrong now is an error like any other.
    let found = Some(rows.page(None, PAGE).await?);
    let place = Place { rows, found, after: None, count: 0 };
    let chunks = stream::try_unfold(Some(place), |place| async move {
        match place {
            None => Ok::<_, BoxError>(None),
            Some(place) => next_chunk(place).await.map(Some),
        }
    });
    Ok(envelope::json(StatusCode::OK, Body::from_stream(chunks)))
}

async fn next_chunk<R: Rows>(mut place: Place<R>) -> Result<(Bytes, Option<Place<R>>), BoxError> {
    let found = match place.found.take() {
        Some(found) => found,
        None => place.rows.page(place.after.as_deref(), PAGE).await?,
    };
    let mut text = Vec::with_capacity(found.len() * 512);
    if place.count == 0 {
        text.extend_from_slice(br#"{"success":true,"errors":[],"messages":[],"result":["#);
    }
    for (_, row) in &found {
        if place.count > 0 {
            text.push(b',');
        }
        serde_json::to_writer(&mut text, row)?;
        place.count += 1;
    }
    let last = found.len() < PAGE;
    place.after = found.into_iter().last().map(|(key, _)| key);
    if last {
        let count = place.count;
        let pages = u32::from(count > 0);
        let info = json!({
            "page": 1, "per_page": count.max(20), "count": count, "total_count": count, "total_pages": pages,
        });
        text.extend_from_slice(format!("],\"result_info\":{info}}}").as_bytes());
    }
    Ok((text.into(), (!last).then_some(place)))
}

//! Media of imported products: files beside the import go into the media store under a key made
//! from their content, addresses are stored as they are or fetched, and what lies in the store
//! already is described.

use std::collections::HashMap;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use barrow_engine::catalog::{Media, MediaKind};
use barrow_engine::ports::{MediaError, MediaStore};
use bytes::Bytes;
use sha2::{Digest, Sha256};
use ureq::http::Uri;

use super::fetch::PICTURE_BYTES_MAX;
use super::fetched::FetchedMedia;
use super::{ImageFetcher, Importer};
use crate::derive;
use crate::record::{Field, MakeContent, MediaContent, MediaRecord, Problem};

/// How much of a stored picture is read to learn its width and height.
const HEADER_BYTES: u64 = 64 * 1024;

/// How many stored files are remembered during an import. Catalogs share pictures by the
/// thousand products, and each look costs a read; a picture of its own is looked at once anyway.
const STORED_KNOWN_MAX: usize = 4_096;

/// What the media store was found to hold, by key. Nobody but the import writes there meanwhile,
/// and what it replaces itself, it tells.
#[derive(Clone, Default)]
pub(super) struct StoredMedia(Arc<Mutex<HashMap<String, Stored>>>);

#[derive(Clone, Copy)]
struct Stored {
    bytes: u64,
    size: Option<(u32, u32)>,
}

impl StoredMedia {
    fn get(&self, key: &str) -> Option<Stored> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(key).copied()
    }

    /// Remembers what a look found. A look may end after the file was replaced: what is known
    /// by then is newer.
    fn found(&self, key: &str, stored: Stored) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() < STORED_KNOWN_MAX {
            known.entry(key.to_owned()).or_insert(stored);
        }
    }

    /// Another file lies there now.
    fn replaced(&self, key: &str, stored: Stored) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() < STORED_KNOWN_MAX || known.contains_key(key) {
            known.insert(key.to_owned(), stored);
        }
    }
}

/// A medium as it is kept, and what the file called it.
#[derive(Debug)]
pub struct Resolved {
    pub said: String,
    pub media: Media,
    /// Why a picture was not fetched; its address is kept.
    pub warning: Option<String>,
}

/// Why a medium cannot be kept.
pub struct Refused {
    code: &'static str,
    detail: String,
}

impl Refused {
    fn new(code: &'static str, detail: impl Into<String>) -> Refused {
        Refused { code, detail: detail.into() }
    }

    pub fn under(self, pointer: &str) -> Problem {
        Problem::new(pointer, self.code, self.detail)
    }
}

/// What is needed to take media in; cheap to clone.
#[derive(Clone)]
pub struct MediaWork {
    store: Arc<dyn MediaStore>,
    fetcher: Option<Arc<dyn ImageFetcher>>,
    dry_run: bool,
    stored: StoredMedia,
    fetched: FetchedMedia,
}

impl Importer<'_> {
    pub(super) fn media_work(&self) -> MediaWork {
        MediaWork {
            store: Arc::clone(&self.stores.media),
            fetcher: self.options.fetcher.clone(),
            dry_run: self.options.dry_run,
            stored: self.stored_media.clone(),
            fetched: self.fetched_media.clone(),
        }
    }
}

impl MediaWork {
    /// Takes one medium in; `known` are those the product has.
    pub async fn resolve(
        &self,
        said: &MediaRecord,
        known: &[Media],
    ) -> Result<Result<Resolved, Refused>, MediaError> {
        let found = match &said.content {
            MediaContent::File(path) => self.take_file(path).await?,
            MediaContent::Made(make) => self.take_made(said, make, known).await?,
            MediaContent::Elsewhere if is_address(&said.key) => {
                self.take_address(said, known).await?
            }
            MediaContent::Elsewhere => self.take_stored(&said.key, known).await?,
        };
        Ok(found.map(|content| {
            let same = known.iter().find(|media| media.key == content.key);
            let mut media = same.cloned().unwrap_or_else(|| described(said.kind, &content));
            media.kind = said.kind;
            content.put_into(&mut media);
            if let Field::Set(alt) = &said.alt {
                media.alt.clone_from(alt);
            }
            if let Some(mime) = &said.mime {
                media.mime.clone_from(mime);
            }
            media.width = said.width.or(media.width);
            media.height = said.height.or(media.height);
            media.bytes = said.bytes.unwrap_or(media.bytes);
            Resolved { said: said.key.clone(), media, warning: content.warning }
        }))
    }

    async fn take_file(&self, path: &Path) -> Result<Result<Content, Refused>, MediaError> {
        let name = path.display();
        let refused = |detail| Ok(Err(Refused::new("unreadable", detail)));
        match tokio::fs::metadata(path).await {
            Err(error) => return refused(format!("{name}: {error}")),
            Ok(info) if info.len() > PICTURE_BYTES_MAX => {
                return refused(format!("{name} is larger than {PICTURE_BYTES_MAX} bytes"));
            }
            Ok(_) => {}
        }
        let bytes = match tokio::fs::read(path).await {
            Ok(bytes) => bytes,
            Err(error) => return refused(format!("{name}: {error}")),
        };
        let Some(format) = Format::of(&bytes) else {
            return refused(format!("{name} is no picture or document that a shop can show"));
        };
        // The key is the content's: the same file is stored once, a changed one is a new one.
        let key = format!("import/{}.{}", hex(&Sha256::digest(&bytes)[..16]), format.ending);
        self.keep(&key, &bytes).await?;
        Ok(Ok(Content::of(key, &bytes, format)))
    }

    async fn take_made(
        &self,
        said: &MediaRecord,
        make: &MakeContent,
        known: &[Media],
    ) -> Result<Result<Content, Refused>, MediaError> {
        let is_known = known.iter().any(|media| media.key == said.key);
        let stored = self.store.info(&said.key).await?;
        if let (Some(info), true) = (&stored, is_known) {
            return Ok(Ok(Content { bytes: Some(info.bytes), ..Content::at(&said.key) }));
        }
        if self.dry_run {
            return Ok(Ok(Content::at(&said.key)));
        }
        let make = Arc::clone(make);
        let made = tokio::task::spawn_blocking(move || make()).await;
        let bytes = match made {
            Ok(Ok(bytes)) => bytes,
            Ok(Err(detail)) => return Ok(Err(Refused::new("unreadable", detail))),
            Err(error) => return Ok(Err(Refused::new("unreadable", error.to_string()))),
        };
        let Some(format) = Format::of(&bytes) else {
            let detail = format!("what was made for '{}' is of no known format", said.key);
            return Ok(Err(Refused::new("unreadable", detail)));
        };
        let length = bytes.len() as u64;
        if stored.as_ref().is_none_or(|info| info.bytes != length) {
            self.store.put(&said.key, Bytes::from(bytes.clone())).await?;
        }
        if stored.is_some_and(|info| info.bytes != length) {
            self.stored.replaced(&said.key, Stored { bytes: length, size: size_of(&bytes) });
        }
        Ok(Ok(Content::of(said.key.clone(), &bytes, format)))
    }

    async fn take_address(
        &self,
        said: &MediaRecord,
        known: &[Media],
    ) -> Result<Result<Content, Refused>, MediaError> {
        if !said.key.starts_with("https://") || said.key.len() > 2_000 {
            let detail = "an address of at most 2,000 characters with https:// is wanted";
            return Ok(Err(Refused::new("out_of_range", detail)));
        }
        // What cannot be asked for cannot be shown either, so nobody is asked first.
        if let Err(error) = said.key.parse::<Uri>() {
            let detail = format!("'{}' is no address: {error}", said.key);
            return Ok(Err(Refused::new("invalid", detail)));
        }
        // A picture that was fetched is known by its address for ever, fetched or not today.
        let stem = format!("fetched/{}", hex(&Sha256::digest(&said.key)[..16]));
        let fetched = known
            .iter()
            .find(|media| media.key.rsplit_once('.').is_some_and(|(start, _)| start == stem));
        if let Some(media) = fetched {
            return Ok(Ok(Content::at(&media.key)));
        }
        let Some(fetcher) = self.fetcher.as_ref().filter(|_| !self.dry_run) else {
            return Ok(Ok(Content::at(&said.key)));
        };
        let fetch = self.fetch(fetcher.as_ref(), &said.key, &stem);
        Ok(Ok(self.fetched.once(&said.key, fetch).await?))
    }

    /// Fetches a picture and keeps it; one that cannot be had keeps its address.
    async fn fetch(
        &self,
        fetcher: &dyn ImageFetcher,
        url: &str,
        stem: &str,
    ) -> Result<Content, MediaError> {
        let warned = |detail: String| Ok(Content { warning: Some(detail), ..Content::at(url) });
        let bytes = match fetcher.fetch(url).await {
            Ok(bytes) => bytes,
            Err(detail) => return warned(format!("{url} was not fetched: {detail}")),
        };
        let Some(format) = Format::of(&bytes) else {
            return warned(format!("{url} is no picture that a shop can show"));
        };
        let key = format!("{stem}.{}", format.ending);
        self.keep(&key, &bytes).await?;
        Ok(Content::of(key, &bytes, format))
    }

    /// What the media store holds under the key; a key that is not there yet is taken as it is.
    async fn take_stored(
        &self,
        key: &str,
        known: &[Media],
    ) -> Result<Result<Content, Refused>, MediaError> {
        if known.iter().any(|media| media.key == key) {
            return Ok(Ok(Content::at(key)));
        }
        if let Some(stored) = self.stored.get(key) {
            return Ok(Ok(Content::stored(key, stored)));
        }
        let info = match self.store.info(key).await {
            Ok(Some(info)) => info,
            Ok(None) => return Ok(Ok(Content::at(key))),
            Err(error @ MediaError::InvalidKey(_)) => {
                return Ok(Err(Refused::new("out_of_range", error.to_string())));
            }
            Err(error) => return Err(error),
        };
        let header = self.store.get(key, Some(0..info.bytes.min(HEADER_BYTES))).await?;
        let size = header.and_then(|header| size_of(&header));
        let stored = Stored { bytes: info.bytes, size };
        self.stored.found(key, stored);
        Ok(Ok(Content::stored(key, stored)))
    }

    async fn keep(&self, key: &str, bytes: &[u8]) -> Result<(), MediaError> {
        if self.dry_run || self.store.info(key).await?.is_some() {
            return Ok(());
        }
        self.store.put(key, Bytes::copy_from_slice(bytes)).await
    }
}

/// What became known of a medium.
#[derive(Debug, Default, Clone)]
pub(super) struct Content {
    key: String,
    mime: Option<&'static str>,
    size: Option<(u32, u32)>,
    bytes: Option<u64>,
    warning: Option<String>,
}

impl Content {
    fn at(key: &str) -> Content {
        Content { key: key.to_owned(), ..Content::default() }
    }

    fn stored(key: &str, stored: Stored) -> Content {
        Content { bytes: Some(stored.bytes), size: stored.size, ..Content::at(key) }
    }

    fn of(key: String, bytes: &[u8], format: Format) -> Content {
        Content {
            key,
            mime: Some(format.mime),
            size: size_of(bytes),
            bytes: Some(bytes.len() as u64),
            warning: None,
        }
    }

    fn put_into(&self, media: &mut Media) {
        if let Some(mime) = self.mime {
            mime.clone_into(&mut media.mime);
        }
        if let Some((width, height)) = self.size {
            media.width = Some(width);
            media.height = Some(height);
        }
        media.bytes = self.bytes.unwrap_or(media.bytes);
    }
}

fn described(kind: MediaKind, content: &Content) -> Media {
    Media {
        id: derive::media_id(&content.key),
        kind,
        key: content.key.clone(),
        alt: String::new(),
        mime: mime_of_name(&content.key).to_owned(),
        width: None,
        height: None,
        bytes: 0,
    }
}

fn is_address(key: &str) -> bool {
    key.contains("://")
}

/// What the content type of a file is, by its ending.
fn mime_of_name(name: &str) -> &'static str {
    let path = name.split(['?', '#']).next().unwrap_or_default();
    let ending = path.rsplit_once('.').map(|(_, ending)| ending.to_ascii_lowercase());
    match ending.as_deref().unwrap_or_default() {
        "webp" => "image/webp",
        "png" => "image/png",
        "jpg" | "jpeg" => "image/jpeg",
        "gif" => "image/gif",
        "avif" => "image/avif",
        "svg" => "image/svg+xml",
        "pdf" => "application/pdf",
        "mp4" => "video/mp4",
        "webm" => "video/webm",
        _ => "application/octet-stream",
    }
}

/// The format of a file, told from its content: a file's name proves nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Format {
    mime: &'static str,
    ending: &'static str,
}

impl Format {
    pub(super) fn of(bytes: &[u8]) -> Option<Format> {
        use imagesize::{Compression, ImageType};
        if bytes.starts_with(b"%PDF-") {
            return Some(Format { mime: "application/pdf", ending: "pdf" });
        }
        let (mime, ending) = match imagesize::image_type(bytes).ok()? {
            ImageType::Webp => ("image/webp", "webp"),
            ImageType::Png => ("image/png", "png"),
            ImageType::Jpeg => ("image/jpeg", "jpg"),
            ImageType::Gif => ("image/gif", "gif"),
            ImageType::Heif(Compression::Av1) => ("image/avif", "avif"),
            _ => return None,
        };
        Some(Format { mime, ending })
    }
}

pub(super) fn size_of(bytes: &[u8]) -> Option<(u32, u32)> {
    let size = imagesize::blob_size(bytes).ok()?;
    Some((u32::try_from(size.width).ok()?, u32::try_from(size.height).ok()?))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

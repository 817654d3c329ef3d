//! `barrow api-key`: the keys that programs of the house call `/admin` with. It writes to the
//! database that the server reads, beside it or before there is one.

use barrow_engine::access::{ApiKey, ApiKeyDraft};
use barrow_engine::ids::ApiKeyId;
use barrow_engine::ports::{API_KEYS_MAX, ApiKeyStore, CommerceError, Entropy, KeyMade};
use barrow_engine::time::Timestamp;
use serde::Serialize;

use crate::auth::KeySecret;
use crate::config::Loaded;
use crate::wiring;

use super::args::{ApiKeyArgs, ApiKeyCommand, CreateKeyArgs, ListKeysArgs};
use super::failure::Failure;
use super::output;

/// A call whose outcome is unknown is made again: it has one effect.
const TRIES_MAX: u32 = 3;

/// How many keys are read at once.
const PAGE: usize = 100;

/// Does what it says.
pub fn run(args: &ApiKeyArgs, loaded: &Loaded) -> Result<(), Failure> {
    let config = &loaded.config;
    super::runtime()?.block_on(async {
        let commerce = wiring::open_commerce(config, config.data_dir()).await;
        let keys = commerce.map_err(super::open_failure)?.api_keys;
        match &args.command {
            ApiKeyCommand::Create(args) => create(&*keys, args).await,
            ApiKeyCommand::List(args) => list(&*keys, args).await,
            ApiKeyCommand::Revoke(args) => revoke(&*keys, args.id).await,
        }
    })
}

async fn until_known<T>(call: impl AsyncFn() -> Result<T, CommerceError>) -> Result<T, Failure> {
    let mut tries = 1;
    loop {
        match call().await {
            Err(CommerceError::OutcomeUnknown(_)) if tries < TRIES_MAX => tries += 1,
            Err(error @ CommerceError::Damaged(_)) => return Err(Failure::refused(error)),
            answer => return answer.map_err(Failure::unreachable),
        }
    }
}

async fn create(keys: &dyn ApiKeyStore, args: &CreateKeyArgs) -> Result<(), Failure> {
    let entropy = wiring::entropy();
    let secret = KeySecret::draw(&entropy);
    let now = wiring::now();
    let draft = ApiKeyDraft {
        id: ApiKeyId(entropy.next_u128()),
        hash: secret.hash(),
        name: args.name.clone(),
        scopes: args.scopes.iter().copied().collect(),
        created_at: now,
        expires_at: args.expires_in.map(|span| now.plus(span.get())),
    };
    match until_known(async || keys.create(&draft).await).await? {
        KeyMade::Done => {}
        KeyMade::Full => {
            let what = format!("there are {API_KEYS_MAX} keys already");
            return Err(Failure::refused(what).hint("revoke one: barrow api-key list"));
        }
    }
    output::complain(&format!(
        "{} '{}' may {}; keep it secret, it is not shown again",
        draft.id, draft.name, draft.scopes
    ));
    output::line(&secret.expose())
}

/// A key in a report.
#[derive(Serialize)]
struct Row {
    id: ApiKeyId,
    name: String,
    scopes: Vec<&'static str>,
    created_at: Timestamp,
    expires_at: Option<Timestamp>,
    /// To within a minute or so.
    last_used_at: Option<Timestamp>,
    revoked_at: Option<Timestamp>,
}

impl From<ApiKey> for Row {
    fn from(key: ApiKey) -> Row {
        Row {
            id: key.id,
            name: key.name,
            scopes: key.scopes.iter().map(|scope| scope.as_str()).collect(),
            created_at: key.created_at,
            expires_at: key.expires_at,
            last_used_at: key.last_used_at,
            revoked_at: key.revoked_at,
        }
    }
}

impl Row {
    fn line(&self, now: Timestamp) -> String {
        let state = match (self.revoked_at, self.expires_at) {
            (Some(at), _) => format!("revoked {at}"),
            (None, Some(at)) if at <= now => format!("expired {at}"),
            (None, Some(at)) => format!("good until {at}"),
            (None, None) => "good".to_owned(),
        };
        let used = self.last_used_at.map_or_else(|| "never".to_owned(), |at| at.to_string());
        let Row { id, name, created_at, .. } = self;
        let scopes = self.scopes.join(" ");
        format!("{id}  {state}  made {created_at}  used {used}  {scopes}  {name}\n")
    }
}

async fn list(keys: &dyn ApiKeyStore, args: &ListKeysArgs) -> Result<(), Failure> {
    let mut rows: Vec<Row> = Vec::new();
    let mut after = None;
    loop {
        let page = until_known(async || keys.list(after, PAGE).await).await?;
        let Some(last) = page.last() else { break };
        after = Some((last.created_at, last.id));
        let shown = page.into_iter().filter(|key| args.all || key.revoked_at.is_none());
        rows.extend(shown.map(Row::from));
    }
    if args.json {
        return output::json(&rows);
    }
    let now = wiring::now();
    output::text(&rows.iter().map(|row| row.line(now)).collect::<String>())
}

async fn revoke(keys: &dyn ApiKeyStore, id: ApiKeyId) -> Result<(), Failure> {
    let now = wiring::now();
    let key = until_known(async || keys.revoke(id, now).await).await?;
    let key = key.ok_or_else(|| {
        Failure::refused(format!("there is no key {id}")).hint("barrow api-key list")
    })?;
    output::complain(&format!("{id} '{}' lets nobody in any more", key.name));
    Ok(())
}

//! The node's service: keeps certificate and revocation list current, finds collections, runs each to its end.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, bail};
use daemon::enrolment::{accept_renewal, request};
use daemon::gate::Gate;
use daemon::identity::{Identity, Role};
use daemon::pki::Crl;
use daemon::shutdown::Shutdown;
use daemon::store::{Batch, SledStore, Store, version};
use daemon::tls::ClientTls;
use daemon::wallet::Wallet;
use jiff::Timestamp;
use sha2::{Digest, Sha256};
use sharing::tag::TagSecret;

use super::book::LedgerBook;
use super::case::{Case, Shared, Step};
use crate::config::Config;
use crate::link::cleared::Cleared;
use crate::link::egress::{Egress, EgressError};
use crate::link::journal::Journal;

/// Pause between looks when there is nothing to do, and after the first failure.
const PAUSE: Duration = Duration::from_millis(500);
/// Longest pause after failures in a row.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);
/// How often collections are asked for.
const LOOK: Duration = Duration::from_secs(2);
/// How often the revocation list is asked for.
const LIST: Duration = Duration::from_secs(60);

/// Runs until `stop`.
///
/// # Errors
/// When something configured cannot be used; the text says what.
pub async fn run(config: Config, mut stop: Shutdown) -> anyhow::Result<()> {
    let wallet = Wallet::new(config.place("identitet"));
    if wallet.is_empty() {
        bail!("noden är inte inskriven: kör `node --config FIL enrol --invite FIL` först");
    }
    let (credentials, crl) = wallet.load()?;
    if credentials.about().identity != Identity::new(Role::Node, config.unit.to_string())? {
        bail!("enhet = \"{}\", men certifikatet gäller {}", config.unit, credentials.about().identity);
    }
    let place = config.place("lager");
    let store: Arc<dyn Store> = Arc::new(SledStore::open(&place)?);
    version::bring_up(store.as_ref(), &place)?;
    let journal = Arc::new(Journal::open(&config.place("journal"))?);
    let credentials = Arc::new(credentials);
    let gate = Arc::new(Gate::new(credentials.root_der(), crl));
    let tls = Arc::new(ClientTls::mutual(credentials.clone(), Some(gate.clone())));
    let region = Identity::new(Role::Region, config.unit.county().to_string())?;
    let egress = Egress::new(journal, config.region.clone(), config.proxy.clone(), region, tls)?;
    let secret = tag_secret(store.as_ref())?;
    let ledger = LedgerBook::open(store.clone())?;
    let shared = Arc::new(Shared { config, store, ledger, secret, gate, credentials, egress });
    let store = shared.store.clone();
    tokio::select! {
        () = follow(shared, &wallet, &mut stop) => Ok(()),
        error = daemon::store::halted(store) => Err(error).context("lagret tar inte emot mer; starta om noden"),
    }
}

/// Looks for collections and works on each, until told to stop.
async fn follow(shared: Arc<Shared>, wallet: &Wallet, stop: &mut Shutdown) {
    let mut running = BTreeSet::new();
    let mut listed: Option<tokio::time::Instant> = None;
    let mut pause = LOOK;
    loop {
        if listed.is_none_or(|at| at.elapsed() >= LIST) {
            match keep_current(&shared, wallet).await {
                Ok(()) => listed = Some(tokio::time::Instant::now()),
                Err(error) => tracing::warn!("{error:#}"),
            }
        }
        match look(&shared, &mut running, stop).await {
            // Every question is journalled: the longer there is nothing new, the more seldom it is asked.
            Ok(true) => pause = LOOK,
            Ok(false) => pause = (pause * 2).min(LONGEST_PAUSE),
            Err(error) => {
                tracing::warn!("{error:#}");
                pause = (pause * 2).min(LONGEST_PAUSE);
            }
        }
        tokio::select! {
            () = stop.wait() => return,
            () = tokio::time::sleep(pause) => {}
        }
    }
}

async fn keep_current(shared: &Shared, wallet: &Wallet) -> anyhow::Result<()> {
    let der = shared.egress.revocations(Cleared::revocations()).await?;
    let crl = Crl::parse(&der, shared.gate.root_der())?;
    shared.gate.install(crl)?;
    wallet.store_revocations(&der)?;
    let now = Timestamp::now();
    let (held, _) = wallet.load()?;
    if held.about().renewal_due(now) {
        let certificate = shared.egress.renew(Cleared::renewal(request(held.key())?)).await?;
        let renewed = accept_renewal(&held, wallet.key()?, &certificate, now)?;
        wallet.store(renewed.certificate_der(), renewed.root_der(), &der)?;
        tracing::info!(days = renewed.about().days_left(now), "the certificate was renewed");
        shared.egress.replace_credentials(Arc::new(renewed));
    }
    Ok(())
}

async fn look(
    shared: &Arc<Shared>,
    running: &mut BTreeSet<[u8; 32]>,
    stop: &Shutdown,
) -> anyhow::Result<bool> {
    let before = running.len();
    let reply = shared.egress.collections(Cleared::collections()).await?;
    for announced in reply.collections {
        let collection = wire::signed("collection", announced.collection)?;
        let helper_key = wire::signed("helper_key", announced.helper_key)?;
        let hash: [u8; 32] = Sha256::digest(&collection.bytes).into();
        if running.contains(&hash) {
            continue;
        }
        running.insert(hash);
        let case = match Case::open(shared.clone(), &collection, &helper_key) {
            Ok(case) => case,
            Err(error) => {
                tracing::error!(hash = %hex::encode(hash), "a collection cannot be used: {error:#}");
                continue;
            }
        };
        tracing::info!(collection = %case.reference().id, hash = %hex::encode(hash), "a collection invites this unit");
        tokio::spawn(work(case, stop.clone()));
    }
    Ok(running.len() > before)
}

async fn work(case: Case, mut stop: Shutdown) {
    let mut pause = PAUSE;
    loop {
        let wait = match case.step().await {
            Ok(Step::Over) => {
                tracing::info!(collection = %case.reference().id, "published");
                return;
            }
            Ok(Step::Done) => {
                pause = PAUSE;
                continue;
            }
            Ok(Step::Wait) => PAUSE,
            Err(error) => {
                let is_final = error.downcast_ref::<EgressError>().is_some_and(EgressError::is_final);
                tracing::warn!(is_final, "{error:#}");
                pause = (pause * 2).min(LONGEST_PAUSE);
                pause
            }
        };
        tokio::select! {
            () = stop.wait() => return,
            () = tokio::time::sleep(wait) => {}
        }
    }
}

fn tag_secret(store: &dyn Store) -> anyhow::Result<TagSecret> {
    const KEY: &str = "node/tag-secret";
    if let Some(bytes) = store.get(KEY)? {
        return Ok(TagSecret::from_bytes(bytes.as_slice().try_into().context("the stored tag secret")?));
    }
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes).map_err(|_| anyhow::anyhow!("no randomness from the operating system"))?;
    store.commit(Batch::new().put(KEY, bytes.to_vec()))?;
    Ok(TagSecret::from_bytes(bytes))
}

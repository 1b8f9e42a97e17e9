//! The national coordinator: root of trust, issuer, helper of the regions; national rounds with a third coordinator.

use std::sync::Arc;

use anyhow::Context;
use daemon::door::{Limits, Target, connect_lazy, serve};
use daemon::enrolment::request;
use daemon::gate::Gate;
use daemon::identity::{Identity, Role};
use daemon::pki::Root;
use daemon::shutdown::Shutdown;
use daemon::store::{Batch, Store};
use daemon::tls::{ClientTls, Credentials, ServerTls};
use daemon::wallet::Wallet;
use jiff::{SignedDuration, Timestamp};
use proto::v1;
use round::national::National;
use sharing::helper_key::HelperKeyPair;
use sharing::signing::SigningContext;
use tokio::net::UnixListener;

use crate::admin::{self, CollectionStatus, Question, Reply};
use crate::config::{Config, Rounds};
use crate::counties::engine::{Engine, Third};
use crate::counties::service::CountiesService;
use crate::helper::{desk::Desk, service::HelperService};
use crate::issuer::desk::{IssuerDesk, root_directory};
use crate::issuer::service::{EnrolmentService, IssuerService};
use crate::issuer::upstream::Upstream;
use crate::region::pattern_key;
use crate::signer::Signer;
use crate::storage;

/// How long a root lives.
const ROOT_LIFE: SignedDuration = SignedDuration::from_hours(24 * 365 * 10);

/// Largest delivery of a county: its rows and its sealed share.
const MAX_DELIVERY: usize = 256 * 1024 * 1024;

/// How often a new revocation list is signed; it stands for a week.
const LIST_EVERY: std::time::Duration = std::time::Duration::from_secs(6 * 3600);

/// Runs until `stop`. Makes the root and the own certificate on the first start.
///
/// # Errors
/// When something configured cannot be used; the text says what.
pub async fn run(config: Config, rounds: Option<Rounds>, stop: Shutdown) -> anyhow::Result<()> {
    let Some(store) = storage::open(&config, &stop).await? else { return Ok(()) };
    let root = root(&config, store.as_ref())?;
    let issuer = Arc::new(IssuerDesk::open(root, store.clone(), &config.more_kommuner)?);
    let wallet = Wallet::new(config.data.join("identitet"));
    let now = Timestamp::now();
    let own = Identity::new(Role::National, "00")?;
    let crl = issuer.list(now)?;
    if wallet.is_empty() {
        let certificate = issuer.issue_own(&own, &request(&wallet.key()?)?, now)?;
        wallet.store(&certificate, issuer.root().certificate_der(), crl.der())?;
    }
    wallet.store_revocations(crl.der())?;
    let (credentials, crl) = wallet.load()?;
    let credentials = Arc::new(credentials);
    let gate = Arc::new(Gate::new(credentials.root_der(), crl));
    issuer.attach(gate.clone());
    let upstream = Arc::new(Upstream::Own { desk: issuer.clone(), gate: gate.clone() });
    let signer = Arc::new(Signer::new(credentials.clone()));
    let keys = hpke_keys(store.as_ref(), "helper/hpke")?;
    let key = signer.sign(SigningContext::HelperKey, keys.public().to_bytes().to_vec());
    let desk = Arc::new(Desk::open(store.clone(), keys)?);
    let counties = counties(&config, rounds, &desk, &store, (&credentials, &gate, &signer), &stop)?;
    let helper = HelperService { desk, gate: gate.clone(), signer, key };
    let service = IssuerService { upstream: upstream.clone(), gate: gate.clone() };
    let mut routes = tonic::service::Routes::new(v1::helper_server::HelperServer::new(helper))
        .add_service(v1::issuer_server::IssuerServer::new(service));
    let national = counties.as_ref().map(|service| service.desk.clone());
    if let Some(service) = counties {
        let service = v1::counties_server::CountiesServer::new(service);
        routes = routes.add_service(service.max_decoding_message_size(MAX_DELIVERY));
    }
    let strangers =
        tonic::service::Routes::new(v1::enrolment_server::EnrolmentServer::new(EnrolmentService(upstream)));
    let listener = storage::bind(&config, "lyssna", &config.listen).await?;
    let enrolment = storage::bind(&config, "inskrivning", &config.enrolment).await?;
    let mutual = Arc::new(ServerTls::mutual(credentials.clone(), gate)?);
    let open = Arc::new(ServerTls::enrolment(credentials)?);
    let operator = operator_socket(&config)?;
    tracing::info!(listen = %config.listen, "national coordinator: issuer and helper");
    let listing = issuer.clone();
    let asked = store.clone();
    let answer = move |question| {
        let (issuer, national) = (issuer.clone(), national.clone());
        let others = |question| async move { answer(&issuer, national.as_deref(), question) };
        storage::answer(asked.clone(), question, others)
    };
    tokio::spawn(admin::serve(operator, answer));
    tokio::spawn(keep_list_fresh(listing, wallet, stop.clone()));
    let open = async {
        let (doors, enrolments) = tokio::join!(
            serve(listener, mutual, routes, Limits::default(), stop.clone()),
            serve(enrolment, open, strangers, Limits::enrolment(), stop),
        );
        doors.and(enrolments)
    };
    tokio::select! {
        ended = open => Ok(ended?),
        error = daemon::store::halted(store) => Err(error).context("lagret tar inte emot mer; starta om"),
    }
}

/// The national rounds, with their engine running; `None` when no third coordinator is configured.
fn counties(
    config: &Config,
    rounds: Option<Rounds>,
    helper: &Arc<Desk>,
    store: &Arc<dyn Store>,
    (credentials, gate, signer): (&Arc<Credentials>, &Arc<Gate>, &Arc<Signer>),
    stop: &Shutdown,
) -> anyhow::Result<Option<CountiesService>> {
    let Some(rounds) = rounds else { return Ok(None) };
    let tls = Arc::new(ClientTls::mutual(credentials.clone(), Some(gate.clone())));
    let unit = rounds.third_county.to_string();
    let expected = Identity::new(Role::Third, unit.clone())?;
    let channel = connect_lazy(Target { address: rounds.third, proxy: None, expected }, tls)?;
    let third = Arc::new(Third::new(channel, unit, gate.clone()));
    let key = pattern_key(&config.data, store.as_ref())?;
    let desk = crate::counties::desk::Desk::open(store.clone(), helper.clone(), key)?;
    let engine = Engine {
        desk: desk.clone(),
        third: third.clone(),
        signer: signer.clone(),
        gate: gate.clone(),
        folder: rounds.publications,
    };
    tokio::spawn(Arc::new(engine).run(stop.clone()));
    Ok(Some(CountiesService { desk, gate: gate.clone(), signer: signer.clone(), third }))
}

/// Signs a new revocation list long before the old one is stale: a stale list admits nobody.
async fn keep_list_fresh(issuer: Arc<IssuerDesk>, wallet: Wallet, mut stop: Shutdown) {
    loop {
        tokio::select! {
            () = stop.wait() => return,
            () = tokio::time::sleep(LIST_EVERY) => {}
        }
        let signed = issuer.list(Timestamp::now());
        let stored = signed.map(|crl| wallet.store_revocations(crl.der()));
        match stored {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::error!(%error, "the revocation list could not be stored"),
            Err(error) => tracing::error!(%error, "no new revocation list"),
        }
    }
}

/// The root of this data directory, made at the first start. A second replica must be given the first one's.
fn root(config: &Config, store: &dyn Store) -> anyhow::Result<Root> {
    let directory = root_directory(&config.data);
    let root = if directory.exists() {
        Root::load(&directory)?
    } else if store.get("lager/same/rot")?.is_some() {
        anyhow::bail!(
            "{}: there is no root, but this store was begun with one; copy it from the other replica, or from a backup",
            directory.display()
        );
    } else {
        new_root(config, &directory)?
    };
    storage::same_on_every_replica(store, "rot", root.certificate_der())?;
    Ok(root)
}

fn new_root(config: &Config, directory: &std::path::Path) -> anyhow::Result<Root> {
    // Made beside its place and renamed: after a crash there is a whole root or none.
    let partial = directory.with_extension("partial");
    if partial.exists() {
        std::fs::remove_dir_all(&partial).context("rot.partial")?;
    }
    std::fs::create_dir_all(&partial).context("rot.partial")?;
    let root = Root::create(Timestamp::now(), ROOT_LIFE)?;
    root.store(&partial)?;
    std::fs::rename(&partial, directory).context("rot")?;
    std::fs::File::open(&config.data)?.sync_all()?;
    tracing::info!(fingerprint = %root.fingerprint_hex(), "a new root was made");
    Ok(root)
}

/// The operator's socket; a stale one of a process that died is replaced (the store's lock tells who lives).
pub fn operator_socket(config: &Config) -> anyhow::Result<UnixListener> {
    let path = admin::socket(&config.data);
    match std::fs::remove_file(&path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            return Err(error).context("admin.sock");
        }
        _ => {}
    }
    UnixListener::bind(&path).context("admin.sock")
}

/// The HPKE keys stored under a name; made at the first start.
pub(crate) fn hpke_keys(store: &dyn Store, name: &str) -> anyhow::Result<HelperKeyPair> {
    if let Some(bytes) = store.get(name)? {
        let bytes: [u8; 32] = bytes.as_slice().try_into().context("the stored HPKE key")?;
        return Ok(HelperKeyPair::from_secret_bytes(&bytes)?);
    }
    let mut seed = [0; 64];
    getrandom::fill(&mut seed).map_err(|_| anyhow::anyhow!("no randomness from the operating system"))?;
    let keys = HelperKeyPair::derive(&seed)?;
    store.commit(Batch::new().put(name, keys.to_secret_bytes().to_vec()))?;
    Ok(keys)
}

fn answer(issuer: &IssuerDesk, national: Option<&crate::counties::desk::Desk>, question: Question) -> Reply {
    let now = Timestamp::now();
    let refused = |error: &dyn std::fmt::Display| Reply::Refused(error.to_string());
    match question {
        Question::Invite { identity, server, address, enrolment_address } => {
            let (identity, server) = match (identity.parse(), server.parse()) {
                (Ok(identity), Ok(server)) => (identity, server),
                (Err(error), _) | (_, Err(error)) => return refused(&error),
            };
            match issuer.invite(identity, server, (address, enrolment_address), now) {
                Ok(file) => Reply::Invite(file.to_toml().to_string()),
                Err(error) => refused(&error),
            }
        }
        Question::Revoke { identity } => {
            let revoked =
                identity.parse().map_err(|error: daemon::identity::IdentityError| error.to_string());
            match revoked.and_then(|identity| issuer.revoke(&identity, now).map_err(|e| e.to_string())) {
                Ok(()) => Reply::Done,
                Err(error) => Reply::Refused(error),
            }
        }
        Question::Key => Reply::Refused("only a third coordinator has a key to be named".into()),
        Question::Announce { .. } => Reply::Refused("collections are announced at a region".into()),
        Question::Export { .. } => Reply::Refused("the store answers for itself".into()),
        Question::Status => {
            Reply::Status(national.map(|desk| desk.all().iter().map(status).collect()).unwrap_or_default())
        }
    }
}

/// Where a national round stands: counties take the place of units.
fn status(round: &National) -> CollectionStatus {
    let label = |cell: &usize| round.system.cells[*cell].label.clone();
    let withheld = round.pattern().into_iter().flat_map(|pattern| {
        pattern.counties.iter().zip(&pattern.withheld).flat_map(move |((county, _), cells)| {
            cells.iter().map(move |cell| format!("{county} {}", label(cell)))
        })
    });
    CollectionStatus {
        collection: format!("{}/{}", round.reference().id, round.reference().version),
        phase: round.phase().word().to_owned(),
        round: 1,
        declared: round.offers().keys().map(ToString::to_string).collect(),
        verified: round.deliveries().map(|(county, _, _)| county.to_string()).collect(),
        withheld: withheld.collect(),
        failure: round.failure().map(ToOwned::to_owned),
    }
}

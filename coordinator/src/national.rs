//! The national coordinator: root of trust, issuer, helper of the regions.

use std::sync::Arc;

use anyhow::Context;
use daemon::door::{Limits, serve};
use daemon::enrolment::request;
use daemon::gate::Gate;
use daemon::identity::{Identity, Role};
use daemon::pki::Root;
use daemon::shutdown::Shutdown;
use daemon::store::{Batch, SledStore, Store};
use daemon::tls::ServerTls;
use daemon::wallet::Wallet;
use jiff::{SignedDuration, Timestamp};
use proto::v1;
use sharing::helper_key::HelperKeyPair;
use sharing::signing::SigningContext;
use tokio::net::{TcpListener, UnixListener};

use crate::admin::{self, Question, Reply};
use crate::config::Config;
use crate::helper::{desk::Desk, service::HelperService};
use crate::issuer::desk::{IssuerDesk, root_directory};
use crate::issuer::service::{EnrolmentService, IssuerService};
use crate::issuer::upstream::Upstream;
use crate::signer::Signer;

/// How long a root lives.
const ROOT_LIFE: SignedDuration = SignedDuration::from_hours(24 * 365 * 10);

/// How often a new revocation list is signed; it stands for a week.
const LIST_EVERY: std::time::Duration = std::time::Duration::from_secs(6 * 3600);

/// Runs until `stop`. Makes the root and the own certificate on the first start.
///
/// # Errors
/// When something configured cannot be used; the text says what.
pub async fn run(config: Config, stop: Shutdown) -> anyhow::Result<()> {
    let store: Arc<dyn Store> = Arc::new(SledStore::open(&config.data.join("lager"))?);
    let issuer = Arc::new(IssuerDesk::open(root(&config)?, store.clone())?);
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
    let keys = helper_keys(store.as_ref())?;
    let key = signer.sign(SigningContext::HelperKey, keys.public().to_bytes().to_vec());
    let desk = Arc::new(Desk::open(store.clone(), keys)?);
    let helper = HelperService { desk, gate: gate.clone(), signer, key };
    let service = IssuerService { upstream: upstream.clone(), gate: gate.clone() };
    let routes = tonic::service::Routes::new(v1::helper_server::HelperServer::new(helper))
        .add_service(v1::issuer_server::IssuerServer::new(service));
    let strangers =
        tonic::service::Routes::new(v1::enrolment_server::EnrolmentServer::new(EnrolmentService(upstream)));
    let listener = TcpListener::bind(&config.listen).await.context("lyssna")?;
    let enrolment = TcpListener::bind(&config.enrolment).await.context("inskrivning")?;
    let mutual = Arc::new(ServerTls::mutual(credentials.clone(), gate)?);
    let open = Arc::new(ServerTls::enrolment(credentials)?);
    let operator = operator_socket(&config)?;
    tracing::info!(listen = %config.listen, "national coordinator: issuer and helper");
    let listing = issuer.clone();
    let answer = move |question| {
        let issuer = issuer.clone();
        async move { answer(&issuer, question) }
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

fn root(config: &Config) -> anyhow::Result<Root> {
    let directory = root_directory(&config.data);
    if directory.exists() {
        return Ok(Root::load(&directory)?);
    }
    // Made beside its place and renamed: after a crash there is a whole root or none.
    let partial = directory.with_extension("partial");
    if partial.exists() {
        std::fs::remove_dir_all(&partial).context("rot.partial")?;
    }
    std::fs::create_dir_all(&partial).context("rot.partial")?;
    let root = Root::create(Timestamp::now(), ROOT_LIFE)?;
    root.store(&partial)?;
    std::fs::rename(&partial, &directory).context("rot")?;
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

fn helper_keys(store: &dyn Store) -> anyhow::Result<HelperKeyPair> {
    const KEY: &str = "helper/hpke";
    if let Some(bytes) = store.get(KEY)? {
        let bytes: [u8; 32] = bytes.as_slice().try_into().context("the stored HPKE key")?;
        return Ok(HelperKeyPair::from_secret_bytes(&bytes)?);
    }
    let mut seed = [0; 64];
    getrandom::fill(&mut seed).map_err(|_| anyhow::anyhow!("no randomness from the operating system"))?;
    let keys = HelperKeyPair::derive(&seed)?;
    store.commit(Batch::new().put(KEY, keys.to_secret_bytes().to_vec()))?;
    Ok(keys)
}

fn answer(issuer: &IssuerDesk, question: Question) -> Reply {
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
        Question::Announce { .. } => Reply::Refused("collections are announced at a region".into()),
        Question::Status => Reply::Status(Vec::new()),
    }
}

//! The region's coordinator: doors for nodes, rounds, publications.

use std::collections::BTreeMap;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use anyhow::{Context, bail};
use daemon::door::{Limits, Target, connect_lazy, serve};
use daemon::enrolment::{accept_renewal, request};
use daemon::facts::FactLog;
use daemon::gate::Gate;
use daemon::identity::{Identity, Role};
use daemon::pki::Crl;
use daemon::shutdown::Shutdown;
use daemon::store::{Batch, Store};
use daemon::tls::{ClientTls, Credentials, ServerTls};
use daemon::wallet::Wallet;
use jiff::Timestamp;
use proto::v1;
use round::document::CollectionRef;
use round::region::{Event, Phase, Region};
use sharing::signing::SigningContext;
use suppress::key::PatternKey;
use tables::collection::{Collection, Corrects};
use tables::extension::Extension;
use tables::system::System;
use tables::unit::LansKod;

use crate::admin::{self, CollectionStatus, Question, Reply};
use crate::config::Config;
use crate::counties::client::CountiesClient;
use crate::helper::client::HelperClient;
use crate::issuer::service::EnrolmentService;
use crate::issuer::upstream::Upstream;
use crate::national::operator_socket;
use crate::release::Releaser;
use crate::rounds::desk::Desk;
use crate::rounds::engine::Engine;
use crate::rounds::service::{Announced, RegionService, progress};
use crate::signer::Signer;
use crate::storage;

type Collections = Arc<RwLock<BTreeMap<CollectionRef, Arc<Announced>>>>;

/// Pause between attempts to reach the helper at start.
const MEET_PAUSE: Duration = Duration::from_secs(1);

/// A collection with its cells.
struct Built {
    collection: Arc<Collection>,
    system: Arc<System>,
    parameters: sharing::params::VectorParameters,
    /// What it corrects or extends.
    first: Option<Arc<Announced>>,
    /// How the cells of what it extends are numbered in it.
    extension: Option<Arc<Extension>>,
}

/// Everything a running region shares.
struct Running {
    county: LansKod,
    store: Arc<dyn Store>,
    key: PatternKey,
    helper: Arc<HelperClient>,
    signer: Arc<Signer>,
    releaser: Arc<Releaser>,
    counties: Arc<CountiesClient>,
    collections: Collections,
    stop: Shutdown,
    runtime: tokio::runtime::Handle,
}

/// Runs until `stop`. The region must be enrolled.
///
/// # Errors
/// When something configured cannot be used; the text says what.
pub async fn run(
    config: Config,
    county: LansKod,
    national: String,
    publications: std::path::PathBuf,
    stop: Shutdown,
) -> anyhow::Result<()> {
    let wallet = Wallet::new(config.data.join("identitet"));
    if wallet.is_empty() {
        bail!("this region is not enrolled: run `coordinator enrol --config FILE --invite FILE` first");
    }
    let (credentials, _) = wallet.load()?;
    if credentials.about().identity != Identity::new(Role::Region, county.to_string())? {
        bail!(
            "lan = \"{county}\", but the certificate in {} names {}",
            config.data.display(),
            credentials.about().identity
        );
    }
    let Some(store) = storage::open(&config, &stop).await? else { return Ok(()) };
    storage::take_papers(store.as_ref(), &wallet, Timestamp::now())?;
    let (credentials, crl) = wallet.load()?;
    let key = pattern_key(&config.data, store.as_ref())?;
    let credentials = Arc::new(credentials);
    let gate = Arc::new(Gate::new(credentials.root_der(), crl));
    let tls = Arc::new(ClientTls::mutual(credentials.clone(), Some(gate.clone())));
    let expected = Identity::new(Role::National, "00")?;
    let channel = connect_lazy(Target { address: national, proxy: None, expected }, tls.clone())?;
    let upstream =
        Arc::new(Upstream::National { channel: channel.clone(), root: credentials.root_der().to_vec() });
    let signer = Arc::new(Signer::new(credentials.clone()));
    let server = Arc::new(ServerTls::mutual(credentials.clone(), gate.clone())?);
    let open = Arc::new(ServerTls::enrolment(credentials.clone())?);
    let listener = storage::bind(&config, "lyssna", &config.listen).await?;
    let enrolment = storage::bind(&config, "inskrivning", &config.enrolment).await?;
    tokio::spawn(keep_current(
        (wallet, store.clone()),
        upstream.clone(),
        gate.clone(),
        config.revocation_seconds,
        stop.clone(),
    ));
    let counties = Arc::new(CountiesClient::new(channel.clone(), signer.clone(), gate.clone()));
    let helper = Arc::new(meet(channel, &signer, &gate, &stop).await?);
    let releaser = Arc::new(Releaser { folder: publications, signer: signer.clone() });
    let collections = Collections::default();
    let running = Arc::new(Running {
        county,
        store: store.clone(),
        key,
        helper,
        signer: signer.clone(),
        releaser,
        counties,
        collections: collections.clone(),
        stop: stop.clone(),
        runtime: tokio::runtime::Handle::current(),
    });
    running.reopen()?;
    let service =
        RegionService { collections, gate, signer, upstream: upstream.clone(), in_flight: Arc::default() };
    let routes = tonic::service::Routes::new(v1::region_server::RegionServer::new(service));
    let strangers =
        tonic::service::Routes::new(v1::enrolment_server::EnrolmentServer::new(EnrolmentService(upstream)));
    let answering = running.clone();
    let answer = move |question| {
        let running = answering.clone();
        storage::answer(running.store.clone(), question, |question| async move {
            let answered = tokio::task::spawn_blocking(move || running.answer(question)).await;
            answered.unwrap_or_else(|_| Reply::Refused("the work ended early".into()))
        })
    };
    tokio::spawn(admin::serve(operator_socket(&config)?, answer));
    tracing::info!(listen = %config.listen, %county, "region");
    let open = async {
        let (doors, enrolments) = tokio::join!(
            serve(listener, server, routes, Limits::default(), stop.clone()),
            serve(enrolment, open, strangers, Limits::enrolment(), stop),
        );
        doors.and(enrolments)
    };
    tokio::select! {
        ended = open => Ok(ended?),
        error = daemon::store::halted(store) => Err(error).context("lagret tar inte emot mer; starta om"),
    }
}

async fn meet(
    channel: tonic::transport::Channel,
    signer: &Arc<Signer>,
    gate: &Arc<Gate>,
    stop: &Shutdown,
) -> anyhow::Result<HelperClient> {
    let mut stop = stop.clone();
    loop {
        match HelperClient::meet(channel.clone(), signer.clone(), gate.clone()).await {
            Ok(helper) => return Ok(helper),
            Err(error) => tracing::warn!(%error, "the helper cannot be met yet"),
        }
        tokio::select! {
            () = stop.wait() => bail!("stopped before the helper could be met"),
            () = tokio::time::sleep(MEET_PAUSE) => {}
        }
    }
}

/// Asks for newer revocation lists, and renews the own certificate when two thirds of its life are over.
pub(crate) async fn keep_current(
    (wallet, store): (Wallet, Arc<dyn Store>),
    upstream: Arc<Upstream>,
    gate: Arc<Gate>,
    seconds: u64,
    mut stop: Shutdown,
) {
    loop {
        match upstream.revocations().await {
            Ok(der) => match Crl::parse(&der, gate.root_der()).map(|crl| gate.install(crl)) {
                Ok(Ok(())) => {
                    if let Err(error) = wallet.store_revocations(&der) {
                        tracing::error!(%error, "the revocation list could not be stored");
                    }
                }
                Ok(Err(error)) => tracing::warn!(%error, "an older revocation list was offered"),
                Err(error) => tracing::warn!(%error, "the revocation list cannot be read"),
            },
            Err(error) => tracing::warn!(%error, "no revocation list"),
        }
        if let Err(error) = renew(&wallet, &upstream).await {
            tracing::warn!(%error, "the certificate could not be renewed");
        }
        if let Err(error) = storage::leave_papers(store.as_ref(), &wallet) {
            tracing::warn!(%error, "another replica would not find the newest certificate and list");
        }
        tokio::select! {
            () = stop.wait() => return,
            () = tokio::time::sleep(Duration::from_secs(seconds)) => {}
        }
    }
}

/// A renewed certificate is used from the next start; two thirds of 90 days leave a month for that.
async fn renew(wallet: &Wallet, upstream: &Upstream) -> anyhow::Result<()> {
    let (credentials, crl) = wallet.load()?;
    let now = Timestamp::now();
    if !credentials.about().renewal_due(now) {
        return Ok(());
    }
    let csr = request(credentials.key())?;
    let certificate = upstream.renew(credentials.certificate_der().to_vec(), csr).await?;
    let renewed: Credentials = accept_renewal(&credentials, wallet.key()?, &certificate, now)?;
    wallet.store(renewed.certificate_der(), renewed.root_der(), crl.der())?;
    tracing::info!(days = renewed.about().days_left(now), "the certificate was renewed; restart to use it");
    Ok(())
}

/// The pattern key: 64 hexadecimal digits in `monsternyckel`, made at the first start, for its owner's eyes only. Whoever
/// has it can rerun the choice of secondary cells.
pub(crate) fn pattern_key(data: &std::path::Path, store: &dyn Store) -> anyhow::Result<PatternKey> {
    let path = data.join("monsternyckel");
    if !path.exists() {
        let mut bytes = [0; 32];
        getrandom::fill(&mut bytes)
            .map_err(|_| anyhow::anyhow!("no randomness from the operating system"))?;
        let partial = data.join("monsternyckel.partial");
        let mut file =
            std::fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&partial)?;
        file.write_all(hex::encode(bytes).as_bytes())?;
        file.sync_all()?;
        std::fs::rename(&partial, &path)?;
        std::fs::File::open(data)?.sync_all()?;
    }
    let text = std::fs::read_to_string(&path).context(format!("{}", path.display()))?;
    let bytes: Option<[u8; 32]> = hex::decode(text.trim()).ok().and_then(|bytes| bytes.try_into().ok());
    let bytes = bytes.context(format!("{}: 64 hexadecimal digits are expected", path.display()))?;
    // another pattern by another replica would be another publication of the same records
    storage::same_on_every_replica(store, "monsternyckel", &bytes)?;
    Ok(PatternKey::new(&bytes))
}

impl Running {
    /// Takes up every collection that was announced before.
    fn reopen(&self) -> anyhow::Result<()> {
        let mut texts = Vec::new();
        for (_, bytes) in self.store.scan("region/collection/")? {
            let text = String::from_utf8(bytes).context("a stored collection")?;
            let corrects =
                Collection::codebook_of(&text).and_then(|book| Collection::from_toml(&text, &book));
            texts.push((corrects.is_ok_and(|collection| collection.corrects.is_some()), text));
        }
        // What corrects another comes after it.
        texts.sort();
        for (_, text) in texts {
            let started = self.build(&text).and_then(|built| self.start(built, &text));
            if let Err(error) = started {
                tracing::error!("a stored collection cannot be used; the others go on: {error:#}");
            }
        }
        Ok(())
    }

    /// Announces a collection: built, stored, signed, shown to nodes, its engine started. Announcing again changes
    /// nothing.
    fn announce(&self, text: &str) -> anyhow::Result<()> {
        let collection = Collection::from_toml(text, &Collection::codebook_of(text)?)?;
        if collection.county != self.county {
            bail!("lan = \"{}\": this region is {}", collection.county, self.county);
        }
        let reference = CollectionRef::of(&collection);
        let (id, version) = (&reference.id, reference.version);
        let collections = self.collections.read().unwrap_or_else(PoisonError::into_inner);
        for (known, announced) in collections.iter() {
            if *known == reference {
                return Ok(());
            }
            if known.id == *id && known.version == version {
                bail!("{id} version {version} was announced with other content; raise version");
            }
            let lives = announced.desk.phase() != Phase::Failed;
            // Published: what a second version is judged together with.
            let corrected = collection.corrects.is_some_and(|corrects| corrects.collection == known.hash)
                && announced.desk.phase() == Phase::Published;
            if lives && !corrected && announced.desk.look(|region| region.collection().overlaps(&collection))
            {
                bail!(
                    "{} version {} counts records of the same days; two publications over the same records can be \
                     subtracted from one another. A published one can be corrected: the same tables, version 2 and rattar",
                    known.id,
                    known.version
                );
            }
        }
        drop(collections);
        // Built first: a document that cannot be used must not stand in the store.
        let case = self.build(text)?;
        let key = format!("region/collection/{}", hex::encode(collection.hash));
        self.store.commit(Batch::new().put(key, text.as_bytes()))?;
        self.start(case, text)
    }

    fn build(&self, text: &str) -> anyhow::Result<Built> {
        let codebook = Collection::codebook_of(text)?;
        let collection = Arc::new(Collection::from_toml(text, &codebook)?);
        let system = Arc::new(System::new(&collection, &codebook)?);
        let parameters = round::shares::parameters(&system)?;
        let same = match collection.extends() {
            true => Arc::new(System::new(&collection.first_part(), &codebook)?),
            false => system.clone(),
        };
        let first =
            collection.corrects.map(|corrects| self.first(&collection, &same, corrects)).transpose()?;
        let extension = Self::extension(&collection, &system, first.as_deref())?;
        Ok(Built { collection, system, parameters, first, extension })
    }

    /// The published version that a collection corrects.
    fn first(
        &self,
        collection: &Collection,
        system: &System,
        corrects: Corrects,
    ) -> anyhow::Result<Arc<Announced>> {
        let collections = self.collections.read().unwrap_or_else(PoisonError::into_inner);
        let found = collections
            .iter()
            .find(|(known, _)| known.hash == corrects.collection)
            .map(|(_, first)| first.clone());
        drop(collections);
        let first = found.context("rattar, kompletterar: no collection with this hash was announced here")?;
        if first.desk.phase() != Phase::Published {
            bail!("rattar, kompletterar: the version it names is not published");
        }
        if first.desk.look(|region| region.document().map(|document| document.hash()))
            != Some(corrects.pattern)
        {
            bail!(
                "rattar_monster, kompletterar_monster: expected pattern_sha256 of the manifest of the version it names"
            );
        }

        first.desk.look(|region| collection.continues(system, region.collection(), region.system()))?;
        Ok(first)
    }

    /// How the cells of a published version are numbered in the collection that extends it; `None` when it extends none.
    fn extension(
        collection: &Collection,
        system: &System,
        first: Option<&Announced>,
    ) -> anyhow::Result<Option<Arc<Extension>>> {
        let Some(first) = first.filter(|_| collection.extends()) else { return Ok(None) };
        let extension = first.desk.look(|region| Extension::new(region.system(), system));
        Ok(Some(Arc::new(extension.context("kompletterar")?)))
    }

    fn start(&self, built: Built, text: &str) -> anyhow::Result<()> {
        let Built { collection, system, parameters, first, extension } = built;
        let prefix = format!("region/case/{}", hex::encode(collection.hash));
        let (log, facts) = FactLog::open(self.store.clone(), prefix)?;
        let reference = CollectionRef::of(&collection);
        let mut region = Region::new(collection, system, self.key.clone());
        if let Some(first) = &first {
            let published = first.desk.look(Region::published);
            let published = published.context("the version it corrects or extends lacks its pattern")?;
            region = match &extension {
                None => region.correcting(published),
                Some(extension) => {
                    let extended = region.extending(&published, extension.clone());
                    extended.ok().context("the version it extends has other unit atoms")?
                }
            };
        }
        let desk = Desk::new(region, log, facts, parameters);
        desk.take(Event::Announce, Timestamp::now().as_second(), Vec::new())?;
        let collection = self.signer.sign(SigningContext::Collection, text.as_bytes().to_vec());
        let helper_key = self.helper.key().clone();
        let announced = Arc::new(Announced { desk, collection, helper_key, first, extension });
        self.collections.write().unwrap_or_else(PoisonError::into_inner).insert(reference, announced.clone());
        let (helper, releaser) = (self.helper.clone(), self.releaser.clone());
        let engine = Engine { announced, helper, releaser, counties: self.counties.clone() };
        self.runtime.spawn(engine.run(self.stop.clone()));
        Ok(())
    }

    fn answer(&self, question: Question) -> Reply {
        match question {
            Question::Announce { collection } => match self.announce(&collection) {
                Ok(()) => Reply::Done,
                Err(error) => Reply::Refused(format!("{error:#}")),
            },
            Question::Status => Reply::Status(self.status()),
            Question::Key => Reply::Refused("only a third coordinator has a key to be named".into()),
            Question::Export { .. } => Reply::Refused("the store answers for itself".into()),
            Question::Invite { .. } | Question::Revoke { .. } => {
                Reply::Refused("invites and revocations are the national body's".into())
            }
        }
    }

    fn status(&self) -> Vec<CollectionStatus> {
        let collections = self.collections.read().unwrap_or_else(PoisonError::into_inner);
        collections
            .iter()
            .map(|(reference, announced)| announced.desk.look(|r| status(reference, r)))
            .collect()
    }
}

fn status(reference: &CollectionRef, region: &Region) -> CollectionStatus {
    let progress = progress(region);
    CollectionStatus {
        collection: format!("{}/{}", reference.id, reference.version),
        phase: progress.phase,
        round: progress.round,
        declared: progress.declared,
        verified: progress.verified,
        withheld: withheld(region),
        failure: Some(progress.failure).filter(|failure| !failure.is_empty()),
    }
}

/// The pattern in words: what is withheld of whom. Statuses and values stay out of it.
fn withheld(region: &Region) -> Vec<String> {
    let Some(document) = region.document() else {
        return Vec::new();
    };
    let label = |cell: &usize| region.system().cells[*cell].label.clone();
    let units =
        document.roster.iter().zip(&document.withheld).flat_map(|(entry, cells)| {
            cells.iter().map(move |cell| format!("{} {}", entry.unit, label(cell)))
        });
    let closed = document.closed.iter().map(|cell| format!("{} {}", region.collection().county, label(cell)));
    units.chain(closed).collect()
}

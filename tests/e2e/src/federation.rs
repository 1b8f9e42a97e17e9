//! A federation of processes on this machine: national, region, nodes, each by its name.
//!
//! Staged as `deploy/demo` stages its own, with three differences that tests need: the pattern key is given, so that
//! two runs are comparable (SAME-1); revocation lists are polled every second; nothing starts before it is told to.

use std::collections::{BTreeMap, BTreeSet};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use anyhow::{Context, bail};
use coordinator::admin::{self, CollectionStatus, Question, Reply};
use node::link::journal;
use tables::collection::Collection;
use tempfile::TempDir;
use tokio::runtime::Runtime;

use crate::data::{Extract, Material};
use crate::party::{self, Party};
use crate::wait::until;

/// Name of the national coordinator.
pub const NATIONAL: &str = "nationell";
/// Name of the region.
pub const REGION: &str = "region";
/// Name of the region's second replica, while it waits.
pub const STANDBY: &str = "region-2";
/// The pattern key of every federation here.
const PATTERN_KEY: [u8; 32] = [0x5a; 32];
/// Ports are looked for here, below the range systems take outgoing ports from: a port must still be free when a
/// killed party is started again.
const PORTS: std::ops::Range<u16> = 15_000..32_000;

/// Where a coordinator keeps its things and answers.
pub struct Office {
    /// Configuration file.
    pub config: PathBuf,
    /// Data directory.
    pub data: PathBuf,
    /// The ordinary door.
    pub address: String,
    /// The enrolment door.
    pub enrolment: String,
}

/// A federation. Everything it made is gone when it is dropped.
pub struct Federation {
    exe: PathBuf,
    /// The national coordinator.
    pub national: Office,
    /// The region; of two replicas the active one.
    pub region: Office,
    standby: Option<Office>,
    /// Configuration files of the nodes by unit.
    pub nodes: BTreeMap<String, PathBuf>,
    collection: Collection,
    text: String,
    runtime: Runtime,
    parties: BTreeMap<String, Party>,
    root: TempDir,
}

/// The strict CSV files of a publication by name.
pub type Tables = BTreeMap<String, Vec<u8>>;

impl Federation {
    /// National and region run, every unit of the collection is enrolled, no node runs, nothing is announced.
    ///
    /// # Errors
    /// When something could not be set up.
    pub fn stage(exe: &str, small: bool) -> anyhow::Result<Self> {
        Self::stage_on(exe, small, &[])
    }

    /// The same with tables `[lager]` for coordinators, by their names.
    ///
    /// # Errors
    /// When something could not be set up.
    pub fn stage_on(exe: &str, small: bool, stores: &[(&str, toml::Table)]) -> anyhow::Result<Self> {
        let federation = Self::offices_on(exe, small, stores)?;
        let units: Vec<String> = federation.collection.units.iter().map(ToString::to_string).collect();
        for unit in units {
            let invite = federation.invite(&format!("urn:samman:node:{unit}"))?;
            let output = federation.enrol(&unit, &invite)?;
            if !output.status.success() {
                bail!("{unit} is not enrolled: {}", String::from_utf8_lossy(&output.stderr));
            }
        }
        Ok(federation)
    }

    /// National and region run; nodes are configured, not enrolled.
    ///
    /// # Errors
    /// When something could not be set up.
    pub fn offices(exe: &str, small: bool) -> anyhow::Result<Self> {
        Self::offices_on(exe, small, &[])
    }

    fn offices_on(exe: &str, small: bool, stores: &[(&str, toml::Table)]) -> anyhow::Result<Self> {
        let root = tempfile::tempdir()?;
        let folder = root.path().join("uttag");
        let material = if small { Material::small(&folder)? } else { Material::whole(&folder)? };
        std::fs::create_dir_all(root.path().join("log"))?;
        let national = office(root.path(), NATIONAL, None)?;
        let county = material.collection.county.to_string();
        let region = office(root.path(), REGION, Some((&county, &national.address)))?;
        std::fs::write(region.data.join("monsternyckel"), hex::encode(PATTERN_KEY))?;
        for (name, store) in stores {
            let office = if *name == NATIONAL { &national } else { &region };
            configure(&office.config, |config| _ = config.insert("lager".into(), store.clone().into()))?;
        }
        let mut nodes = BTreeMap::new();
        for (unit, extract) in &material.extracts {
            nodes.insert(unit.clone(), node_config(root.path(), unit, extract, &region.address)?);
        }
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
        let parties = BTreeMap::new();
        let Material { text, collection, .. } = material;
        let exe = exe.into();
        let standby = None;
        let mut federation =
            Self { exe, national, region, standby, nodes, collection, text, runtime, parties, root };
        federation.start(NATIONAL)?;
        federation.enrol_region(&county)?;
        federation.start(REGION)?;
        Ok(federation)
    }

    fn enrol_region(&self, county: &str) -> anyhow::Result<()> {
        let server = "urn:samman:national:00";
        let text = self.invite_at(&format!("urn:samman:region:{county}"), server, &self.national)?;
        let file = self.root.path().join("inbjudan-region.toml");
        std::fs::write(&file, text)?;
        let config = utf8(&self.region.config)?;
        let output =
            party::run(&self.exe, &["coordinator", "--config", config, "enrol", "--invite", utf8(&file)?])?;
        if !output.status.success() {
            bail!("the region is not enrolled: {}", String::from_utf8_lossy(&output.stderr));
        }
        Ok(())
    }

    /// Where everything lies.
    pub fn folder(&self) -> &Path {
        self.root.path()
    }

    /// The collection.
    pub fn collection(&self) -> &Collection {
        &self.collection
    }

    /// Its document.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Where asynchronous calls of a test run.
    pub fn runtime(&self) -> &Runtime {
        &self.runtime
    }

    /// Asks a coordinator's operator socket.
    ///
    /// # Errors
    /// When it does not answer, or refuses.
    pub fn ask(&self, office: &Office, question: &Question) -> anyhow::Result<Reply> {
        match self.runtime.block_on(admin::ask(&office.data, question))? {
            Reply::Refused(reason) => bail!("{reason}"),
            reply => Ok(reply),
        }
    }

    /// An invite for an identity, to be redeemed at the region.
    ///
    /// # Errors
    /// When there is none.
    pub fn invite(&self, identity: &str) -> anyhow::Result<String> {
        let server = format!("urn:samman:region:{}", self.collection.county);
        self.invite_at(identity, &server, &self.region)
    }

    fn invite_at(&self, identity: &str, server: &str, at: &Office) -> anyhow::Result<String> {
        let question = Question::Invite {
            identity: identity.into(),
            server: server.into(),
            address: at.address.clone(),
            enrolment_address: at.enrolment.clone(),
        };
        match self.ask(&self.national, &question)? {
            Reply::Invite(text) => Ok(text),
            _ => bail!("no invite"),
        }
    }

    /// `node enrol` with the configuration of `unit` and this invite.
    ///
    /// # Errors
    /// When the command could not be run.
    pub fn enrol(&self, unit: &str, invite: &str) -> anyhow::Result<std::process::Output> {
        let file = self.node_folder(unit)?.join("inbjudan.toml");
        std::fs::write(&file, invite)?;
        self.node(unit, &["enrol", "--invite", utf8(&file)?])
    }

    /// A command of the node of `unit`, run to its end.
    ///
    /// # Errors
    /// When it could not be run.
    pub fn node(&self, unit: &str, arguments: &[&str]) -> anyhow::Result<std::process::Output> {
        let config = self.nodes.get(unit).context("a node")?;
        party::run(&self.exe, &[&["node", "--config", utf8(config)?], arguments].concat())
    }

    /// The folder of a node: configuration, identity, store, journal.
    ///
    /// # Errors
    /// When there is no such node.
    pub fn node_folder(&self, unit: &str) -> anyhow::Result<&Path> {
        self.nodes.get(unit).and_then(|config| config.parent()).context("a node")
    }

    /// Announces the collection.
    ///
    /// # Errors
    /// When the region does not take it.
    pub fn announce(&self) -> anyhow::Result<()> {
        self.ask(&self.region, &Question::Announce { collection: self.text.clone() }).map(drop)
    }

    /// Starts a party; a coordinator answers its operator when this returns.
    ///
    /// # Errors
    /// When it ends instead.
    pub fn start(&mut self, name: &str) -> anyhow::Result<()> {
        let (config, kind) = match name {
            NATIONAL => (&self.national.config, "coordinator"),
            REGION => (&self.region.config, "coordinator"),
            unit => (self.nodes.get(unit).context("a node")?, "node"),
        };
        let log = self.root.path().join("log").join(format!("{name}.log"));
        let mut party = Party::start(&self.exe, name, log, &[kind, "--config", utf8(config)?, "run"])?;
        let office = match name {
            NATIONAL => Some(&self.national),
            REGION => Some(&self.region),
            _ => None,
        };
        if let Some(office) = office {
            until("a coordinator answers its operator", || {
                party.check()?;
                Ok(self.ask(office, &Question::Status).ok())
            })?;
        }
        if self.parties.insert(name.into(), party).is_some() {
            bail!("{name} was started twice");
        }
        Ok(())
    }

    /// Starts a second replica of the region: the same keys, certificate and addresses, another data directory. It waits.
    ///
    /// # Errors
    /// When it could not be set up.
    pub fn start_standby(&mut self) -> anyhow::Result<()> {
        let data = self.root.path().join(STANDBY);
        std::fs::create_dir_all(data.join("identitet"))?;
        std::fs::copy(self.region.data.join("monsternyckel"), data.join("monsternyckel"))?;
        for entry in self.region.data.join("identitet").read_dir()? {
            let entry = entry?;
            std::fs::copy(entry.path(), data.join("identitet").join(entry.file_name()))?;
        }
        let config = self.root.path().join(format!("{STANDBY}.toml"));
        std::fs::copy(&self.region.config, &config)?;
        let katalog = utf8(&data)?.to_owned();
        configure(&config, |config| _ = config.insert("katalog".into(), katalog.into()))?;
        let (address, enrolment) = (self.region.address.clone(), self.region.enrolment.clone());
        self.standby = Some(Office { config, data, address, enrolment });
        self.wait_on_standby()
    }

    /// Starts the replica that waits.
    fn wait_on_standby(&mut self) -> anyhow::Result<()> {
        let office = self.standby.as_ref().context("a second replica")?;
        let log = self.root.path().join("log").join(format!("{STANDBY}.log"));
        let arguments = ["coordinator", "--config", utf8(&office.config)?, "run"];
        let party = Party::start(&self.exe, STANDBY, log, &arguments)?;
        self.parties.insert(STANDBY.into(), party);
        Ok(())
    }

    /// Kills the region's active replica (SIGKILL), waits until the other one answers, and starts the killed one again, as the
    /// one that waits.
    ///
    /// # Errors
    /// When nobody takes over.
    pub fn fail_over(&mut self) -> anyhow::Result<()> {
        self.kill(REGION)?;
        self.swap_replicas()?;
        self.wait_on_standby()
    }

    /// Waits until a party has ended by itself; what it ended with.
    ///
    /// # Errors
    /// When it does not run, or does not end.
    pub fn ended(&mut self, name: &str) -> anyhow::Result<std::process::ExitStatus> {
        self.parties.remove(name).context("a running party")?.ended()
    }

    /// Waits until the active replica has ended by itself, since the other one took over; what it ended with.
    ///
    /// # Errors
    /// When it does not end, or nobody takes over.
    pub fn superseded(&mut self) -> anyhow::Result<std::process::ExitStatus> {
        let status = self.ended(REGION)?;
        self.swap_replicas()?;
        Ok(status)
    }

    fn swap_replicas(&mut self) -> anyhow::Result<()> {
        let mut party = self.parties.remove(STANDBY).context("a replica that waits")?;
        let standby = self.standby.as_ref().context("a second replica")?;
        until("the other replica answers its operator", || {
            party.check()?;
            Ok(self.ask(standby, &Question::Status).ok())
        })?;
        self.parties.insert(REGION.into(), party);
        let standby = self.standby.take().context("a second replica")?;
        self.standby = Some(std::mem::replace(&mut self.region, standby));
        Ok(())
    }

    /// A command of a coordinator, run to its end; what it says.
    ///
    /// # Errors
    /// When it could not be run.
    pub fn coordinator(&self, office: &Office, arguments: &[&str]) -> anyhow::Result<std::process::Output> {
        party::run(&self.exe, &[&["coordinator", "--config", utf8(&office.config)?], arguments].concat())
    }

    /// Starts every node that does not run but those in `but`.
    ///
    /// # Errors
    /// When one cannot be started.
    pub fn start_nodes(&mut self, but: &[&str]) -> anyhow::Result<()> {
        let units: Vec<String> = self.nodes.keys().cloned().collect();
        let idle = |unit: &&String| !but.contains(&unit.as_str()) && !self.parties.contains_key(*unit);
        let idle: Vec<String> = units.iter().filter(idle).cloned().collect();
        idle.iter().try_for_each(|unit| self.start(unit))
    }

    /// A running party.
    ///
    /// # Errors
    /// When it does not run.
    pub fn party(&mut self, name: &str) -> anyhow::Result<&mut Party> {
        self.parties.get_mut(name).context("a running party")
    }

    /// Kills a party at once (SIGKILL).
    ///
    /// # Errors
    /// When it does not run.
    pub fn kill(&mut self, name: &str) -> anyhow::Result<()> {
        self.parties.remove(name).context("a running party")?.kill()
    }

    /// Lets every frozen party go on.
    ///
    /// # Errors
    /// When one is gone.
    pub fn thaw_all(&mut self) -> anyhow::Result<()> {
        self.parties.values_mut().filter(|party| party.is_frozen()).try_for_each(Party::thaw)
    }

    /// Asks every party to end, nodes first, and waits for it.
    ///
    /// # Errors
    /// When one does not end well.
    pub fn stop(&mut self) -> anyhow::Result<()> {
        let (mut coordinators, mut nodes) = (Vec::new(), Vec::new());
        for (name, party) in std::mem::take(&mut self.parties) {
            let is_office = [NATIONAL, REGION, STANDBY].contains(&name.as_str());
            if is_office { &mut coordinators } else { &mut nodes }.push((name, party));
        }
        coordinators.sort_by(|a, b| b.0.cmp(&a.0));
        nodes.into_iter().chain(coordinators).try_for_each(|(_, party)| party.stop())
    }

    /// Where the round stands.
    ///
    /// # Errors
    /// When the region does not answer, or a party ended by itself.
    pub fn status(&mut self) -> anyhow::Result<CollectionStatus> {
        self.parties.values_mut().try_for_each(Party::check)?;
        match self.ask(&self.region, &Question::Status)? {
            Reply::Status(list) => list.into_iter().next().context("no collection is announced"),
            _ => bail!("no status"),
        }
    }

    /// Waits until the round is as `seen` wants it.
    ///
    /// # Errors
    /// When the round fails or nothing comes of it.
    pub fn until(&mut self, what: &str, seen: impl Fn(&CollectionStatus) -> bool) -> anyhow::Result<()> {
        let mut last = None;
        let waited = until(what, || {
            let status = self.status()?;
            if let Some(failure) = &status.failure {
                bail!("the round failed: {failure}");
            }
            let right = seen(&status);
            last = Some(status);
            Ok(right.then_some(()))
        });
        waited.with_context(|| format!("last seen: {last:?}"))
    }

    /// Methods of the messages a node has sent so far, in order. Read while it writes: a half written record counts
    /// as not yet there.
    ///
    /// # Errors
    /// When there is no such node.
    pub fn sent(&self, unit: &str) -> anyhow::Result<Vec<String>> {
        let folder = self.node_folder(unit)?.join("journal");
        let reading = journal::read(&folder).map(|reading| reading.entries).unwrap_or_default();
        Ok(reading.into_iter().map(|entry| entry.method).collect())
    }

    /// Whether the region acknowledged the node's answer to the pattern: it asks for the final one only then.
    ///
    /// # Errors
    /// When there is no such node.
    pub fn has_answered(&self, unit: &str) -> anyhow::Result<bool> {
        let sent = self.sent(unit)?;
        let answer = sent.iter().position(|method| method == "Answer");
        Ok(answer.is_some_and(|at| sent[at..].iter().any(|method| method == "GetPattern")))
    }

    /// The folder of the publication, there or not.
    pub fn publication(&self) -> PathBuf {
        let folder = self.publications().join(self.collection.county.to_string());
        folder.join(&self.collection.id).join(format!("v{}", self.collection.version))
    }

    /// The folder the region makes its publications in.
    pub fn publications(&self) -> PathBuf {
        self.root.path().join("publicerat").join("region")
    }

    /// Waits for the publication and reads its tables.
    ///
    /// # Errors
    /// When the round fails.
    pub fn published(&mut self) -> anyhow::Result<Tables> {
        self.until("the round is published", |status| status.phase == "published")?;
        tables(&self.publication())
    }
}

/// The strict CSV files of a publication's folder.
///
/// # Errors
/// When they cannot be read.
pub fn tables(publication: &Path) -> anyhow::Result<Tables> {
    let mut files = Tables::new();
    for entry in publication.join("csv").read_dir()? {
        let path = entry?.path();
        let name = path.file_name().and_then(|name| name.to_str()).context("a file name")?;
        files.insert(name.into(), std::fs::read(&path)?);
    }
    Ok(files)
}

/// A path as text.
///
/// # Errors
/// When it is not UTF-8.
pub fn utf8(path: &Path) -> anyhow::Result<&str> {
    path.to_str().context("a path that is not UTF-8")
}

fn free_address() -> anyhow::Result<String> {
    static TAKEN: Mutex<BTreeSet<u16>> = Mutex::new(BTreeSet::new());
    let mut taken = TAKEN.lock().unwrap_or_else(PoisonError::into_inner);
    for _ in 0..1_000 {
        let mut bytes = [0; 2];
        getrandom::fill(&mut bytes).map_err(|_| anyhow::anyhow!("no randomness"))?;
        let port = PORTS.start + u16::from_be_bytes(bytes) % (PORTS.end - PORTS.start);
        if taken.insert(port) && TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return Ok(format!("127.0.0.1:{port}"));
        }
    }
    bail!("no free port")
}

/// Changes a configuration file.
///
/// # Errors
/// When it cannot be read or written.
pub fn configure(file: &Path, change: impl FnOnce(&mut toml::Table)) -> anyhow::Result<()> {
    let mut config: toml::Table = std::fs::read_to_string(file)?.parse()?;
    change(&mut config);
    Ok(std::fs::write(file, toml::to_string(&config)?)?)
}

fn office(root: &Path, name: &str, region: Option<(&str, &str)>) -> anyhow::Result<Office> {
    let data = root.join(name);
    std::fs::create_dir_all(&data)?;
    let (address, enrolment) = (free_address()?, free_address()?);
    let mut config = toml::Table::new();
    let mut set = |key: &str, value: &str| _ = config.insert(key.into(), toml::Value::String(value.into()));
    set("niva", if region.is_some() { "region" } else { "nationell" });
    set("katalog", utf8(&data)?);
    set("lyssna", &address);
    set("inskrivning", &enrolment);
    if let Some((county, national)) = region {
        set("lan", county);
        set("nationell", national);
        set("publicering", utf8(&root.join("publicerat"))?);
    }
    config.insert("sparrlista_sekunder".into(), toml::Value::Integer(1));
    let file = root.join(format!("{name}.toml"));
    std::fs::write(&file, toml::to_string(&config)?)?;
    Ok(Office { config: file, data, address, enrolment })
}

fn node_config(root: &Path, unit: &str, extract: &Extract, region: &str) -> anyhow::Result<PathBuf> {
    let folder = root.join("noder").join(unit);
    std::fs::create_dir_all(&folder)?;
    let mut config = toml::Table::new();
    let mut set = |key: &str, value: &str| _ = config.insert(key.into(), toml::Value::String(value.into()));
    set("enhet", unit);
    set("katalog", ".");
    set("region", region);
    set("godkann", "alla");
    let mut source = toml::Table::new();
    source.insert("fil".into(), toml::Value::String(utf8(&extract.file)?.into()));
    if let Some(codes) = &extract.codes {
        source.insert("koder".into(), toml::Value::String(utf8(codes)?.into()));
    }
    config.insert("uttag".into(), toml::Value::Table(source));
    let file = folder.join("node.toml");
    std::fs::write(&file, toml::to_string(&config)?)?;
    Ok(file)
}

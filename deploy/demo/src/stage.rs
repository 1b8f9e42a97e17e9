//! Sets the stage: data, configurations, certificates, processes; then announces the collection and watches.

use std::collections::{BTreeMap, BTreeSet};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use clap::Parser;
use coordinator::admin::{self, Question, Reply};
use tables::collection::Collection;
use tables::unit::{KommunKod, LansKod, Unit};

use crate::parties::{Party, complete, start};
use crate::{country, study, summary, text, watch};

/// The counties of `--national`: Uppsala, Kronoberg, Kalmar, Blekinge, Gävleborg, 43 kommuner.
const NATIONAL_COUNTIES: [&str; 5] = ["03", "07", "08", "10", "21"];

/// How long a coordinator may take to answer its operator after the start.
const START: Duration = Duration::from_secs(60);

/// Kör ett helt län, fem län eller landet på en maskin: samordnare och en nod per kommun, som egna processer.
#[derive(Parser)]
#[command(name = "demo", version)]
pub struct Options {
    /// Katalog att köra i (måste vara tom eller inte finnas).
    #[arg(long)]
    pub out: Option<PathBuf>,
    /// Låt processerna köra vidare tills Enter trycks eller inmatningen tar slut.
    #[arg(long)]
    pub keep: bool,
    /// Katalog med <enhet>.csv eller .xlsx (och <enhet>.codes.toml) i stället för demots data; en enhet är en kommunkod
    /// eller en kommunkod med stadsdel, 2180-03.
    #[arg(long)]
    pub data: Option<PathBuf>,
    /// Fem län med omkring 40 kommuner, en tredje samordnare och en nationell omgång.
    #[arg(long, conflicts_with_all = ["data", "sweden"])]
    pub national: bool,
    /// Hela landet: 21 län och 290 kommuner.
    #[arg(long, conflicts_with = "data")]
    pub sweden: bool,
    /// Listan över kommungrupper (CSV: kommunkod,kommungrupp; alla kommuner) för en nationell omgång. Demots egna data har en
    /// påhittad lista om ingen anges.
    #[arg(long, conflicts_with = "nuso")]
    pub kommungrupper: Option<PathBuf>,
    /// En påhittad studie om barn: 97 kommuner med lika olika uttag som i NUSO:s tredje, räknade och jämförda med facit.
    #[arg(long, conflicts_with_all = ["data", "national", "sweden", "collection"])]
    pub nuso: bool,
    /// Hur många av studiens kommuner som deltar, minst 5.
    #[arg(long, default_value_t = nuso::MOST_UNITS, requires = "nuso", value_parser = units)]
    pub units: usize,
    /// En annan insamling (TOML). Med flera län: mallen, där län och deltagare byts ut.
    #[arg(long)]
    pub collection: Option<PathBuf>,
    /// Starta om processer som dör, som en tjänstehanterare gör (vid flera län).
    #[arg(long)]
    pub restart: bool,
    /// Frö för demots data.
    #[arg(long, default_value_t = 2024)]
    pub seed: u64,
}

fn units(text: &str) -> Result<usize, String> {
    let units = text.parse().ok().filter(|units| (text::LEAST_KOMMUNER..=nuso::MOST_UNITS).contains(units));
    units.ok_or_else(|| format!("{} till {} kommuner", text::LEAST_KOMMUNER, nuso::MOST_UNITS))
}

/// What one kommun's node reads.
struct Extract {
    file: PathBuf,
    codes: Option<PathBuf>,
}

/// Addresses and folders of one coordinator.
struct Office {
    config: PathBuf,
    data: PathBuf,
    address: String,
    enrolment: String,
}

/// Runs the demo; whether it ended with a publication.
///
/// # Errors
/// When something could not be set up; the text says what.
pub fn run(options: &Options) -> anyhow::Result<bool> {
    let out = prepare(options.out.as_deref())?;
    println!("Katalog: {}", out.display());
    let logs = out.join("log");
    std::fs::create_dir_all(&logs)?;
    let made = options.nuso.then(|| study_of(options, &out)).transpose()?;
    let extracts = extracts(options, &out)?;
    let units: BTreeSet<Unit> = extracts.keys().cloned().collect();
    let plan = match &made {
        Some(made) => text::Plan::alone(nuso::COUNTY.parse()?, made.collection.clone()),
        None => {
            let is_made = options.data.is_none() && options.collection.is_none();
            let list = crate::groups::list(options.kommungrupper.as_deref(), is_made)?;
            text::plan(options.collection.as_deref(), &units, options.data.is_some(), list.as_ref())?
        }
    };
    let mut collections = Vec::new();
    for text in plan.texts.values() {
        let collection = Collection::from_toml(text, &Collection::codebook_of(text)?)?;
        for unit in &collection.units {
            if !extracts.contains_key(unit) {
                bail!("insamlingen bjuder in {unit}, men det finns ingen fil {unit}.csv eller {unit}.xlsx");
            }
        }
        collections.push((collection, text.clone()));
    }
    for (county, kommuner) in &plan.left_out {
        println!(
            "{} deltar inte: {kommuner} kommuner; en omgång i länet kräver minst {}",
            publish::names::county(*county),
            text::LEAST_KOMMUNER
        );
    }
    if collections.is_empty() {
        bail!("inget län har {} kommuner eller fler", text::LEAST_KOMMUNER);
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let began = Instant::now();
    let mut parties = Vec::new();
    let staged = runtime.block_on(async {
        let third = plan.national.then(|| collections[0].0.county);
        let mut desks = offices(&out, third, made.as_ref().map(|made| &made.kommuner))?;
        run_office(&desks.national, "nationell", &logs, &mut parties).await?;
        if let Some((office, county)) = &desks.third {
            let identity = format!("urn:samman:third:{county}");
            enrol_office(&out, &desks.national, office, &identity, "tredje", &logs).await?;
            run_office(office, "tredje", &logs, &mut parties).await?;
            let Reply::Key(key) = admin::ask(&office.data, &Question::Key).await? else {
                bail!("den tredje samordnaren svarade något annat");
            };
            for (collection, text) in &mut collections {
                *text = text::with_key(text, &key);
                *collection = Collection::from_toml(text, &Collection::codebook_of(text)?)?;
            }
        }
        let mut nodes = BTreeMap::new();
        for (collection, _) in &collections {
            let name = match collections.len() {
                1 => "region".to_owned(),
                _ => format!("region-{}", collection.county),
            };
            let region = office(&out, &name, &Seat::Region(collection, &desks.national.address))?;
            let identity = format!("urn:samman:region:{}", collection.county);
            enrol_office(&out, &desks.national, &region, &identity, &name, &logs).await?;
            run_office(&region, &name, &logs, &mut parties).await?;
            nodes.extend(enrol_nodes(&out, &desks.national, &region, &extracts, collection, &logs).await?);
            println!(
                "Inskrivna: {name} {} och {} noder ({:.1} s)",
                collection.county,
                collection.units.len(),
                began.elapsed().as_secs_f64()
            );
            desks.regions.push(region);
        }
        for ((_, text), region) in collections.iter().zip(&desks.regions) {
            match admin::ask(&region.data, &Question::Announce { collection: text.clone() }).await? {
                Reply::Done => {}
                Reply::Refused(reason) => bail!("regionen tar inte emot insamlingen: {reason}"),
                _ => bail!("regionen svarade något annat"),
            }
        }
        for (kommun, config) in &nodes {
            parties.push(start(
                &format!("nod-{kommun}"),
                &logs,
                &["node", "--config", path(config)?, "run"],
            )?);
        }
        if let ([(collection, _)], [region]) = (&collections[..], &desks.regions[..]) {
            let watched = watch::watch(&region.data, collection, &mut parties, began).await?;
            if let Some(made) = &made {
                return made.compare(&out, collection, &watched);
            }
            summary::print(&out, collection, &watched, &nodes)?;
            return anyhow::Ok(watched.failure.is_none());
        }
        let mut watched: Vec<country::Watched> = collections
            .iter()
            .zip(&desks.regions)
            .map(|((collection, _), region)| {
                country::Watched::new(collection.county.to_string(), region.data.clone())
            })
            .collect();
        if plan.national {
            watched.push(country::Watched::new("00".into(), desks.national.data.clone()));
        }
        country::watch(&mut watched, &mut parties, began, options.restart).await?;
        let first = &collections[0].0;
        country::print(&out, first, &watched, &nodes, began.elapsed())
    });
    if options.keep && staged.is_ok() {
        println!("Processerna kör vidare. Tryck Enter för att avsluta.");
        let _ = std::io::stdin().read_line(&mut String::new());
    }
    // Nodes first, so that nobody calls where nobody answers.
    while let Some(party) = parties.pop() {
        Party::stop(party);
    }
    staged
}

fn prepare(out: Option<&Path>) -> anyhow::Result<PathBuf> {
    let out = match out {
        Some(out) => std::path::absolute(out)?,
        None => std::env::temp_dir().join(format!("samman-demo-{}", std::process::id())),
    };
    if out.read_dir().is_ok_and(|mut entries| entries.next().is_some()) {
        bail!("{} är inte tom; välj en annan katalog med --out", out.display());
    }
    std::fs::create_dir_all(&out).context(format!("{}", out.display()))?;
    Ok(out)
}

fn path(path: &Path) -> anyhow::Result<&str> {
    path.to_str().context("en sökväg är inte UTF-8")
}

/// The made study, its extracts written.
fn study_of(options: &Options, out: &Path) -> anyhow::Result<study::Made> {
    let folder = out.join("uttag");
    std::fs::create_dir_all(&folder)?;
    study::make(options.units, options.seed, &folder)
}

/// The kommuner's files: made ones, or those of `--data`.
fn extracts(options: &Options, out: &Path) -> anyhow::Result<BTreeMap<Unit, Extract>> {
    let folder = match &options.data {
        Some(folder) => std::path::absolute(folder)?,
        None if options.nuso => out.join("uttag"),
        None => {
            let folder = out.join("uttag");
            std::fs::create_dir_all(&folder)?;
            if options.national || options.sweden {
                let counties = (!options.sweden).then_some(&NATIONAL_COUNTIES[..]);
                let kommuner: Vec<String> = publish::names::kommuner()
                    .keys()
                    .filter(|kommun| {
                        counties.is_none_or(|c| c.contains(&kommun.county().to_string().as_str()))
                    })
                    .map(ToString::to_string)
                    .collect();
                county::write_country(&kommuner, options.seed, &folder)?;
            } else {
                county::write_files(&county::County::generate(options.seed)?, &folder)?;
            }
            folder
        }
    };
    let mut extracts = BTreeMap::new();
    for entry in folder.read_dir().context(format!("{}", folder.display()))? {
        let file = entry?.path();
        let is_extract =
            file.extension().is_some_and(|e| ["csv", "xlsx", "xls", "ods"].iter().any(|x| e == *x));
        let unit: Option<Unit> =
            file.file_stem().and_then(|stem| stem.to_str()).and_then(|stem| stem.parse().ok());
        if let (true, Some(unit)) = (is_extract, unit) {
            let codes = Some(folder.join(format!("{unit}.codes.toml"))).filter(|path| path.exists());
            if extracts.insert(unit.clone(), Extract { file, codes }).is_some() {
                bail!("två filer för {unit} i {}", folder.display());
            }
        }
    }
    if extracts.is_empty() {
        bail!("ingen <kommunkod>.csv eller .xlsx i {}", folder.display());
    }
    Ok(extracts)
}

/// A loopback port that was free a moment ago.
fn free_address() -> anyhow::Result<String> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.to_string())
}

/// What an office is.
enum Seat<'a> {
    /// The national body; with the third coordinator's address and county when there are national rounds, and made kommuner if there
    /// are any.
    National(Option<(String, LansKod)>, Option<&'a BTreeSet<KommunKod>>),
    /// A region, with the national body's address.
    Region(&'a Collection, &'a str),
    /// The third coordinator, with the national body's address.
    Third(LansKod, &'a str),
}

/// The coordinators of a demo.
struct Offices {
    national: Office,
    third: Option<(Office, LansKod)>,
    regions: Vec<Office>,
}

fn offices(
    out: &Path,
    third: Option<LansKod>,
    made: Option<&BTreeSet<KommunKod>>,
) -> anyhow::Result<Offices> {
    // The two name each other: addresses first.
    let seat = third.map(|county| anyhow::Ok((free_address()?, county))).transpose()?;
    let national = office(out, "nationell", &Seat::National(seat.clone(), made))?;
    let third = match seat {
        None => None,
        Some((address, county)) => {
            let mut office = office(out, "tredje", &Seat::Third(county, &national.address))?;
            let text = std::fs::read_to_string(&office.config)?.replace(&office.address, &address);
            std::fs::write(&office.config, text)?;
            office.address = address;
            Some((office, county))
        }
    };
    Ok(Offices { national, third, regions: Vec::new() })
}

fn office(out: &Path, name: &str, seat: &Seat<'_>) -> anyhow::Result<Office> {
    let data = out.join("samordnare").join(name);
    std::fs::create_dir_all(&data)?;
    let (address, enrolment) = (free_address()?, free_address()?);
    let mut config = toml::Table::new();
    let mut set = |key: &str, value: &str| _ = config.insert(key.into(), toml::Value::String(value.into()));
    set("katalog", path(&data)?);
    set("lyssna", &address);
    set("inskrivning", &enrolment);
    match seat {
        Seat::National(third, _) => {
            set("niva", "nationell");
            if let Some((address, county)) = third {
                set("tredje", address);
                set("tredje_lan", &county.to_string());
                set("publicering", path(out)?);
            }
        }
        Seat::Region(collection, national) => {
            set("niva", "region");
            set("lan", &collection.county.to_string());
            set("nationell", national);
            set("publicering", path(out)?);
        }
        Seat::Third(county, national) => {
            set("niva", "tredje");
            set("lan", &county.to_string());
            set("nationell", national);
        }
    }
    if let Seat::National(_, Some(made)) = seat {
        let codes = made.iter().map(|kommun| toml::Value::String(kommun.to_string())).collect();
        config.insert("fler_kommuner".into(), toml::Value::Array(codes));
    }
    let file = out.join(format!("{name}.toml"));
    std::fs::write(&file, toml::to_string(&config)?)?;
    Ok(Office { config: file, data, address, enrolment })
}

async fn run_office(
    office: &Office,
    name: &str,
    logs: &Path,
    parties: &mut Vec<Party>,
) -> anyhow::Result<()> {
    parties.push(start(name, logs, &["coordinator", "--config", path(&office.config)?, "run"])?);
    ready(&office.data, parties).await
}

/// Waits until a coordinator answers its operator.
async fn ready(data: &Path, parties: &mut [Party]) -> anyhow::Result<()> {
    let began = Instant::now();
    while admin::ask(data, &Question::Status).await.is_err() {
        parties.iter_mut().try_for_each(Party::check)?;
        if began.elapsed() > START {
            bail!("ingen svarar i {} efter {} s", data.display(), START.as_secs());
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    Ok(())
}

async fn invite(
    national: &Office,
    file: &Path,
    identity: String,
    server: String,
    at: &Office,
) -> anyhow::Result<()> {
    let (address, enrolment_address) = (at.address.clone(), at.enrolment.clone());
    let question = Question::Invite { identity, server, address, enrolment_address };
    match admin::ask(&national.data, &question).await? {
        Reply::Invite(text) => Ok(daemon::config::write_private(file, &text)?),
        Reply::Refused(reason) => bail!("ingen inbjudan: {reason}"),
        _ => bail!("den nationella samordnaren svarade något annat"),
    }
}

async fn enrol_office(
    out: &Path,
    national: &Office,
    office: &Office,
    identity: &str,
    name: &str,
    logs: &Path,
) -> anyhow::Result<()> {
    let file = out.join(format!("inbjudan-{name}.toml"));
    invite(national, &file, identity.to_owned(), "urn:samman:national:00".into(), national).await?;
    let arguments = ["coordinator", "--config", path(&office.config)?, "enrol", "--invite", path(&file)?];
    complete(&format!("{name}-inskrivning"), logs, &arguments)
}

async fn enrol_nodes(
    out: &Path,
    national: &Office,
    region: &Office,
    extracts: &BTreeMap<Unit, Extract>,
    collection: &Collection,
    logs: &Path,
) -> anyhow::Result<BTreeMap<String, PathBuf>> {
    let mut nodes = BTreeMap::new();
    for unit in &collection.units {
        let extract = extracts.get(unit).context("ingen fil")?;
        let folder = out.join("noder").join(unit.to_string());
        std::fs::create_dir_all(&folder)?;
        let mut config = toml::Table::new();
        config.insert("enhet".into(), toml::Value::String(unit.to_string()));
        config.insert("katalog".into(), toml::Value::String(".".into()));
        config.insert("region".into(), toml::Value::String(region.address.clone()));
        config.insert("godkann".into(), toml::Value::String("alla".into()));
        let mut source = toml::Table::new();
        source.insert("fil".into(), toml::Value::String(path(&extract.file)?.into()));
        if let Some(codes) = &extract.codes {
            source.insert("koder".into(), toml::Value::String(path(codes)?.into()));
        }
        config.insert("uttag".into(), toml::Value::Table(source));
        let file = folder.join("node.toml");
        std::fs::write(&file, toml::to_string(&config)?)?;
        let invitation = folder.join("inbjudan.toml");
        let identity = format!("urn:samman:node:{unit}");
        invite(national, &invitation, identity, format!("urn:samman:region:{}", collection.county), region)
            .await?;
        let arguments = ["node", "--config", path(&file)?, "enrol", "--invite", path(&invitation)?];
        complete(&format!("nod-{unit}"), logs, &arguments)?;
        nodes.insert(unit.to_string(), file);
    }
    Ok(nodes)
}

//! `sammanlagg`: a year from this region's own publications of its parts.
//!
//! Reads documents and folders, judges signatures and digests, adds (`publish::combine`) and writes a signed folder of its own,
//! `sammanlagt/<county>/<id>/v<version>`, beside those of rounds. Asks no service and opens no store: a region may run meanwhile. Whole
//! or not at all.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, bail, ensure};
use daemon::gate::Gate;
use daemon::wallet::Wallet;
use jiff::Timestamp;
use publish::combine::{Named, Part, year};
use publish::folder::{complete, put};
use publish::publication::csv_path;
use publish::table::Source;
use publish::{Publication, Signature};
use round::chain::Signed;
use serde::Deserialize;
use sha2::{Digest, Sha256};
use sharing::signing::SigningContext;
use tables::collection::Collection;
use tables::strict::StrictTable;
use tables::unit::{LansKod, Unit};

use crate::chain::GateChain;
use crate::config::{Config, Tier};
use crate::signer::Signer;

#[derive(Deserialize)]
struct Manifest {
    collection_sha256: String,
    date: String,
    files: Vec<Entry>,
}

#[derive(Deserialize)]
struct Entry {
    name: String,
    sha256: String,
}

#[derive(Deserialize)]
struct Seal {
    signature: String,
    certificate: String,
}

#[derive(Deserialize)]
struct Report {
    absent: Vec<Absent>,
}

#[derive(Deserialize)]
struct Absent {
    omrade: String,
}

/// A published folder whose manifest is signed by this region and whose files are those that it names.
struct Folder<'a> {
    path: &'a Path,
    manifest: Manifest,
}

impl<'a> Folder<'a> {
    fn open(path: &'a Path, gate: &Arc<Gate>, county: LansKod, now: Timestamp) -> anyhow::Result<Self> {
        let read = |name: &str| {
            let file = path.join(name);
            std::fs::read(&file)
                .with_context(|| format!("{}: expected a publication of this region", file.display()))
        };
        let bytes = read("manifest.json")?;
        let unreadable = || format!("{}: the manifest or its signature cannot be read", path.display());
        let manifest: Manifest = serde_json::from_slice(&bytes).with_context(unreadable)?;
        let seal: Seal = serde_json::from_slice(&read("manifest.sig.json")?).with_context(unreadable)?;
        let (signature, certificate) = (hex::decode(&seal.signature), hex::decode(&seal.certificate));
        let signed = Signed {
            bytes,
            signature: signature.with_context(unreadable)?,
            certificate: certificate.with_context(unreadable)?,
        };
        // Certificates live shorter than publications: it is judged as of the end of the day that it bears, when its sums were opened,
        // or as of now, if it was written later under a certificate that is younger.
        let day: jiff::civil::Date = manifest.date.parse().with_context(unreadable)?;
        let evening = day.at(23, 59, 59, 0).to_zoned(jiff::tz::TimeZone::UTC).with_context(unreadable)?;
        let opens = |at: Timestamp| {
            let chain = GateChain::new(gate.clone(), at);
            signed.open(&chain, SigningContext::Manifest, "region", &county.to_string()).map(|_| ())
        };
        let opened = opens(evening.timestamp()).or_else(|_| opens(now));
        opened.with_context(|| format!("{}: not signed by this region", path.display()))?;
        Ok(Self { path, manifest })
    }

    /// A file whose digest is the manifest's.
    fn file(&self, name: &str) -> anyhow::Result<Vec<u8>> {
        let path = self.path.join(name);
        let entry = self.manifest.files.iter().find(|entry| entry.name == name);
        let entry = entry.with_context(|| format!("{}: the manifest names no such file", path.display()))?;
        let bytes = std::fs::read(&path).with_context(|| format!("{}", path.display()))?;
        ensure!(
            hex::encode(Sha256::digest(&bytes)) == entry.sha256,
            "{}: not the file that was published",
            path.display()
        );
        Ok(bytes)
    }

    fn tables(&self, collection: &Collection) -> anyhow::Result<Vec<StrictTable>> {
        let one = |table: &tables::collection::Table| {
            let name = csv_path(&table.id);
            Ok(StrictTable::from_csv(&name, &self.file(&name)?)?)
        };
        collection.tables.iter().map(one).collect()
    }

    fn roster(&self, collection: &Collection) -> anyhow::Result<Vec<Unit>> {
        let report: Report = serde_json::from_slice(&self.file("rapport.json")?)
            .with_context(|| format!("{}: rapport.json cannot be read", self.path.display()))?;
        let absent: BTreeSet<String> = report.absent.into_iter().map(|absent| absent.omrade).collect();
        Ok(collection.units.iter().filter(|unit| !absent.contains(&unit.to_string())).cloned().collect())
    }
}

/// Adds the published parts of these documents; the new folder.
///
/// # Errors
/// What is wrong with which document, folder or file, and what was expected; nothing is written then.
pub fn combine(
    config: &Config,
    documents: &[PathBuf],
    named: &Named,
    now: Timestamp,
) -> anyhow::Result<PathBuf> {
    let Tier::Region { county, publications, .. } = &config.tier else {
        bail!("sammanlagg: expected the configuration of a region");
    };
    let (credentials, crl) = Wallet::new(config.data.join("identitet")).load()?;
    let gate = Arc::new(Gate::new(credentials.root_der(), crl));
    let parts: Vec<Part> = documents
        .iter()
        .map(|path| part(path, publications, (*county, now), &gate))
        .collect::<anyhow::Result<_>>()?;
    let first = parts.first().context("expected the documents of the parts")?;
    let codebook = tables::codebook::Codebook::built_in(&first.collection.codebook)
        .ok()
        .flatten()
        .context("the codebook of the parts is not at hand")?;
    let year = year(&parts, named, &codebook)?;
    let names = publish::names::kommuner();
    let date = now.to_zoned(jiff::tz::TimeZone::UTC).date();
    let source = Source {
        collection: &year.collection,
        codebook: &codebook,
        system: &year.system,
        figures: &year.figures,
    };
    let mut publication = Publication::new(source, &names, date)?;
    let parent = publications.join("sammanlagt").join(county.to_string()).join(&named.id);
    if named.version > 1 {
        let before = parent.join(format!("v{}", named.version - 1));
        let folder = Folder::open(&before, &gate, *county, now)?;
        publication = publication.after(named.version - 1, &folder.tables(&year.collection)?);
    }
    let signer = Signer::new(Arc::new(credentials));
    let sign = |manifest: &[u8]| {
        let Signed { signature, certificate, .. } = signer.sign(SigningContext::Manifest, manifest.to_vec());
        Signature { signature, certificate }
    };
    let files = complete(&publication, &sign)?;
    std::fs::create_dir_all(&parent).with_context(|| format!("{}", parent.display()))?;
    let folder = parent.join(format!("v{}", named.version));
    put(&folder, &files)?;
    Ok(folder)
}

fn part(
    path: &Path,
    publications: &Path,
    (county, now): (LansKod, Timestamp),
    gate: &Arc<Gate>,
) -> anyhow::Result<Part> {
    let text = std::fs::read_to_string(path).with_context(|| format!("{}", path.display()))?;
    let document = || format!("{}", path.display());
    let codebook = Collection::codebook_of(&text).with_context(document)?;
    let collection = Collection::from_toml(&text, &codebook).with_context(document)?;
    ensure!(
        collection.county == county,
        "{}: lan = \"{}\", but this region is {county}",
        path.display(),
        collection.county
    );
    let versions = publications.join("region").join(county.to_string()).join(&collection.id);
    let folder = versions.join(format!("v{}", collection.version));
    if newest(&versions)? > collection.version {
        bail!("{}: version {} is published; name the document of that", path.display(), newest(&versions)?);
    }
    let folder = Folder::open(&folder, gate, county, now)?;
    ensure!(
        folder.manifest.collection_sha256 == hex::encode(collection.hash),
        "{}: not the document that {} was published under",
        path.display(),
        folder.path.display()
    );
    let (tables, roster) = (folder.tables(&collection)?, folder.roster(&collection)?);
    Ok(Part { collection, tables, roster })
}

/// The newest version in a collection's folder; 0 when there is none. What is no folder of a version is passed over.
fn newest(versions: &Path) -> anyhow::Result<u32> {
    let entries = match std::fs::read_dir(versions) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(0),
        entries => entries.with_context(|| format!("{}", versions.display()))?,
    };
    let mut newest = 0;
    for entry in entries {
        let name = entry?.file_name();
        let version =
            name.to_str().and_then(|name| name.strip_prefix('v')).and_then(|name| name.parse().ok());
        newest = newest.max(version.unwrap_or(0));
    }
    Ok(newest)
}

//! A kommun finds an error after the publication: version 2 as real processes, beside version 1.

use std::collections::BTreeMap;
use std::path::PathBuf;

use anyhow::{Context, bail, ensure};
use coordinator::admin::{Question, Reply};
use e2e::federation::{Federation, Tables, tables};
use e2e::wait::until;
use tables::strict::{StrictRow, StrictTable};

const EXE: &str = env!("CARGO_BIN_EXE_e2e-party");
/// The kommun that corrects.
const CORRECTED: &str = "2181";
/// Rows of its extract that were registered by mistake.
const MISTAKES: std::ops::Range<usize> = 20..23;

type Figures = BTreeMap<(String, String, Vec<String>, String, String), Option<i64>>;

fn figures(files: &Tables) -> anyhow::Result<Figures> {
    let mut figures = Figures::new();
    for (name, bytes) in files {
        let table = StrictTable::from_csv(name, bytes)?;
        for StrictRow { omrade, codes, tid, matt, varde, .. } in table.rows {
            figures.insert((name.clone(), omrade.to_string(), codes, tid.to_string(), matt), varde);
        }
    }
    Ok(figures)
}

fn extract(federation: &Federation) -> anyhow::Result<PathBuf> {
    let config = federation.node_folder(CORRECTED)?.join("node.toml");
    let config: toml::Table = std::fs::read_to_string(config)?.parse()?;
    Ok(config["uttag"]["fil"].as_str().context("uttag.fil")?.into())
}

/// Leaves three rows out of the extract.
fn correct(federation: &Federation) -> anyhow::Result<()> {
    let file = extract(federation)?;
    let bytes = std::fs::read(&file)?;
    ensure!(file.extension().is_some_and(|ending| ending == "csv"), "{} is no text file", file.display());
    let lines = bytes.split_inclusive(|byte| *byte == b'\n').enumerate();
    let kept: Vec<u8> =
        lines.filter(|(at, _)| !MISTAKES.contains(at)).flat_map(|(_, line)| line.to_vec()).collect();
    ensure!(kept.len() < bytes.len());
    Ok(std::fs::write(&file, kept)?)
}

fn second_version(federation: &Federation, manifest: &[u8]) -> anyhow::Result<String> {
    let manifest: serde_json::Value = serde_json::from_slice(manifest)?;
    let mut document: toml::Table = federation.text().parse()?;
    document.insert("version".into(), toml::Value::Integer(2));
    for (key, from) in [("rattar", "collection_sha256"), ("rattar_monster", "pattern_sha256")] {
        let hash = manifest[from].as_str().context("a hash in the manifest")?;
        document.insert(key.into(), toml::Value::String(hash.into()));
    }
    Ok(toml::to_string(&document)?)
}

fn announce(federation: &Federation, text: &str) -> anyhow::Result<()> {
    let question = Question::Announce { collection: text.into() };
    match federation.ask(&federation.region, &question)? {
        Reply::Done => Ok(()),
        Reply::Refused(why) => bail!(why),
        _ => bail!("another answer"),
    }
}

/// KEEP-1, TRUE-1, SAFE-3.
#[test]
fn a_corrected_extract_gives_a_second_version_and_the_first_stays_as_it_was() -> anyhow::Result<()> {
    let mut federation = Federation::stage(EXE, true)?;
    federation.announce()?;
    federation.start_nodes(&[])?;
    let before = federation.published()?;
    let folder = federation.publication();
    let manifest = std::fs::read(folder.join("manifest.json"))?;

    correct(&federation)?;
    let text = second_version(&federation, &manifest)?;
    let refused = announce(&federation, &text.replace("version = 2", "version = 1"));
    ensure!(refused.is_err_and(|why| why.to_string().contains("version")), "version 1 corrects nothing");
    let other = text.replace(&hex::encode(federation.collection().hash), &"00".repeat(32));
    ensure!(announce(&federation, &other).is_err(), "a version that was never published is not corrected");
    announce(&federation, &text)?;
    // What it corrects is found again at a start.
    federation.kill(e2e::federation::REGION)?;
    federation.start(e2e::federation::REGION)?;

    let second = folder.parent().context("a parent")?.join("v2");
    until("the second version", || {
        let Reply::Status(list) = federation.ask(&federation.region, &Question::Status)? else {
            bail!("no status")
        };
        let status =
            list.into_iter().find(|status| status.collection.ends_with("/2")).context("version 2")?;
        ensure!(status.failure.is_none(), "{:?}", status.failure);
        Ok((status.phase == "published").then_some(()))
    })?;
    let after = tables(&second)?;
    ensure!(
        tables(&folder)? == before && std::fs::read(folder.join("manifest.json"))? == manifest,
        "version 1 stays"
    );
    compare(&figures(&before)?, &figures(&after)?)?;

    let list = std::fs::read_to_string(second.join("rattningar.csv"))?;
    ensure!(list.lines().count() > 1, "nothing is marked: {list}");
    ensure!(
        list.lines().skip(1).all(|line| line.contains(&format!(",{CORRECTED},")) || line.contains(",21,")),
        "{list}"
    );
    federation.stop()
}

/// Other kommuner are as they were; a total that is shown again differs by what the corrected kommun shows.
fn compare(before: &Figures, after: &Figures) -> anyhow::Result<()> {
    let (mut changed, mut totals, mut shown) = (0, 0, 0);
    ensure!(before.keys().eq(after.keys()), "the same tables");
    for (key, now) in after {
        let (name, area, codes, tid, matt) = key;
        let then = &before[key];
        if matt != "aktualiseringar" {
            continue;
        }
        let own = (name.clone(), CORRECTED.to_owned(), codes.clone(), tid.clone(), matt.clone());
        match area.as_str() {
            CORRECTED => {
                changed += usize::from(now != then);
                shown += usize::from(now.is_some());
            }
            "21" => {
                let (Some(now), Some(then)) = (now, then) else { continue };
                totals += 1;
                let own = (after.get(&own).copied().flatten(), before.get(&own).copied().flatten());
                match own {
                    (Some(own_now), Some(own_then)) => ensure!(now - then == own_now - own_then, "{key:?}"),
                    _ => ensure!(now == then, "{key:?}: the difference is a hidden figure's"),
                }
            }
            _ => ensure!(now == then, "{key:?} is another kommun's"),
        }
    }
    ensure!(changed > 0 && totals > 0 && shown > 0, "{changed} changed, {totals} totals, {shown} shown");
    Ok(())
}

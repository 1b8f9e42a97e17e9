//! Tables are added to what was published: version 2 as real processes, with the figures of version 1 as they were.

use std::path::Path;

use anyhow::{Context, bail, ensure};
use coordinator::admin::{CollectionStatus, Question, Reply};
use e2e::federation::{Federation, REGION, tables};
use e2e::wait::until;
use tables::strict::{StrictRow, StrictTable};

const EXE: &str = env!("CARGO_BIN_EXE_e2e-party");
/// The kommun that has another extract later.
const OTHER: &str = "2181";

const NEW: &str = r#"
[[tabell]]
id = "N1"
titel = "Aktualiseringar efter typ, kön och åldersgrupp"
matt = "aktualiseringar"
omfattning = "total"
dimensioner = ["aktualiseringstyp", "kon", "aldersgrupp"]
tider = ["2024"]
ny = true
"#;

fn extension(federation: &Federation, version: u32, manifest: &[u8]) -> anyhow::Result<String> {
    let manifest: serde_json::Value = serde_json::from_slice(manifest)?;
    let hash = |key: &str| manifest[key].as_str().context("a hash in the manifest");
    let (collection, pattern) = (hash("collection_sha256")?, hash("pattern_sha256")?);
    let head =
        format!("version = {version}\nkompletterar = \"{collection}\"\nkompletterar_monster = \"{pattern}\"");
    Ok(federation.text().replacen("version = 1", &head, 1) + NEW)
}

fn announce(federation: &Federation, text: &str) -> anyhow::Result<()> {
    match federation.ask(&federation.region, &Question::Announce { collection: text.into() })? {
        Reply::Done => Ok(()),
        Reply::Refused(why) => bail!(why),
        _ => bail!("another answer"),
    }
}

fn ended(federation: &Federation, version: u32) -> anyhow::Result<CollectionStatus> {
    until("the end of a round", || {
        let Reply::Status(list) = federation.ask(&federation.region, &Question::Status)? else {
            bail!("no status")
        };
        let is_it = |status: &CollectionStatus| status.collection.ends_with(&format!("/{version}"));
        let status = list.into_iter().find(is_it).context("the version")?;
        Ok(["published", "failed"].contains(&status.phase.as_str()).then_some(status))
    })
}

fn table(folder: &Path, id: &str) -> anyhow::Result<StrictTable> {
    let name = format!("{id}.csv");
    Ok(StrictTable::from_csv(&name, &std::fs::read(folder.join("csv").join(&name))?)?)
}

/// KEEP-1, TRUE-1, TRUE-2, SAFE-3.
#[test]
fn added_tables_stand_beside_the_first_ones_which_are_as_they_were() -> anyhow::Result<()> {
    let mut federation = Federation::stage(EXE, true)?;
    federation.announce()?;
    federation.start_nodes(&[])?;
    let before = federation.published()?;
    let folder = federation.publication();
    let manifest = std::fs::read(folder.join("manifest.json"))?;

    let text = extension(&federation, 2, &manifest)?;
    let refused = announce(
        &federation,
        &text.replace(
            "omfattning = \"total\"\ndimensioner = [\"aktualiseringstyp\", \"kon\", \"aldersgrupp\"]",
            "omfattning = \"kommun\"\ndimensioner = [\"kon\"]",
        ),
    );
    ensure!(
        refused.is_err_and(|why| why.to_string().contains("N1")),
        "kommuner show nothing more of themselves"
    );
    announce(&federation, &text)?;
    // What it extends is found again at a start.
    federation.kill(REGION)?;
    federation.start(REGION)?;
    let status = ended(&federation, 2)?;
    ensure!(status.phase == "published", "{:?}", status.failure);

    let second = folder.parent().context("a parent")?.join("v2");
    ensure!(tables(&folder)? == before, "version 1 stays");
    let after = tables(&second)?;
    for (name, bytes) in &before {
        ensure!(after.get(name) == Some(bytes), "{name} is as it was, byte for byte");
    }
    ensure!(after.len() == before.len() + 1 && !second.join("rattningar.csv").exists());
    let new = table(&second, "N1")?;
    let shown = new.rows.iter().filter(|row| row.varde.is_some_and(|value| value >= 4)).count();
    ensure!(shown > 5, "{shown} new figures are shown");
    // Bortfall is no small cell (ADR 5).
    let is_small = |row: &StrictRow| {
        row.matt == "aktualiseringar" && row.varde.is_some_and(|value| (1..4).contains(&value))
    };
    ensure!(!new.rows.iter().any(is_small), "no small count is shown");
    ensure!(new.rows.iter().all(|row| row.omrade.to_string() == "21"));

    // Another version beside two is not worked out; nor is one in which somebody's figures are others.
    let third = extension(&federation, 3, &std::fs::read(second.join("manifest.json"))?)?;
    ensure!(announce(&federation, &third).is_err(), "an extension of an extension");
    federation.stop()
}

/// SAFE-3: a kommun whose extract is another by now is named, and nothing is published.
#[test]
fn an_extension_ends_by_the_name_of_a_kommun_whose_figures_are_others() -> anyhow::Result<()> {
    let mut federation = Federation::stage(EXE, true)?;
    federation.announce()?;
    federation.start_nodes(&[])?;
    federation.published()?;
    let folder = federation.publication();
    let config = federation.node_folder(OTHER)?.join("node.toml");
    let config: toml::Table = std::fs::read_to_string(config)?.parse()?;
    let file = config["uttag"]["fil"].as_str().context("uttag.fil")?;
    let bytes = std::fs::read(file)?;
    let lines = bytes.split_inclusive(|byte| *byte == b'\n').enumerate();
    let kept: Vec<u8> =
        lines.filter(|(at, _)| !(20..23).contains(at)).flat_map(|(_, line)| line.to_vec()).collect();
    std::fs::write(file, kept)?;
    announce(&federation, &extension(&federation, 2, &std::fs::read(folder.join("manifest.json"))?)?)?;
    let status = ended(&federation, 2)?;
    let failure = status.failure.context("a failure")?;
    ensure!(failure.contains(OTHER) && failure.contains("extension"), "{failure}");
    ensure!(!folder.parent().context("a parent")?.join("v2").exists(), "nothing is written");
    federation.stop()
}

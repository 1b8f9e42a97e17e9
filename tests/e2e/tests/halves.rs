//! Two half-years are published as rounds of real processes, and the year is added together from their publications; then a half is
//! corrected, and the year again.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail, ensure};
use coordinator::admin::{CollectionStatus, Question, Reply};
use e2e::federation::{Federation, Tables, tables};
use e2e::wait::until;
use tables::strict::{Status, StrictTable};

const EXE: &str = env!("CARGO_BIN_EXE_e2e-party");
/// The kommun that corrects.
const CORRECTED: &str = "2181";

const TABLES: &str = r#"
[[tabell]]
id = "H1"
titel = "Aktualiseringar efter kommun och typ"
matt = "aktualiseringar"
omfattning = "kommun"
dimensioner = ["aktualiseringstyp"]
procent = { matt = "procent_rad", over = ["aktualiseringstyp"] }

[[tabell]]
id = "H2"
titel = "Anmälningar efter anmälare och kön"
matt = "aktualiseringar"
omfattning = "total"
dimensioner = ["anmalare", "kon"]
filter = { aktualiseringstyp = ["anmalan"] }
"#;

/// The document of a half-year: the federation's head with other tables.
fn half(federation: &Federation, number: u32) -> anyhow::Result<String> {
    let (head, _) = federation.text().split_once("[[tabell]]").context("a table")?;
    let id = &federation.collection().id;
    let lines = head.lines().map(|line| match line.split(' ').next() {
        Some("id") => format!("id = \"{id}-h{number}\"\n"),
        Some("perioder") => format!("perioder = [\"2024H{number}\"]\n"),
        _ => format!("{line}\n"),
    });
    Ok(lines.collect::<String>() + TABLES)
}

fn announce(federation: &Federation, text: &str) -> anyhow::Result<()> {
    match federation.ask(&federation.region, &Question::Announce { collection: text.into() })? {
        Reply::Done => Ok(()),
        Reply::Refused(why) => bail!(why),
        _ => bail!("another answer"),
    }
}

fn publish(federation: &Federation, text: &str, name: &str) -> anyhow::Result<PathBuf> {
    announce(federation, text)?;
    let status: CollectionStatus = until("the end of a round", || {
        let Reply::Status(list) = federation.ask(&federation.region, &Question::Status)? else {
            bail!("no status")
        };
        let status = list.into_iter().find(|status| status.collection == name).context("the collection")?;
        Ok(["published", "failed"].contains(&status.phase.as_str()).then_some(status))
    })?;
    ensure!(status.phase == "published", "{:?}", status.failure);
    let (id, version) = name.split_once('/').context("a version")?;
    Ok(federation.publications().join("21").join(id).join(format!("v{version}")))
}

type Rows = BTreeMap<(String, String, Vec<String>, String), Option<i64>>;

fn rows(files: &Tables) -> anyhow::Result<Rows> {
    let mut rows = Rows::new();
    for (name, bytes) in files {
        for row in StrictTable::from_csv(name, bytes)?.rows {
            ensure!(row.status != Status::NotDelivered, "everybody delivers here");
            rows.insert((name.clone(), row.omrade.to_string(), row.codes, row.matt), row.varde);
        }
    }
    Ok(rows)
}

/// TRUE-2: every count and every bortfall is the sum of the halves', withheld where a half withholds it.
fn assert_sums(year: &Path, halves: &[&Path]) -> anyhow::Result<usize> {
    let parts: Vec<Rows> = halves.iter().map(|half| rows(&tables(half)?)).collect::<anyhow::Result<_>>()?;
    let year = rows(&tables(year)?)?;
    ensure!(parts.iter().all(|part| part.keys().eq(year.keys())), "the same rows");
    let (mut shown, mut withheld) = (0, 0);
    for (key, value) in year.iter().filter(|(key, _)| !key.3.starts_with("procent")) {
        let sum = parts.iter().map(|part| part[key]).sum::<Option<i64>>();
        ensure!(*value == sum, "{key:?}");
        shown += usize::from(sum.is_some());
        withheld += usize::from(sum.is_none());
    }
    ensure!(shown > 20 && withheld > 0, "{shown} shown, {withheld} withheld: nothing is tried");
    Ok(shown)
}

fn combine(federation: &Federation, arguments: &[&str]) -> anyhow::Result<(bool, String)> {
    let output = federation.coordinator(&federation.region, &[&["sammanlagg"], arguments].concat())?;
    let text = String::from_utf8(output.stdout)? + &String::from_utf8(output.stderr)?;
    Ok((output.status.success(), text))
}

/// KEEP-1, TRUE-2, SAFE-1.
#[test]
fn a_year_is_added_from_its_halves_and_again_when_one_is_corrected() -> anyhow::Result<()> {
    let mut federation = Federation::stage(EXE, true)?;
    federation.start_nodes(&[])?;
    let id = federation.collection().id.clone();
    let texts = [half(&federation, 1)?, half(&federation, 2)?];
    let mut folders = Vec::new();
    let mut documents = Vec::new();
    for (number, text) in (1..).zip(&texts) {
        folders.push(publish(&federation, text, &format!("{id}-h{number}/1"))?);
        let path = federation.folder().join(format!("h{number}.toml"));
        std::fs::write(&path, text)?;
        documents.push(path.display().to_string());
    }
    let named = ["--period", "2024", "--id", "aret-2024", "--titel", "Aktualiseringar 2024"];

    // A year over the same days is no round of its own.
    let whole = texts[0].replace("2024H1", "2024").replace("-h1", "-hela");
    ensure!(announce(&federation, &whole).is_err_and(|why| why.to_string().contains("same days")));

    let (done, said) = combine(&federation, &[&[documents[0].as_str()][..], &named].concat())?;
    ensure!(!done && said.contains("2024"), "half a year is no year: {said}");
    let (done, said) = combine(&federation, &[&[documents[0].as_str(), &documents[0]][..], &named].concat())?;
    ensure!(!done && said.contains("each day once"), "twice the same half: {said}");
    let both: Vec<&str> = documents.iter().map(String::as_str).collect();
    let (done, said) = combine(&federation, &[&both[..], &named].concat())?;
    ensure!(done, "{said}");
    let year = federation.publications().parent().context("a parent")?.join("sammanlagt/21/aret-2024");
    let first = assert_sums(&year.join("v1"), &[&folders[0], &folders[1]])?;
    ensure!(year.join("v1").join("aret-2024.xlsx").exists() && year.join("v1").join("rapport.json").exists());
    let (done, said) = combine(&federation, &[&both[..], &named].concat())?;
    ensure!(!done && said.contains("never overwritten"), "{said}");

    // A half is corrected: its first document does not stand for it any more, and the year has a second version.
    let config = federation.node_folder(CORRECTED)?.join("node.toml");
    let config: toml::Table = std::fs::read_to_string(config)?.parse()?;
    let file = config["uttag"]["fil"].as_str().context("uttag.fil")?.to_owned();
    let bytes = std::fs::read(&file)?;
    let lines = bytes.split_inclusive(|byte| *byte == b'\n').enumerate();
    let kept: Vec<u8> =
        lines.filter(|(at, _)| !(20..60).contains(at)).flat_map(|(_, line)| line.to_vec()).collect();
    std::fs::write(&file, kept)?;
    let manifest: serde_json::Value =
        serde_json::from_slice(&std::fs::read(folders[1].join("manifest.json"))?)?;
    let hash = |key: &str| manifest[key].as_str().context("a hash").map(str::to_owned);
    let head = format!(
        "version = 2\nrattar = \"{}\"\nrattar_monster = \"{}\"",
        hash("collection_sha256")?,
        hash("pattern_sha256")?
    );
    let second = texts[1].replacen("version = 1", &head, 1);
    let corrected = publish(&federation, &second, &format!("{id}-h2/2"))?;
    let (done, said) = combine(&federation, &[&both[..], &named, &["--version", "2"]].concat())?;
    ensure!(!done && said.contains("version 2 is published"), "{said}");
    std::fs::write(&documents[1], &second)?;
    let (done, said) = combine(&federation, &[&both[..], &named, &["--version", "2"]].concat())?;
    ensure!(done, "{said}");
    let again = assert_sums(&year.join("v2"), &[&folders[0], &corrected])?;
    ensure!(again <= first, "{again} of {first} are shown");
    ensure!(year.join("v2").join("rattningar.csv").exists());

    // What was changed on the disk is not added.
    let table = folders[0].join("csv").join("H1.csv");
    let changed = std::fs::read_to_string(&table)?.replacen(",aktualiseringar,", ",aktualiseringar,9", 1);
    std::fs::write(&table, changed)?;
    let (done, said) = combine(&federation, &[&both[..], &named, &["--version", "3"]].concat())?;
    ensure!(!done && said.contains("H1.csv") && said.contains("not the file"), "{said}");
    ensure!(!year.join("v3").exists());
    federation.stop()
}

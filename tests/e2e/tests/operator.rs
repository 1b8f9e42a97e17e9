//! The node's own commands over real files: what its operator relies on.

use anyhow::ensure;
use e2e::federation::Federation;

const EXE: &str = env!("CARGO_BIN_EXE_e2e-party");
const UNIT: &str = "2121";
/// A mark that stands in broken files and must not be said again.
const MARK: &str = "KANARIE-TRASIG-7788";

fn said(output: &std::process::Output) -> String {
    [&output.stdout[..], &output.stderr[..]].map(|bytes| String::from_utf8_lossy(bytes).into_owned()).concat()
}

/// Runs `node check` over a file with this content.
fn check(federation: &Federation, name: &str, content: &[u8]) -> anyhow::Result<(Option<i32>, String)> {
    let folder = federation.folder().join("trasig");
    std::fs::create_dir_all(&folder)?;
    let file = folder.join(name);
    std::fs::write(&file, content)?;
    let config = federation.node_folder(UNIT)?.join("node.toml");
    let mut document: toml::Table = std::fs::read_to_string(&config)?.parse()?;
    let mut source = toml::Table::new();
    source.insert("fil".into(), toml::Value::String(e2e::federation::utf8(&file)?.into()));
    document.insert("uttag".into(), toml::Value::Table(source));
    std::fs::write(&config, toml::to_string(&document)?)?;
    let output = federation.node(UNIT, &["check"])?;
    Ok((output.status.code(), said(&output)))
}

#[test]
fn the_log_verifies_after_a_run_and_not_after_one_byte_of_it_is_changed() -> anyhow::Result<()> {
    let mut federation = Federation::stage(EXE, true)?;
    federation.announce()?;
    federation.start_nodes(&[])?;
    federation.published()?;
    federation.stop()?;
    let unit = e2e::data::SIX[0];
    let whole = federation.node(unit, &["log", "--verify"])?;
    ensure!(whole.status.code() == Some(0), "{}", said(&whole));
    let listed = said(&federation.node(unit, &["log"])?);
    ensure!(["Enrol", "Declare", "Submit"].iter().all(|method| listed.contains(method)), "{listed}");
    let path = federation.node_folder(unit)?.join("journal/journal.log");
    let bytes = std::fs::read(&path)?;
    for at in [0, 4, 40, bytes.len() / 3, bytes.len() / 2, bytes.len() - 33, bytes.len() - 1] {
        let mut changed = bytes.clone();
        changed[at] ^= 1;
        std::fs::write(&path, &changed)?;
        let output = federation.node(unit, &["log", "--verify"])?;
        ensure!(output.status.code().is_some_and(|code| code != 0), "byte {at} was changed unnoticed");
        ensure!(said(&output).contains("journal.log"), "byte {at}: {}", said(&output));
    }
    std::fs::write(&path, &bytes[..bytes.len() - 1])?;
    ensure!(!federation.node(unit, &["log", "--verify"])?.status.success(), "the end was cut off unnoticed");
    std::fs::write(&path, &bytes)?;
    ensure!(federation.node(unit, &["log", "--verify"])?.status.success(), "whole again");
    Ok(())
}

/// STAY-1: file, row and reason; never what stands in the cell.
#[test]
fn a_broken_file_ends_check_with_four_and_names_file_and_row_and_no_cell() -> anyhow::Result<()> {
    let federation = Federation::offices(EXE, true)?;
    let headers = "Personnummer;Datum;Aktualiseringstyp\n";
    let good = "198001012384;2024-01-31;Ansökan\n";
    let broken: [(&str, Vec<u8>, Option<&str>); 5] = [
        ("datum.csv", format!("{headers}{good}198001012384;{MARK};Ansökan\n").into_bytes(), Some("rad 3")),
        ("rubrik.csv", format!("{MARK};b;c\n1;2;3\n").into_bytes(), None),
        ("bok.xlsx", [b"PK\x03\x04".as_slice(), MARK.as_bytes()].concat(), None),
        ("bytes.csv", [headers.as_bytes(), MARK.as_bytes(), &[0; 40]].concat(), None),
        ("tom.csv", Vec::new(), None),
    ];
    for (name, content, row) in broken {
        let (code, said) = check(&federation, name, &content)?;
        ensure!(code == Some(4), "{name}: {code:?}: {said}");
        ensure!(said.contains(name), "{name} is not named: {said}");
        ensure!(row.is_none_or(|row| said.contains(row)), "{name}: no {row:?}: {said}");
        ensure!(!said.contains(MARK), "{name}: a cell is said again");
    }
    let (code, said) = check(&federation, "hel.csv", format!("{headers}{good}").as_bytes())?;
    ensure!(code == Some(0), "{code:?}: {said}");
    Ok(())
}

#[test]
fn a_file_that_is_not_there_and_a_configuration_that_is_wrong_end_with_four() -> anyhow::Result<()> {
    let federation = Federation::offices(EXE, true)?;
    let config = federation.node_folder(UNIT)?.join("node.toml");
    let text = std::fs::read_to_string(&config)?;
    let try_with = |from: &str, to: &str| -> anyhow::Result<(Option<i32>, String)> {
        let changed = text.replace(from, to);
        ensure!(changed != text, "nothing was changed");
        std::fs::write(&config, changed)?;
        let output = federation.node(UNIT, &["check"])?;
        Ok((output.status.code(), said(&output)))
    };
    let (code, text) = try_with("2121.csv", "borta.csv")?;
    ensure!(code == Some(4) && text.contains("borta.csv"), "{code:?}: {text}");
    let (code, text) = try_with("enhet = \"2121\"", "enhet = \"21\"")?;
    ensure!(code == Some(4) && text.contains("enhet"), "{code:?}: {text}");
    let (code, text) = try_with("godkann", "godkänn_allt")?;
    ensure!(code == Some(4) && text.contains("node.toml"), "{code:?}: {text}");
    Ok(())
}

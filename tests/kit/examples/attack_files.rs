//! Writes T03 of the made county for an attacker outside the project: `T03.csv`, its counts as published, and `truth.csv`, the
//! true finest cells, into a folder given as the only argument.

use std::path::PathBuf;

use anyhow::Context;
use kit::{COUNT, made_county, released};
use suppress::key::PatternKey;

fn main() -> anyhow::Result<()> {
    let folder = PathBuf::from(std::env::args_os().nth(1).context("usage: attack_files FOLDER")?);
    let made = made_county(2024)?;
    let published = released(&made, &PatternKey::new(&[5; 32]))?.published;
    let file = published.files.get("T03").context("no T03")?;
    let is_count = |line: &&str| line.starts_with("omrade,") || line.split(',').any(|field| field == COUNT);
    let counts: Vec<&str> = file.lines().filter(is_count).collect();
    std::fs::write(folder.join("T03.csv"), counts.join("\n") + "\n")?;
    let mut truth = String::from("omrade,aktualiseringstyp,tid,matt,varde,status\n");
    for cell in county::expected_cells() {
        let code = cell.codes.first().map_or("", |(_, code)| *code);
        if cell.table == "T03" && cell.omrade != "21" && code != "TOT" {
            truth.push_str(&format!("{},{code},{},{COUNT},{},\n", cell.omrade, cell.tid, cell.value));
        }
    }
    std::fs::write(folder.join("truth.csv"), truth)?;
    Ok(())
}

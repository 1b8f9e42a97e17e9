//! What the demo says at its end: where the publication lies, what was withheld and why, bytes, seconds.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use node::link::journal;
use tables::collection::Collection;

use crate::watch::Watched;

/// Prints the programme's last page.
///
/// # Errors
/// When a node's journal or the publication cannot be read.
pub fn print(
    out: &Path,
    collection: &Collection,
    watched: &Watched,
    nodes: &BTreeMap<String, PathBuf>,
) -> anyhow::Result<()> {
    println!("\nSekunder per fas:");
    for (phase, seconds) in &watched.phases {
        println!("  {phase:<26} {seconds:6.1}");
    }
    println!("\nByte som lämnat varje nod (node log visar varje meddelande):");
    for (unit, config) in nodes {
        let folder = config.parent().unwrap_or(out).join("journal");
        let reading = journal::read(&folder)?;
        let bytes: usize = reading.entries.iter().map(|entry| entry.body.len()).sum();
        println!("  {unit:<8} {bytes:>10} byte i {} meddelanden, journalen är hel", reading.entries.len());
    }
    if let Some(failure) = &watched.failure {
        println!("\nIngen publicering: {failure}");
        return Ok(());
    }
    let folder = out
        .join("region")
        .join(collection.county.to_string())
        .join(&collection.id)
        .join(format!("v{}", collection.version));
    println!("\nUndanhållet per kommun av det gemensamma mönstret ({}):", watched.withheld.len());
    println!(
        "  små antal (1–{}) och de antal som behövs för att ingen ska kunna räkna fram dem",
        collection.min_count.get() - 1
    );
    watched.withheld.iter().for_each(|label| println!("  {label}"));
    totals(&folder, collection)?;
    println!("\nPublikation: {}", folder.display());
    println!("  tabeller:  {}", folder.join("csv").display());
    println!("  arbetsbok: {}", folder.join(format!("{}.xlsx", collection.id)).display());
    Ok(())
}

/// Withheld county totals, read from the published files as anyone would.
fn totals(folder: &Path, collection: &Collection) -> anyhow::Result<()> {
    println!("\nUndanhållna summor för länet (små, och de som skulle röja dem):");
    let county = collection.county.to_string();
    for table in &collection.tables {
        let name = format!("{}.csv", table.id);
        let bytes = std::fs::read(folder.join("csv").join(&name))?;
        let strict = tables::strict::StrictTable::from_csv(&name, &bytes)?;
        let rows = strict.rows.iter().filter(|row| {
            row.omrade.to_string() == county
                && row.matt == publish::table::count_word(table.measure)
                && row.status == tables::strict::Status::Withheld
        });
        for row in rows {
            println!("  {} {} {}", table.id, row.codes.join(" "), row.tid);
        }
    }
    Ok(())
}

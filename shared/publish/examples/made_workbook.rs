//! Writes a publication of made figures into a new folder, to look at the layout without a federation:
//! `cargo run -p publish --example made_workbook -- FOLDER`.

#[path = "../tests/made/mod.rs"]
mod made;

use std::path::Path;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let folder = std::env::args().nth(1).ok_or("which folder?")?;
    let mut made = made::made(&["2101"], |value| (1..4).contains(&value));
    made::pair_up(&mut made);
    let names = publish::names::kommuner();
    let publication = publish::Publication::new(made.source(), &names, jiff::civil::date(2025, 3, 14))?;
    let unsigned = |_: &[u8]| publish::Signature { signature: Vec::new(), certificate: Vec::new() };
    let files = publish::folder::complete(&publication, &unsigned)?;
    for path in publish::folder::put(Path::new(&folder), &files)? {
        println!("{}", path.display());
    }
    Ok(())
}

//! How long a source takes and how much memory: `rows KALLA.toml CODEBOOK` reads all its rows as a round does.
//!
//! `rows` alone makes a cluster of its own with 300,000 rows in a folder that is removed, and reads those.
#![allow(clippy::unwrap_used)] // a tool for developers

use std::path::Path;
use std::time::Instant;

use database::{QueryError, Source};
use harmonise::{KommunCodes, Reading, Seen, Sheets};
use jiff::civil::date;
use postgres::{Cluster, PASSWORD, USER, private};
use tables::codebook::Codebook;

fn read(source: &Source, book: &Codebook) -> Result<(), QueryError> {
    let started = Instant::now();
    let codes = KommunCodes::none("2180".parse().unwrap(), book);
    let reading = Reading {
        codebook: book,
        codes: &codes,
        extracted_on: date(2030, 1, 1),
        sheets: Sheets::One,
        threads: std::num::NonZeroUsize::MIN,
    };
    let asked = source.ask()?;
    let columns = reading.columns_of(asked.names(), source.mapping())?;
    let wanted = columns.wanted();
    let part = reading.read_rows(columns, asked.rows(wanted), &mut Seen::default(), &mut |_, _| {})?;
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let most = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap_or("?").trim();
    println!("{} rows; {:.2} s, {most}", part.report.read, started.elapsed().as_secs_f64());
    Ok(())
}

const TABLE: &str = "CREATE TABLE akt AS SELECT '20120315-2384'::text AS personnummer, n AS aktualiseringsnr, \
     DATE '2024-01-01' + n % 366 AS datum, (ARRAY['Orosanmälan', 'Ansökan', 'Yttrande'])[1 + n % 3] AS aktualiseringstyp, \
     (ARRAY['Skolfrånvaro', 'Missbruk förälder', 'Kriminalitet'])[1 + n % 3] AS orsak FROM generate_series(1, 300000) AS n;";

fn made() -> Option<()> {
    let cluster = Cluster::start()?;
    cluster.run(TABLE);
    let folder = tempfile::tempdir().unwrap();
    private(&folder.path().join("ord"), PASSWORD);
    let text = format!(
        "version = 1\nslag = 'postgresql'\nvard = 'localhost'\nport = {}\ndatabas = 'postgres'\nanvandare = '{USER}'\n\
         losenord_fil = 'ord'\nrot = {:?}\nfraga = 'SELECT * FROM akt'\n",
        cluster.port(),
        cluster.root()
    );
    let file = folder.path().join("kalla.toml");
    std::fs::write(&file, text).unwrap();
    read(&Source::read(&file).unwrap(), &Codebook::barn().unwrap()).unwrap();
    Some(())
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.as_slice() {
        [file, book] => {
            let book = if book == "barn" { Codebook::barn() } else { Codebook::vuxna() };
            match Source::read(Path::new(file)) {
                Ok(source) => read(&source, &book.unwrap()).unwrap_or_else(|error| eprintln!("{error}")),
                Err(error) => eprintln!("{error}"),
            }
        }
        _ => made().unwrap_or_default(),
    }
}

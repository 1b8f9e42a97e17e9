//! Queries against a real PostgreSQL: the same rows as a file's, and each error's text.
#![allow(clippy::unwrap_used)] // a test that fails here should

use std::fmt::Write;
use std::io::Cursor;
use std::path::Path;

use database::{QueryError, Source};
use harmonise::{Coded, IntakeReport, KommunCodes, Reading, Seen, Sheets};
use jiff::civil::date;
use postgres::{Cluster, PASSWORD, USER, private};
use tables::codebook::{Codebook, Given};

const TYPES: [&str; 6] = ["Orosanmälan", "B/U Ansökan", "Egen iakttagelse", "Yttrande", "sknark", ""];
const DECISIONS: [&str; 4] = ["Utr. inleds", "Utr. inleds ej", "Överlämnas; \"annan\"", ""];

/// Ten digits with a right check digit and the serial numbers of test persons.
fn number(row: usize) -> String {
    let digits = format!("{:02}{:02}{:02}{}", 6 + row % 8, 1 + row % 12, 1 + row % 28, 238 + row % 2);
    let sum: u32 = digits
        .bytes()
        .enumerate()
        .map(|(at, digit)| {
            let value = u32::from(digit - b'0') * if at % 2 == 0 { 2 } else { 1 };
            value / 10 + value % 10
        })
        .sum();
    format!("20{digits}{}", (10 - sum % 10) % 10)
}

/// Rows as texts: number, running number, date, type, decision, age.
fn rows(count: usize) -> Vec<[String; 6]> {
    let row = |row: usize| {
        let number = if row.is_multiple_of(17) { String::new() } else { number(row) };
        let running = (row - row % 101 % 2).to_string();
        let date = match row % 97 {
            0 => String::new(),
            _ => format!("202{}-{:02}-{:02}", 3 + row % 2, 1 + row % 12, 1 + row % 28),
        };
        let age = if row.is_multiple_of(5) { String::new() } else { (row % 19).to_string() };
        [number, running, date, TYPES[row % 6].into(), DECISIONS[row % 4].into(), age]
    };
    (1..=count).map(row).collect()
}

fn csv(rows: &[[String; 6]]) -> Vec<u8> {
    let mut out = csv::WriterBuilder::new().delimiter(b';').from_writer(Vec::new());
    let header = ["Personnummer", "Aktualiseringsnummer", "Datum", "Aktualiseringstyp", "Åtgärd", "Ålder"];
    out.write_record(header).unwrap();
    rows.iter().for_each(|row| out.write_record(row).unwrap());
    out.into_inner().unwrap()
}

/// The same rows in a table of many types: the number as bigint, the age as numeric.
fn load(cluster: &Cluster, rows: &[[String; 6]]) {
    let mut sql = "CREATE TYPE typ AS ENUM ('Orosanmälan', 'B/U Ansökan', 'Egen iakttagelse', 'Yttrande', 'sknark');\n\
                   CREATE TABLE akt (rad serial, pnr bigint, nr int, inkom date, stund timestamp, sort typ, beslut varchar(80), \
                   alder numeric(5, 2), not_read bytea DEFAULT '\\x00');\n\
                   INSERT INTO akt (pnr, nr, inkom, stund, sort, beslut, alder) VALUES\n"
        .to_owned();
    let text = |text: &str| match text {
        "" => "NULL".to_owned(),
        text => format!("'{}'", text.replace('\'', "''")),
    };
    for (at, [pnr, nr, day, sort, decision, age]) in rows.iter().enumerate() {
        let comma = if at == 0 { "" } else { "," };
        let moment = if day.is_empty() { String::new() } else { format!("{day} 23:59:59.999") };
        let [day, moment, sort] = [day, &moment, sort].map(|own| text(own));
        let (pnr, age) = (text(pnr), text(age));
        writeln!(sql, "{comma}({pnr}, {nr}, {day}, {moment}, {sort}, '{decision}', {age})").unwrap();
    }
    cluster.run(&(sql + ";"));
}

fn source(cluster: &Cluster, folder: &Path, lines: &str) -> Source {
    let host = if lines.contains("vard") { "" } else { "vard = \"localhost\"\n" };
    let query = if lines.contains("fraga") { "" } else { "fraga = \"SELECT * FROM akt ORDER BY rad\"\n" };
    let root = if lines.contains("rot =") { "" } else { &format!("rot = {:?}\n", cluster.root()) };
    let port = if lines.contains("port =") { "" } else { &format!("port = {}\n", cluster.port()) };
    let text = format!(
        "version = 1\nslag = \"postgresql\"\ndatabas = \"postgres\"\nanvandare = \"{USER}\"\n\
         losenord_fil = \"ord\"\n{host}{root}{query}{port}{lines}"
    );
    let file = folder.join("kalla.toml");
    std::fs::write(&file, text).unwrap();
    Source::read(&file).unwrap()
}

const MAPPING: &str = "[kolumner]\npnr = 'personnummer'\nnr = 'aktualiseringsnummer'\ninkom = 'datum'\n\
                       sort = 'aktualiseringstyp'\nbeslut = 'atgard'\nalder = 'alder'\nnot_read = '-'\nstund = '-'\nrad = '-'\n";

/// What is read, with the report.
type Read = (Vec<Coded>, IntakeReport);

fn reading<'a>(book: &'a Codebook, codes: &'a KommunCodes) -> Reading<'a> {
    Reading {
        codebook: book,
        codes,
        extracted_on: date(2025, 6, 1),
        sheets: Sheets::One,
        threads: std::num::NonZeroUsize::MIN,
    }
}

fn read(source: &Source) -> Result<Read, QueryError> {
    let book = Codebook::barn().unwrap();
    let codes = KommunCodes::none("2180".parse().unwrap(), &book);
    let reading = reading(&book, &codes);
    let asked = source.ask()?;
    let columns = reading.columns_of(asked.names(), source.mapping())?;
    let wanted = columns.wanted();
    let mut rows = Vec::new();
    let mut take = |date, codes: &[Option<Given>]| rows.push(Coded { date, codes: codes.into() });
    let part = reading.read_rows(columns, asked.rows(wanted), &mut Seen::default(), &mut take)?;
    Ok((rows, part.report))
}

fn read_csv(bytes: &[u8]) -> Read {
    let book = Codebook::barn().unwrap();
    let codes = KommunCodes::none("2180".parse().unwrap(), &book);
    let source = harmonise::Source { reader: Cursor::new(bytes), extension: None };
    let read = harmonise::read(source, &book, &codes, date(2025, 6, 1)).unwrap();
    (read.rows, read.report)
}

/// The figures of a report, without what differs between a file and a query.
fn figures(report: &IntakeReport) -> String {
    let mut variables = report.variables.clone();
    variables.iter_mut().for_each(|variable| variable.columns.clear());
    format!(
        "{} {} {} {} {:?} {:?} {variables:?}",
        report.read,
        report.refused.total,
        report.skipped.total,
        report.blank,
        report.without_number,
        report.repeated
    )
}

#[test]
fn a_table_gives_the_figures_of_the_same_rows_in_a_file() {
    let Some(cluster) = Cluster::start() else { return };
    let folder = tempfile::tempdir().unwrap();
    private(&folder.path().join("ord"), &format!("{PASSWORD}\n"));
    let rows = rows(3_000);
    load(&cluster, &rows);
    let (expected, file) = read_csv(&csv(&rows));
    assert!(file.read > 2_900 && file.refused.total > 0 && file.repeated.different > 0, "{file:?}");
    // by a mapping over TLS, by the names of the columns over the socket, and a timestamp instead of a date
    let named = "fraga = 'SELECT pnr AS personnummer, nr AS aktualiseringsnr, stund AS \"INKOM_DATUM\", \
                 sort::text AS aktualiseringstyp, beslut, alder::int FROM akt ORDER BY rad'";
    let socket = format!("vard = {:?}\n{named}", cluster.socket());
    for lines in [MAPPING, &socket] {
        let (found, query) = read(&source(&cluster, folder.path(), lines)).unwrap();
        assert_eq!(figures(&query), figures(&file));
        assert!(found == expected, "row by row");
    }
}

#[test]
fn nulls_days_moments_and_numbers_are_read_and_other_types_are_named() {
    let Some(cluster) = Cluster::start() else { return };
    let folder = tempfile::tempdir().unwrap();
    private(&folder.path().join("ord"), PASSWORD);
    let query = |select: &str| {
        let lines = format!("fraga = '''\n{select}'''");
        read(&source(&cluster, folder.path(), &lines))
    };
    for day in [
        "DATE '2024-01-31'",
        "TIMESTAMP '2024-01-31 23:59:59.999999'",
        "'2024-01-31'::varchar",
        "'20240131'::char(10)",
        "20240131",
        "20240131::bigint",
        "20240131::numeric(20,4)",
        "('2024-01-31 23:30:00+00'::timestamptz AT TIME ZONE 'UTC')::date",
    ] {
        let (rows, _) = query(&format!("SELECT {day} AS datum, 'kvinna'::text AS kon")).unwrap();
        assert_eq!((rows.len(), rows[0].date), (1, date(2024, 1, 31)), "{day}");
    }
    let (_, report) = query("SELECT 1 AS aktnr, NULL::date AS datum UNION ALL SELECT 2, 'infinity'").unwrap();
    let refused: Vec<String> = report.refused.first.iter().map(ToString::to_string).collect();
    let form = "rad 2, kolumn datum: datumet har ingen form som läses (2024-01-31)";
    assert_eq!(refused, ["rad 1, kolumn datum: datum saknas", form]);
    for (sql_type, value) in [
        ("bytea", "'\\x00'"),
        ("uuid", "gen_random_uuid()"),
        ("jsonb", "'{\"a\": 1}'"),
        ("interval", "'1 day'"),
    ] {
        let refused =
            query(&format!("SELECT DATE '2024-01-31' AS datum, {value}::{sql_type} AS kon")).unwrap_err();
        let expected = format!(
            "kolumn kon: typen {sql_type} läses inte; skriv om kolumnen i frågan, till exempel kolumn::text"
        );
        assert_eq!(refused.to_string(), expected);
    }
    let moment = query("SELECT now() AS datum, 'man'::text AS kon").unwrap_err().to_string();
    assert!(moment.contains("typen timestamptz läses inte") && moment.contains("AT TIME ZONE"), "{moment}");
}

#[test]
fn stay_1_each_error_says_what_to_mend_and_shows_no_word_of_a_row_or_the_password() {
    let Some(cluster) = Cluster::start() else { return };
    let folder = tempfile::tempdir().unwrap();
    private(&folder.path().join("ord"), PASSWORD);
    load(&cluster, &rows(600));
    cluster.run(
        "CREATE TABLE hemlig (a text); INSERT INTO hemlig VALUES ('KANARIE'); CREATE ROLE annan LOGIN PASSWORD 'KANARIE-ord';\n\
         CREATE FUNCTION skriv() RETURNS date LANGUAGE sql AS 'DELETE FROM akt; SELECT DATE ''2024-01-01''';",
    );
    let query = |lines: &str| read(&source(&cluster, folder.path(), lines)).err().unwrap().to_string();
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let mut cases = vec![
        ("fraga = 'SELECT nr, sknark FROM akt'", "fraga: frågans rad 1: kolumnen finns inte (42703)"),
        ("fraga = '''SELECT nr\nFROM borta'''", "fraga: frågans rad 2: tabellen finns inte (42P01)"),
        ("fraga = '''SELECT nr\nFROM WHERE'''", "fraga: frågans rad 2: frågan kan inte tolkas (42601)"),
        ("fraga = 'SELECT $1::date AS datum, nr FROM akt'", "fraga: en fråga har inga parametrar ($1)"),
        (
            "fraga = 'SELECT a::int AS datum, a AS kon FROM hemlig'",
            "fraga: ett värde i databasen kan inte räknas om som frågan ber om (22P02)",
        ),
        (
            "fraga = 'SELECT skriv() AS datum, beslut FROM akt'",
            "fraga: frågan ändrar något; den får bara läsa (25006)",
        ),
        (
            "tidsgrans_sekunder = 1\nfraga = \"SELECT DATE '2024-01-01' AS datum, pg_sleep(30)::text AS kon\"",
            "tidsgrans_sekunder: frågan var inte färdig efter 1 sekunder; 0 rader var lästa",
        ),
        (
            "radgrans = 599\n[kolumner]\ninkom = 'datum'\npnr = 'personnummer'",
            "radgrans: frågan ger fler än 599 rader",
        ),
        ("rot = 'borta.pem'", "rot: "),
        (
            "[kolumner]\ninkom = 'datum'\nKANARI = 'kon'",
            "frågans kolumner räcker inte; saknas: kolumnen KANARI (kon); den ger: rad, pnr, nr, inkom, stund, sort, beslut, alder, not_read",
        ),
    ];
    let other_root = format!("rot = {:?}", cluster.other_root());
    cases.push((
        &other_root,
        "tls: servern visar ett certifikat från en utfärdare som inte är betrodd; ange kommunens rotcertifikat som rot",
    ));
    let refused = format!("port = {closed}");
    let nobody = format!("vard: localhost:{closed} kan inte nås (ingen svarar på porten)");
    cases.push((&refused, &nobody));
    for (lines, expected) in cases {
        let told = query(lines);
        assert!(told.starts_with(expected), "{told}\n{expected}");
        assert!(!told.contains("KANARIE"), "{told}");
    }
    // rights and passwords
    let own = |from: &str, to: &str| {
        let text = std::fs::read_to_string(folder.path().join("kalla.toml")).unwrap().replace(from, to);
        std::fs::write(folder.path().join("annan.toml"), text).unwrap();
        let error = read(&Source::read(&folder.path().join("annan.toml")).unwrap()).err().unwrap();
        assert!(!format!("{error} {error:?}").contains("KANARIE"));
        error.to_string()
    };
    let _ = source(&cluster, folder.path(), "");
    assert_eq!(own("\"samman\"", "\"annan\""), "fraga: användaren saknar rättighet (42501)");
    let login = "anvandare, losenord_fil, databas: servern släpper inte in samman: ";
    assert_eq!(own("\"postgres\"\n", "\"borta\"\n"), format!("{login}databasen finns inte (3D000)"));
    assert_eq!(
        own("losenord_fil = \"ord\"", ""),
        format!("{login}servern kräver ett lösenord; ange losenord_fil (klienten)")
    );
    let name = own("\"localhost\"", "\"127.0.0.2\"");
    assert!(
        name.starts_with("tls: serverns certifikat gäller ett annat namn") || name.starts_with("vard: "),
        "{name}"
    );
    private(&folder.path().join("ord"), "KANARIE-fel");
    assert_eq!(own("", ""), format!("{login}användaren eller lösenordet godtas inte (28P01)"));
    let file = folder.path().join("ord");
    std::fs::set_permissions(&file, std::os::unix::fs::PermissionsExt::from_mode(0o644)).unwrap();
    let expected = "filen kan läsas av andra än sin ägare; ändra det (chmod 600)";
    assert_eq!(own("", ""), format!("losenord_fil: {}: {expected}", file.display()));
    private(&file, "två\nrader");
    assert!(own("", "").ends_with("väntade en enda rad som inte är tom"));
    std::fs::remove_file(&file).unwrap();
    assert!(own("", "").ends_with("filen finns inte"));
    let shown = format!("{:?}", Source::read(&folder.path().join("kalla.toml")).unwrap());
    assert!(!shown.contains("KANARIE"), "{shown}");
}

#[test]
fn a_reader_that_stops_ends_the_session() {
    let Some(cluster) = Cluster::start() else { return };
    let folder = tempfile::tempdir().unwrap();
    private(&folder.path().join("ord"), PASSWORD);
    let lines = "radgrans = 5000000\nfraga = 'SELECT generate_series(1, 4000000) AS nr'";
    let source = source(&cluster, folder.path(), lines);
    let asked = source.ask().unwrap();
    assert_eq!(asked.names(), ["nr"]);
    assert_eq!(asked.rows(vec![true]).take(10).filter(Result::is_ok).count(), 10);
    drop(source.ask().unwrap());
    let left =
        "fraga = \"SELECT count(*)::int AS nr FROM pg_stat_activity WHERE application_name = 'samman'\"";
    let source = self::source(&cluster, folder.path(), left);
    for _ in 0..100 {
        let mut rows = source.ask().unwrap().rows(vec![true]);
        if matches!(rows.next().unwrap().unwrap().first(), Some(harmonise::Value::Number(1.0))) {
            return;
        }
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    panic!("sessions were left open");
}

//! The node's commands over a database, as a systemförvaltare uses them.
#![allow(clippy::unwrap_used)] // helpers of tests may panic

use std::path::Path;
use std::process::{Command, Output};

use postgres::{Cluster, PASSWORD, USER, private};

fn node(folder: &Path, arguments: &[&str]) -> (Option<i32>, String) {
    let output: Output =
        Command::new(env!("CARGO_BIN_EXE_node")).args(arguments).current_dir(folder).output().unwrap();
    let said = [&output.stdout, &output.stderr].map(|bytes| String::from_utf8_lossy(bytes).into_owned());
    let said = said.concat();
    assert!(!said.contains("KANARIE"), "STAY-1: {said}");
    (output.status.code(), said)
}

const ROWS: &str = "INSERT INTO akt SELECT DATE '2024-02-01' + n, CASE WHEN n < 12 THEN 'Orosanmälan' ELSE 'B/U Ansökan' END, \
                    'Skolfrånvaro', 'KANARIE' FROM generate_series(0, 14) AS n;";

/// The same rows as a file.
fn csv() -> String {
    let row = |n: u8| {
        let sort = if n < 12 { "Orosanmälan" } else { "B/U Ansökan" };
        format!("2024-02-{:02};{sort};Skolfrånvaro;KANARIE\n", n + 1)
    };
    "inkom_datum;sort;orsak;handl\n".replace('_', " ") + &(0..15).map(row).collect::<String>()
}

const COLLECTION: &str = r#"
id = "prov"
version = 1
titel = "Prov"
lan = "21"
kodbok = "barn/1"
perioder = ["2024"]
deltagare = ["2101", "2104", "2121", "2132", "2161"]
deklarera_inom_timmar = 1
lamna_inom_timmar = 1
kontakt = "prov"
kalla = "prov"

[[tabell]]
id = "T01"
titel = "Orsak"
matt = "aktualiseringar"
omfattning = "kommun"
dimensioner = ["aktualiseringstyp", "orsak"]
"#;

fn begin(cluster: &Cluster, folder: &Path) {
    cluster.run(&format!("CREATE TABLE akt (inkom_datum date, sort text, orsak text, handl text); {ROWS}"));
    private(&folder.join("ord"), PASSWORD);
    let source = format!(
        "version = 1\nslag = \"postgresql\"\nvard = \"localhost\"\nport = {}\ndatabas = \"postgres\"\n\
         anvandare = \"{USER}\"\nlosenord_fil = \"ord\"\nrot = {:?}\nfraga = \"SELECT * FROM akt ORDER BY 1\"\n",
        cluster.port(),
        cluster.root()
    );
    std::fs::write(folder.join("kalla.toml"), source).unwrap();
    std::fs::write(folder.join("c.toml"), COLLECTION).unwrap();
    let config = "enhet = \"2101\"\nkatalog = \"data\"\nregion = \"localhost:1\"\n\
                  [uttag]\nkalla = \"kalla.toml\"\nkodbok = \"barn\"\n";
    std::fs::write(folder.join("node.toml"), config).unwrap();
}

#[test]
fn columns_are_suggested_written_and_read() {
    let Some(cluster) = Cluster::start() else { return };
    let folder = tempfile::tempdir().unwrap();
    begin(&cluster, folder.path());
    let (code, first) = node(folder.path(), &["check", "--kalla", "kalla.toml", "--codebook", "barn"]);
    for expected in [
        "kalla.toml: frågans kolumner (PostgreSQL)\n  inkom_datum: datum (vanligt namn",
        "  sort: läses inte (inget liknar)",
        "  handl: ",
        "kalla.toml: fråga som ger 4 kolumner",
        "Lästa rader: 15",
        "Aktualiseringsorsak: 15 med kod",
    ] {
        assert!(first.contains(expected), "{expected}: {first}");
    }
    assert_eq!(code, Some(0), "{first}");
    let (code, written) =
        node(folder.path(), &["check", "--source", "kalla.toml", "--skriv", "--codebook", "barn"]);
    assert!(written.contains("Förslagen står nu under [kolumner] i kalla.toml"), "{written}");
    assert_eq!(code, Some(0), "{written}");
    let text = std::fs::read_to_string(folder.path().join("kalla.toml")).unwrap();
    assert!(
        text.contains("\n[kolumner]\n\"inkom_datum\" = \"datum\"\n# \"sort\" = \"-\"  # inget"),
        "{text}"
    );
    // by hand
    let text = text.replace("# \"sort\" = \"-\"", "\"sort\" = \"aktualiseringstyp\"\n# ");
    std::fs::write(folder.path().join("kalla.toml"), text + "\"handl\" = \"-\"\n").unwrap();
    let (code, mapped) = node(folder.path(), &["--config", "node.toml", "check"]);
    assert!(mapped.contains("Aktualiseringstyp: 15 med kod"), "{mapped}");
    assert!(!mapped.contains("frågans kolumner"), "every column is mapped: {mapped}");
    assert_eq!(code, Some(0), "{mapped}");
}

#[test]
fn a_preview_of_a_query_is_that_of_the_same_rows_in_a_file() {
    let Some(cluster) = Cluster::start() else { return };
    let folder = tempfile::tempdir().unwrap();
    begin(&cluster, folder.path());
    let source = folder.path().join("kalla.toml");
    let text = std::fs::read_to_string(&source).unwrap().replace("SELECT *", "SELECT *, sort AS typ");
    std::fs::write(&source, text).unwrap();
    std::fs::write(folder.path().join("u.csv"), csv().replace(";sort;", ";typ;")).unwrap();
    let unit = ["--unit", "2101"];
    let (code, file) = node(folder.path(), &[&["preview", "c.toml", "u.csv"], &unit[..]].concat());
    assert!(code == Some(0) && file.contains(": 12\n"), "{file}");
    let query = node(folder.path(), &[&["preview", "c.toml", "--source", "kalla.toml"], &unit[..]].concat());
    assert_eq!(query, (Some(0), file.clone()));
    // what a round counts
    assert_eq!(node(folder.path(), &["--config", "node.toml", "preview", "c.toml"]), (Some(0), file));
}

#[test]
fn a_source_that_cannot_be_used_is_bad_input_and_says_where() {
    let folder = tempfile::tempdir().unwrap();
    let head = "version = 1\nslag = \"postgresql\"\nvard = \"127.0.0.1\"\nport = 1\ndatabas = \"d\"\nanvandare = \"a\"\n";
    let source = |body: &str| {
        std::fs::write(folder.path().join("k.toml"), format!("{head}{body}")).unwrap();
        node(folder.path(), &["check", "--kalla", "k.toml"])
    };
    for (body, expected) in [
        ("fraga = 'DELETE FROM t'", "k.toml: rad 7, fraga: en fråga börjar med SELECT eller WITH"),
        (
            "losenord = 'KANARIE'\nfraga = 'SELECT 1'",
            "k.toml: rad 7: lösenordet står aldrig i källfilen; ange losenord_fil",
        ),
        ("tls = 'av'\nfraga = 'SELECT 1'", "k.toml: vard: 127.0.0.1:1 kan inte nås (ingen svarar på porten)"),
    ] {
        let (code, told) = source(body);
        assert!(told.contains(expected), "{told}");
        assert_eq!(code, Some(4), "{told}");
    }
    std::fs::write(folder.path().join("k.toml"), "version = 2\nny = 1").unwrap();
    let (code, newer) = node(folder.path(), &["check", "--kalla", "k.toml"]);
    assert!(code == Some(4) && newer.contains("uppgradera noden"), "{newer}");
    let (code, none) = node(folder.path(), &["preview", "c.toml", "--source", "borta.toml"]);
    assert!(code == Some(4), "{none}");
}

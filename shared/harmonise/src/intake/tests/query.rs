//! Rows of a query beside the same rows as a file.

use super::*;

fn reading<'a>(book: &'a Codebook, codes: &'a KommunCodes) -> Reading<'a> {
    Reading { codebook: book, codes, extracted_on: TODAY, sheets: Sheets::One, threads: NonZeroUsize::MIN }
}

fn names(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

fn mapping(entries: &[(&str, &[&str])]) -> Mapping {
    entries.iter().map(|(column, ids)| ((*column).to_owned(), names(ids))).collect()
}

fn text(text: &str) -> Value {
    Value::Text(text.into())
}

fn read_query(
    columns: &[&str],
    mapping: Option<&Mapping>,
    rows: Vec<Vec<Value>>,
) -> Result<Harmonised, IntakeError> {
    let (book, codes) = (book(), codes(""));
    let reading = reading(&book, &codes);
    let columns = reading.columns_of(&names(columns), mapping)?;
    let mut coded = Vec::new();
    let mut take = |date: Date, codes: &[Option<Given>]| coded.push(Coded { date, codes: codes.into() });
    let part = reading.read_rows::<IntakeError>(
        columns,
        rows.into_iter().map(Ok),
        &mut Seen::default(),
        &mut take,
    )?;
    Ok(Harmonised { rows: coded, report: part.report, unmapped: part.unmapped })
}

fn refused(columns: &[&str], mapping: Option<&Mapping>) -> String {
    read_query(columns, mapping, Vec::new()).unwrap_err().to_string()
}

#[test]
fn rows_of_a_query_become_what_the_same_rows_of_a_file_become() {
    let file = "Personnummer;Aktualiseringsnummer;Datum;Kön;Beslut\n198001012387;1;2024-01-31;;Utredning inleds\n\
                ;2;2024-02-01;man;\n;2;2024-02-01;man;\n198001012387;3;;kvinna;x\n;;;;\nTotalt;;;;\n";
    let of_file = read_plain(file.as_bytes());
    let day = |month, day| Value::Day(date(2024, month, day));
    let rows = vec![
        vec![
            Value::integer(198_001_012_387),
            Value::integer(1),
            day(1, 31),
            Value::Null,
            text("Utredning inleds"),
        ],
        vec![Value::Null, Value::integer(2), day(2, 1), text("man"), text("")],
        vec![Value::Null, Value::integer(2), text("2024-02-01 00:00:00"), text("man"), Value::Null],
        vec![text("19800101-2387"), Value::decimal("3.00"), Value::Null, text("kvinna"), text("x")],
        vec![Value::Null, Value::Null, Value::Null, Value::Null, Value::Null],
        vec![text("Totalt"), Value::Null, Value::Null, Value::Null, Value::Null],
    ];
    let own = mapping(&[
        ("pnr", &["personnummer"]),
        ("lopnr", &["aktualiseringsnummer"]),
        ("inkom", &["datum"]),
        ("kon", &["kon"]),
        ("utfall", &["beslut"]),
    ]);
    let read = read_query(&["pnr", "lopnr", "inkom", "kon", "utfall"], Some(&own), rows).unwrap();
    assert_eq!(all_shown(&read), all_shown(&of_file));
    assert_nothing_dropped(&read);
    let (query, file) = (read.report, of_file.report);
    assert_eq!((query.header_row, query.dialect), (0, Dialect::Query { columns: 5 }));
    assert_eq!((query.read, query.blank, query.repeated), (file.read, file.blank, file.repeated));
    assert_eq!((query.refused.total, query.skipped.total), (file.refused.total, file.skipped.total));
    assert_eq!(query.refused.first[0].to_string(), "rad 4, kolumn inkom: datum saknas");
}

#[test]
fn without_a_mapping_columns_are_known_as_headers_are() {
    let rows = vec![vec![Value::integer(20_240_131), text("K"), text("198001012387"), text("x")]];
    let read = read_query(&["INKOM_DATUM", "kön", "Person_nr", "orsak_anm"], None, rows).unwrap();
    assert_eq!(all_shown(&read)[0].split(' ').take(2).collect::<Vec<_>>(), ["2024-01-31", "kvinna"]);
    assert_eq!((variable(&read.report, "kon").derived, read.report.has_personnummer), (1, true));
    assert_eq!(read.report.unused, [("orsak_anm".to_owned(), Some("orsak_anmalan".to_owned()))]);
    assert_eq!(
        refused(&["INKOM_DATUM", "inkom datum", "kön"], None),
        "datum kan vara kolumn INKOM_DATUM eller inkom datum; ange rätt rubrik under [kolumner] eller byt namn på den andra"
    );
    assert_eq!(
        refused(&["kön", "persnr"], None),
        "frågans kolumner räcker inte; saknas: datum; den ger: kön, persnr"
    );
}

#[test]
fn a_mapping_is_the_whole_truth_and_errors_name_the_column() {
    let own = mapping(&[("d", &["datum"]), ("kön", &["kon"]), ("handläggare", &["-"])]);
    let rows = vec![vec![Value::Day(date(2024, 1, 31)), text("K"), Value::Null, Value::Null]];
    let read = read_query(&["d", "kön", "handläggare", "beslut"], Some(&own), rows).unwrap();
    assert_eq!(read.report.unused, [("beslut".to_owned(), Some("beslut".to_owned()))]);
    assert_eq!(variable(&read.report, "kon").mapped, 1);
    assert_eq!(
        refused(&["d", "a"], Some(&own)),
        "frågans kolumner räcker inte; saknas: kolumnen kön (kon); den ger: d, a"
    );
    assert_eq!(
        refused(&["d"], Some(&mapping(&[("d", &["datum"])]))),
        "frågans kolumner räcker inte; saknas: personnummer eller någon variabel ur kodboken; den ger: d"
    );
    assert_eq!(
        refused(&["d", "e"], Some(&mapping(&[("d", &["datum"]), ("e", &["datum"])]))),
        "datum kan vara kolumn d eller e; ange rätt rubrik under [kolumner] eller byt namn på den andra"
    );
    let unknown = refused(&["d"], Some(&mapping(&[("d", &["dag"])])));
    assert!(
        unknown.starts_with("kolumner.d: okänd variabel; väntade någon av personnummer, aktual"),
        "{unknown}"
    );
    let many: Vec<String> = (0..=MAX_COLUMNS).map(|at| at.to_string()).collect();
    let (book, codes) = (book(), codes(""));
    let error = reading(&book, &codes).columns_of(&many, None).err().unwrap();
    assert_eq!(error, Limit::Columns { row: 0, columns: 513 }.into());
}

#[test]
fn only_the_values_of_known_columns_are_asked_for() {
    let (book, codes) = (book(), codes(""));
    let columns = reading(&book, &codes).columns_of(&names(&["Datum", "Anteckning", "Kön"]), None).unwrap();
    assert_eq!(columns.wanted(), [true, false, true]);
}

#[test]
fn suggestions_say_why() {
    let (book, codes) = (book(), codes("[kolumner]\nbeslut = 'utfall'\n"));
    let own = mapping(&[("d", &["datum"])]);
    let given = names(&["d", "Persnr", "utfall", "aktualiseringstyper", "anteckning"]);
    let found = reading(&book, &codes).suggestions(&given, Some(&own)).unwrap();
    let shown: Vec<(String, Option<Reason>)> =
        found.into_iter().map(|one| (one.variables.join(","), one.reason)).collect();
    let expected = [
        ("datum", Some(Reason::Mapped)),
        ("personnummer", Some(Reason::Named)),
        ("beslut", Some(Reason::Named)),
        ("aktualiseringstyp", Some(Reason::Alike)),
        ("", None),
    ];
    assert_eq!(shown, expected.map(|(id, reason)| (id.to_owned(), reason)));
}

#[test]
fn numbers_keep_every_digit() {
    let shown = |value: Value| match value {
        Value::Number(number) => number.to_string(),
        Value::Text(text) => format!("text {text}"),
        _ => String::new(),
    };
    assert_eq!(shown(Value::integer(i64::MAX)), "text 9223372036854775807");
    assert_eq!(shown(Value::integer(-7)), "-7");
    assert_eq!(shown(Value::decimal("34.00")), "34");
    assert_eq!(shown(Value::decimal("34.50")), "text 34.50");
    assert_eq!(
        shown(Value::decimal("123456789012345678901234567890")),
        "text 123456789012345678901234567890"
    );
    assert_eq!(shown(Value::decimal("NaN")), "text NaN");
    assert_eq!(shown(Value::truth(true)), "text SANT");
}

#[test]
fn stay_1_a_cell_that_is_too_long_is_named_by_its_column() {
    let rows = vec![
        vec![Value::Day(date(2024, 1, 31)), text("K")],
        vec![Value::Day(date(2024, 1, 31)), text(&"KANARIE".repeat(8_000))],
    ];
    let error = read_query(&["datum", "kön"], None, rows).unwrap_err();
    assert_eq!(error.to_string(), "rad 2, kolumn kön: cellen har fler än 32768 tecken");
}

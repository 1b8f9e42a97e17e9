//! One thread or many: the same rows, report, labels and errors, whatever the file and wherever it is cut.

use proptest::prelude::*;

use super::*;

/// Everything a reading gives, in one comparable text: for tests only, of made labels.
fn read_in(bytes: &[u8], threads: usize, piece: usize) -> Result<(Vec<Coded>, String), String> {
    let (book, codes) = (book(), codes(""));
    let (sheets, own) = (Sheets::One, NonZeroUsize::MIN);
    let reading = Reading { codebook: &book, codes: &codes, extracted_on: TODAY, sheets, threads: own };
    let mut rows = Vec::new();
    let mut sink = |date: Date, codes: &[Option<Given>]| rows.push(Coded { date, codes: codes.into() });
    let names = reading.names().unwrap();
    let mut seen = Seen::default();
    let part = reading
        .read_text(&mut Cursor::new(bytes), &names, Plan { threads, piece }, &mut seen, &mut sink)
        .map_err(|error| error.to_string())?;
    let mut labels = Vec::new();
    part.unmapped.write_review(&mut labels).unwrap();
    let review = String::from_utf8(labels).unwrap();
    Ok((rows, format!("{:?}\n{review}\n{}", part.report, part.unmapped.unlisted())))
}

fn assert_same(bytes: &[u8], piece: usize) -> Result<(), TestCaseError> {
    let one = read_in(bytes, 1, piece);
    for threads in [2, 3] {
        let many = read_in(bytes, threads, piece);
        match (&one, &many) {
            (Ok((rows, found)), Ok((own, own_found))) => {
                prop_assert!(rows == own, "the rows differ with {threads} threads");
                prop_assert_eq!(found, own_found);
            }
            (one, many) => prop_assert_eq!(one.as_ref().err(), many.as_ref().err()),
        }
    }
    Ok(())
}

const HEAD: &str = "Personnummer;Aktualiseringsnummer;Datum;Aktualiseringstyp;Orsak ansökan";

/// A row of a file: good, bad, strange, or a part of one.
fn line() -> impl Strategy<Value = String> {
    let number =
        prop::sample::select(vec!["19860101-2384", "198601012384", "8601012384", "x", "", "19860230-2384"]);
    let date = prop::sample::select(vec![
        "2024-01-31",
        "20240131",
        "2030-01-01",
        "",
        "i går",
        " 2023-05-01 ",
        "Totalt",
    ]);
    let kind =
        prop::sample::select(vec!["Ansökan", "anmälan", "Orosanmälan", "zzz", "qqq", "", "\"Ansökan\""]);
    let reason = prop::sample::select(vec![
        "Missbruk och beroende",
        "Missbruk och beroende, Våldsutövare",
        "\"Missbruk\r\noch beroende\"",
        "\"stray",
        "okänt",
        "",
        "a;b;c",
    ]);
    (number, 0u8..6, date, kind, reason)
        .prop_map(|(number, key, date, kind, reason)| format!("{number};{key};{date};{kind};{reason}"))
}

fn file(quotes: bool) -> impl Strategy<Value = String> {
    let end = prop::sample::select(vec!["\n", "\r\n", "\r"]);
    (prop::collection::vec(line(), 0..40), end, any::<bool>()).prop_map(move |(lines, end, last)| {
        let kept = lines.into_iter().filter(|line| quotes || !line.contains('"'));
        let mut text = std::iter::once(HEAD.to_owned()).chain(kept).collect::<Vec<_>>().join(end);
        text.push_str(if last { end } else { "" });
        text
    })
}

proptest! {
    #[test]
    fn many_threads_read_what_one_reads(text in file(true), piece in 1usize..200, latin: bool) {
        let bytes = if latin { encoding_rs::WINDOWS_1252.encode(&text).0.into_owned() } else { text.into_bytes() };
        assert_same(&bytes, piece)?;
    }

    #[test]
    fn many_threads_read_what_one_reads_without_quotations(text in file(false), piece in 1usize..200, mark: bool) {
        let bytes = if mark { format!("\u{feff}{text}").into_bytes() } else { encoding_rs::WINDOWS_1252.encode(&text).0.into_owned() };
        assert_same(&bytes, piece)?;
    }

    /// A quotation mark, a row that breaks a limit or a byte that is no character, anywhere.
    #[test]
    fn a_fault_is_found_where_one_thread_finds_it(
        text in file(false), piece in 1usize..200, at: prop::sample::Index, what in 0usize..4,
    ) {
        let mut bytes = text.into_bytes();
        let columns = ";".repeat(MAX_COLUMNS) + "x";
        let fault: &[u8] = [b"\"" as &[u8], columns.as_bytes(), b"\xc3\x28\xe0\x80", b"\xff\xff\xff\xff\xff"][what];
        let at = HEAD.len() + at.index(bytes.len() - HEAD.len() + 1);
        bytes.splice(at..at, fault.iter().copied());
        assert_same(&bytes, piece)?;
    }
}

#[test]
fn labels_and_refused_rows_over_their_limits_are_the_same_ones() {
    let rows = (0..2 * MAX_UNMAPPED_LABELS).map(|at| format!(";{at};2024-01-31;okänd {at};\n;{at};fel;;\n"));
    let text = format!("{HEAD}\n{}", rows.collect::<String>());
    let bytes = encoding_rs::WINDOWS_1252.encode(&text).0.into_owned();
    let one = read_in(&bytes, 1, 4_096).unwrap();
    assert!(one.1.contains("fler olika etiketter"));
    assert!(one == read_in(&bytes, 3, 4_096).unwrap());
}

//! Files that are refused, and what the operator is told.

use proptest::prelude::*;
use rust_xlsxwriter::Workbook;

use super::*;

fn refused(bytes: &[u8], body: &str) -> String {
    read_with(bytes, body).unwrap_err().to_string()
}

#[test]
fn each_error_names_the_place_and_what_was_expected() {
    let wide = format!("Datum;Kön\n{}x\n", ";".repeat(MAX_COLUMNS));
    let long = format!("Datum;Kön;Anteckning\n2024-01-31;;{}\n", "å".repeat(MAX_CELL_CHARS + 1));
    let cases: &[(&[u8], &str, &str)] = &[
        (b"", "", "filen är tom"),
        (
            b"%PDF-1.7",
            "",
            "filen är ingen fil av de slag som läses: csv, tsv, txt, xlsx, xlsm, xls, ods (den ser ut som pdf)",
        ),
        (
            b"<html><table>",
            "",
            "filen är ingen fil av de slag som läses: csv, tsv, txt, xlsx, xlsm, xls, ods (den ser ut som html eller xml)",
        ),
        (b"PK\x03\x04 no zip", "", "arbetsboken: den är skadad eller av ett annat slag än xlsx, xls och ods"),
        (
            b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1 no xls",
            "",
            "arbetsboken: den är skadad eller av ett annat slag än xlsx, xls och ods",
        ),
        (b"Datum;K\0n", "", "byte 7: filen är ingen textfil"),
        (b"\xff\xfea\0\0\xd8", "", "byte 6: texten är felaktig UTF-16"),
        (
            "Datum;Kön\n2024-01-31;å\u{e4}\n".as_bytes(),
            "[kolumner]\ndatum='Inkom'",
            "ingen rubrikrad bland de första 100 raderna; saknas: datum (\"Inkom\")",
        ),
        (b"a;b\n1;2\n", "", "ingen rubrikrad bland de första 100 raderna; saknas: datum"),
        (
            b"Datum;b\n1;2\n",
            "",
            "ingen rubrikrad bland de första 100 raderna; saknas: personnummer eller någon variabel ur kodboken",
        ),
        (
            "Titel\nKön;Beslut;Okänd\n".as_bytes(),
            "",
            "ingen rubrikrad bland de första 100 raderna; saknas: datum; funna rubriker: Kön, Beslut, Okänd",
        ),
        (
            "Datum;Kön;Inkom datum\n".as_bytes(),
            "",
            "datum kan vara kolumn A eller C; ange rätt rubrik under [kolumner] eller byt namn på den andra",
        ),
        (wide.as_bytes(), "", "rad 2 har 513 kolumner; högst 512 läses"),
        (long.as_bytes(), "", "rad 2, kolumn C: cellen har fler än 32768 tecken"),
    ];
    for (bytes, body, text) in cases {
        assert_eq!(refused(bytes, body), *text);
    }
}

#[test]
fn utf8_with_a_fault_is_refused_and_not_read_as_another_encoding() {
    let mut bytes = "Datum;Kön;Sökande\n2024-01-31;kvinna;åäö\n".as_bytes().to_vec();
    bytes.push(0xe5);
    let at = bytes.len();
    assert_eq!(
        read_with(&bytes, "").unwrap_err(),
        IntakeError::NotText { byte: at as u64, problem: TextProblem::MixedEncodings }
    );
}

#[test]
fn a_line_that_never_ends_is_stopped() {
    let mut bytes = "Datum;Kön\n2024-01-31;man\n2024-01-31;".as_bytes().to_vec();
    bytes.resize(MAX_ROW_BYTES + 100_000, b'x');
    assert_eq!(read_with(&bytes, "").unwrap_err(), IntakeError::Limit(Limit::Row { row: 3 }));
}

#[test]
fn two_sheets_with_headers_are_not_chosen_between() {
    let mut book = Workbook::new();
    for _ in 0..2 {
        book.add_worksheet().write_row(0, 0, ["Datum", "Kön"]).unwrap();
    }
    let bytes = book.save_to_buffer().unwrap();
    let text = "arbetsboken: bladen 1 och 2 har båda en rubrikrad; lämna ett blad per fil, eller ange blad = \"alla\" under [uttag]";
    assert_eq!(refused(&bytes, ""), text);
}

#[test]
fn a_codes_file_for_another_codebook_is_refused() {
    let mut other = book();
    other.version = 7;
    let error = read(Source::of_bytes(b"x"), &other, &codes(""), TODAY).unwrap_err();
    assert_eq!(error.to_string(), "kodfilen hör till kodboken vuxna/1, insamlingen till vuxna/7");
}

#[test]
fn kinds_that_are_never_read_are_refused_by_name() {
    let source = Source { reader: Cursor::new(b"Datum;Kon\n"), extension: Some("docx".into()) };
    let error = read(source, &book(), &codes(""), TODAY).unwrap_err();
    assert_eq!(error, IntakeError::UnknownKind { hint: "" });
    let source = Source { reader: Cursor::new("Datum;Kön\n".as_bytes()), extension: Some("CSV".into()) };
    assert!(read(source, &book(), &codes(""), TODAY).is_ok());
}

/// A file that claims a size and holds nothing.
struct Huge(u64);

impl Read for Huge {
    fn read(&mut self, _: &mut [u8]) -> std::io::Result<usize> {
        Ok(0)
    }
}

impl Seek for Huge {
    fn seek(&mut self, to: SeekFrom) -> std::io::Result<u64> {
        Ok(if matches!(to, SeekFrom::End(_)) { self.0 } else { 0 })
    }
}

#[test]
fn a_file_beyond_the_limit_is_refused_before_it_is_read() {
    let source = Source { reader: Huge(MAX_FILE_BYTES + 1), extension: None };
    let error = read(source, &book(), &codes(""), TODAY).unwrap_err().to_string();
    assert_eq!(error, "filen är på 1073741825 byte; högst 1073741824 läses");
}

fn workbook() -> Vec<u8> {
    let mut book = Workbook::new();
    let sheet = book.add_worksheet();
    sheet.write_row(0, 0, ["Personnummer", "Datum", "Kön"]).unwrap();
    sheet.write_row(1, 0, ["198001012387", "2024-01-31", "K"]).unwrap();
    book.save_to_buffer().unwrap()
}

proptest! {
    #[test]
    fn arbitrary_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..400), kind in 0usize..5) {
        let magic: [&[u8]; 5] = [b"", b"Datum;K\xf6n\n", b"PK\x03\x04", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", b"\xff\xfe"];
        let _ = read_with(&[magic[kind], &bytes].concat(), "");
    }

    #[test]
    fn rows_of_arbitrary_cells_are_all_accounted_for(
        cells in proptest::collection::vec("[ -~åäö\u{a0}]{0,12}(;[ -~åäö]{0,12}){0,5}", 0..30),
    ) {
        let text = format!("Personnummer;Aktualiseringsnummer;Datum;Kön;Ålder\n{}\n", cells.join("\n"));
        if let Ok(read) = read_with(text.as_bytes(), "") {
            assert_nothing_dropped(&read);
        }
    }

    #[test]
    fn a_damaged_workbook_is_an_error_or_a_reading(at in 0usize..6000, value: u8, xls: bool) {
        let mut bytes =
            if xls { include_bytes!("../../../testdata/extract.xls").to_vec() } else { workbook() };
        let at = at % bytes.len();
        bytes[at] = value;
        let _ = read_with(&bytes, "");
        let _ = read_with(&bytes[..at], "");
    }
}

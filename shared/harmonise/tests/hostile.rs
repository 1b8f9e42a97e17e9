//! Files made to exhaust whoever reads them: each is refused by a limit with a number, in little time and memory.
//!
//! In a process of its own, so that its largest memory is that of these files.
#![allow(clippy::unwrap_used)] // helpers of tests may panic

use std::io::{self, Cursor, Read, Seek, SeekFrom, Write};
use std::time::{Duration, Instant};

use harmonise::{IntakeError, KommunCodes, Source, read};
use jiff::civil::date;
use tables::codebook::Codebook;
use zip::ZipWriter;
use zip::write::SimpleFileOptions;

/// Most memory of the process over all tests, its own files of some tens of megabytes included.
const MOST_MEMORY_KIB: u64 = 700 << 10;
/// Longest time for one file, on a slow machine.
const MOST_TIME: Duration = Duration::from_secs(60);

fn read_of<R: Read + Seek>(reader: R) -> Result<u64, IntakeError> {
    let book = Codebook::barn().unwrap();
    let codes = KommunCodes::none("2180".parse().unwrap(), &book);
    let started = Instant::now();
    let outcome = read(Source { reader, extension: None }, &book, &codes, date(2025, 1, 1));
    assert!(started.elapsed() < MOST_TIME, "{:?}", started.elapsed());
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let most = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let most = most.and_then(|most| most.trim().strip_suffix(" kB")?.parse::<u64>().ok()).unwrap_or(0);
    assert!(most < MOST_MEMORY_KIB, "{most} KiB");
    outcome.map(|read| read.report.read)
}

fn refused(bytes: &[u8]) -> String {
    read_of(Cursor::new(bytes)).map(|rows| format!("{rows} rows")).unwrap_or_else(|error| error.to_string())
}

/// What a part of a packed file holds: pieces, each so many times.
type Content<'c> = &'c [(&'c str, usize)];

fn packed(parts: &[(&str, Content<'_>)]) -> Vec<u8> {
    let mut out = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, content) in parts {
        let options = SimpleFileOptions::default();
        // an ods begins with its kind, not packed
        let stored = options.compression_method(zip::CompressionMethod::Stored);
        out.start_file(*name, if *name == "mimetype" { stored } else { options }).unwrap();
        for (piece, times) in *content {
            let block = piece.repeat((65_536 / piece.len()).clamp(1, (*times).max(1)));
            let per_block = block.len() / piece.len();
            for _ in 0..times / per_block {
                out.write_all(block.as_bytes()).unwrap();
            }
            out.write_all(piece.repeat(times % per_block).as_bytes()).unwrap();
        }
    }
    out.finish().unwrap().into_inner()
}

const RELS: &str = "<Relationships><Relationship Id=\"a\" Type=\"x/relationships/officeDocument\" Target=\"xl/workbook.xml\"/></Relationships>";
const BOOK: &str = "<workbook><sheets><sheet name=\"B\" sheetId=\"1\" r:id=\"r1\"/></sheets></workbook>";
const BOOK_RELS: &str = "<Relationships><Relationship Id=\"r1\" Type=\"x/relationships/worksheet\" Target=\"worksheets/sheet1.xml\"/></Relationships>";
const HEADER: &str = "<row r=\"1\"><c r=\"A1\" t=\"inlineStr\"><is><t>Datum</t></is></c><c r=\"B1\" t=\"inlineStr\"><is><t>Orsak</t></is></c></row>";
const ROW: &str =
    "<row><c t=\"inlineStr\"><is><t>2024-01-31</t></is></c><c t=\"inlineStr\"><is><t>x</t></is></c></row>";

fn xlsx(sheet: Content<'_>, strings: Content<'_>) -> Vec<u8> {
    packed(&[
        ("_rels/.rels", &[(RELS, 1)]),
        ("xl/workbook.xml", &[(BOOK, 1)]),
        ("xl/_rels/workbook.xml.rels", &[(BOOK_RELS, 1)]),
        ("xl/sharedStrings.xml", strings),
        ("xl/worksheets/sheet1.xml", sheet),
    ])
}

const OPEN: &str = "<worksheet><sheetData>";
const CLOSE: &str = "</sheetData></worksheet>";
const NO_STRINGS: Content<'_> = &[("<sst/>", 1)];

#[test]
fn a_sound_workbook_of_this_make_is_read() {
    let bytes = xlsx(&[(OPEN, 1), (HEADER, 1), (ROW, 3), (CLOSE, 1)], NO_STRINGS);
    assert_eq!(refused(&bytes), "3 rows");
}

#[test]
fn packed_bombs_are_refused_by_what_they_unfold_to() {
    // a sheet of 2.5 GiB in 2.5 MB
    let sheet = xlsx(&[(OPEN, 1), (HEADER, 1), (ROW, 25_000_000), (CLOSE, 1)], NO_STRINGS);
    assert!(sheet.len() < 20 << 20);
    assert_eq!(refused(&sheet), "arbetsboken är uppackad större än 2147483648 byte");
    let strings = xlsx(
        &[(OPEN, 1), (HEADER, 1), (CLOSE, 1)],
        &[
            ("<sst>", 1),
            ("<si><t>abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyz</t></si>", 4_500_000),
            ("</sst>", 1),
        ],
    );
    assert_eq!(refused(&strings), "arbetsboken har en del som uppackad är större än 268435456 byte");
    let picture = packed(&[("_rels/.rels", &[(RELS, 1)]), ("xl/media/a.bin", &[("a", 2_200_000_000)])]);
    assert_eq!(refused(&picture), "arbetsboken är uppackad större än 2147483648 byte");
}

#[test]
fn counts_that_a_reader_would_believe_are_refused() {
    let sheet: Content<'_> = &[(OPEN, 1), (HEADER, 1), (CLOSE, 1)];
    let many = xlsx(sheet, &[("<sst>", 1), ("<si/>", 5_000_001), ("</sst>", 1)]);
    assert_eq!(refused(&many), "arbetsboken har fler än 5000000 texter");
    let said = xlsx(sheet, &[("<sst uniqueCount=\"99999999999\">", 1), ("</sst>", 1)]);
    assert_eq!(refused(&said), "arbetsboken har fler än 5000000 texter");
    let sheets = "<sheet name=\"B\" sheetId=\"1\" r:id=\"r1\"/>";
    let book = packed(&[
        ("_rels/.rels", &[(RELS, 1)]),
        ("xl/workbook.xml", &[("<workbook><sheets>", 1), (sheets, 1_001), ("</sheets></workbook>", 1)]),
        ("xl/_rels/workbook.xml.rels", &[(BOOK_RELS, 1)]),
        ("xl/worksheets/sheet1.xml", sheet),
    ]);
    assert_eq!(refused(&book), "arbetsboken har fler än 1000 blad");
    let names: Vec<String> = (0..10_001).map(|at| format!("p{at}")).collect();
    let parts: Vec<(&str, Content<'_>)> = names.iter().map(|name| (name.as_str(), NO_STRINGS)).collect();
    assert_eq!(refused(&packed(&parts)), "arbetsboken har fler än 10000 delar");
}

#[test]
fn xml_that_only_opens_is_refused() {
    let deep = xlsx(&[(OPEN, 1), ("<a>", 50_000_000)], NO_STRINGS);
    assert_eq!(refused(&deep), "arbetsboken har märken i fler än 100 nivåer");
    let piece = "arbetsboken har ett stycke på mer än 1048576 byte i ett";
    let text = xlsx(&[(OPEN, 1), ("<row><c t=\"inlineStr\"><is><t>", 1), ("a", 600_000_000)], NO_STRINGS);
    assert_eq!(refused(&text), piece);
    let comment = xlsx(&[("<!--", 1), ("<a>", 200_000_000)], NO_STRINGS);
    assert_eq!(refused(&comment), piece);
    let runs = xlsx(
        &[(OPEN, 1), ("<row><c t=\"inlineStr\"><is>", 1), ("<r><t>aaaaaaaa</t></r>", 1_000_000)],
        NO_STRINGS,
    );
    assert_eq!(refused(&runs), piece);
    let damaged = "arbetsboken: den är skadad eller av ett annat slag än xlsx, xls och ods";
    assert_eq!(refused(&xlsx(&[(OPEN, 1), (HEADER, 1)], NO_STRINGS)), damaged);
}

#[test]
fn a_workbook_cut_anywhere_is_damaged() {
    let bytes = xlsx(&[(OPEN, 1), (HEADER, 1), (ROW, 300), (CLOSE, 1)], NO_STRINGS);
    let ods = ods(&[(CELLS, 1)]);
    for whole in [&bytes, &ods] {
        for at in (4..whole.len()).step_by(7) {
            assert!(read_of(Cursor::new(&whole[..at])).is_err(), "cut at {at}");
        }
    }
}

const CELLS: &str = "<table:table-row><table:table-cell office:value-type=\"string\"><text:p>Datum</text:p></table:table-cell>\
     <table:table-cell office:value-type=\"string\"><text:p>Orsak</text:p></table:table-cell></table:table-row>";
const CELL: &str = "<table:table-cell office:value-type=\"float\" office:value=\"1\"/>";

fn ods(rows: Content<'_>) -> Vec<u8> {
    let before = "<office:document-content><office:body><office:spreadsheet><table:table table:name=\"B\">";
    let after = "</table:table></office:spreadsheet></office:body></office:document-content>";
    packed(&[
        ("mimetype", &[("application/vnd.oasis.opendocument.spreadsheet", 1)]),
        ("META-INF/manifest.xml", &[("<manifest:manifest/>", 1)]),
        ("content.xml", &[&[(before, 1)], rows, &[(after, 1)]].concat()),
    ])
}

#[test]
fn repetitions_of_an_ods_are_counted_before_they_are_made() {
    let repeated = |name: &str, times: &str, cells: &str| {
        format!(
            "<table:table-row table:number-rows-repeated=\"{times}\">{}</table:table-row>",
            cells.replace("<table:table-cell", name)
        )
    };
    let cell = "<table:table-cell";
    let wide = format!("{cell} table:number-columns-repeated=\"1000000000\"");
    let of = |row: &str| refused(&ods(&[(CELLS, 1), (row, 1)]));
    assert_eq!(of(&repeated(&wide, "1", CELL)), "rad 2 har 1000000000 kolumner; högst 512 läses");
    let apart = format!("<table:table-cell table:number-columns-repeated=\"1000000000\"/>{CELL}");
    assert_eq!(of(&repeated(cell, "1", &apart)), "rad 2 har 1000000001 kolumner; högst 512 läses");
    let cells = "arbetsboken har fler än 20000000 celler; spara den som xlsx eller csv";
    assert_eq!(of(&repeated(cell, "1000000000", CELL)), cells);
    let far = repeated(cell, "1000000000", "<table:table-cell/>") + &repeated(cell, "1", CELL);
    assert_eq!(of(&far), cells);
    // a text of a megabyte, half a million times
    let long = CELL.replace("\"1\"", &format!("\"{}\"", "1".repeat(1_000_000)));
    let held = "arbetsboken har en del som uppackad är större än 268435456 byte";
    assert_eq!(
        of(&repeated(&cell.replace("cell", "cell table:number-columns-repeated=\"500\""), "1000", &long)),
        held
    );
    let blanks = CELL.replace("/>", "><text:p><text:s text:c=\"4000000000\"/></text:p></table:table-cell>");
    assert_eq!(of(&repeated(cell, "1", &blanks)), "arbetsboken har ett stycke på mer än 1048576 byte i ett");
    // what a spreadsheet program writes below and beside a table is not counted
    let empty = repeated(&wide, "1048000", "<table:table-cell/>");
    assert_eq!(of(&empty), "0 rows");
}

#[test]
fn text_files_without_lines_or_with_too_many_fields_are_refused() {
    let mut zero = b"Datum;Orsak\n2024-01-31;a\n".to_vec();
    zero.extend([0; 100]);
    assert_eq!(refused(&zero), "byte 25: filen är ingen textfil");
    let line = "rad 2 är längre än 33554432 byte";
    assert_eq!(read_of(Made::new("Datum;Orsak\n", "x", 100 << 20)).unwrap_err().to_string(), line);
    let columns = Made::new("Datum;Orsak\n", ";x", 1_000_000);
    assert_eq!(read_of(columns).unwrap_err().to_string(), "rad 2 har 1000001 kolumner; högst 512 läses");
    // as a header, under every separator
    for sign in [";x", ",x", "\tx"] {
        let error = read_of(Made::new("", sign, 1_000_000)).unwrap_err().to_string();
        assert_eq!(error, "rad 1 har 1000001 kolumner; högst 512 läses");
    }
    // nothing in any of them: a row without content, and no cell of it is kept
    for begin in ["Datum;Orsak\n", "Datum;Orsak\n\"\""] {
        assert_eq!(read_of(Made::new(begin, ";", (32 << 20) - 100)).unwrap(), 0);
    }
    let quoted = read_of(Made::new("Datum;Orsak\n2024-01-31;\"", "x\n", 30_000_000)).unwrap_err().to_string();
    assert_eq!(quoted, "filen har fler än 5000000 rader");
    let utf16 = Made::bytes(b"\xff\xfe", b"x\0", 100 << 20);
    assert_eq!(read_of(utf16).unwrap_err().to_string(), "rad 1 är längre än 33554432 byte");
}

#[test]
fn texts_where_labels_should_be_take_little_time() {
    let row =
        |at: usize| format!("2024-01-31;{at} {}\n", "missbruk förälder, våld i nära relation ".repeat(700));
    let text = "Datum;Orsak\n".to_owned() + &(0..300).map(row).collect::<String>();
    assert_eq!(refused(text.as_bytes()), "300 rows");
}

#[test]
fn a_workbook_beyond_its_own_limit_is_not_opened() {
    let big = Made::new("PK\u{3}\u{4}", "x", (256 << 20) + 1);
    let error = read_of(big).unwrap_err().to_string();
    assert_eq!(error, "filen är på 268435461 byte; högst 268435456 läses");
}

/// A file that is made as it is read.
struct Made {
    head: Vec<u8>,
    piece: Vec<u8>,
    length: u64,
    at: u64,
}

impl Made {
    fn new(head: &str, piece: &str, times: u64) -> Self {
        Self::bytes(head.as_bytes(), piece.as_bytes(), times)
    }

    fn bytes(head: &[u8], piece: &[u8], times: u64) -> Self {
        let length = head.len() as u64 + piece.len() as u64 * times;
        Self { head: head.to_vec(), piece: piece.to_vec(), length, at: 0 }
    }
}

impl Read for Made {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = buffer.len().min(usize::try_from(self.length - self.at).unwrap());
        for byte in &mut buffer[..count] {
            let at = usize::try_from(self.at).unwrap();
            let in_piece = |at: usize| self.piece[(at - self.head.len()) % self.piece.len()];
            *byte = self.head.get(at).copied().unwrap_or_else(|| in_piece(at));
            self.at += 1;
        }
        Ok(count)
    }
}

impl Seek for Made {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.at = match to {
            SeekFrom::Start(at) => at,
            SeekFrom::End(back) => self.length.saturating_add_signed(back),
            SeekFrom::Current(on) => self.at.saturating_add_signed(on),
        };
        Ok(self.at)
    }
}

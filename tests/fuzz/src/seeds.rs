//! What each target's inputs begin as: sound files, small.

use std::io::{Cursor, Write};

use rust_xlsxwriter::Workbook;
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

const EXTRACT: &str = "Uttag;;;\nPersonnummer;Aktualiseringsnummer;Inkom datum;Typ;Orsak;Ålder\n\
    20120315-2384;1;2024-01-31;Orosanmälan;Skolfrånvaro;11\n;2;20240201;\"B/U; \"\"Ansökan\"\"\";KANARIE;12 år\n\
    201203152384;2;45322;Yttrande;\"två\nrader\";\nTotalt;;;;;\n";
const CODES: &str = "version = 1\nkommun = \"2180\"\n[kolumner]\ndatum = \"Inkom\"\n[prefix]\norsak = [\"B/U\"]\n\
    [koder.orsak]\n\"KANARIE\" = \"skola\"\n";
const SOURCE: &str = include_str!("../../../deploy/config/kalla.toml");
const LABELS: [&str; 8] = [
    "Utredning inleds ej",
    "Missbruk förälder",
    "B/U - Våld i nära relation, bevittnat",
    "Anmälan barn 0-12 år",
    "ej aktuellt; skola, polis/åklagare",
    "20120315-2384",
    "Oro för barnets psykiska hälsa",
    "\u{e4}\u{301}\u{ad}\u{200b}ORSAK",
];
const QUERY: &str = "personnr;AKT_NR;inkom_datum;typ;orsak;x\n#201203152384;#1;@2024-01-31;Anmälan;KANARIE;~1.5\n\
    -;#99999999999999999999;2024-01-31 23:59:59;!;!x;#34.50\n";
const SHEET: &str = "<worksheet><sheetData><row r=\"1\"><c r=\"A1\" t=\"inlineStr\"><is><t>Datum</t></is></c>\
    <c r=\"B1\" t=\"s\"><v>0</v></c></row><row r=\"3\"><c r=\"A3\"><v>45322</v></c><c r=\"B3\" t=\"inlineStr\"><is><r><t>a</t></r>\
    <t>&amp;b</t></is></c></row></sheetData></worksheet>";
const CONTENT: &str = "<office:document-content><office:body><office:spreadsheet><table:table table:name=\"B\">\
    <table:table-row><table:table-cell office:value-type=\"string\"><text:p>Datum</text:p></table:table-cell>\
    <table:table-cell office:value-type=\"string\"><text:p>Orsak</text:p></table:table-cell></table:table-row>\
    <table:table-row table:number-rows-repeated=\"3\"><table:table-cell office:value-type=\"date\" office:date-value=\"2024-01-31\"/>\
    <table:table-cell table:number-columns-repeated=\"2\" office:value-type=\"string\"><text:p>a<text:s text:c=\"2\"/>b</text:p>\
    <office:annotation><text:p>KANARIE</text:p></office:annotation></table:table-cell>\
    <table:covered-table-cell/></table:table-row></table:table></office:spreadsheet></office:body></office:document-content>";
const XLS: &[u8] = include_bytes!("../../../shared/harmonise/testdata/extract.xls");

fn in_windows_1252(text: &str) -> Vec<u8> {
    text.chars().map(|sign| u8::try_from(u32::from(sign)).unwrap_or(b'?')).collect()
}

fn in_utf_16(text: &str) -> Vec<u8> {
    [0xfe_ff].into_iter().chain(text.encode_utf16()).flat_map(u16::to_le_bytes).collect()
}

fn workbook() -> Vec<u8> {
    let mut book = Workbook::new();
    for _ in 0..2 {
        let sheet = book.add_worksheet();
        for (row, line) in (0..).zip(EXTRACT.lines()) {
            for (column, cell) in (0..).zip(line.split(';')) {
                sheet.write_string(row, column, cell).unwrap();
            }
        }
    }
    book.save_to_buffer().unwrap()
}

/// A packed workbook with this sheet: an ods if it is the content of one, else an xlsx.
pub(crate) fn packed(sheet: &[u8]) -> Vec<u8> {
    let options = SimpleFileOptions::default().compression_method(CompressionMethod::Stored);
    let mut out = ZipWriter::new(Cursor::new(Vec::new()));
    let mut add = |name: &str, content: &[u8]| {
        out.start_file(name, options).unwrap();
        out.write_all(content).unwrap();
    };
    if sheet.starts_with(b"<office") {
        add("mimetype", b"application/vnd.oasis.opendocument.spreadsheet");
        add("META-INF/manifest.xml", b"<manifest:manifest/>");
        add("content.xml", sheet);
    } else {
        let relation = |kind: &str, target: &str| {
            format!(
                "<Relationships><Relationship Id=\"r\" Type=\"x/relationships/{kind}\" Target=\"{target}\"/></Relationships>"
            )
        };
        add("_rels/.rels", relation("officeDocument", "xl/workbook.xml").as_bytes());
        add("xl/_rels/workbook.xml.rels", relation("worksheet", "worksheets/sheet1.xml").as_bytes());
        add(
            "xl/workbook.xml",
            b"<workbook><sheets><sheet name=\"B\" sheetId=\"1\" r:id=\"r\"/></sheets></workbook>",
        );
        add("xl/sharedStrings.xml", b"<sst><si><t>Orsak</t></si></sst>");
        add("xl/worksheets/sheet1.xml", sheet);
    }
    out.finish().unwrap().into_inner()
}

/// The sound inputs of a target.
pub fn seeds(target: &str) -> Vec<Vec<u8>> {
    let text = |text: &str| text.as_bytes().to_vec();
    match target {
        "lines" => vec![
            text(EXTRACT),
            in_windows_1252(EXTRACT),
            in_utf_16(EXTRACT),
            text(&EXTRACT.replace(';', ",").replace('\n', "\r\n")),
            text(&EXTRACT.replace(';', "\t").replace('\n', "\r")),
        ],
        "workbook" => vec![workbook(), XLS.to_vec()],
        "sheet" => vec![text(SHEET), text(CONTENT)],
        "codes" => vec![text(CODES)],
        "source" => vec![text(SOURCE), text(&SOURCE.replace("postgresql", "sqlserver"))],
        "label" => LABELS.iter().map(|label| text(label)).collect(),
        _ => vec![text(QUERY)],
    }
}

//! The dialects real extracts come in.

use encoding_rs::WINDOWS_1252;
use rust_xlsxwriter::{ExcelDateTime, Format, Workbook};

use super::*;

const EXTRACT: &str = "\
Uttag aktualiseringar vuxna;;;\r
Avser 2024;;;\r
\r
Personnummer;Aktualiseringsnummer;Datum;Aktualiseringstyp;Anmälare;Anteckning\r
19800101-2387;A1;2024-01-31;Ansökan;;fri text\r
800101-2395;A2;20240131;anmälan;Polisen;\"rad ett\r\nrad två; med \"\"citat\"\"\"\r
50101 2389;A3;2024-01-31 00:00:00;B/U\u{a0}Anmälan;An\u{ad}hörig;\r
501012389;A4;45322;Yttrande;okänd part;\r
;A5;2024-02-01;Begäran;;\r
Totalt;;;5;;\r
Källa: verksamhetssystemet;;;;;\r
";

fn expected() -> [&'static str; 5] {
    [
        "2024-01-31 kvinna o25 ansokan - - - - -",
        "2024-01-31 man o25 anmalan polisen - - - -",
        "2024-01-31 - - anmalan anhorig - - - -",
        "2024-01-31 kvinna u24 yttrande - - - - -",
        "2024-02-01 - - forfragan - - - - -",
    ]
}

fn utf16(text: &str, little: bool) -> Vec<u8> {
    let units = std::iter::once(0xfeff).chain(text.encode_utf16());
    units.flat_map(|unit| if little { unit.to_le_bytes() } else { unit.to_be_bytes() }).collect()
}

#[test]
fn every_encoding_and_separator_gives_the_same_rows() {
    let windows = EXTRACT.replace('\u{ad}', "");
    let commas = EXTRACT.replace(';', ",");
    let tabs = EXTRACT.replace(';', "\t").replace("\r\n", "\n");
    let files = [
        (EXTRACT.as_bytes().to_vec(), "UTF-8", ';'),
        (format!("\u{feff}{EXTRACT}").into_bytes(), "UTF-8", ';'),
        (WINDOWS_1252.encode(&windows).0.into_owned(), "windows-1252", ';'),
        (utf16(EXTRACT, true), "UTF-16LE", ';'),
        (utf16(EXTRACT, false), "UTF-16BE", ';'),
        (commas.into_bytes(), "UTF-8", ','),
        (tabs.into_bytes(), "UTF-8", '\t'),
    ];
    for (bytes, encoding, separator) in files {
        let read = read_plain(&bytes);
        assert_eq!(all_shown(&read), expected(), "{encoding} {separator:?}");
        assert_eq!(read.report.dialect, Dialect::Text { encoding, separator });
        assert_nothing_dropped(&read);
    }
}

#[test]
fn the_report_counts_what_became_of_every_row() {
    let read = read_plain(EXTRACT.as_bytes());
    let report = &read.report;
    assert_eq!((report.header_row, report.read, report.refused.total), (4, 5, 0));
    let reasons: Vec<String> = report.skipped.first.iter().map(Skipped::to_string).collect();
    assert_eq!(reasons, ["rad 11: summarad", "rad 12: varken datum eller aktualiseringsnummer"]);
    assert_eq!(report.without_number[&UtanGiltigtNummer::Missing], 1);
    assert_eq!(report.without_number[&UtanGiltigtNummer::Form], 1);
    let sex = variable(report, "kon");
    assert_eq!((sex.mapped, sex.derived, sex.missing), (3, 3, 2));
    let reporter = variable(report, "anmalare");
    assert_eq!((reporter.mapped, reporter.unmapped, reporter.missing), (2, 1, 2));
    assert_eq!(reporter.columns, ["Anmälare"]);
    let label = &read.unmapped.for_operator()[0];
    assert_eq!((read.unmapped.len(), label.label.as_str(), label.count), (1, "okänd part", 1));
}

use crate::personnummer::UtanGiltigtNummer;

fn xlsx(fill: impl FnOnce(&mut rust_xlsxwriter::Worksheet)) -> Vec<u8> {
    let mut book = Workbook::new();
    fill(book.add_worksheet());
    book.save_to_buffer().unwrap()
}

fn header(sheet: &mut rust_xlsxwriter::Worksheet, row: u32, names: &[&str]) {
    for (column, name) in (0..).zip(names) {
        sheet.write(row, column, *name).unwrap();
    }
}

const SHORT: [&str; 4] = ["Personnummer", "Aktualiseringsnummer", "Datum", "Aktualiseringstyp"];

#[test]
fn a_workbook_with_title_rows_numbers_dates_and_a_total_is_read() {
    let bytes = xlsx(|sheet| {
        sheet.write(0, 0, "Uttag").unwrap();
        header(sheet, 3, &SHORT);
        let format = Format::new().set_num_format("yyyy-mm-dd");
        let day = ExcelDateTime::from_ymd(2024, 1, 31).unwrap();
        sheet.write(4, 0, 198_001_012_387.0).unwrap();
        sheet.write_datetime_with_format(4, 2, &day, &format).unwrap();
        sheet.write(4, 1, 1).unwrap().write(4, 3, "Ansökan").unwrap();
        sheet.write(5, 0, 501_012_389).unwrap().write(5, 1, 2).unwrap();
        sheet.write(5, 2, 45322).unwrap().write(5, 3, "ANMÄLAN").unwrap();
        sheet.write(5, 9, "löst hängande text").unwrap();
        sheet.write(7, 0, "198001012395").unwrap().write(7, 1, 3).unwrap();
        sheet.write(7, 2, "2024-01-31").unwrap().write(7, 3, true).unwrap();
        sheet.write(9, 0, "Summa:").unwrap().write(9, 1, 3).unwrap();
    });
    let read = read_plain(&bytes);
    let expected = [
        "2024-01-31 kvinna o25 ansokan - - - - -",
        "2024-01-31 kvinna u24 anmalan - - - - -",
        "2024-01-31 man o25 - - - - - -",
    ];
    assert_eq!(all_shown(&read), expected);
    assert_eq!(read.report.dialect, Dialect::Workbook { sheet: 1 });
    assert_eq!(read.report.skipped.first, [Skipped { row: 10, reason: SkipReason::Total }]);
    assert_eq!(variable(&read.report, "aktualiseringstyp").unmapped, 1);
    assert_nothing_dropped(&read);
}

#[test]
fn the_one_sheet_with_a_header_is_read_and_hidden_ones_are_not() {
    let mut book = Workbook::new();
    book.add_worksheet().write(0, 0, "Förklaring till uttaget").unwrap();
    let sheet = book.add_worksheet();
    header(sheet, 0, &SHORT);
    sheet.write(1, 1, 1).unwrap().write(1, 2, "2024-01-31").unwrap();
    let hidden = book.add_worksheet();
    hidden.set_hidden(true);
    header(hidden, 0, &SHORT);
    let read = read_plain(&book.save_to_buffer().unwrap());
    assert_eq!((read.report.dialect, read.report.read), (Dialect::Workbook { sheet: 2 }, 1));
}

#[test]
fn an_xls_is_read() {
    let read = read_plain(include_bytes!("../../../testdata/extract.xls"));
    let expected = ["2024-01-31 kvinna o25 ansokan - - - - -", "2024-01-31 kvinna u24 anmalan - - - - -"];
    assert_eq!(all_shown(&read), expected);
    assert_eq!((read.report.header_row, read.report.skipped.total), (3, 1));
}

#[test]
fn an_ods_is_read() {
    let text = |text: &str| {
        format!("<table:table-cell office:value-type=\"string\"><text:p>{text}</text:p></table:table-cell>")
    };
    let cells = |cells: String| format!("<table:table-row>{cells}</table:table-row>");
    let number = "<table:table-cell office:value-type=\"float\" office:value=\"198001012395\"/>";
    let day = "<table:table-cell office:value-type=\"date\" office:date-value=\"2024-01-31\"/>";
    let rows =
        cells(SHORT.map(text).concat()) + &cells(format!("{number}{}{day}{}", text("A1"), text("Ansökan")));
    let read = read_plain(&super::zip::ods(&rows));
    assert_eq!(all_shown(&read), ["2024-01-31 man o25 ansokan - - - - -"]);
}

#[test]
fn own_columns_prefixes_and_labels_are_followed() {
    let body = r#"
[kolumner]
personnummer = "Persnr"
datum = "Inkom"
aktualiseringstyp = "Vad"
anmalare = "Vem"
sokande = "Vem"
[prefix]
aktualiseringstyp = ["Vuxen - "]
[koder.aktualiseringstyp]
"Vux anm" = "anmalan"
"#;
    let text = "Persnr;Inkom;Datum;Vad;Vem\n\
                198001012387;2024-01-31;x;Vuxen - Ansökan;Den enskilde\n\
                198001012387;2024-01-31;x;VUX ANM;Polisen\n\
                198001012387;2024-01-31;x;Vuxen - vux anm;Ingen känd\n";
    let read = read_with(text.as_bytes(), body).unwrap();
    let expected = [
        "2024-01-31 kvinna o25 ansokan - enskild - - -",
        "2024-01-31 kvinna o25 anmalan polisen - - - -",
        "2024-01-31 kvinna o25 - - - - - -",
    ];
    assert_eq!(all_shown(&read), expected);
    // the label that one of the two variables knows is missing, not unmapped, in the other
    for id in ["anmalare", "sokande"] {
        let variable = variable(&read.report, id);
        assert_eq!((variable.mapped, variable.missing, variable.unmapped), (1, 1, 1), "{id}");
    }
    let labels = read.unmapped.for_operator();
    let shared = labels.iter().find(|label| label.label == "Ingen känd").unwrap();
    assert_eq!((shared.variables.join("+"), shared.count), ("anmalare+sokande".into(), 1));
    assert_eq!(labels.len(), 2);
    assert_nothing_dropped(&read);
}

#[test]
fn the_personnummer_wins_over_columns_and_disagreements_are_counted() {
    let text = "Personnummer;Datum;Kön;Ålder;Åldersgrupp\n\
                198001012387;2024-01-31;Man;44;25 år och äldre\n\
                198001012387;2024-01-31;K;20;\n\
                ;2024-01-31;Man;20;25 år och äldre\n\
                ;2024-01-31;;;24 år och yngre\n\
                ;2024-01-31;;okänd;25 år och äldre\n\
                800060-2386;2024-01-31;;61 år;\n";
    let read = read_plain(text.as_bytes());
    let expected = [
        "2024-01-31 kvinna o25 - - - - - -",
        "2024-01-31 kvinna o25 - - - - - -",
        "2024-01-31 man u24 - - - - - -",
        "2024-01-31 - u24 - - - - - -",
        "2024-01-31 - o25 - - - - - -",
        "2024-01-31 kvinna o25 - - - - - -",
    ];
    assert_eq!(all_shown(&read), expected);
    let (sex, age) = (variable(&read.report, "kon"), variable(&read.report, "aldersgrupp"));
    assert_eq!((sex.derived, sex.disagreements, sex.missing), (3, 1, 2));
    assert_eq!((age.derived, age.disagreements), (2, 2));
    assert_eq!(age.columns, ["Ålder", "Åldersgrupp"]);
    assert_nothing_dropped(&read);
}

#[test]
fn the_age_is_that_of_the_day_of_the_row() {
    let text = "Personnummer;Datum\n199901012386;2023-12-31\n199901012386;2024-01-01\n";
    let read = read_plain(text.as_bytes());
    let expected = ["2023-12-31 kvinna u24 - - - - - -", "2024-01-01 kvinna o25 - - - - - -"];
    assert_eq!(all_shown(&read), expected);
}

#[test]
fn bad_rows_are_refused_with_row_column_and_reason() {
    let text = "Aktualiseringsnummer;Inkom datum;Aktualiseringstyp\n\
                1;31/1/2024;Ansökan\n\
                2;;Ansökan\n\
                3;2024-07-01;Ansökan\n\
                4;2024-01-31;Ansökan;överskott\n\
                5;2024-01-31;Ansökan;;\n\
                6;2024-01-31\n\
                7;\"sväljer\n\
                8;2024-01-31;Ansökan\n\
                9;\"sväljer\n10;2024-01-31;Ansökan\"\n";
    let read = read_plain(text.as_bytes());
    let refused: Vec<String> = read.report.refused.first.iter().map(Refusal::to_string).collect();
    let expected = [
        "rad 2, kolumn Inkom datum: datumet har ingen form som läses (2024-01-31)",
        "rad 3, kolumn Inkom datum: datum saknas",
        "rad 4, kolumn Inkom datum: datumet ligger efter uttagets dag",
        "rad 5, kolumn D: raden har inte lika många fält som rubrikraden",
        "rad 8, kolumn B: ett citattecken inleder fältet men avslutas inte",
        "rad 10, kolumn B: raden har inte lika många fält som rubrikraden",
    ];
    assert_eq!(refused, expected);
    assert_eq!((read.report.read, read.report.refused.total), (3, 6));
    assert_nothing_dropped(&read);
}

#[test]
fn repeated_numbers_and_several_reasons_are_counted_and_kept() {
    let text = "Aktualiseringsnummer;Datum;Orsak ansökan\n\
                1;2024-01-31;Missbruk och beroende, Våldsutövare\n\
                1;2024-01-31;Missbruk och beroende\n\
                1;2024-02-01;Missbruk och beroende\n\
                2;2024-01-31;Missbruk och beroende, något annat\n";
    let read = read_plain(text.as_bytes());
    assert_eq!(read.rows.len(), 4);
    assert_eq!(read.report.repeated, Repeated { identical: 0, different: 2 });
    let reason = variable(&read.report, "orsak_ansokan");
    assert_eq!((reason.mapped, reason.several, reason.unmapped), (3, 1, 1));
}

#[test]
fn codes_outside_their_validity_are_missing_and_counted() {
    let book = Codebook::from_toml(
        "id='x'\nversion=1\n[[variabel]]\nid='v'\ntext='Vem'\n[[variabel.kod]]\nkod='gammal'\ntext='Vården'\n\
         galler_till='2023-12-31'\n",
    )
    .unwrap();
    let codes = KommunCodes::none("2180".parse().unwrap(), &book);
    let text = "Datum;Vem\n2023-12-31;vården\n2024-01-01;vården\n";
    let read = read(Source::of_bytes(text.as_bytes()), &book, &codes, TODAY).unwrap();
    assert_eq!(read.rows.iter().map(|row| row.codes[0]).collect::<Vec<_>>(), [Some(0.into()), None]);
    assert_eq!(read.report.variables[0].outside_validity, 1);
    assert!(read.unmapped.is_empty());
    assert_nothing_dropped(&read);
}

#[test]
fn the_review_file_becomes_a_codes_file_when_it_is_completed() {
    let text = "Datum;Aktualiseringstyp\n2024-01-31;\"Anmälan \"\"barn\"\"\n# [x]\"\n2024-01-31;zzz\n2024-01-31;zzz\n";
    let read = read_plain(text.as_bytes());
    let mut review = Vec::new();
    read.unmapped.write_review(&mut review).unwrap();
    let review = String::from_utf8(review).unwrap();
    let zzz = "# \"zzz\" = \"\"  # rader: 2";
    assert!(review.contains("[koder.aktualiseringstyp]") && review.contains(zzz), "{review}");
    assert!(review.find("zzz").unwrap() < review.find("barn").unwrap(), "most frequent first: {review}");
    let line = review.lines().find(|line| line.contains("barn")).unwrap();
    assert!(line.ends_with("= \"anmalan\"  # rader: 1"), "{line}");
    let completed = format!(
        "[koder.aktualiseringstyp]\n{}\n{}",
        zzz.replace("# \"zzz\" = \"\"", "\"zzz\" = \"yttrande\""),
        line.strip_prefix("# ").unwrap()
    );
    let again = read_with(text.as_bytes(), &completed).unwrap();
    assert!(again.unmapped.is_empty());
    assert_eq!(variable(&again.report, "aktualiseringstyp").mapped, 3);
}

#[test]
fn columns_are_known_without_case_and_accents() {
    let text = "DATUM;KON;aktualiseringstyp;VEM ANMALER;Beslut;pnr\n2024-01-31;m;ansokan;polisen;inleda utredning;\n";
    let read = read_plain(text.as_bytes());
    assert_eq!(all_shown(&read), ["2024-01-31 man - ansokan polisen - - - inleda"]);
    assert!(read.report.has_personnummer);
}

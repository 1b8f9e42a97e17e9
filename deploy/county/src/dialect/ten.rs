//! The ten kommuner's dialects.
//!
//! What it does not do: no row stands here. Invariants: every kommun has one dialect; every dialect has a
//! column for every field; two variables share a column only if no row has values of both.

use super::container::{Charset, Container, CsvLayout, XlsxLayout};
use super::specs::Field::{Alder, Anteckning, Coded, Datum, Nr, Personnummer};
use super::specs::{Column, DateStyle, Dialect, NumberStyle, Words};
use crate::codes::Variable::{
    self, Aktualiseringstyp as Typ, Anmalare, Beslut, Kon, OrsakAnmalan, OrsakAnsokan, Sokande,
};

const DEFAULT_COLUMNS: &[Column] = &[
    ("Personnummer", &[Personnummer]),
    ("Aktualiseringsnummer", &[Nr]),
    ("Datum", &[Datum]),
    ("Kön", &[Coded(Kon)]),
    ("Ålder", &[Alder]),
    ("Aktualiseringstyp", &[Coded(Typ)]),
    ("Anmälare", &[Coded(Anmalare)]),
    ("Sökande", &[Coded(Sokande)]),
    ("Orsak ansökan", &[Coded(OrsakAnsokan)]),
    ("Orsak anmälan", &[Coded(OrsakAnmalan)]),
    ("Beslut", &[Coded(Beslut)]),
    ("Anteckning", &[Anteckning]),
];

/// Sandviken: its own headers, and a column shared by two variables.
const SHARED_COLUMNS: &[Column] = &[
    ("Ärendenr", &[Nr]),
    ("Inkom", &[Datum]),
    ("Persnr", &[Personnummer]),
    ("Juridiskt kön", &[Coded(Kon)]),
    ("Ålder vid inkommet", &[Alder]),
    ("Anteckning", &[Anteckning]),
    ("Ärendetyp", &[Coded(Typ)]),
    ("Vem", &[Coded(Anmalare), Coded(Sokande)]),
    ("Orsak ans", &[Coded(OrsakAnsokan)]),
    ("Orsak anm", &[Coded(OrsakAnmalan)]),
    ("Utfall", &[Coded(Beslut)]),
];

/// Hofors: default headers in another order.
const SHUFFLED_COLUMNS: &[Column] = &[
    ("Datum", &[Datum]),
    ("Aktualiseringstyp", &[Coded(Typ)]),
    ("Orsak anmälan", &[Coded(OrsakAnmalan)]),
    ("Orsak ansökan", &[Coded(OrsakAnsokan)]),
    ("Anmälare", &[Coded(Anmalare)]),
    ("Sökande", &[Coded(Sokande)]),
    ("Beslut", &[Coded(Beslut)]),
    ("Anteckning", &[Anteckning]),
    ("Kön", &[Coded(Kon)]),
    ("Ålder", &[Alder]),
    ("Personnummer", &[Personnummer]),
    ("Aktualiseringsnummer", &[Nr]),
];

const SANDVIKEN_WORDS: &[Words] = &[
    (Typ, "anmalan", &["Vux anm", "Anmälan"]),
    (Typ, "ansokan", &["Vux ans"]),
    (Typ, "forfragan", &["Förfrågan", "Begäran"]),
    (Anmalare, "ex_officio", &["Soc. ex officio"]),
    (Anmalare, "ovrig_halso_sjukvard", &["Sjukvård", "Hälsocentral"]),
    (Sokande, "enskild", &["Sökande själv"]),
    (OrsakAnmalan, "lob", &["LOB", "LOB-anmälan"]),
    (Beslut, "inleda", &["Utredning inleds"]),
    (Beslut, "ej_inleda", &["Avslutas utan utredning", "Inleder ej"]),
];

const SEX_WORDS: &[Words] =
    &[(Kon, "man", &["Man", "M", "pojke", "1"]), (Kon, "kvinna", &["Kvinna", "K", "flicka", "2"])];

const HOFORS_WORDS: &[Words] = &[
    (Beslut, "inleda", &["JA"]),
    (Beslut, "ej_inleda", &["NEJ"]),
    (Anmalare, "privatperson", &["Privatperson", "Granne"]),
];

const OVANAKER_PREFIXES: &[(Variable, &[&str])] =
    &[(Typ, &["Vuxen - ", "IFO: "]), (OrsakAnsokan, &["Vux: "]), (OrsakAnmalan, &["Vux: "])];

const fn csv(delimiter: u8, charset: Charset) -> CsvLayout {
    CsvLayout { delimiter, charset, crlf: false, quoted: false }
}

/// As Excel saves text files: semicolons and CRLF.
const fn excel_csv(charset: Charset) -> CsvLayout {
    CsvLayout { crlf: true, ..csv(b';', charset) }
}

const PLAIN_BOOK: Container = Container::Xlsx(XlsxLayout { titled: false, totalled: false });

const fn dialect(kommunkod: &'static str, container: Container) -> Dialect {
    Dialect {
        kommunkod,
        container,
        columns: DEFAULT_COLUMNS,
        number: NumberStyle::TwelveDashed,
        date: DateStyle::Iso,
        prefixes: &[],
        words: &[],
        noisy: false,
        numbered: false,
    }
}

/// By kommunkod.
static DIALECTS: [Dialect; 10] = [
    // Serial dates; twelve digits without a dash.
    Dialect { date: DateStyle::Serial, number: NumberStyle::Twelve, ..dialect("2101", PLAIN_BOOK) },
    // Tab separated, compact dates.
    Dialect {
        columns: SHUFFLED_COLUMNS,
        date: DateStyle::Compact,
        number: NumberStyle::Twelve,
        words: HOFORS_WORDS,
        ..dialect("2104", Container::Csv(csv(b'\t', Charset::Utf8)))
    },
    // Prefixes and noise inside labels.
    Dialect {
        prefixes: OVANAKER_PREFIXES,
        noisy: true,
        number: NumberStyle::Ten,
        ..dialect("2121", Container::Csv(csv(b';', Charset::Utf8)))
    },
    // Everything quoted, midnight after every date, codes as bare numbers.
    Dialect {
        date: DateStyle::Midnight,
        numbered: true,
        ..dialect("2132", Container::Csv(CsvLayout { quoted: true, ..csv(b',', Charset::Utf8) }))
    },
    // Kön in many words.
    Dialect { words: SEX_WORDS, ..dialect("2161", Container::Csv(csv(b';', Charset::Utf8))) },
    // What Excel saves as "CSV UTF-8".
    dialect("2180", Container::Csv(excel_csv(Charset::Utf8Bom))),
    // Headers and words of its own.
    Dialect {
        columns: SHARED_COLUMNS,
        words: SANDVIKEN_WORDS,
        ..dialect("2181", Container::Csv(csv(b';', Charset::Utf8Bom)))
    },
    // What Excel saves as "CSV" on a Swedish machine.
    Dialect {
        number: NumberStyle::TenDashed,
        ..dialect("2182", Container::Csv(excel_csv(Charset::Windows1252)))
    },
    // Personnummer as numbers.
    Dialect { number: NumberStyle::TenNumeric, ..dialect("2183", PLAIN_BOOK) },
    // Title rows, a total row, a source row; dates that are dates.
    Dialect {
        date: DateStyle::Cell,
        ..dialect("2184", Container::Xlsx(XlsxLayout { titled: true, totalled: true }))
    },
];

impl Dialect {
    /// The dialect of a kommun.
    pub(crate) fn of(kommunkod: &str) -> Option<&'static Self> {
        DIALECTS.iter().find(|dialect| dialect.kommunkod == kommunkod)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::county::KOMMUNER;

    #[test]
    fn every_kommun_has_a_dialect_with_a_column_for_every_field() {
        for kommun in KOMMUNER {
            let dialect = Dialect::of(kommun.kod).unwrap();
            assert_eq!(dialect.kommunkod, kommun.kod);
            for (_, fields) in DEFAULT_COLUMNS {
                let held = dialect.columns.iter().filter(|(_, held)| held.contains(&fields[0])).count();
                assert_eq!(held, 1, "{} {:?}", kommun.kod, fields[0]);
            }
        }
    }
}

//! A kommun's own file `<kommun>.codes.toml`: what its columns are called and what its labels mean.
//!
//! Does not read cells. Checked whole against a codebook before a row is read; errors name line, key and what was
//! expected, and never a label (STAY-1: the kommun's labels are the kommun's own).
//!
//! Invariants of [`KommunCodes`]: every variable and code exists in the codebook it was read for; no own label
//! contradicts the codebook or another own label; no prefix holds a negation.

use std::collections::BTreeMap;

use serde::Deserialize;
use tables::codebook::{CodeIndex, Codebook, Variable, VariableIndex};
use tables::unit::Unit;
use toml::Spanned;

use crate::label::{Matcher, clean, fold_case, negates};

/// The version of the file's form.
const VERSION: u32 = 1;

/// A codes file that cannot be used. Shown to the operator who wrote it, hence in Swedish.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum CodesError {
    /// Not TOML, or a value of the wrong kind.
    #[error("kodfilen, rad {line}: kan inte läsas; väntade {expected}")]
    Form {
        /// Line, from 1.
        line: usize,
        /// What should stand there.
        expected: String,
    },
    /// A version this program does not know.
    #[error("kodfilen, rad {line}, version: väntade {VERSION}")]
    Version {
        /// Line, from 1.
        line: usize,
    },
    /// No kommunkod.
    #[error("kodfilen, rad {line}, kommun: väntade en kommunkod som \"2180\" eller \"2180-03\"")]
    Kommun {
        /// Line, from 1.
        line: usize,
    },
    /// A key that is no field and no variable.
    #[error("kodfilen, rad {line}, {table}: okänd nyckel {key}; väntade någon av {expected}")]
    UnknownKey {
        /// Line, from 1.
        line: usize,
        /// `kolumner`, `prefix` or `koder`.
        table: &'static str,
        /// The key, if it has the form of one.
        key: String,
        /// The keys there are.
        expected: String,
    },
    /// An own label is given a code the variable does not have.
    #[error("kodfilen, rad {line}, koder.{variable}: okänd kod; väntade någon av {expected}")]
    UnknownCode {
        /// Line, from 1.
        line: usize,
        /// Variable.
        variable: String,
        /// The codes there are.
        expected: String,
    },
    /// An own label already means something else.
    #[error("kodfilen, rad {line}, koder.{variable}: etiketten betyder redan en annan kod än {code}")]
    Contradiction {
        /// Line, from 1.
        line: usize,
        /// Variable.
        variable: String,
        /// The code the file gives it.
        code: String,
    },
    /// A prefix that would turn labels into their opposite.
    #[error(
        "kodfilen, rad {line}, prefix.{variable}: ett prefix får inte innehålla en negation (ej, inte, utan …)"
    )]
    Negation {
        /// Line, from 1.
        line: usize,
        /// Variable.
        variable: String,
    },
    /// A column name, prefix or label without a letter or digit.
    #[error("kodfilen, rad {line}, {table}.{key}: väntade en text som inte är tom")]
    Empty {
        /// Line, from 1.
        line: usize,
        /// Which table of the file.
        table: &'static str,
        /// Field or variable.
        key: String,
    },
}

/// What a column can be besides a variable of the codebook.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Field {
    /// The person's number.
    Personnummer,
    /// The number of the aktualisering in the kommun's system.
    Aktualiseringsnummer,
    /// Day of the aktualisering.
    Datum,
    /// Age in whole years.
    Alder,
}

impl Field {
    pub(crate) const ALL: [Self; 4] =
        [Self::Personnummer, Self::Aktualiseringsnummer, Self::Datum, Self::Alder];

    /// The key in the codes file.
    pub fn id(self) -> &'static str {
        match self {
            Self::Personnummer => "personnummer",
            Self::Aktualiseringsnummer => "aktualiseringsnummer",
            Self::Datum => "datum",
            Self::Alder => "alder",
        }
    }
}

/// What a column holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Target {
    /// A field of the row.
    Field(Field),
    /// A variable of the codebook.
    Variable(VariableIndex),
}

impl Target {
    /// The key in the codes file.
    pub fn id(self, codebook: &Codebook) -> &str {
        match self {
            Self::Field(field) => field.id(),
            Self::Variable(index) => codebook.variables.get(index).map_or("", |variable| &variable.id),
        }
    }

    /// Every target, fields first. A variable whose id is that of a field is filled from the field.
    pub(crate) fn all(codebook: &Codebook) -> impl Iterator<Item = Self> {
        let is_field = |variable: &Variable| Field::ALL.iter().any(|field| field.id() == variable.id);
        let variables = codebook.variables.iter().enumerate().filter(move |(_, v)| !is_field(v));
        Field::ALL.into_iter().map(Self::Field).chain(variables.map(|(index, _)| Self::Variable(index)))
    }

    fn find(key: &str, codebook: &Codebook) -> Option<Self> {
        Self::all(codebook).find(|target| target.id(codebook) == key)
    }
}

/// A checked codes file. Its `Debug` shows no label.
#[derive(Clone)]
pub struct KommunCodes {
    unit: Unit,
    codebook: String,
    pub(crate) columns: BTreeMap<Target, String>,
    prefixes: BTreeMap<VariableIndex, Vec<String>>,
    labels: BTreeMap<VariableIndex, Vec<(String, CodeIndex)>>,
}

impl std::fmt::Debug for KommunCodes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "KommunCodes({})", self.codebook)
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Raw {
    version: Spanned<u32>,
    kommun: Spanned<String>,
    #[serde(default)]
    kolumner: BTreeMap<String, Spanned<String>>,
    #[serde(default)]
    prefix: BTreeMap<String, Spanned<Vec<String>>>,
    #[serde(default)]
    koder: BTreeMap<String, Spanned<BTreeMap<String, Spanned<String>>>>,
}

impl KommunCodes {
    /// For a kommun without a codes file: columns by their usual names, the codebook's labels alone.
    pub fn none(unit: Unit, codebook: &Codebook) -> Self {
        let (columns, prefixes, labels) = Default::default();
        Self { unit, codebook: codebook.name(), columns, prefixes, labels }
    }

    /// Reads and checks a codes file against the codebook it will be used with.
    ///
    /// # Errors
    /// [`CodesError`], the first one found.
    pub fn from_toml(text: &str, codebook: &Codebook) -> Result<Self, CodesError> {
        let raw: Raw = toml::from_str(text).map_err(|error| form_error(text, &error))?;
        let line = |at: usize| line_of(text, at);
        if *raw.version.get_ref() != VERSION {
            return Err(CodesError::Version { line: line(raw.version.span().start) });
        }
        let unit = raw.kommun.get_ref().parse();
        let unit = unit.map_err(|_| CodesError::Kommun { line: line(raw.kommun.span().start) })?;
        let mut codes = Self::none(unit, codebook);
        for (key, header) in raw.kolumner {
            let at = line(header.span().start);
            let target =
                Target::find(&key, codebook).ok_or_else(|| unknown(at, "kolumner", &key, codebook))?;
            let header = clean(header.get_ref());
            if header.is_empty() {
                return Err(CodesError::Empty { line: at, table: "kolumner", key });
            }
            codes.columns.insert(target, header);
        }
        for (key, prefixes) in raw.prefix {
            let at = line(prefixes.span().start);
            let (index, _) = variable(&key, codebook).ok_or_else(|| unknown(at, "prefix", &key, codebook))?;
            codes.prefixes.insert(index, checked_prefixes(prefixes.into_inner(), key, at)?);
        }
        for (key, labels) in raw.koder {
            let at = line(labels.span().start);
            let (index, found) =
                variable(&key, codebook).ok_or_else(|| unknown(at, "koder", &key, codebook))?;
            let learned = codes.checked_labels(found, index, labels.into_inner(), &line)?;
            codes.labels.insert(index, learned);
        }
        Ok(codes)
    }

    fn checked_labels(
        &self,
        variable: &Variable,
        index: VariableIndex,
        labels: BTreeMap<String, Spanned<String>>,
        line: &dyn Fn(usize) -> usize,
    ) -> Result<Vec<(String, CodeIndex)>, CodesError> {
        let mut matcher = Matcher::new(variable, self.prefixes.get(&index).map_or(&[], Vec::as_slice));
        let mut learned = Vec::with_capacity(labels.len());
        for (label, code) in labels {
            let line = line(code.span().start);
            if fold_case(&label).is_empty() {
                return Err(CodesError::Empty { line, table: "koder", key: variable.id.clone() });
            }
            let Some(known) = variable.code_index(code.get_ref()) else {
                let expected = list(variable.codes.iter().map(|code| code.code.as_str()));
                return Err(CodesError::UnknownCode { line, variable: variable.id.clone(), expected });
            };
            if !matcher.learn(&label, known) {
                let (variable, code) = (variable.id.clone(), code.into_inner());
                return Err(CodesError::Contradiction { line, variable, code });
            }
            learned.push((label, known));
        }
        Ok(learned)
    }

    /// Whom the file is for.
    pub fn unit(&self) -> &Unit {
        &self.unit
    }

    /// `id/version` of the codebook the file was checked against.
    pub fn codebook(&self) -> &str {
        &self.codebook
    }

    /// The matcher of a variable, with the kommun's prefixes and labels.
    pub(crate) fn matcher<'a>(&self, index: VariableIndex, variable: &'a Variable) -> Matcher<'a> {
        let mut matcher = Matcher::new(variable, self.prefixes.get(&index).map_or(&[], Vec::as_slice));
        for (label, code) in self.labels.get(&index).into_iter().flatten() {
            // agreed when the file was read, against the same codebook
            matcher.learn(label, *code);
        }
        matcher
    }
}

fn variable<'a>(key: &str, codebook: &'a Codebook) -> Option<(VariableIndex, &'a Variable)> {
    codebook.variables.iter().enumerate().find(|(_, variable)| variable.id == key)
}

fn checked_prefixes(prefixes: Vec<String>, key: String, line: usize) -> Result<Vec<String>, CodesError> {
    if prefixes.iter().any(|prefix| fold_case(prefix).is_empty()) {
        return Err(CodesError::Empty { line, table: "prefix", key });
    }
    if prefixes.iter().any(|prefix| negates(prefix)) {
        return Err(CodesError::Negation { line, variable: key });
    }
    Ok(prefixes)
}

fn unknown(line: usize, table: &'static str, key: &str, codebook: &Codebook) -> CodesError {
    let fields = table == "kolumner";
    let targets = Target::all(codebook).filter(|target| fields || matches!(target, Target::Variable(_)));
    let expected = list(targets.map(|target| target.id(codebook)));
    CodesError::UnknownKey { line, table, key: shown(key), expected }
}

/// A key as an error may show it: anything that is not of the form of a key could be a label.
fn shown(key: &str) -> String {
    let fits =
        key.len() <= 40 && key.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_');
    if fits { key.to_string() } else { "(visas inte)".to_string() }
}

fn list<'t>(items: impl Iterator<Item = &'t str>) -> String {
    items.collect::<Vec<_>>().join(", ")
}

/// The parser's messages quote the file; only what it expected is kept.
fn form_error(text: &str, error: &toml::de::Error) -> CodesError {
    let line = line_of(text, error.span().map_or(0, |span| span.start));
    let message = error.message();
    let expected = match message.rsplit_once("expected ") {
        Some((_, expected))
            if message.starts_with("unknown field") || message.starts_with("invalid type") =>
        {
            expected.to_string()
        }
        _ if message.starts_with("missing field") => "nycklarna version och kommun".to_string(),
        _ if message.starts_with("duplicate key") => "att varje nyckel står en gång".to_string(),
        _ => "TOML: nyckel = \"värde\"".to_string(),
    };
    CodesError::Form { line, expected }
}

fn line_of(text: &str, at: usize) -> usize {
    1 + text.bytes().take(at).filter(|&byte| byte == b'\n').count()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const HEAD: &str = "version = 1\nkommun = \"2180\"\n";

    fn book() -> Codebook {
        Codebook::vuxna().unwrap()
    }

    fn refused(body: &str) -> String {
        KommunCodes::from_toml(body, &book()).unwrap_err().to_string()
    }

    #[test]
    fn the_documented_form_is_read() {
        let text = r#"
version = 1
kommun = "2180"
[kolumner]              # variable or field = column header in the file
personnummer = "Persnr"
aktualiseringsnummer = "Ärendenr"
datum = "Inkom"
kon = "Kön"
alder = "Ålder"
aktualiseringstyp = "Ärendetyp"
anmalare = "Vem"
sokande = "Vem"
[prefix]
aktualiseringstyp = ["Vuxen - ", "IFO: "]
[koder.aktualiseringstyp]
"Vux anm" = "anmalan"
"#;
        let codes = KommunCodes::from_toml(text, &book()).unwrap();
        assert_eq!(codes.unit(), &"2180".parse().unwrap());
        assert_eq!(codes.columns[&Target::Field(Field::Datum)], "Inkom");
        assert_eq!(codes.columns.values().filter(|header| *header == "Vem").count(), 2);
        assert_eq!(codes.codebook(), "vuxna/1");
        assert_eq!(format!("{codes:?}"), "KommunCodes(vuxna/1)");
    }

    #[test]
    fn each_error_names_line_key_and_what_was_expected() {
        let with = |body: &str| refused(&format!("{HEAD}{body}"));
        assert_eq!(
            refused("kommun='2180'"),
            "kodfilen, rad 1: kan inte läsas; väntade nycklarna version och kommun"
        );
        assert_eq!(refused("version=2\nkommun='2180'"), "kodfilen, rad 1, version: väntade 1");
        assert_eq!(
            refused("version=1\nkommun='Ockelbo'"),
            "kodfilen, rad 2, kommun: väntade en kommunkod som \"2180\" eller \"2180-03\""
        );
        assert_eq!(
            with("okand = 1"),
            "kodfilen, rad 3: kan inte läsas; väntade one of `version`, `kommun`, `kolumner`, `prefix`, `koder`"
        );
        assert_eq!(
            with("[kolumner]\npersnr = 'P'"),
            "kodfilen, rad 4, kolumner: okänd nyckel persnr; väntade någon av personnummer, aktualiseringsnummer, \
             datum, alder, kon, aldersgrupp, aktualiseringstyp, anmalare, sokande, orsak_ansokan, orsak_anmalan, \
             beslut"
        );
        assert!(
            with("[prefix]\ndatum = ['x']")
                .contains("rad 4, prefix: okänd nyckel datum; väntade någon av kon")
        );
        assert!(with("[koder.x]\n'a' = 'b'").contains("koder: okänd nyckel x; väntade någon av kon"));
        assert_eq!(
            with("[koder.kon]\n\"F\" = \"kvinna\"\n\"X\" = \"annat\""),
            "kodfilen, rad 5, koder.kon: okänd kod; väntade någon av man, kvinna"
        );
        assert_eq!(
            with("[koder.kon]\n\"K\" = \"man\""),
            "kodfilen, rad 4, koder.kon: etiketten betyder redan en annan kod än man"
        );
        assert_eq!(
            with("[prefix]\nbeslut = ['Ej ']"),
            "kodfilen, rad 4, prefix.beslut: ett prefix får inte innehålla en negation (ej, inte, utan …)"
        );
        assert_eq!(
            with("[kolumner]\ndatum = ' '"),
            "kodfilen, rad 4, kolumner.datum: väntade en text som inte är tom"
        );
    }

    #[test]
    fn stay_1_no_error_shows_a_label() {
        for body in [
            "\"KANARIE etikett\" = \"anmalan\"",
            "[koder]\n\"KANARIE etikett\" = \"anmalan\"",
            "[koder.\"KANARIE\"]\n\"a\" = \"anmalan\"",
            "[koder.kon]\n\"KANARIE\" = \"KANARIE\"",
            "[koder.kon]\n\"KANARIE\" = 1",
            "[koder.kon]\n\"KANARIE\" = \"man\"\n\"KANARIE\" = \"man\"",
            "[koder.kon]\n\"KANARIE\" = \"man\"\n\"kanarie\" = \"kvinna\"",
            "[koder.kon]\nKANARIE = man",
            "[koder.kon]\nKANARIE KANARIE",
            "[koder.kon]\n\"KANARIE",
            "[kolumner]\n\"KANARIE\" = 'x'",
            "[prefix]\nkon = 'KANARIE'",
            "[prefix]\nkon = ['ej KANARIE']",
            "version = 'KANARIE'",
        ] {
            let error = KommunCodes::from_toml(&format!("{HEAD}{body}"), &book()).unwrap_err();
            let shown = format!("{error} {error:?}");
            assert!(!shown.to_uppercase().contains("KANARIE"), "{shown}");
        }
    }

    proptest! {
        #[test]
        fn no_text_panics(text in "\\PC{0,60}", tail in "[\\[\\]a-z='\"\n.]{0,40}") {
            let _ = KommunCodes::from_toml(&text, &book());
            let _ = KommunCodes::from_toml(&format!("{HEAD}{tail}"), &book());
        }
    }
}

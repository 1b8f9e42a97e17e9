//! `node map`: what a list of labels would become under a codebook, without any records.
//!
//! In: CSV with the columns `variabel;etikett` (others are kept). Out: the same rows with `kod;text;score;auto;reason` after
//! them. `score` is from 0.000 to 1.000, `auto` says whether a round would use the code without asking; a field that lists
//! several codes has them joined by `,`, and their texts by ` + `. The file holds the kommun's labels: it stays where it is.
//!
//! Errors name file, row and column, never a label (STAY-1).

use std::collections::{BTreeMap, HashMap};
use std::io::Write;
use std::path::{Path, PathBuf};

use harmonise::label::Matcher;
use tables::codebook::{Codebook, CodebookError};

/// Longest list that is read, in bytes.
const MAX_BYTES: u64 = 64 << 20;
/// What is added to each row.
const ADDED: [&str; 5] = ["kod", "text", "score", "auto", "reason"];

/// A list, or a codebook, that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum MapError {
    /// A file.
    #[error("{}: {source}", .path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The codebook.
    #[error("{}: {source}", .path.display())]
    Codebook {
        /// Which.
        path: PathBuf,
        /// Why.
        source: CodebookError,
    },
    /// More than is read.
    #[error("{}: larger than {MAX_BYTES} bytes", .path.display())]
    Limit {
        /// Which.
        path: PathBuf,
    },
    /// Not UTF-8 nor a table.
    #[error("{}, rad {row}: väntade UTF-8, fält åtskilda av {separator} och lika många fält som rubrikraden", .path.display())]
    Form {
        /// Which.
        path: PathBuf,
        /// Row, the header being 1.
        row: u64,
        /// What is between fields.
        separator: char,
    },
    /// A column is missing.
    #[error("{}, rad 1: kolumnen {column} saknas; väntade variabel;etikett", .path.display())]
    Header {
        /// Which.
        path: PathBuf,
        /// Which column.
        column: &'static str,
    },
    /// A variable that the codebook does not have.
    #[error("{}, rad {row}, variabel: okänd; väntade någon av {expected}", .path.display())]
    Variable {
        /// Which.
        path: PathBuf,
        /// Row, the header being 1.
        row: u64,
        /// The variables there are.
        expected: String,
    },
}

/// How a list came out.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Mapped {
    /// Rows.
    pub labels: u64,
    /// With a code that needs no asking.
    pub certain: u64,
    /// With a suggestion only.
    pub suggested: u64,
}

/// A codebook: a file, or the name of a built-in one (`barn`, `vuxna`, with or without `/version`).
///
/// # Errors
/// [`MapError`] names the file.
pub fn codebook(named: &Path) -> Result<Codebook, MapError> {
    let fault = |source| MapError::Codebook { path: named.to_owned(), source };
    let name = named.to_string_lossy();
    for book in [Codebook::barn().map_err(fault)?, Codebook::vuxna().map_err(fault)?] {
        if name == book.id || name == book.name() {
            return Ok(book);
        }
    }
    let text =
        std::fs::read_to_string(named).map_err(|source| MapError::File { path: named.to_owned(), source })?;
    Codebook::from_toml(&text).map_err(fault)
}

/// Maps a list; `out` is written whole or not at all.
///
/// # Errors
/// [`MapError`] names file, row and column.
pub fn run(labels: &Path, book: &Codebook, out: &Path) -> Result<Mapped, MapError> {
    let file = |source| MapError::File { path: labels.to_owned(), source };
    if std::fs::metadata(labels).map_err(file)?.len() > MAX_BYTES {
        return Err(MapError::Limit { path: labels.to_owned() });
    }
    let bytes = std::fs::read(labels).map_err(file)?;
    let (text, mapped) = mapped(labels, &bytes, book)?;
    write_whole(out, text.as_bytes()).map_err(|source| MapError::File { path: out.to_owned(), source })?;
    Ok(mapped)
}

fn mapped(path: &Path, bytes: &[u8], book: &Codebook) -> Result<(String, Mapped), MapError> {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let header = bytes.split(|byte| *byte == b'\n').next().unwrap_or_default();
    let count = |separator: u8| header.iter().filter(|byte| **byte == separator).count();
    let separator =
        [b';', b'\t', b','].into_iter().max_by_key(|separator| (count(*separator), *separator == b';'));
    let separator = separator.unwrap_or(b';');
    let form = |row| MapError::Form { path: path.to_owned(), row, separator: char::from(separator) };
    let mut reader = csv::ReaderBuilder::new().delimiter(separator).from_reader(bytes);
    let header = reader.headers().map_err(|_| form(1))?.clone();
    let column = |name: &'static str| {
        let at = header.iter().position(|own| own.trim().eq_ignore_ascii_case(name));
        at.ok_or(MapError::Header { path: path.to_owned(), column: name })
    };
    let (variable_at, label_at) = (column("variabel")?, column("etikett")?);
    let mut writer = csv::WriterBuilder::new().delimiter(separator).from_writer(Vec::new());
    let head = header.iter().chain(ADDED);
    writer.write_record(head).map_err(|_| form(1))?;
    let mut matchers: BTreeMap<String, Matcher<'_>> = BTreeMap::new();
    let mut known: HashMap<(String, String), [String; 5]> = HashMap::new();
    let mut found = Mapped::default();
    for (row, record) in (2..).zip(reader.records()) {
        let record = record.map_err(|_| form(row))?;
        let (id, label) = (record[variable_at].trim().to_owned(), record[label_at].to_owned());
        let variable = book.variables.iter().find(|variable| variable.id == id).ok_or_else(|| {
            let all: Vec<&str> = book.variables.iter().map(|variable| variable.id.as_str()).collect();
            MapError::Variable { path: path.to_owned(), row, expected: all.join(", ") }
        })?;
        let matcher = matchers.entry(id.clone()).or_insert_with(|| Matcher::new(variable, &[]));
        let fields = known.entry((id, label)).or_insert_with_key(|(_, label)| fields(matcher, label));
        found.labels += 1;
        match fields[3].as_str() {
            "true" => found.certain += 1,
            _ if !fields[0].is_empty() => found.suggested += 1,
            _ => {}
        }
        writer.write_record(record.iter().chain(fields.iter().map(String::as_str))).map_err(|_| form(row))?;
    }
    let bytes = writer.into_inner().map_err(|_| form(1))?;
    Ok((String::from_utf8(bytes).map_err(|_| form(1))?, found))
}

/// `kod;text;score;auto;reason`.
fn fields(matcher: &Matcher<'_>, label: &str) -> [String; 5] {
    let mapping = matcher.map(label);
    let codes = mapping.codes.iter().filter_map(|code| matcher.variable().codes.get(usize::from(*code)));
    let join = |parts: Vec<&str>, with: &str| parts.join(with);
    let ids = join(codes.clone().map(|code| code.code.as_str()).collect(), ",");
    let texts = join(codes.map(|code| code.text.as_str()).collect(), " + ");
    let score = format!("{}.{:03}", mapping.score / 1_000, mapping.score % 1_000);
    [ids, texts, score, mapping.is_certain().to_string(), mapping.reason]
}

/// Beside its place and renamed; a device or pipe is written into.
pub(super) fn write_whole(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    if std::fs::metadata(path).is_ok_and(|at| !at.is_file() && !at.is_dir()) {
        return std::fs::OpenOptions::new().write(true).open(path)?.write_all(bytes);
    }
    // a link goes on pointing where it points; where nothing is yet, the path is the place
    let place = path.canonicalize().unwrap_or_else(|_| path.to_owned());
    let path = place.as_path();
    let mut partial = path.as_os_str().to_owned();
    partial.push(".partial");
    let written = std::fs::File::create(&partial).and_then(|mut file| {
        file.write_all(bytes)?;
        file.sync_all()?;
        std::fs::rename(&partial, path)
    });
    written.inspect_err(|_| {
        // the first error says more
        let _ = std::fs::remove_file(&partial);
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> Result<(String, Mapped), MapError> {
        mapped(Path::new("L.csv"), text.as_bytes(), &Codebook::barn().unwrap())
    }

    #[test]
    fn a_list_gets_codes_scores_and_reasons() {
        let (text, found) = of("variabel;etikett\natgard;Utr. inleds ej\norsak;\"Skolk; missbruk förälder\"\norsak;Missbruk\norsak;\n").unwrap();
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines[0], "variabel;etikett;kod;text;score;auto;reason");
        assert_eq!(lines[1], "atgard;Utr. inleds ej;inleds_ej;Utredning inleds inte;1.000;true;samma ord");
        assert!(
            lines[2].starts_with("orsak;\"Skolk; missbruk förälder\";skola,missbruk_foralder;Skolproblem + "),
            "{text}"
        );
        assert!(lines[3].contains(";false;"), "nobody is named: {text}");
        assert_eq!(lines[4], "orsak;;;;0.000;false;inget liknar");
        assert_eq!(found, Mapped { labels: 4, certain: 2, suggested: 1 });
    }

    #[test]
    fn other_columns_stay_and_the_separator_is_that_of_the_file() {
        let (text, _) = of("antal,etikett,variabel\n17,Anmälan,aktualiseringstyp\n").unwrap();
        assert!(text.starts_with("antal,etikett,variabel,kod,"));
        assert!(text.contains("17,Anmälan,aktualiseringstyp,anmalan,"));
    }

    #[test]
    fn stay_1_what_cannot_be_used_is_named_by_its_place() {
        let refused = |text: &str| of(text).unwrap_err().to_string();
        assert_eq!(
            refused("variabel;text\n"),
            "L.csv, rad 1: kolumnen etikett saknas; väntade variabel;etikett"
        );
        let unknown = refused("variabel;etikett\norsak;a\nKANARIE;b\n");
        assert!(
            unknown.starts_with("L.csv, rad 3, variabel: okänd; väntade någon av kon, alder"),
            "{unknown}"
        );
        assert!(!unknown.contains("KANARIE"));
        assert!(refused("variabel;etikett\na;b;c\n").starts_with("L.csv, rad 2: väntade UTF-8"));
        assert!(
            mapped(Path::new("L.csv"), b"variabel;etikett\norsak;\xff\n", &Codebook::barn().unwrap())
                .is_err()
        );
    }
}

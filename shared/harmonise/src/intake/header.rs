//! Finds the header under title rows, and which column is what.
//!
//! A column is known by the header the kommun's file names, else by usual names, compared without case and accents.
//! Nothing is known by its content. STAY-1: only cells of a row that is certainly a header are ever shown.

use std::collections::BTreeSet;
use std::sync::Arc;

use tables::codebook::Codebook;

use super::cell::Cell;
use super::error::IntakeError;
use super::limits::column_name;
use crate::codes::{Field, KommunCodes, Target};
use crate::label::{clean, fold_accents};
use crate::recognise::spelt_alike;

/// Usual headers besides ids and texts.
const USUAL: [(&str, &[&str]); 11] = [
    (
        "personnummer",
        &[
            "Persnr",
            "Pers.nr",
            "Pnr",
            "P-nr",
            "Personnr",
            "Person nr",
            "Person-/samordningsnummer",
            "Personnummer/samordningsnummer",
        ],
    ),
    (
        "aktualiseringsnummer",
        &[
            "Aktualiseringsnr",
            "Aktualiserings-id",
            "Aktualiseringsid",
            "Aktnr",
            "Akt.nr",
            "Ärendenummer",
            "Ärendenr",
        ],
    ),
    (
        "datum",
        &[
            "Inkom datum",
            "Inkomdatum",
            "Inkom",
            "Inkommen datum",
            "Inkommen",
            "Ankomstdatum",
            "Aktualiseringsdatum",
            "Datum aktualisering",
            "Datum för aktualisering",
        ],
    ),
    ("alder", &["Ålder", "Ålder (år)", "Ålder vid aktualisering", "Ålder vid aktualiseringen"]),
    ("kon", &["Juridiskt kön"]),
    ("aktualiseringstyp", &["Typ av aktualisering", "Aktualiserings typ", "Ärendetyp"]),
    ("anmalare", &["Anmälare"]),
    ("sokande", &["Sökande"]),
    ("orsak_ansokan", &["Orsak ansökan"]),
    ("orsak_anmalan", &["Orsak anmälan"]),
    ("beslut", &["Åtgärd/beslut", "Beslut/åtgärd", "Åtgärd"]),
];

pub(crate) struct Wanted {
    target: Target,
    pub(crate) id: String,
    configured: Option<String>,
    usual: BTreeSet<String>,
}

/// The headers to look for.
pub(crate) struct Names {
    wanted: Vec<Wanted>,
}

/// The columns of a file.
#[derive(Clone)]
pub(crate) struct Columns {
    pub(crate) row: u64,
    pub(crate) width: usize,
    pub(crate) found: Vec<(Target, usize, Arc<str>)>,
    /// Headers of the other columns, and which field or variable without a column they resemble.
    pub(crate) unused: Vec<(String, Option<String>)>,
}

/// Likeness from which a header is suggested, in thousandths.
const ALIKE: usize = 500;

impl Columns {
    pub(crate) fn of(&self, target: Target) -> Option<(usize, &Arc<str>)> {
        self.found.iter().find(|(found, ..)| *found == target).map(|(_, index, header)| (*index, header))
    }

    pub(crate) fn field(&self, field: Field) -> Option<(usize, &Arc<str>)> {
        self.of(Target::Field(field))
    }
}

/// What one row has of the wanted headers.
#[derive(Default)]
pub(crate) struct Near {
    known: usize,
    missing: Vec<String>,
    seen: Vec<String>,
}

impl Near {
    /// The names that are needed and are not there.
    pub(crate) fn missing(self) -> Vec<String> {
        self.missing
    }

    /// How many of the wanted headers the best row had.
    pub(crate) fn known(&self) -> usize {
        self.known
    }

    pub(crate) fn keep_better(&mut self, other: Self) {
        if self.missing.is_empty() || other.known > self.known {
            *self = other;
        }
    }

    pub(crate) fn into_error(self, names: &Names) -> IntakeError {
        let missing = if self.missing.is_empty() { names.required() } else { self.missing };
        IntakeError::NoHeader { missing, seen: self.seen }
    }
}

impl Names {
    pub(crate) fn new(codebook: &Codebook, codes: &KommunCodes) -> Self {
        let wanted = |target: Target| {
            let id = target.id(codebook).to_string();
            let usual = USUAL.iter().filter(|(of, _)| *of == id).flat_map(|(_, names)| names.iter().copied());
            let mut usual: BTreeSet<String> = usual.map(fold_accents).collect();
            usual.extend([fold_accents(&id), fold_accents(&id.replace('_', " "))]);
            if let Target::Variable(index) = target {
                let variable = codebook.variables.get(index);
                let names =
                    variable.into_iter().flat_map(|v| [&v.text, &v.text_en].into_iter().chain(&v.headers));
                usual.extend(names.map(|name| fold_accents(name)));
            }
            usual.remove("");
            Wanted { target, id, configured: codes.columns.get(&target).cloned(), usual }
        };
        Self { wanted: Target::all(codebook).map(wanted).collect() }
    }

    /// The columns, if the row is the header; else how near it comes.
    ///
    /// # Errors
    /// If the row is the header and two columns are one field.
    pub(crate) fn recognise(
        &self,
        row: u64,
        cells: &[Cell<'_>],
    ) -> Result<Result<Columns, Near>, IntakeError> {
        self.of_headers(row, cells.iter().map(|cell| clean(&cell.text())).collect())
    }

    /// The same of headers that are known to be some: row 0 is no row, its columns are named by what they are called.
    ///
    /// # Errors
    /// If two columns are one field.
    pub(crate) fn of_headers(
        &self,
        row: u64,
        headers: Vec<String>,
    ) -> Result<Result<Columns, Near>, IntakeError> {
        let folded: Vec<String> = headers.iter().map(|header| fold_accents(header)).collect();
        let claimed: BTreeSet<&str> = self.wanted.iter().filter_map(|w| w.configured.as_deref()).collect();
        let columns_of = |wanted: &Wanted| -> Vec<usize> {
            let fits = |at: &usize| match &wanted.configured {
                Some(name) => headers[*at] == *name,
                None => wanted.usual.contains(&folded[*at]) && !claimed.contains(headers[*at].as_str()),
            };
            (0..headers.len()).filter(fits).collect()
        };
        let found: Vec<(&Wanted, Vec<usize>)> = self.wanted.iter().map(|w| (w, columns_of(w))).collect();
        let known: BTreeSet<usize> = found.iter().filter_map(|(_, at)| at.first().copied()).collect();
        let missing = self.missing(&found, known.len());
        if !missing.is_empty() {
            let certain = known.len() >= 2;
            let seen = if certain { shown(&headers) } else { Vec::new() };
            return Ok(Err(Near { known: known.len(), missing, seen }));
        }
        if let Some((wanted, at)) = found.iter().find(|(_, at)| at.len() > 1) {
            let name = |at: &usize| if row == 0 { headers[*at].clone() } else { column_name(*at) };
            let columns = at.iter().map(name).collect();
            return Err(IntakeError::AmbiguousColumn { target: wanted.id.clone(), columns });
        }
        let width = headers.iter().rposition(|header| !header.is_empty()).map_or(0, |last| last + 1);
        let unused =
            headers.iter().enumerate().filter(|(at, header)| !header.is_empty() && !known.contains(at));
        let absent = |wanted: &Wanted| found.iter().any(|(of, at)| of.id == wanted.id && at.is_empty());
        let unused = unused.map(|(_, header)| (header.clone(), self.like(header, absent))).collect();
        let found = found.into_iter().filter_map(|(wanted, at)| {
            let index = *at.first()?;
            Some((wanted.target, index, Arc::from(headers[index].as_str())))
        });
        Ok(Ok(Columns { row, width, found: found.collect(), unused }))
    }

    /// The field or variable among the `absent` whose names the header resembles most.
    pub(crate) fn like(&self, header: &str, absent: impl Fn(&Wanted) -> bool) -> Option<String> {
        let likeness = |wanted: &Wanted| wanted.usual.iter().map(|usual| spelt_alike(header, usual)).max();
        let absent = self.wanted.iter().filter(|wanted| absent(wanted));
        let best = absent.filter_map(|wanted| Some((likeness(wanted)?, wanted.id.clone()))).max()?;
        (best.0 >= ALIKE).then_some(best.1)
    }

    /// The fields and variables that have the header among their usual names.
    pub(crate) fn usual(&self, header: &str) -> Vec<String> {
        let folded = fold_accents(&clean(header));
        let named = self.wanted.iter().filter(|wanted| wanted.usual.contains(&folded));
        named.map(|wanted| wanted.id.clone()).collect()
    }

    /// What an id names, or all ids there are.
    pub(crate) fn target(&self, id: &str) -> Result<Target, String> {
        let ids = || self.wanted.iter().map(|wanted| wanted.id.as_str()).collect::<Vec<_>>().join(", ");
        self.wanted.iter().find(|wanted| wanted.id == id).map(|wanted| wanted.target).ok_or_else(ids)
    }

    fn missing(&self, found: &[(&Wanted, Vec<usize>)], known: usize) -> Vec<String> {
        let absent = found.iter().filter(|(wanted, at)| at.is_empty() && wanted.is_required());
        let mut missing: Vec<String> = absent.map(|(wanted, _)| wanted.asked_for()).collect();
        if missing.is_empty() && known < 2 {
            missing.push(OTHER.into());
        }
        missing
    }

    fn required(&self) -> Vec<String> {
        self.wanted.iter().filter(|wanted| wanted.is_required()).map(Wanted::asked_for).collect()
    }
}

pub(crate) const OTHER: &str = "personnummer eller någon variabel ur kodboken";

impl Wanted {
    /// A date, and every column the kommun's file names.
    fn is_required(&self) -> bool {
        self.target == Target::Field(Field::Datum) || self.configured.is_some()
    }

    fn asked_for(&self) -> String {
        match &self.configured {
            Some(header) => format!("{} (\"{header}\")", self.id),
            None => self.id.clone(),
        }
    }
}

/// Headers for an error: not too many, not too long.
pub(crate) fn shown(headers: &[String]) -> Vec<String> {
    let named = headers.iter().filter(|header| !header.is_empty()).take(40);
    named.map(|header| header.chars().take(60).collect()).collect()
}

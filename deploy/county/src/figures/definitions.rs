//! What each of the fourteen tables counts: its dimensions, its filter and the base of its percentages.
//!
//! What it does not do: no figure stands here. Invariant: `dims` are in the order of the file's columns.

use crate::codes::Variable;

/// One printed table.
#[derive(Debug)]
pub struct TableDef {
    /// `T01` … `T14`.
    pub id: &'static str,
    /// The embedded file.
    pub(crate) csv: &'static str,
    /// Whether rows are split by kommun.
    pub per_kommun: bool,
    /// Variables that are not columns, with the one code they are filtered to, or `TOT`: any known value.
    pub constants: &'static [(Variable, &'static str)],
    /// Variables that are columns: header, variable.
    pub dims: &'static [(&'static str, Variable)],
    /// Codes a dimension is filtered to; a variable that is not named here is not filtered.
    pub filter: &'static [(Variable, &'static [&'static str])],
    /// The dimension a percentage sums to 100 over.
    pub percent_over: Option<Variable>,
}

use Variable::{
    Aktualiseringstyp as Typ, Aldersgrupp, Anmalare, Beslut, Kon, OrsakAnmalan, OrsakAnsokan, Sokande,
};

const ANSOKAN: &[(Variable, &str)] = &[(Typ, "ansokan")];
const ANMALAN: &[(Variable, &str)] = &[(Typ, "anmalan")];
const BOTH: &[(Variable, &[&str])] = &[(Typ, &["ansokan", "anmalan"])];

const fn table(id: &'static str, csv: &'static str) -> TableDef {
    TableDef { id, csv, per_kommun: false, constants: &[], dims: &[], filter: &[], percent_over: None }
}

/// The fourteen tables, in order. T14 is not filtered by aktualiseringstyp (`READING.md`).
pub const TABLES: &[TableDef] = &[
    TableDef {
        per_kommun: true,
        constants: &[(Typ, "TOT")],
        ..table("T01", include_str!("../../figures/tabell-01.csv"))
    },
    TableDef {
        dims: &[("aktualiseringstyp", Typ)],
        ..table("T02", include_str!("../../figures/tabell-02.csv"))
    },
    TableDef {
        per_kommun: true,
        dims: &[("aktualiseringstyp", Typ)],
        percent_over: Some(Typ),
        ..table("T03", include_str!("../../figures/tabell-03.csv"))
    },
    TableDef {
        dims: &[("aktualiseringstyp", Typ), ("åldersgrupp", Aldersgrupp)],
        filter: BOTH,
        percent_over: Some(Aldersgrupp),
        ..table("T04", include_str!("../../figures/tabell-04.csv"))
    },
    TableDef {
        dims: &[("aktualiseringstyp", Typ), ("kön", Kon)],
        filter: BOTH,
        percent_over: Some(Kon),
        ..table("T05", include_str!("../../figures/tabell-05.csv"))
    },
    TableDef {
        constants: ANMALAN,
        dims: &[("vem_anmäler", Anmalare)],
        percent_over: Some(Anmalare),
        ..table("T06", include_str!("../../figures/tabell-06.csv"))
    },
    TableDef {
        constants: ANSOKAN,
        dims: &[("vem_ansöker", Sokande)],
        ..table("T07", include_str!("../../figures/tabell-07.csv"))
    },
    TableDef {
        constants: ANSOKAN,
        dims: &[("orsak", OrsakAnsokan), ("kön", Kon)],
        percent_over: Some(OrsakAnsokan),
        ..table("T08", include_str!("../../figures/tabell-08.csv"))
    },
    TableDef {
        per_kommun: true,
        constants: ANSOKAN,
        ..table("T09", include_str!("../../figures/tabell-09.csv"))
    },
    TableDef {
        constants: ANMALAN,
        dims: &[("orsak", OrsakAnmalan)],
        percent_over: Some(OrsakAnmalan),
        ..table("T10", include_str!("../../figures/tabell-10.csv"))
    },
    TableDef {
        constants: ANMALAN,
        dims: &[("orsak", OrsakAnmalan), ("kön", Kon)],
        percent_over: Some(OrsakAnmalan),
        ..table("T11", include_str!("../../figures/tabell-11.csv"))
    },
    TableDef {
        per_kommun: true,
        constants: ANMALAN,
        ..table("T12", include_str!("../../figures/tabell-12.csv"))
    },
    TableDef {
        constants: &[(Typ, "anmalan"), (OrsakAnmalan, "missbruk")],
        dims: &[("vem_anmäler", Anmalare)],
        percent_over: Some(Anmalare),
        ..table("T13", include_str!("../../figures/tabell-13.csv"))
    },
    TableDef {
        dims: &[("orsak", OrsakAnmalan), ("beslut", Beslut)],
        percent_over: Some(Beslut),
        ..table("T14", include_str!("../../figures/tabell-14.csv"))
    },
];

impl TableDef {
    /// The definition with this id.
    #[must_use]
    pub fn by_id(id: &str) -> Option<&'static Self> {
        TABLES.iter().find(|t| t.id == id)
    }
}

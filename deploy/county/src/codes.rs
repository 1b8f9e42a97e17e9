//! The codes of the codebook `vuxna`: ids (ASCII) and Swedish texts as the report's tables print them.
//!
//! What it does not do: it is not the codebook (validity, hierarchies and English texts are not here), only
//! the part the made county needs. Invariant: `index` is the position in `ALL`; texts are unique within a
//! variable.

/// A closed list of codes of one variable.
pub trait Code: Copy + Eq + Sized + 'static {
    /// Every code, in the report's order.
    const ALL: &'static [Self];
    /// The id used in the codebook and in table files.
    fn id(self) -> &'static str;
    /// The Swedish text of the report's tables.
    fn text(self) -> &'static str;
    /// Position in [`Code::ALL`].
    fn index(self) -> usize;
}

macro_rules! codes {
    ($(#[$meta:meta])* $name:ident { $($variant:ident = $id:literal, $text:literal;)+ }) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum $name {
            $(#[doc = $text] $variant,)+
        }
        impl Code for $name {
            const ALL: &'static [Self] = &[$(Self::$variant,)+];
            fn id(self) -> &'static str {
                match self { $(Self::$variant => $id,)+ }
            }
            fn text(self) -> &'static str {
                match self { $(Self::$variant => $text,)+ }
            }
            fn index(self) -> usize {
                self as usize
            }
        }
    };
}

codes! {
    /// Juridiskt kön.
    Kon { Man = "man", "Man"; Kvinna = "kvinna", "Kvinna"; }
}
codes! {
    /// Age group at the date of the aktualisering.
    Aldersgrupp { U24 = "u24", "24 år och yngre"; O25 = "o25", "25 år och äldre"; }
}
codes! {
    /// What kind of aktualisering a row is.
    Aktualiseringstyp {
        Ansokan = "ansokan", "Ansökan";
        Anmalan = "anmalan", "Anmälan";
        Yttrande = "yttrande", "Yttrande";
        Overflyttning = "overflyttning", "Överflyttning";
        Forfragan = "forfragan", "Förfrågan/Begäran";
    }
}
codes! {
    /// Who reports (anmälan).
    Anmalare {
        Anhorig = "anhorig", "Anhörig";
        Privatperson = "privatperson", "Annan privatperson";
        Skola = "skola", "Skola";
        Vuxenpsykiatrin = "vuxenpsykiatrin", "Vuxenpsykiatrin";
        OvrigHalsoSjukvard = "ovrig_halso_sjukvard", "Övrig Hälso- och sjukvård";
        ExOfficio = "ex_officio", "Socialtjänsten ex officio";
        Polisen = "polisen", "Polisen";
        Kriminalvarden = "kriminalvarden", "Kriminalvården";
        Socialpsykiatrin = "socialpsykiatrin", "Socialpsykiatrin (kommunal)";
        Aldreomsorg = "aldreomsorg", "Äldreomsorg";
        Bostadsforetag = "bostadsforetag", "Bostadsföretag";
        IdeellOrganisation = "ideell_organisation", "Ideell organisation";
        AnnanKommun = "annan_kommun", "Annan kommun";
        Ovrigt = "ovrigt", "Övrigt";
    }
}
codes! {
    /// Who applies (ansökan). The report prints one code; anything else is missing.
    Sokande { Enskild = "enskild", "Den enskilde"; }
}
codes! {
    /// Why somebody applies.
    OrsakAnsokan {
        Missbruk = "missbruk", "Missbruk och beroende";
        ValdNara = "vald_nara", "Våld i nära relationer";
        Valdsutovare = "valdsutovare", "Våldsutövare";
        Heder = "heder", "Hedersrelaterat våld och förtryck";
        StodOvriga = "stod_ovriga", "Behov av stöd, övriga vuxna";
    }
}
codes! {
    /// Why somebody is reported.
    OrsakAnmalan {
        Lob = "lob", "LOB-anmälan";
        Missbruk = "missbruk", "Missbruk och beroende";
        Nedbrytande = "nedbrytande", "Socialt nedbrytande beteende";
        ValdNara = "vald_nara", "Våld i nära relationer";
        Heder = "heder", "Hedersrelaterat våld och förtryck";
        Ovrigt = "ovrigt", "Övrigt, övriga vuxna";
    }
}
codes! {
    /// What was decided.
    Beslut { Inleda = "inleda", "Inleda utredning"; EjInleda = "ej_inleda", "Ej inleda utredning"; }
}

/// Spellings of the print that are not the text of a code (`ERRATA.md`, section 6).
const PRINTED_OTHERWISE: &[(Variable, &str, &str)] = &[
    (Variable::Aktualiseringstyp, "Överföring", "overflyttning"),
    (Variable::OrsakAnsokan, "Hedersrealterat våld och förtryck", "heder"),
    (Variable::OrsakAnmalan, "Hedersrealterat våld och förtryck", "heder"),
    (Variable::Anmalare, "Övrig hälso- och sjukvård", "ovrig_halso_sjukvard"),
    (Variable::Anmalare, "Socialtpsykiatri (kommunal)", "socialpsykiatrin"),
];

/// A variable of the codebook.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Variable {
    /// [`Aktualiseringstyp`]
    Aktualiseringstyp,
    /// [`Anmalare`]
    Anmalare,
    /// [`Sokande`]
    Sokande,
    /// [`OrsakAnsokan`]
    OrsakAnsokan,
    /// [`OrsakAnmalan`]
    OrsakAnmalan,
    /// [`Beslut`]
    Beslut,
    /// [`Kon`]
    Kon,
    /// [`Aldersgrupp`]
    Aldersgrupp,
}

impl Variable {
    /// The id used in the codebook and in table files.
    #[must_use]
    pub fn id(self) -> &'static str {
        match self {
            Self::Aktualiseringstyp => "aktualiseringstyp",
            Self::Anmalare => "anmalare",
            Self::Sokande => "sokande",
            Self::OrsakAnsokan => "orsak_ansokan",
            Self::OrsakAnmalan => "orsak_anmalan",
            Self::Beslut => "beslut",
            Self::Kon => "kon",
            Self::Aldersgrupp => "aldersgrupp",
        }
    }

    /// `(id, text)` of every code.
    #[must_use]
    pub fn codes(self) -> Vec<(&'static str, &'static str)> {
        fn pairs<C: Code>() -> Vec<(&'static str, &'static str)> {
            C::ALL.iter().map(|c| (c.id(), c.text())).collect()
        }
        match self {
            Self::Aktualiseringstyp => pairs::<Aktualiseringstyp>(),
            Self::Anmalare => pairs::<Anmalare>(),
            Self::Sokande => pairs::<Sokande>(),
            Self::OrsakAnsokan => pairs::<OrsakAnsokan>(),
            Self::OrsakAnmalan => pairs::<OrsakAnmalan>(),
            Self::Beslut => pairs::<Beslut>(),
            Self::Kon => pairs::<Kon>(),
            Self::Aldersgrupp => pairs::<Aldersgrupp>(),
        }
    }

    /// The code a label of the printed tables stands for; `None` when the print has no such label.
    #[must_use]
    pub fn code_of_printed(self, label: &str) -> Option<&'static str> {
        let texts = self.codes().into_iter().find(|(_, text)| *text == label).map(|(id, _)| id);
        texts.or_else(|| {
            PRINTED_OTHERWISE.iter().find(|(v, l, _)| *v == self && *l == label).map(|(_, _, id)| *id)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_index_is_the_position_in_the_list() {
        for (i, code) in Anmalare::ALL.iter().enumerate() {
            assert_eq!(code.index(), i);
        }
    }

    #[test]
    fn a_misprinted_label_still_has_its_code_and_an_unknown_one_has_none() {
        assert_eq!(Variable::Aktualiseringstyp.code_of_printed("Överföring"), Some("overflyttning"));
        assert_eq!(
            Variable::OrsakAnmalan.code_of_printed("Hedersrealterat våld och förtryck"),
            Some("heder")
        );
        assert_eq!(Variable::Beslut.code_of_printed("Överföring"), None);
    }
}

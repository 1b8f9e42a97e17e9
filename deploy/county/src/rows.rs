//! Rows without persons: slots whose codes are dealt to the margins of one year.
//!
//! What it does not do: it dates nothing and names nobody. Invariant: the slots of a year have exactly its
//! margins; how variables go together where no table prints it (who reports what, which kommun has which
//! orsak) is drawn.

use crate::codes::{
    Aktualiseringstyp, Aldersgrupp, Anmalare, Beslut, Code, Kon, OrsakAnmalan, OrsakAnsokan, Sokande,
};
use crate::county::KOMMUNER;
use crate::deal::{Hand, deal, grouped};
use crate::dice::Dice;
use crate::fit::{FitError, apportion};
use crate::margins::{AnmalanMargins, AnsokanMargins, OTHER_TYPES, OtherMargins, YearMargins};

/// A row before it has a date and a person.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Slot {
    /// Position in [`KOMMUNER`].
    pub(crate) kommun: usize,
    pub(crate) typ: Option<Aktualiseringstyp>,
    pub(crate) kon: Kon,
    pub(crate) aldersgrupp: Aldersgrupp,
    pub(crate) anmalare: Option<Anmalare>,
    pub(crate) sokande: Option<Sokande>,
    pub(crate) orsak_ansokan: Option<OrsakAnsokan>,
    pub(crate) orsak_anmalan: Option<OrsakAnmalan>,
    pub(crate) beslut: Option<Beslut>,
}

impl Slot {
    fn of(typ: Option<Aktualiseringstyp>, kon: Kon) -> Self {
        Self {
            kommun: 0,
            typ,
            kon,
            aldersgrupp: Aldersgrupp::O25,
            anmalare: None,
            sokande: None,
            orsak_ansokan: None,
            orsak_anmalan: None,
            beslut: None,
        }
    }
}

/// How much kommuner differ in what they register, as the width of [`Dice::factor`].
const KOMMUN_DIFFERENCE: f64 = 0.4;
/// How much who reports differs between groups.
const HABIT: f64 = 0.25;

/// The slots of one year.
///
/// # Errors
/// [`FitError`] when the margins contradict each other.
pub(crate) fn slots_of(margins: &YearMargins, dice: &mut Dice) -> Result<Vec<Slot>, FitError> {
    let mut slots = anmalningar(&margins.anmalan, dice)?;
    slots.extend(ansokningar(&margins.ansokan, dice)?);
    slots.extend(others(&margins.other, dice)?);
    Ok(slots)
}

/// Every code, then the missing value.
fn with_missing<C: Code>() -> Vec<Option<C>> {
    C::ALL.iter().copied().map(Some).chain([None]).collect()
}

/// Position among [`with_missing`].
fn group<C: Code>(code: Option<C>) -> usize {
    code.map_or(C::ALL.len(), Code::index)
}

fn kommun_numbers() -> Vec<usize> {
    (0..KOMMUNER.len()).collect()
}

fn from_orsak_kon<C: Code>(counts: &[Vec<u32>], make: impl Fn(Option<C>, Kon) -> Slot) -> Vec<Slot> {
    let mut slots = Vec::new();
    for (orsak, line) in with_missing::<C>().into_iter().zip(counts) {
        for (&kon, &n) in Kon::ALL.iter().zip(line) {
            slots.extend(std::iter::repeat_n(make(orsak, kon), n as usize));
        }
    }
    slots
}

fn anmalningar(margins: &AnmalanMargins, dice: &mut Dice) -> Result<Vec<Slot>, FitError> {
    let mut slots = from_orsak_kon(&margins.orsak_kon, |orsak, kon| Slot {
        orsak_anmalan: orsak,
        ..Slot::of(Some(Aktualiseringstyp::Anmalan), kon)
    });
    deal_anmalare(&mut slots, margins, dice)?;
    deal_beslut(&mut slots, margins, dice)?;
    let orsaker = grouped(&slots, OrsakAnmalan::ALL.len() + 1, |s| Some(group(s.orsak_anmalan)));
    let ages = Hand { values: Aldersgrupp::ALL, counts: &margins.alder };
    for (at, age) in deal(&orsaker, &ages, youth, dice)? {
        slots[at].aldersgrupp = age;
    }
    deal_kommun(&mut slots, &orsaker, &margins.kommun, dice)?;
    Ok(slots)
}

/// The young are more often reported for how they live, violence and honour.
fn youth(orsak: usize, age: usize) -> f64 {
    let young = [1.0, 0.9, 2.5, 1.6, 3.0, 1.0, 1.0];
    if age == Aldersgrupp::U24.index() { young[orsak] } else { 1.0 }
}

/// T13 fixes the anmälare of missbruk, T06 those of all: the two groups are dealt apart.
fn deal_anmalare(slots: &mut [Slot], margins: &AnmalanMargins, dice: &mut Dice) -> Result<(), FitError> {
    let values = with_missing::<Anmalare>();
    let missbruk = |slot: &Slot| slot.orsak_anmalan == Some(OrsakAnmalan::Missbruk);
    let by_kon = grouped(slots, Kon::ALL.len(), |s| missbruk(s).then_some(s.kon.index()));
    let andra =
        grouped(slots, OrsakAnmalan::ALL.len() + 1, |s| (!missbruk(s)).then_some(group(s.orsak_anmalan)));
    let mut habits = Dice::new(u64::from(dice.below(u32::MAX)), 0);
    let own = Hand { values: &values, counts: &margins.anmalare_missbruk };
    let rest = Hand { values: &values, counts: &margins.anmalare_andra };
    let mut dealt = deal(&by_kon, &own, |_, _| habits.factor(HABIT), dice)?;
    dealt.extend(deal(&andra, &rest, |orsak, who| affinity(orsak, who) * habits.factor(HABIT), dice)?);
    for (at, anmalare) in dealt {
        slots[at].anmalare = anmalare;
    }
    Ok(())
}

/// Who reports what more often than proportionally: LOB comes from the police, violence from police and
/// health care.
fn affinity(orsak: usize, who: usize) -> f64 {
    let (lob, vald) = (OrsakAnmalan::Lob.index(), OrsakAnmalan::ValdNara.index());
    let (police, health) = (Anmalare::Polisen.index(), Anmalare::OvrigHalsoSjukvard.index());
    if (orsak, who) == (lob, police) {
        200.0
    } else if orsak == vald && (who == police || who == health) {
        4.0
    } else {
        1.0
    }
}

fn deal_beslut(slots: &mut [Slot], margins: &AnmalanMargins, dice: &mut Dice) -> Result<(), FitError> {
    let values = with_missing::<Beslut>();
    for (orsak, counts) in margins.beslut.iter().enumerate() {
        let by_kon =
            grouped(slots, Kon::ALL.len(), |s| (group(s.orsak_anmalan) == orsak).then_some(s.kon.index()));
        for (at, beslut) in deal(&by_kon, &Hand { values: &values, counts }, |_, _| 1.0, dice)? {
            slots[at].beslut = beslut;
        }
    }
    Ok(())
}

fn deal_kommun(
    slots: &mut [Slot],
    groups: &[Vec<usize>],
    counts: &[u32],
    dice: &mut Dice,
) -> Result<(), FitError> {
    let mut habits = Dice::new(u64::from(dice.below(u32::MAX)), 1);
    let kommuner = kommun_numbers();
    let hand = Hand { values: &kommuner, counts };
    for (at, kommun) in deal(groups, &hand, |_, _| habits.factor(KOMMUN_DIFFERENCE), dice)? {
        slots[at].kommun = kommun;
    }
    Ok(())
}

fn ansokningar(margins: &AnsokanMargins, dice: &mut Dice) -> Result<Vec<Slot>, FitError> {
    let mut slots = from_orsak_kon(&margins.orsak_kon, |orsak, kon| Slot {
        orsak_ansokan: orsak,
        ..Slot::of(Some(Aktualiseringstyp::Ansokan), kon)
    });
    let orsaker = grouped(&slots, OrsakAnsokan::ALL.len() + 1, |s| Some(group(s.orsak_ansokan)));
    let sokande = with_missing::<Sokande>();
    for (at, who) in deal(&orsaker, &Hand { values: &sokande, counts: &margins.sokande }, |_, _| 1.0, dice)? {
        slots[at].sokande = who;
    }
    let ages = Hand { values: Aldersgrupp::ALL, counts: &margins.alder };
    for (at, age) in deal(&orsaker, &ages, |_, _| 1.0, dice)? {
        slots[at].aldersgrupp = age;
    }
    deal_kommun(&mut slots, &orsaker, &margins.kommun, dice)?;
    Ok(slots)
}

/// Yttranden, överflyttningar, förfrågningar and rows of unknown type. Kön and age of these are printed
/// nowhere.
fn others(margins: &OtherMargins, dice: &mut Dice) -> Result<Vec<Slot>, FitError> {
    let types: Vec<Option<Aktualiseringstyp>> = OTHER_TYPES.into_iter().map(Some).chain([None]).collect();
    let mut slots = Vec::new();
    for (kommun, line) in margins.kommun_typ.iter().enumerate() {
        for (&typ, &n) in types.iter().zip(line) {
            slots.extend(std::iter::repeat_n(Slot { kommun, ..Slot::of(typ, Kon::Man) }, n as usize));
        }
    }
    let rows = u32::try_from(slots.len()).unwrap_or(u32::MAX);
    let all = [(0..slots.len()).collect::<Vec<_>>()];
    let (sexes, ages) = (apportion(rows, &[0.68, 0.32])?, apportion(rows, &[0.16, 0.84])?);
    for (at, kon) in deal(&all, &Hand { values: Kon::ALL, counts: &sexes }, |_, _| 1.0, dice)? {
        slots[at].kon = kon;
    }
    for (at, age) in deal(&all, &Hand { values: Aldersgrupp::ALL, counts: &ages }, |_, _| 1.0, dice)? {
        slots[at].aldersgrupp = age;
    }
    for slot in slots.iter_mut().filter(|s| s.typ == Some(Aktualiseringstyp::Yttrande)) {
        // Yttranden are asked for by others; the tables count anmälare among anmälningar only.
        slot.anmalare = [Some(Anmalare::Polisen), Some(Anmalare::Kriminalvarden), None][dice.index(3)];
    }
    deal_ovrigt(&mut slots, &margins.ovrigt_beslut, dice);
    Ok(slots)
}

/// T14 is not filtered by type: some of these rows, of known type, carry orsak Övrigt and a beslut.
fn deal_ovrigt(slots: &mut [Slot], beslut: &[u32], dice: &mut Dice) {
    let mut open: Vec<usize> = (0..slots.len()).filter(|&at| slots[at].typ.is_some()).collect();
    dice.shuffle(&mut open);
    let decisions = Beslut::ALL.iter().zip(beslut).flat_map(|(&b, &n)| std::iter::repeat_n(b, n as usize));
    for (at, decision) in open.into_iter().zip(decisions) {
        slots[at].orsak_anmalan = Some(OrsakAnmalan::Ovrigt);
        slots[at].beslut = Some(decision);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::figures::Reading;

    #[test]
    fn lob_comes_mostly_from_the_police_and_the_margins_hold_nevertheless() {
        let mut dice = Dice::new(2, 2);
        let margins = YearMargins::of(&Reading::new().unwrap(), 2024, &mut dice).unwrap();
        let slots = slots_of(&margins, &mut dice).unwrap();
        let lob: Vec<_> = slots.iter().filter(|s| s.orsak_anmalan == Some(OrsakAnmalan::Lob)).collect();
        let police = lob.iter().filter(|s| s.anmalare == Some(Anmalare::Polisen)).count();
        assert_eq!(lob.len(), 322);
        assert!(police > 200, "{police}");
        let anm = slots.iter().filter(|s| s.typ == Some(Aktualiseringstyp::Anmalan));
        assert_eq!(anm.filter(|s| s.anmalare == Some(Anmalare::Polisen)).count(), 487);
    }

    #[test]
    fn only_anmalningar_and_the_rows_of_ovrigt_carry_a_beslut() {
        let mut dice = Dice::new(3, 3);
        let margins = YearMargins::of(&Reading::new().unwrap(), 2024, &mut dice).unwrap();
        let slots = slots_of(&margins, &mut dice).unwrap();
        let decided = slots.iter().filter(|s| s.beslut.is_some());
        let others: Vec<_> = decided.filter(|s| s.typ != Some(Aktualiseringstyp::Anmalan)).collect();
        assert_eq!(others.len(), 69);
        assert!(others.iter().all(|s| s.orsak_anmalan == Some(OrsakAnmalan::Ovrigt) && s.typ.is_some()));
    }
}

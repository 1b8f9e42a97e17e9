//! Names of Sweden's kommuner and counties (SCB, *Regionala indelningar*: 290 kommuner, 21 län).
//!
//! Names change seldom and codes almost never; a publication takes its names as an argument, and these lists
//! are what it is given unless somebody has others.

use std::collections::BTreeMap;

use tables::unit::{KommunKod, LansKod, Unit};

const KOMMUNER: &str = include_str!("../data/kommuner.csv");
const COUNTIES: &str = include_str!("../data/lan.csv");

/// Names by kommunkod.
pub type Names = BTreeMap<KommunKod, String>;

/// The names of all kommuner.
pub fn kommuner() -> Names {
    // lines are `code;name;…` below a header; a test counts them, so none is lost here
    let entry = |line: &str| {
        let (code, rest) = line.split_once(';')?;
        Some((code.parse().ok()?, rest.split(';').next()?.to_string()))
    };
    KOMMUNER.lines().filter_map(entry).collect()
}

/// The name of a county, such as `Gävleborgs län`; `Län 99` for a code that is no county's.
pub fn county(code: LansKod) -> String {
    let wanted = code.to_string();
    let entry = |line: &str| {
        let (code, rest) = line.split_once(';')?;
        (code == wanted).then(|| rest.split(';').next()).flatten().map(str::to_string)
    };
    COUNTIES.lines().find_map(entry).unwrap_or_else(|| format!("Län {code}"))
}

/// What a unit is called: the kommun's name, with the sub-unit's number when it is one; the code without a
/// name.
pub fn unit(names: &Names, unit: &Unit) -> String {
    let code = unit.to_string();
    match (names.get(&unit.kommun()), code.split_once('-')) {
        (Some(name), Some((_, sub))) => format!("{name} {sub}"),
        (Some(name), None) => name.clone(),
        (None, _) => code,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_290_kommuner_and_21_counties_have_names() {
        let names = kommuner();
        assert_eq!(names.len(), 290);
        assert!(names.values().all(|name| !name.is_empty()));
        let counties: std::collections::BTreeSet<_> = names.keys().map(|kommun| kommun.county()).collect();
        assert_eq!(counties.len(), 21);
        assert!(counties.iter().all(|code| county(*code).ends_with(" län")));
        assert_eq!(county("21".parse().unwrap()), "Gävleborgs län");
    }

    #[test]
    fn sub_units_carry_their_number_and_strangers_their_code() {
        let names = kommuner();
        let name = |code: &str| unit(&names, &code.parse().unwrap());
        assert_eq!([name("2180"), name("2180-03"), name("9999-01")], ["Gävle", "Gävle 03", "9999-01"]);
        assert_eq!(county("99".parse().unwrap()), "Län 99");
    }
}

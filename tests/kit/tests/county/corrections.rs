//! The made county, corrected: what the second version shows is audited beside the first.

use kit::corrected::{Wanted, corrected, shows};
use kit::made_county;
use suppress::key::PatternKey;

/// SAFE-1, SAFE-3, TRUE-1.
#[test]
fn a_corrected_county_is_released_beside_its_first_version() {
    let made = made_county(2024).unwrap();
    // The last three ask the audit of totals that nobody opened: whether each of them may be 0.
    for (seed, kommuner, records, late) in
        [(3, 1, 1, false), (3, 0, 0, true), (1, 3, 10, false), (3, 3, 10, false), (4, 1, 10, false)]
    {
        let wanted = Wanted { seed, kommuner, records, late };
        let versions = corrected(made.clone(), &PatternKey::new(&[7; 32]), wanted).unwrap();
        let (_, totals) = shows(&versions.second);
        assert!(totals > 0, "{wanted:?}: some totals are shown again");
        for (cell, mark) in &versions.second.figures().totals {
            if let Some(shown) = mark.shown() {
                assert_eq!(shown, versions.after.total(*cell), "{wanted:?}: cell {cell}");
                let before = versions.first.release.figures().totals[cell];
                assert!(before.shown().is_some(), "a total that version 1 withholds");
            }
        }
        for (unit, marks) in versions.second.figures().units.iter().zip(&versions.second.figures().per_unit) {
            for (cell, mark) in marks {
                let value = versions.after.system.value(&versions.after.counts[unit], *cell);
                assert!(mark.shown().is_none_or(|shown| shown == value && !(1..4).contains(&value)));
            }
        }
    }
}

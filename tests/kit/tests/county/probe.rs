use std::collections::BTreeSet;
use crate::common::case;
#[test]
fn probe() {
    let c = case(2024); let s = &c.made.system;
    let total = |atoms: &[u32]| -> u64 { c.made.counts.values().map(|k| atoms.iter().map(|a| u64::from(k.to_stored()[*a as usize])).sum::<u64>()).sum() };
    let mut pieces = BTreeSet::new();
    for b in s.cells.iter().filter(|x| !x.is_count) { for x in s.cells.iter().filter(|x| x.is_count) {
        let p: Vec<u32> = b.atoms.iter().filter(|a| x.atoms.binary_search(a).is_ok()).copied().collect();
        if !p.is_empty() { pieces.insert(p); } } }
    println!("cells {} implied {} pieces {}", s.cells.len(), s.implied_total.len(), pieces.len());
    let missing_only: BTreeSet<u32> = s.cells.iter().filter(|x| !x.is_count).flat_map(|b| b.atoms.iter().copied()).collect();
    let mut n = 0;
    for set in &s.implied_total {
        let cov: BTreeSet<u32> = pieces.iter().filter(|p| p.iter().all(|a| set.binary_search(a).is_ok())).flatten().copied().collect();
        let all = set.iter().all(|a| missing_only.contains(a));
        let v = total(set);
        if cov.len() == set.len() { n += 1; println!("EXEMPT value {v} atoms {} of {set:?}", set.len());
            for x in s.cells.iter().filter(|x| set.iter().all(|a| x.atoms.binary_search(a).is_ok())) { println!("    inside {} ({})", x.label, x.is_count); } }
        else if (1..4).contains(&v) { println!("small {v} all-missing {all}");
            for x in s.cells.iter().filter(|x| set.iter().all(|a| x.atoms.binary_search(a).is_ok())) { println!("    inside {} ({})", x.label, x.is_count); } }
    }
    println!("exempt {n}");
}

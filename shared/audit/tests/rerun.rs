//! A reader who reruns the choice: found where a method tells by what it withholds, and only there.

#![allow(clippy::unwrap_used)] // helpers of tests may panic

use std::collections::BTreeSet;

use audit::published::Publication;
use audit::published::rerun::{every_table, rerun};
use audit::published::strict::{StrictOptions, heading, read};
use audit::published::truth::Truth;

/// A line of three categories and its total; the cells' indices are their places.
fn line(counts: [u64; 3], withheld: &BTreeSet<usize>) -> (Publication, Truth) {
    let mut text = String::from("omrade,typ,tid,matt,varde,status\n");
    let total: u64 = counts.iter().sum();
    for (at, count) in counts.iter().chain([&total]).enumerate() {
        let figure = if withheld.contains(&at) { ",x".to_owned() } else { format!("{count},") };
        text.push_str(&format!("2180,{},2024,aktualiseringar,{figure}\n", ["a", "b", "c", "TOT"][at]));
    }
    let publication = read(&[("T.csv", text.as_bytes())], &StrictOptions::default()).unwrap();
    let placed = counts.iter().zip(["a", "b", "c"]).map(|(count, code)| {
        let column = heading(&["typ".to_owned()], &[code.to_owned()], "2024", "aktualiseringar");
        (("T.csv".to_owned(), "2180".to_owned(), column), *count)
    });
    let truth = Truth::of(&publication, placed).unwrap();
    (publication, truth)
}

fn small(counts: &[u64]) -> BTreeSet<usize> {
    (0..3).filter(|at| (1..4).contains(&counts[*at])).collect()
}

/// Withholds beside a single small cell the largest other one.
fn largest(counts: &[u64]) -> BTreeSet<usize> {
    let mut withheld = small(counts);
    if withheld.len() == 1 {
        let others = (0..3).filter(|at| !withheld.contains(at));
        withheld.extend(others.max_by_key(|at| counts[*at]));
    }
    withheld
}

/// Withholds beside a single small cell another by what the small one is.
fn telling(counts: &[u64]) -> BTreeSet<usize> {
    let mut withheld = small(counts);
    if let (Some(first), 1) = (withheld.first().copied(), withheld.len()) {
        let others: Vec<usize> = (0..3).filter(|at| *at != first).collect();
        withheld.insert(others[usize::from(counts[first] != 1)]);
    }
    withheld
}

#[test]
fn every_table_that_agrees_is_listed_once() {
    let (publication, _) = line([2, 5, 9], &BTreeSet::from([0, 1]));
    let mut tables = every_table(&publication, 100).unwrap();
    tables.sort();
    let first: Vec<u64> = tables.iter().map(|table| table[0]).collect();
    assert_eq!(first, [1, 2, 3, 4, 5, 6]);
    assert!(tables.iter().all(|table| table[0] + table[1] == 7 && table[2..] == [9, 16]));
    assert_eq!(every_table(&publication, 5), None, "more than are wanted");
    let (endless, _) = line([2, 5, 9], &BTreeSet::from([0, 3]));
    assert_eq!(every_table(&endless, 1_000), None);
}

#[test]
fn a_method_that_tells_by_its_choice_is_found_out() {
    let counts = [1, 6, 9];
    let (publication, truth) = line(counts, &telling(&counts));
    let found = rerun(&publication, &truth, 4, 100, telling).unwrap();
    // 1 and 6, or 6 and 1: whichever is the small one, it is 1
    assert_eq!((found.consistent, found.same, found.small, found.narrowed), (6, 2, 1, 1));
}

#[test]
fn a_method_that_does_not_look_at_small_counts_tells_nothing_of_them() {
    let counts = [2, 5, 9];
    let (publication, truth) = line(counts, &largest(&counts));
    let found = rerun(&publication, &truth, 4, 100, largest).unwrap();
    assert_eq!((found.small, found.computable, found.narrowed), (1, 0, 0));
}

use kit::{made_county, released};
use suppress::key::PatternKey;
#[test]
fn probe() {
    for seed in [2024, 1, 7] {
    let t = std::time::Instant::now();
    let made = made_county(seed).unwrap();
    println!("made {:?}", t.elapsed());
    let r = released(&made, &PatternKey::new(&[5; 32]));
    println!("released {:?}", t.elapsed());
    let r = match r { Ok(r) => r, Err(e) => { println!("{e}"); continue } };
    println!("{:?}", r.release.report());
    println!("implied_total {} implied_unit {}", made.system.implied_total.len(), made.system.implied_unit.len());
    for (k, e) in &r.published.rows { if *e == Err("x") && k.matt == "aktualiseringar" { println!("{} {} {:?} {}", k.table, k.omrade, k.codes, k.tid) } }
    for (k, e) in &r.published.rows { if k.matt == "bortfall" { println!("{} {} {:?}", k.table, k.tid, e) } }
    println!("{}", r.published.rows.values().filter(|e| **e == Err("..")).count());
    }
}

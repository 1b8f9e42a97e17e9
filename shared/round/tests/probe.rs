mod party;
use party::*;
#[test]
fn probe() {
    let world = World::new();
    let c = |code: &str| world.cell("T03", &[code], "2024");
    let (a, b, e) = (c("ansokan"), c("anmalan"), c("forfragan"));
    let mut document = world.bare(&UNITS);
    for (code, withheld) in UNITS.iter().zip(&mut document.withheld) {
        withheld.extend(if ["2132", "2181"].contains(code) { [a, e] } else { [a, b] });
    }
    document.open.extend([a, b]);
    document.closed.insert(e);
    println!("held: {:?}", world.helper(&[]).hold(world.handed(&document), &world.roots).is_ok());
    let node = world.declared_node(PLAIN).0;
    println!("node: {:?}", node.handle(round::node::Event::Pattern(Box::new(shown_bare(&document, &unit(PLAIN)))), &Default::default()).map(|f| matches!(f[0], round::node::Fact::Accepted(_))));
    println!("atoms {} unit_atoms {} cells {}", world.system.atoms, world.system.unit_atoms, world.system.cells.len());
}

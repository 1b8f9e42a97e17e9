use super::*;

fn words(text: &str) -> Vec<String> {
    let vocabulary = Vocabulary::new(["Skolfrånvaro", "Våld mot barn", "Ekonomisk utsatthet"].into_iter());
    vocabulary.read(text, true).set.into_iter().collect()
}

#[test]
fn spellings_of_one_thing_have_the_same_words() {
    for (one, other) in [
        ("missbruk förälder", "Förälders missbruk"),
        ("missbruk förälder", "FÖRÄLDRAMISSBRUK"),
        ("missbruk förälder", "missbruk hos foralder"),
        ("missbruk förälder", "misbruk förälder"),
        ("missbruk barnet", "eget missbruk"),
        ("utredning inleds ej", "Inleder inte utr. enl. 11 kap 1 § SoL"),
        ("anmälan", "01 Orosanmälan barn 0-12 år"),
        ("våld mot barn", "Våld mot barnet"),
    ] {
        assert_eq!(words(one), words(other), "{one} / {other}");
    }
}

#[test]
fn what_means_something_else_has_other_words() {
    for (one, other) in [
        ("missbruk förälder", "missbruk barnet"),
        ("utredning inleds", "utredning inleds ej"),
        ("anmälan", "ansökan"),
        ("våld mot förälder", "våld av förälder"),
        ("våld mot barn", "våld barn"),
        ("vård", "våld"),
    ] {
        assert_ne!(words(one), words(other), "{one} / {other}");
    }
}

#[test]
fn a_departments_own_numbering_is_no_word_and_a_diagnosis_is_one() {
    assert_eq!(words("BU07 missbruk förälder"), words("missbruk förälder"));
    assert_eq!(words("IFO12 våld mot barn"), words("våld mot barn"));
    assert_ne!(words("F32 barn"), words("barn"));
    assert_ne!(words("barn 120315AB"), words("barn"));
}

#[test]
fn numbers_of_persons_and_unknown_words_are_seen() {
    let vocabulary = Vocabulary::new(std::iter::empty());
    assert!(vocabulary.read("Anmälan 20120315-2384", true).has_number);
    assert!(vocabulary.read("Anmälan 120315 2384", true).has_number);
    assert!(!vocabulary.read("Anmälan 14 kap 1 § SoL 0-17 år", true).has_number);
    assert_eq!(vocabulary.read("Anmälan Kalle", true).unknown.len(), 1);
}

#[test]
fn distances_are_those_of_the_paper() {
    for (one, other, expected) in
        [("ca", "abc", 3), ("anmälan", "ansökan", 3), ("skola", "sokla", 1), ("", "ab", 2)]
    {
        assert_eq!(distance(one, other), expected, "{one} {other}");
    }
}

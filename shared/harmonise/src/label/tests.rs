use jiff::civil::date;
use proptest::prelude::*;
use tables::codebook::Codebook;

use super::*;

const DAY: Date = date(2024, 1, 31);

fn variable(codes: &str) -> Variable {
    let head = "id='x'\nversion=1\n[[variabel]]\nid='v'\ntext='V'\n";
    Codebook::from_toml(&format!("{head}{codes}")).unwrap().variables.remove(0)
}

fn code(code: &str, text: &str, more: &str) -> String {
    format!("[[variabel.kod]]\nkod='{code}'\ntext='{text}'\n{more}\n")
}

fn meant<'v>(matcher: &Matcher<'v>, label: &str) -> Option<&'v str> {
    match matcher.meaning(label, DAY) {
        Meaning::Code(given) => Some(matcher.variable().codes[usize::from(given.code)].code.as_str()),
        _ => None,
    }
}

#[test]
fn spellings_of_one_label_meet() {
    let book = Codebook::vuxna().unwrap();
    let own = ["Vuxen - ".to_string(), "IFO: ".to_string()];
    let matcher = Matcher::new(&book.variables[2], &own);
    for label in [
        "Ansökan",
        "ansökan",
        "ANSÖKAN",
        "Ansokan",
        "ansokan",
        " Ansökan\u{a0}",
        "An\u{ad}sökan",
        "Anso\u{308}kan",
        "Ansökan.",
        "B/U Ansökan",
        "b&u ansökan",
        "BoU – Ansökan",
        "Barn/ungdom: ansökan",
        "BoF Ansökan",
        "Vuxen - Ansökan",
        "vuxen ansökan",
        "IFO: Ansökan",
        "IFO:ansokan",
    ] {
        assert_eq!(meant(&matcher, label), Some("ansokan"), "{label}");
    }
    for label in ["Ansökan 0-17", "Ansökann", "01 ANSÖKAN (barn 0-12 år)"] {
        assert_eq!(meant(&matcher, label), Some("ansokan"), "{label}");
    }
    assert_eq!(meant(&matcher, "B anmälan"), Some("anmalan"));
    for label in [
        "IFOansökan",
        "ej ansökan",
        "Ansökan?",
        "B/U",
        "Ansökan Anna",
        "Ansökan 20120315-2384",
        "Anmälan/ansökan ej",
    ] {
        assert_eq!(matcher.meaning(label, DAY), Meaning::Unmapped, "{label}");
    }
    for label in ["", " ", "\u{a0}\u{ad}", "-", "–"] {
        assert_eq!(matcher.meaning(label, DAY), Meaning::Empty, "{label}");
    }
}

#[test]
fn a_negation_and_its_opposite_never_meet() {
    let codes = code("inleds", "Utredning inleds", "") + &code("inleds_ej", "Utredning inleds ej", "");
    let variable = variable(&codes);
    let matcher = Matcher::new(&variable, &[]);
    assert_eq!(meant(&matcher, "UTREDNING INLEDS"), Some("inleds"));
    assert_eq!(meant(&matcher, "utredning inleds ej."), Some("inleds_ej"));
    for label in
        ["utredning inleds inte", "utredning inleds, ej", "utredning inleds (ej)", "ej utredning inleds"]
    {
        assert_eq!(meant(&matcher, label), Some("inleds_ej"), "{label}");
    }
    for label in
        ["utredning inleds / inleds ej", "utredning inleds eller inleds ej", "inte utredning inleds ej"]
    {
        assert_eq!(meant(&matcher, label), None, "{label}");
    }
    assert!(negates("Ej ") && negates("ansökan, INTE -") && !negates("Vuxen - ") && !negates("Ejder"));
}

#[test]
fn a_fold_that_fits_two_codes_fits_none_and_an_exact_text_still_fits() {
    let variable = variable(&(code("far", "Far", "") + &code("faar", "Får", "") + &code("faer", "Fär", "")));
    let matcher = Matcher::new(&variable, &[]);
    assert_eq!(meant(&matcher, "FÅR"), Some("faar"));
    assert_eq!(meant(&matcher, "fär"), Some("faer"));
    assert_eq!(meant(&matcher, "far"), Some("far"));
    let without = self::variable(&(code("a1", "Får", "") + &code("a2", "Fär", "")));
    let matcher = Matcher::new(&without, &[]);
    assert_eq!(matcher.meaning("far", DAY), Meaning::Unmapped);
    let one = self::variable(&code("faar", "Får", ""));
    assert_eq!(Matcher::new(&one, &[]).meaning("Fär", DAY), Meaning::Unmapped);
    assert_eq!(meant(&Matcher::new(&one, &[]), "Far"), Some("faar"));
}

#[test]
fn of_codes_that_share_a_label_the_date_decides() {
    let old = code("gammal", "Vården", "galler_till='2023-12-31'");
    let variable = variable(&(old.clone() + &code("ny", "Vården", "galler_fran='2024-01-01'")));
    let matcher = Matcher::new(&variable, &[]);
    let on = |day| matcher.meaning("vården", day);
    assert_eq!(on(date(2023, 12, 31)), Meaning::Code(0.into()));
    assert_eq!(on(date(2024, 1, 1)), Meaning::Code(1.into()));
    let only_old = self::variable(&old);
    assert_eq!(Matcher::new(&only_old, &[]).meaning("vården", DAY), Meaning::OutsideValidity);
}

#[test]
fn several_reasons_in_one_field_give_all_when_all_are_known() {
    let book = Codebook::vuxna().unwrap();
    let reasons = book.variables.iter().find(|variable| variable.id == "orsak_ansokan").unwrap();
    let matcher = Matcher::new(reasons, &[]);
    let first = |label| matcher.meaning(label, DAY);
    let index = |text: &str| (0..).zip(&reasons.codes).find(|(_, code)| code.text == text).unwrap().0;
    let with = |texts: &[&str]| {
        let listed = ["Missbruk och beroende"].iter().chain(texts).map(|text| index(text));
        Meaning::Code(Given::listed(listed).unwrap())
    };
    for (label, others) in [
        ("Missbruk och beroende, Våldsutövare", vec!["Våldsutövare"]),
        ("missbruk och beroende;våldsutövare", vec!["Våldsutövare"]),
        ("Missbruk och beroende – Våldsutövare", vec!["Våldsutövare"]),
        (
            "Missbruk och beroende; Våldsutövare, Våld i nära relationer",
            vec!["Våld i nära relationer", "Våldsutövare"],
        ),
        ("Missbruk och beroende; Behov av stöd, övriga vuxna", vec!["Behov av stöd, övriga vuxna"]),
        ("Missbruk och beroende;", vec![]),
        ("Missbruk och beroende, missbruk och beroende", vec![]),
    ] {
        assert_eq!(first(label), with(&others), "{label}");
    }
    assert_eq!(first("Missbruk och beroende, okänt"), Meaning::Unmapped);
    // a comma inside a text of the codebook does not split it
    assert_eq!(first("Behov av stöd, övriga vuxna"), Meaning::Code(4.into()));
}

#[test]
fn a_list_with_a_code_that_may_not_be_used_on_the_day_is_no_list_without_it() {
    let variable = variable(&(code("a", "Våld", "") + &code("b", "Skolk", "galler_till='2023-12-31'")));
    let matcher = Matcher::new(&variable, &[]);
    assert_eq!(
        matcher.meaning("våld; skolk", date(2023, 12, 31)),
        Meaning::Code(Given::listed([0, 1]).unwrap())
    );
    for label in ["våld; skolk", "skolk; våld"] {
        assert_eq!(matcher.meaning(label, DAY), Meaning::OutsideValidity, "{label}");
    }
}

#[test]
fn own_labels_come_last_and_cannot_contradict_the_codebook() {
    let book = Codebook::vuxna().unwrap();
    let mut matcher = Matcher::new(&book.variables[2], &[]);
    assert_eq!(meant(&matcher, "Vux anm"), None);
    assert!(matcher.learn("Vux anm", 1));
    assert_eq!(meant(&matcher, "VUX ANM"), Some("anmalan"));
    assert!(!matcher.learn("ansökan", 1));
    assert!(!matcher.learn("B/U Ansökan", 1));
    assert!(!matcher.learn("vux anm", 0));
    assert_eq!(meant(&matcher, "Ansökan"), Some("ansokan"));
}

#[test]
fn suggestions_resemble_and_are_not_applied() {
    let book = Codebook::vuxna().unwrap();
    let matcher = Matcher::new(&book.variables[2], &[]);
    let first = |label| matcher.suggestions(label).first().map(|one| (one.code, one.score >= AUTO));
    assert_eq!(first("Anmälan barn 0-12 år"), Some((1, true)));
    assert_eq!(first("Anmälan Kalle"), Some((1, false)), "an unknown word may be a name");
    assert!(matcher.suggestions("zzzz").is_empty());
    assert_eq!(meant(&matcher, "Anmälan barn 0-12 år"), Some("anmalan"));
    assert_eq!(meant(&matcher, "Anmälan Kalle"), None);
}

proptest! {
    #[test]
    fn folding_twice_changes_nothing(text in "\\PC{0,30}") {
        prop_assert_eq!(clean(&clean(&text)), clean(&text));
        prop_assert_eq!(fold_case(&fold_case(&text)), fold_case(&text));
        prop_assert_eq!(fold_accents(&fold_accents(&text)), fold_accents(&text));
    }

    #[test]
    fn any_label_has_a_meaning_and_only_known_words_have_a_code(label in "[a-zåäö ,;–/]{0,20}") {
        let book = Codebook::vuxna().unwrap();
        let matcher = Matcher::new(&book.variables[2], &[]);
        let words = ["ans", "anm", "yttr", "verf", "frfr", "frfragan", "begar", "begär", "forfr", "förfr"];
        if meant(&matcher, &label).is_some() {
            prop_assert!(words.iter().any(|word| label.contains(word)), "{}", label);
        }
    }
}

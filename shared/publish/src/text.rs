//! Swedish wording that sheets, report and folder share: names of tables, lists, periods, numbers, line
//! breaks.
//!
//! Pure functions; they decide nothing about figures.

use tables::collection::Collection;
use tables::period::Period;

use crate::derived::Figure;

/// What the tables are called: `Tabell 3` for `T03`; `Tabell T03` where two ids would get the same number,
/// and `Tabell B4` for an id of another form. At most 23 characters, so that sheets can bear the name.
pub fn table_names(collection: &Collection) -> Vec<String> {
    let number = |id: &str| id.strip_prefix(['T', 't']).and_then(|digits| digits.parse::<u16>().ok());
    let numbers: Vec<_> = collection.tables.iter().map(|table| number(&table.id)).collect();
    let name = |(table, number): (&tables::collection::Table, &Option<u16>)| match number {
        Some(own) if numbers.iter().filter(|other| *other == number).count() == 1 => format!("Tabell {own}"),
        _ => format!("Tabell {}", table.id),
    };
    collection.tables.iter().zip(&numbers).map(name).collect()
}

/// `a, b och c`.
pub fn list(items: &[String]) -> String {
    match items {
        [] => String::new(),
        [only] => only.clone(),
        [head @ .., last] => format!("{} och {last}", head.join(", ")),
    }
}

/// `2020–2024` for consecutive years in order, else a list.
pub fn periods(periods: &[Period]) -> String {
    let names: Vec<String> = periods.iter().map(Period::to_string).collect();
    let follows = |pair: &[Period]| {
        pair[0].to_string().len() == 4
            && pair[1].to_string().len() == 4
            && pair[1].first().year() == pair[0].first().year() + 1
    };
    match names.as_slice() {
        [first, .., last] if names.len() > 2 && periods.windows(2).all(follows) => format!("{first}–{last}"),
        names => list(names),
    }
}

/// A whole number with a no-break space between thousands and a true minus.
pub fn number(value: i64) -> String {
    let digits = value.unsigned_abs().to_string();
    let mut text = String::from(if value < 0 { "−" } else { "" });
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push('\u{a0}');
        }
        text.push(digit);
    }
    text
}

/// A figure in running text.
pub fn figure(figure: Figure) -> String {
    match figure {
        Figure::Value(value) => number(value),
        marked => marked.columns().1.mark().into(),
    }
}

/// Breaks a text into lines of at most `width` characters, at spaces; a longer word stands alone.
pub fn wrap(text: &str, width: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split(' ') {
        let fits = lines.last().is_some_and(|line| line.chars().count() + 1 + word.chars().count() <= width);
        match lines.last_mut() {
            Some(line) if line.is_empty() => line.push_str(word),
            Some(line) if fits => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.into()),
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_lists_and_periods_are_written_as_swedish_print_does() {
        assert_eq!(
            [number(0), number(999), number(1000), number(-1234567)],
            ["0", "999", "1\u{a0}000", "−1\u{a0}234\u{a0}567"]
        );
        let words = |words: &[&str]| list(&words.iter().map(|word| word.to_string()).collect::<Vec<_>>());
        assert_eq!(
            [words(&[]), words(&["a"]), words(&["a", "b"]), words(&["a", "b", "c"])],
            ["", "a", "a och b", "a, b och c"]
        );
        let years =
            |years: &[&str]| periods(&years.iter().map(|year| year.parse().unwrap()).collect::<Vec<_>>());
        assert_eq!(years(&["2020", "2021", "2022"]), "2020–2022");
        assert_eq!(years(&["2024", "2023"]), "2024 och 2023");
        assert_eq!(years(&["2024H1", "2024H2", "2025H1"]), "2024H1, 2024H2 och 2025H1");
    }

    #[test]
    fn lines_break_at_spaces_and_lose_nothing() {
        assert_eq!(wrap("ett två tre", 7), ["ett två", "tre"]);
        assert_eq!(wrap("socialtjänstlagen är lång", 6), ["socialtjänstlagen", "är", "lång"]);
        assert_eq!(wrap("", 6), [""]);
    }
}

//! The words around the tables: what a publication is, what it leaves out, what its marks mean.
//!
//! Swedish, for readers. The same sections serve the workbook and other forms. Claims nothing that the
//! figures do not keep: that withheld cells are in the totals is TRUE-1, that absent units are named is
//! TRUE-3.

use tables::codebook::{SEVERAL, TOT};
use tables::collection::{Collection, Measure, Scope, Table};
use tables::period::Period;
use tables::strict::{Status, StrictRow, StrictTable};

use crate::derived::Figure;
use crate::publication::Publication;
use crate::table::{BORTFALL, count_word};
use crate::text;

/// A heading and its paragraphs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Section {
    /// Heading.
    pub heading: String,
    /// Paragraphs.
    pub paragraphs: Vec<String>,
}

fn section(heading: &str, paragraphs: Vec<String>) -> Section {
    Section { heading: heading.into(), paragraphs }
}

/// What a mark means to a reader.
pub fn meaning(status: Status) -> Option<&'static str> {
    match status {
        Status::Value => None,
        Status::Withheld => Some("x = uppgiften visas inte (röjandekontroll)"),
        Status::NotDelivered => Some(".. = uppgiften har inte lämnats"),
        Status::CannotOccur => Some(". = uppgift kan inte förekomma, till exempel en förändring från 0"),
    }
}

/// *Om statistiken*.
pub fn sections(publication: &Publication) -> Vec<Section> {
    let collection = publication.collection;
    let mut sections = vec![
        section(
            "Källa",
            vec![
                format!("{}.", collection.source.trim_end_matches('.')),
                "Varje kommun har räknat i sitt eget verksamhetssystem. Uppgifter om enskilda personer har \
             inte lämnat kommunen."
                    .into(),
                "Tabellerna är inte officiell statistik.".into(),
            ],
        ),
        section("Vilka som deltar", participants(publication)),
        section("Vad som räknas", vec![counted(publication)]),
        section("Röjandekontroll", disclosure(collection.min_count.get())),
        section(
            "Bortfall",
            vec![
            "En tabell räknar de poster där alla tabellens variabler är kända. Summan av dem är tabellens \
             total och basen för dess procenttal. De poster i urvalet där någon av tabellens variabler \
             saknar uppgift är tabellens bortfall. Det redovisas för länet (och riket), per tabell och \
             period, också när det är 0."
                .into(),
            "Två tabeller över samma poster kan därför ha olika total: skillnaden är bortfall.".into(),
        ],
        ),
        section("Tecken i tabellerna", signs()),
        section(
            "Procent",
            vec![
                "Procenttal och förändringar är avrundade till heltal, halva bort från noll. Summan av \
             avrundade procenttal kan avvika från 100."
                    .into(),
            ],
        ),
    ];
    if let Some(first) = publication.extends {
        sections.push(section("Komplettering", extension(publication.collection, first)));
    }
    if let Some(revisions) = &publication.revisions {
        sections.push(section("Rättningar", corrections(publication.collection.version, revisions.version)));
    }
    if !collection.footnotes.is_empty() {
        sections.push(section("Anmärkningar", collection.footnotes.clone()));
    }
    sections.push(section("Variabler och koder", codes(publication)));
    sections.push(section("Frågor", vec![format!("{}.", publication.contact().trim_end_matches('.'))]));
    sections
}

fn participants(publication: &Publication) -> Vec<String> {
    if let Some(realm) = &publication.realm {
        let rows = "Rader för ett län är de som länet självt har publicerat. Riket räknar också med det som länen har \
                    undanhållit: varken länen eller riket har sett varandras undanhållna antal.";
        let groups = "Rader för en kommungrupp räknar de kommuner som kommungrupper.csv anger, i de län som deltar. De är summor över \
                      län; vad ett län har i en kommungrupp har ingen sett.";
        let has_groups = publication.collection.tables.iter().any(|t| !publication.groups_of(t).is_empty());
        let lines = [publication.coverage(), rows.into()].into_iter();
        return lines.chain(has_groups.then(|| groups.into())).chain(realm.lines()).collect();
    }
    let names: Vec<String> = publication.roster.iter().map(|unit| publication.name(unit)).collect();
    let names = match names.as_slice() {
        [] => "Ingen av de inbjudna kommunerna deltar.".into(),
        names => format!("Uppgifterna kommer från {}.", text::list(names)),
    };
    vec![names, publication.coverage()]
}

fn counted(publication: &Publication) -> String {
    let collection = publication.collection;
    let mut periods: Vec<Period> = collection.tables.iter().flat_map(|table| table.periods.clone()).collect();
    periods.sort();
    periods.dedup();
    format!(
        "En rad i underlaget är en aktualisering. Tabellerna räknar aktualiseringar, inte personer: samma \
         person kan vara aktuell flera gånger. Perioder: {}. Kodbok: {}. Insamling: {}, version {}.",
        text::periods(&periods),
        publication.codebook.name(),
        collection.id,
        collection.version,
    )
}

fn disclosure(min_count: u32) -> Vec<String> {
    vec![
        format!(
            "Tröskelvärdet är {min_count}: antal från 1 till {} visas inte. En kommun kan ha valt ett \
             högre tröskelvärde för sina egna uppgifter.",
            min_count - 1
        ),
        "För att sådana uppgifter inte ska kunna räknas ut ur det som visas är också andra uppgifter \
         undertryckta. Alla undertryckta uppgifter har samma tecken, x, och det framgår inte vilka som är \
         små. Antalet 0 visas."
            .into(),
        "Uppgifter som inte visas ingår i alla summor och totaler, med sina verkliga värden. Ett \
         procenttal eller en förändring visas inte om något av de antal som behövs är undertryckt."
            .into(),
    ]
}

fn signs() -> Vec<String> {
    let all = [Status::Withheld, Status::NotDelivered, Status::CannotOccur];
    let marks = all.into_iter().filter_map(meaning).map(str::to_string);
    marks.chain(["0 = antalet är noll, eller mindre än en halv procent".into()]).collect()
}

fn extension(collection: &Collection, first: u32) -> Vec<String> {
    let new: Vec<&str> =
        collection.tables.iter().filter(|table| table.is_new).map(|table| table.id.as_str()).collect();
    vec![format!(
        "Det här är version {}: version {first} med nya tabeller ({}). Uppgifterna i de andra tabellerna är desamma som i version {first}. \
         De två versionerna är granskade tillsammans.",
        collection.version,
        new.join(", ")
    )]
}

fn corrections(this: u32, first: u32) -> Vec<String> {
    vec![
        format!(
            "Det här är version {this}. Version {first} ligger kvar och gäller inte längre. Uppgifter som är andra än i version \
             {first} har ett r efter sig; de räknas upp i filen rattningar.csv."
        ),
        format!(
            "De två versionerna är granskade tillsammans. En total där en undertryckt uppgift har rättats, eller där en \
             kommun med en undertryckt uppgift har tillkommit, visas därför inte i version {this}: skillnaden mot version \
             {first} vore den uppgiften."
        ),
    ]
}

fn codes(publication: &Publication) -> Vec<String> {
    let mut seen = std::collections::BTreeSet::new();
    let dimensions = publication.collection.tables.iter().flat_map(|table| &table.dimensions);
    let resolved = dimensions.filter(|dimension| seen.insert(&dimension.id));
    let whole = resolved.filter_map(|dimension| publication.codebook.resolve(&dimension.id));
    let describe = |dimension: tables::codebook::Resolved| {
        let codes: Vec<_> = dimension
            .categories
            .iter()
            .map(|category| format!("{} ({})", category.text, category.code))
            .collect();
        format!("{} ({}): {}.", dimension.text, dimension.id, codes.join(", "))
    };
    let head = "Koderna inom parentes står i filerna under csv. Totaler har koden TOT.".to_string();
    let by_combination =
        |table: &&Table| table.several.values().any(|rule| *rule == tables::collection::Several::Combination);
    let several = publication.collection.tables.iter().find(by_combination).map(|_| {
        format!("Koden {SEVERAL}, i tabeller som säger det: aktualiseringar vars fält har flera koder av variabeln.")
    });
    std::iter::once(head).chain(whole.map(describe)).chain(several).collect()
}

/// What a table counts, where and when: the line under its title.
pub fn subtitle(publication: &Publication, table: &Table) -> String {
    let measure = match table.measure {
        Measure::Aktualiseringar => "Antal aktualiseringar",
    };
    let percent = match &table.percent {
        None => "",
        Some(percent) if percent.measure.word() == "procent_rad" => " och procent av radens summa",
        Some(_) => " och procent av kolumnens summa",
    };
    let place = match table.scope {
        _ if !publication.groups_of(table).is_empty() => "län, kommungrupper och riket".into(),
        _ if publication.realm.is_some() => "län och riket".into(),
        Scope::Kommun => format!("kommuner i {}", publication.county()),
        Scope::Total => publication.county(),
    };
    format!(
        "{measure}{percent}, {place}, {}.{}",
        text::periods(&table.periods),
        selection(publication, table)
    )
}

/// The filter in words; codes that are a dimension of the table are seen in the table itself.
fn selection(publication: &Publication, table: &Table) -> String {
    let is_dimension = |variable| table.dimensions.iter().any(|dimension| dimension.variable == variable);
    let mut words = Vec::new();
    for (variable, codes) in table.filter.iter().filter(|(variable, _)| !is_dimension(**variable)) {
        let variable = &publication.codebook.variables[*variable];
        let text = match codes.len() {
            all if all == variable.codes.len() => "alla kända".into(),
            _ => codes
                .iter()
                .map(|code| variable.codes[usize::from(*code)].text.clone())
                .collect::<Vec<_>>()
                .join(", "),
        };
        words.push(format!("{}: {text}", variable.text));
    }
    if words.is_empty() { String::new() } else { format!(" {}.", words.join("; ")) }
}

/// The lines under a table: size and bortfall per period, coverage, marks that occur, footnotes, source.
pub fn notes(publication: &Publication, at: usize) -> Vec<String> {
    let (spec, table) = (&publication.collection.tables[at], &publication.tables[at]);
    let mut notes: Vec<String> = spec.periods.iter().map(|period| size(publication, at, *period)).collect();
    notes.push(publication.coverage());
    let all = [Status::Withheld, Status::NotDelivered, Status::CannotOccur];
    let occurs = |status: &Status| table.rows.iter().any(|row| row.status == *status);
    notes.extend(all.into_iter().filter(occurs).filter_map(meaning).map(|text| format!("{text}.")));
    if let Some(revisions) = &publication.revisions
        && table.rows.iter().any(|row| revisions.contains(at, row))
    {
        notes.push(format!("r = rättad: uppgiften är en annan än i version {}.", revisions.version));
    }
    notes.extend(spec.footnotes.iter().chain(&publication.collection.footnotes).cloned());
    notes.push(format!("Källa: {}.", publication.collection.source.trim_end_matches('.')));
    notes
}

/// `2024: n = 6 330, bortfall 6.` Where the grand total is no margin of the table: the bases of its
/// percentages.
fn size(publication: &Publication, at: usize, period: Period) -> String {
    let (spec, table) = (&publication.collection.tables[at], &publication.tables[at]);
    let bases = bases(publication, spec, table, period);
    let n = match bases.as_slice() {
        [] => String::new(),
        [(None, figure)] => format!("n = {}, ", text::figure(*figure)),
        several => {
            let named = |(name, figure): &(Option<String>, Figure)| {
                format!("{} ({})", text::figure(*figure), name.as_deref().unwrap_or("totalt"))
            };
            format!("n = {}, ", several.iter().map(named).collect::<Vec<_>>().join(", "))
        }
    };
    let bortfall = county_rows(publication, table, period, BORTFALL).map(Figure::of_row).next();
    format!("{period}: {n}bortfall {}.", bortfall.map(text::figure).unwrap_or_default())
}

/// The county's counts that stand for the whole table in a period, each with what it is the total of.
fn bases(
    publication: &Publication,
    spec: &Table,
    table: &StrictTable,
    period: Period,
) -> Vec<(Option<String>, Figure)> {
    let all: u32 = (1 << spec.dimensions.len()) - 1;
    let wanted = if spec.margins.contains(&all) { all } else { spec.percent_over };
    if wanted != all && wanted == 0 {
        return Vec::new();
    }
    let margin = |row: &&StrictRow| {
        let codes = row.codes.iter().take(spec.dimensions.len()).enumerate();
        codes.fold(0u32, |mask, (at, code)| mask | u32::from(code == TOT) << at) == wanted
    };
    let name = |row: &StrictRow| {
        let texts = spec.dimensions.iter().zip(&row.codes).filter_map(|(dimension, code)| {
            dimension
                .categories
                .iter()
                .find(|category| category.code == *code)
                .map(|category| category.text.clone())
        });
        let texts: Vec<String> = texts.collect();
        (!texts.is_empty()).then(|| texts.join(", "))
    };
    let rows = county_rows(publication, table, period, count_word(spec.measure)).filter(margin);
    rows.map(|row| (name(row), Figure::of_row(row))).collect()
}

fn county_rows<'b>(
    publication: &Publication,
    table: &'b StrictTable,
    period: Period,
    matt: &'static str,
) -> impl Iterator<Item = &'b StrictRow> {
    let county = publication.whole();
    table.rows.iter().filter(move |row| row.omrade == county && row.tid == period && row.matt == matt)
}

//! `--nuso`: a made study of children in 97 kommuner, and what its publication says beside what its rows meant.
//!
//! What it does not do: it starts no party. One body collects from all kommuner of the study, as if they were one county: they are
//! made, and lie in the made county 99.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::Instant;

use anyhow::Context;
use node::link::journal;
use nuso::review::Review;
use nuso::{Compared, Study, Truth, Variety};
use tables::collection::Collection;
use tables::strict::StrictTable;
use tables::unit::KommunKod;

use crate::watch::Watched;

/// A study whose extracts are written.
pub struct Made {
    /// The collection document.
    pub collection: String,
    /// The made kommuner, which no list of Sweden's has.
    pub kommuner: BTreeSet<KommunKod>,
    truth: Truth,
    variety: Variety,
    review: Review,
    seconds: [f64; 2],
}

/// Makes the study, and lets every kommun answer what the program asks about its labels.
///
/// # Errors
/// When something cannot be written.
pub fn make(units: usize, seed: u64, folder: &Path) -> anyhow::Result<Made> {
    let began = Instant::now();
    let study = Study::generate(units, seed);
    let (truth, variety) = (study.truth(), study.variety());
    let made = began.elapsed().as_secs_f64();
    let mut review = Review::default();
    study.write(folder)?.iter().for_each(|one| review.add(one));
    let kommuner = study.kommuner().iter().map(|kommun| Ok(kommun.unit().parse()?));
    let made = Made {
        collection: study.collection(),
        kommuner: kommuner.collect::<anyhow::Result<_>>()?,
        truth,
        variety,
        review,
        seconds: [made, began.elapsed().as_secs_f64() - made],
    };
    made.print();
    Ok(made)
}

/// A share as `97,3 %`.
fn percent(part: u64, all: u64) -> String {
    let thousandths = (2_000 * part + all).checked_div(2 * all).unwrap_or_default();
    format!("{},{} %", thousandths / 10, thousandths % 10)
}

impl Made {
    fn print(&self) {
        let Variety { rows, types, reasons, combinations, decisions, rows_with_reasons } = self.variety;
        let kommuner = self.kommuner.len();
        println!(
            "{kommuner} kommuner, {rows} rader; stavningar: {types} av typ, {reasons} av orsak i {combinations} kombinationer"
        );
        println!("och enstaka, {decisions} av åtgärd; {rows_with_reasons} rader i kommuner som anger orsak");
        println!("\nEtiketter, lästa utan att någon tillfrågats, och kommunernas svar om de övriga:");
        for (variable, share) in &self.review.shares {
            println!(
                "  {variable:<18} {} av raderna med etikett; {} etiketter frågades det om, {} fick svar ({} rader)",
                percent(share.mapped, share.written),
                share.asked,
                share.answered,
                share.answered_rows
            );
        }
        let refused: u64 = self.review.refused.values().sum();
        println!(
            "Rader: {} lästa, {refused} avvisade, {} summarader, {} med upprepat nummer (räknas)",
            self.review.read, self.review.skipped, self.review.repeated
        );
        for (reason, rows) in &self.review.refused {
            println!("  {rows:>6}  {reason}");
        }
        println!("Gjorda på {:.1} s, skrivna och granskade på {:.1} s\n", self.seconds[0], self.seconds[1]);
    }

    /// Prints what was published beside the truth; whether nothing differs and no kommun's small count is shown.
    ///
    /// # Errors
    /// When a journal or the publication cannot be read.
    pub fn compare(&self, out: &Path, collection: &Collection, watched: &Watched) -> anyhow::Result<bool> {
        println!("\nSekunder per fas:");
        for (phase, seconds) in &watched.phases {
            println!("  {phase:<26} {seconds:6.1}");
        }
        let mut sent = Vec::new();
        for unit in &collection.units {
            let reading = journal::read(&out.join("noder").join(unit.to_string()).join("journal"))?;
            sent.push(reading.entries.iter().map(|entry| entry.body.len()).sum::<usize>());
        }
        let (least, most) = (sent.iter().min().unwrap_or(&0), sent.iter().max().unwrap_or(&0));
        println!("{} noder, {least}–{most} byte från var och en", sent.len());
        if let Some(failure) = &watched.failure {
            println!("\nIngen publicering: {failure}");
            return Ok(false);
        }
        let version = format!("v{}", collection.version);
        let folder =
            out.join("region").join(collection.county.to_string()).join(&collection.id).join(version);
        let mut all = Compared::default();
        for table in &collection.tables {
            let name = format!("{}.csv", table.id);
            let strict = StrictTable::from_csv(&name, &std::fs::read(folder.join("csv").join(&name))?)?;
            let found = self.truth.compare(&strict).context(format!("{name}: något som studien inte har"))?;
            println!(
                "  {}: {} antal visade, {} undanhållna, {} procenttal",
                table.id, found.shown, found.withheld, found.percentages
            );
            all.add(found);
        }
        println!(
            "\n{} av {} publicerade siffror skiljer sig från vad raderna betydde; {} antal undanhållna; {} små antal visade",
            all.differ,
            all.shown + all.percentages,
            all.withheld,
            all.small
        );
        println!("\nPublikation: {}", folder.display());
        Ok(all.differ == 0 && all.small == 0 && all.shown > 0)
    }
}

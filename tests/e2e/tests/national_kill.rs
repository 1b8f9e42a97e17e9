//! KEEP-1 at the upper tier: the national body, the third coordinator and regions killed again and again while a national
//! round runs; a service manager starts them again, and every total is the straight count all the same.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use e2e::data::SEED;
use rustix::process::{Pid, Signal, kill_process};
use tables::strict::StrictTable;

const EXE: &str = env!("CARGO_BIN_EXE_e2e-party");
const COLLECTION: &str = "aktualiseringar-nationell-2024";
/// Who is killed, in turn.
const VICTIMS: [&str; 5] =
    ["nationell.toml", "tredje.toml", "region-03.toml", "nationell.toml", "region-10.toml"];
/// Pause between two kills.
const PAUSE: Duration = Duration::from_millis(700);
/// Kills; the round goes on afterwards.
const KILLS: usize = 20;
/// Longest run.
const LONGEST: Duration = Duration::from_secs(600);

/// The process that runs with a configuration file.
fn running(config: &Path) -> Option<Pid> {
    let wanted = config.to_str()?;
    for entry in std::fs::read_dir("/proc").ok()?.flatten() {
        let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse::<i32>().ok()) else {
            continue;
        };
        let Ok(line) = std::fs::read(entry.path().join("cmdline")) else { continue };
        let words: Vec<&[u8]> = line.split(|byte| *byte == 0).collect();
        if words.contains(&wanted.as_bytes()) && words.contains(&&b"run"[..]) {
            return Pid::from_raw(pid);
        }
    }
    None
}

/// A demo that runs, started anew whenever one of its processes dies.
struct Demo {
    root: tempfile::TempDir,
    out: PathBuf,
    process: Child,
    began: Instant,
}

impl Demo {
    fn start() -> anyhow::Result<Self> {
        let root = tempfile::tempdir()?;
        let out = root.path().join("land");
        let said = std::fs::File::create(root.path().join("said"))?;
        let seed = SEED.to_string();
        let process = Command::new(EXE)
            .args(["--national", "--restart", "--seed", seed.as_str(), "--out"])
            .arg(&out)
            .stdin(Stdio::null())
            .stdout(said.try_clone()?)
            .stderr(said)
            .spawn()?;
        Ok(Self { root, out, process, began: Instant::now() })
    }

    fn text(&self) -> String {
        std::fs::read_to_string(self.root.path().join("said")).unwrap_or_default()
    }

    fn is_over(&mut self) -> anyhow::Result<bool> {
        if self.began.elapsed() > LONGEST {
            self.process.kill()?;
            ensure!(false, "stuck: {}", self.text());
        }
        Ok(self.process.try_wait()?.is_some())
    }

    /// Waits for what the demo says; enrolment is not what is tried here: it has a test of its own.
    fn wait_for(&mut self, word: &str) -> anyhow::Result<()> {
        while !self.text().contains(word) {
            ensure!(!self.is_over()?, "{}", self.text());
            std::thread::sleep(Duration::from_millis(50));
        }
        Ok(())
    }

    fn end(&mut self) -> anyhow::Result<()> {
        while !self.is_over()? {
            std::thread::sleep(Duration::from_millis(100));
        }
        ensure!(self.process.wait()?.success(), "{}", self.text());
        Ok(())
    }

    /// The first table of a publication.
    fn table(&self, folder: &str) -> anyhow::Result<StrictTable> {
        let path = self.out.join(folder).join(COLLECTION).join("v1/csv/N2.csv");
        Ok(StrictTable::from_csv("N2.csv", &std::fs::read(path)?)?)
    }
}

#[test]
fn a_national_round_survives_kills_of_its_coordinators_and_counts_everything_once() -> anyhow::Result<()> {
    let mut demo = Demo::start()?;
    demo.wait_for("deklarera")?;
    let mut killed = 0;
    for victim in VICTIMS.iter().cycle().take(KILLS) {
        std::thread::sleep(PAUSE);
        if demo.is_over()? {
            break;
        }
        if let Some(pid) = running(&demo.out.join(victim)) {
            kill_process(pid, Signal::KILL)?;
            killed += 1;
        }
    }
    demo.end()?;
    ensure!(killed > 5, "{killed} kills; {}", demo.text());
    let units = demo.out.join("noder").read_dir()?;
    let mut codes = Vec::new();
    for unit in units {
        codes.push(unit?.file_name().to_string_lossy().into_owned());
    }
    let rows = county::country_rows(&codes, SEED)?;
    let year = rows.iter().flat_map(|(_, rows)| &rows.events).filter(|event| event.year == 2024);
    let known = year.filter(|event| event.code("aktualiseringstyp").is_some()).count() as i64;
    let table = demo.table("national")?;
    let total =
        table.rows.iter().find(|row| row.omrade.to_string() == "00" && row.codes == ["TOT", "TOT", "TOT"]);
    assert_eq!(total.context("the grand total")?.varde, Some(known));
    let shown = table.rows.iter().filter(|row| row.omrade.to_string() == "00" && row.varde.is_some()).count();
    ensure!(shown > 3, "{shown}");
    Ok(())
}

/// Once it has agreed others count on it: a region that is killed there publishes under the pattern after its restart (SAFE-3).
#[test]
fn a_region_killed_after_it_agreed_and_before_it_published_publishes_what_it_agreed_to() -> anyhow::Result<()>
{
    const COUNTIES: [&str; 5] = ["03", "07", "08", "10", "21"];
    let mut demo = Demo::start()?;
    demo.wait_for("deklarera")?;
    let mut waiting: Vec<&str> = COUNTIES.to_vec();
    let mut in_between = 0;
    while !waiting.is_empty() {
        ensure!(!demo.is_over()?, "{} left; {}", waiting.len(), demo.text());
        waiting.retain(|county| {
            let log = demo.out.join("log").join(format!("region-{county}.log"));
            if !std::fs::read_to_string(log).is_ok_and(|text| text.contains("agreed to the pattern")) {
                return true;
            }
            let pid = running(&demo.out.join(format!("region-{county}.toml")));
            let killed = pid.is_some_and(|pid| kill_process(pid, Signal::KILL).is_ok());
            let published = demo.out.join("region").join(county).join(COLLECTION).join("v1").exists();
            in_between += usize::from(killed && !published);
            false
        });
        std::thread::sleep(Duration::from_millis(5));
    }
    demo.end()?;
    ensure!(in_between >= 3, "only {in_between} regions were killed in between");
    let national = demo.table("national")?;
    for county in COUNTIES {
        let own = demo.table(&format!("region/{county}"))?;
        let of = |table: &StrictTable| -> Vec<_> {
            let rows = table.rows.iter().filter(|row| row.omrade.to_string() == county);
            rows.map(|row| (row.codes.clone(), row.varde, row.status)).collect()
        };
        ensure!(!of(&own).is_empty() && of(&own) == of(&national), "{county} published something else");
    }
    Ok(())
}

//! KEEP-1 at the upper tier: the national body, the third coordinator and regions killed again and again while a national
//! round runs; a service manager starts them again, and every total is the straight count all the same.

use std::path::Path;
use std::process::{Command, Stdio};
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

#[test]
fn a_national_round_survives_kills_of_its_coordinators_and_counts_everything_once() -> anyhow::Result<()> {
    let root = tempfile::tempdir()?;
    let out = root.path().join("land");
    let said = std::fs::File::create(root.path().join("said"))?;
    let seed = SEED.to_string();
    let mut demo = Command::new(EXE)
        .args(["--national", "--restart", "--seed", seed.as_str(), "--out"])
        .arg(&out)
        .stdin(Stdio::null())
        .stdout(said.try_clone()?)
        .stderr(said)
        .spawn()?;
    let text = || std::fs::read_to_string(root.path().join("said")).unwrap_or_default();
    let began = Instant::now();
    // Enrolment is not what is tried here: it has a test of its own.
    while !text().contains("deklarera") {
        ensure!(began.elapsed() < LONGEST && demo.try_wait()?.is_none(), "{}", text());
        std::thread::sleep(Duration::from_millis(50));
    }
    let mut killed = 0;
    for victim in VICTIMS.iter().cycle().take(KILLS) {
        std::thread::sleep(PAUSE);
        if demo.try_wait()?.is_some() {
            break;
        }
        if let Some(pid) = running(&out.join(victim)) {
            kill_process(pid, Signal::KILL)?;
            killed += 1;
        }
    }
    let status = loop {
        if let Some(status) = demo.try_wait()? {
            break status;
        }
        if began.elapsed() > LONGEST {
            demo.kill()?;
            ensure!(false, "stuck: {}", text());
        }
        std::thread::sleep(Duration::from_millis(100));
    };
    ensure!(status.success() && killed > 5, "{killed} kills; {}", text());
    let units = out.join("noder").read_dir()?;
    let mut codes = Vec::new();
    for unit in units {
        codes.push(unit?.file_name().to_string_lossy().into_owned());
    }
    let rows = county::country_rows(&codes, SEED)?;
    let year = rows.iter().flat_map(|(_, rows)| &rows.events).filter(|event| event.year == 2024);
    let known = year.filter(|event| event.code("aktualiseringstyp").is_some()).count() as i64;
    let path = out.join("national").join(COLLECTION).join("v1/csv/N2.csv");
    let table = StrictTable::from_csv("N2.csv", &std::fs::read(path)?)?;
    let total =
        table.rows.iter().find(|row| row.omrade.to_string() == "00" && row.codes == ["TOT", "TOT", "TOT"]);
    assert_eq!(total.context("the grand total")?.varde, Some(known));
    let shown = table.rows.iter().filter(|row| row.omrade.to_string() == "00" && row.varde.is_some()).count();
    ensure!(shown > 3, "{shown}");
    Ok(())
}

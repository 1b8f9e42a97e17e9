//! `demo`: a whole federation on one machine, one executable that runs itself again as each party.
//!
//! `demo party node …` and `demo party coordinator …` are the parties' own command lines, unchanged; everything else
//! is the stage manager (`stage`), the audience (`watch`) and the programme (`summary`). A library only so that the
//! end-to-end tests can have an executable of their own that is this one: a test can name no other package's.

mod country;
mod groups;
mod parties;
mod stage;
mod study;
mod summary;
mod text;
mod watch;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::Parser;

/// Runs the command line; the first argument is the program's name.
///
/// Exit codes: 0 published, 1 no publication, 2 usage, 5 the stage could not be set.
pub fn main(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let mut arguments = arguments.into_iter();
    let program = arguments.next();
    let rest: Vec<_> = arguments.collect();
    if rest.first().is_some_and(|word| word == "party") {
        return parties::become_party(&rest[1..]);
    }
    let options = match stage::Options::try_parse_from(program.into_iter().chain(rest)) {
        Ok(options) => options,
        Err(error) => {
            let _ = error.print();
            return ExitCode::from(if error.use_stderr() { 2 } else { 0 });
        }
    };
    match stage::run(&options) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(1),
        Err(error) => {
            eprintln!("{error:#}");
            ExitCode::from(5)
        }
    }
}

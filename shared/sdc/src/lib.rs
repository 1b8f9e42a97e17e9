//! The command `sdc`: disclosure control for tables that stand alone.
//!
//! `sdc protect IN.csv…` reads the finest cells of one table or of several linked ones (`link`), with groups of codes and rules
//! (`lists`), withholds what must be withheld ([`suppress::table`]) and writes the tables with all of their margins as strict
//! files. `sdc audit` attacks what is published ([`audit::published`]). Ends with 0 done, 1 unsafe, 2 usage, 3 out of time, 4 bad
//! input, 5 our fault.
//!
//! Knows no coordinator and no network. Errors name file, row and column, never what stands in a cell.
//! Invariant: nothing is written that [`suppress::table::proof`] does not accept (SAFE-1, SAFE-2).

mod arguments;
pub mod audit_command;
mod input;
mod link;
mod lists;
mod output;
mod protect;
mod secret;
mod watch;

use std::ffi::OsString;
use std::process::ExitCode;

pub use arguments::{Arguments, Command, EffortArgument, ProtectArguments};
pub use input::{InputError, Table, read};
pub use link::{LinkError, Linked, Plan, link, single};
pub use lists::{Groups, groups, rules};
pub use output::{loss, report, write};
pub use protect::{Fault, protect};

/// Runs the command line and says how it ended.
pub fn main(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    use clap::Parser;
    let arguments = match Arguments::try_parse_from(arguments) {
        Ok(arguments) => arguments,
        Err(error) => {
            // A closed pipe is no reason to end otherwise than the arguments say.
            let _ = error.print();
            return ExitCode::from(if error.use_stderr() { 2 } else { 0 });
        }
    };
    let arguments = match arguments.command {
        Command::Protect(arguments) => arguments,
        Command::Audit(arguments) => return audit_command::run(&arguments),
    };
    let watch = watch::Watch::start(arguments.time_limit);
    match protect::protect_watched(&arguments, watch) {
        Ok(line) => {
            println!("{line}");
            ExitCode::SUCCESS
        }
        Err(fault) => {
            eprintln!("sdc: {fault}");
            ExitCode::from(fault.code())
        }
    }
}

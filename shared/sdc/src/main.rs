//! The command `sdc`.

use std::process::ExitCode;

fn main() -> ExitCode {
    sdc::main(std::env::args_os())
}

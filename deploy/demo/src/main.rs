//! The command `demo`.

use std::process::ExitCode;

fn main() -> ExitCode {
    demo::main(std::env::args_os())
}

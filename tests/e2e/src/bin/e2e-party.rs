//! The demo's executable under a name of this package, so that its tests find it through `CARGO_BIN_EXE_e2e-party`
//! under every runner, profile and target directory.

use std::process::ExitCode;

fn main() -> ExitCode {
    demo::main(std::env::args_os())
}

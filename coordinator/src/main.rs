//! `coordinator`: see `app`.

fn main() -> std::process::ExitCode {
    coordinator::app::main(std::env::args_os())
}

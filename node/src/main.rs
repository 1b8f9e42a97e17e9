//! `node`: see `app`.

fn main() -> std::process::ExitCode {
    node::app::main(std::env::args_os())
}

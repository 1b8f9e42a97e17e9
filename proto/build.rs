//! Compiles `samman/v1/*.proto` in Rust alone: no protoc on the machine.

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let files =
        ["common", "enrolment", "region", "helper", "national"].map(|name| format!("samman/v1/{name}.proto"));
    for file in &files {
        println!("cargo:rerun-if-changed={file}");
    }
    let descriptors = protox::compile(files, ["."])?;
    tonic_prost_build::configure().compile_fds(descriptors)?;
    Ok(())
}

//! Reading the project's own sources, for tests that keep the house rules.

use std::path::{Path, PathBuf};

/// The project's top folder.
pub fn top() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.ancestors().nth(2).unwrap_or(here).to_path_buf()
}

/// Whether a path below the top is test code: in a `tests` folder, or a module of tests.
pub fn is_test(path: &Path) -> bool {
    let below = path.strip_prefix(top()).unwrap_or(path);
    let folder = below.components().any(|part| part.as_os_str() == "tests");
    let stem = path.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
    let declared = |parent: &Path| {
        let text = std::fs::read_to_string(parent.join("lib.rs")).unwrap_or_default();
        text.contains(&format!("#[cfg(test)]\nmod {stem};"))
    };
    folder || stem.ends_with("tests") || path.parent().is_some_and(declared)
}

/// Every file below `folder` with the extension, build output left out.
///
/// # Errors
/// When a folder cannot be read.
pub fn files(folder: &Path, extension: &str) -> std::io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        if path.is_dir() {
            if name != "target" && !name.starts_with('.') {
                found.extend(files(&path, extension)?);
            }
        } else if path.extension().is_some_and(|e| e == extension) {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}

/// The lines of a source file before its in-file tests.
pub fn without_tests(source: &str) -> usize {
    source.lines().take_while(|line| !line.starts_with("#[cfg(test)]")).count()
}

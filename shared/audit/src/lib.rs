//! The adversary's arithmetic; the only maker of a Release

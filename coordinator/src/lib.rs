//! The daemon of a region, a national body and a helper

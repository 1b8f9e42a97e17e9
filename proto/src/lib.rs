//! Generated gRPC types and services of `samman.v1`; nothing else.
//!
//! Only `wire` turns these into domain types. What each message means stands beside it in `samman/v1/*.proto`.
#![allow(missing_docs, clippy::all, clippy::pedantic)]

/// Package `samman.v1`.
pub mod v1 {
    tonic::include_proto!("samman.v1");
}

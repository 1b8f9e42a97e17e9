//! Generated gRPC types and services of samman.v1

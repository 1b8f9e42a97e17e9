//! Between protobuf messages and domain types

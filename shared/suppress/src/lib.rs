//! Primary and secondary suppression

//! One command: a whole federation on one machine

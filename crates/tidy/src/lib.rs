//! The repository's rules as tests: everything is in `tests/tidy.rs`. This library is empty, for
//! cargo wants each package to build something; no program may depend on it.

//! The two systems this one grew from, by configuration alone. Their defects are the tests that must fail to happen.

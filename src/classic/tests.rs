//! Classic blocks.

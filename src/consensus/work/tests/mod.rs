//! Puzzles, difficulties, seals and chains of work.

//! Topologies of which it is known what must come of them, where everything goes wrong that can.

mod count;

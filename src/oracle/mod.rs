//! What Linux will do: pure functions, each rule with the kernel function it comes from.

pub mod prediction;

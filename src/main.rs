//! Layers 0-7 are in the library; this is the door.

fn main() {}

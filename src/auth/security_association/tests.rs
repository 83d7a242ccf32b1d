use super::*;
use crate::base::limits::Limits;
use crate::wire::sip::{Head, Message};
use proptest::prelude::*;

#[test]
fn x() {}

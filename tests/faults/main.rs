//! What befalls a server and its neighbours: it dies, its disk is full or held, a core stands still, and
//! whoever reads what it tells does not. The real binary, through its sockets. The numbers in the tests'
//! comments are the cases of the threat list.
//!
//! | case | shown by |
//! |---|---|
//! | 60 kill -9 at random points | `crash`; `tests/durability.rs` for records and conferences; `store/tests/kill.rs` for all rows, many times over |
//! | 61 disk full, read-only, slow | `disk`; `store/tests/batches.rs` and `writes.rs`, where a database turns read-only under a server. Archiving is not there yet, so nobody is refused for its sake |
//! | 62 a neighbour that accepts and never answers | `tests/ldap`: `a_directory_service_that_never_answers_holds_up_nobody`; `disk` for the store |
//! | 63 partition of a pool | there is no pool yet |
//! | 64 a core stands still | `stall`; `runtime/watchdog.rs` up to the end of the process |
//! | 65 all users come back | `tests/operation/storm.rs`, `tests/scenarios/storm.rs`; measured by `tuning/storm.sh` |
//! | 66 drain | `tests/operation/drain.rs`, `tests/scenarios/leaving.rs` and `drain.rs`; SIGTERM: `tests/durability.rs`, `tests/runtime/faults.rs` |
//! | 67 nobody reads log, metrics, trace, events; no collector | `unread`; `tests/observe/hep.rs` |
//! | 68 random schedules of faults | `tests/sim` |

#[path = "../outside/mod.rs"]
mod outside;

mod crash;
mod disk;
mod stall;
mod unread;

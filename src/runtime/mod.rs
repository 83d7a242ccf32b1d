//! Layer 6: executors, mesh, boot. Starts one executor a core, carries frames between them, and
//! stands between them and the control thread.

pub mod account_desk;
mod api_desk;
pub mod boot;
pub mod census;
pub mod checks;
pub mod control;
mod copies;
pub mod core_loop;
pub mod courier;
pub mod drain;
pub mod inquiries;
pub mod ldap_look;
mod ldap_users;
pub mod ledger;
mod links;
mod log_writer;
pub mod logging;
pub mod mesh;
pub mod observers;
pub mod orders;
mod photo;
pub mod ready;
mod reload;
pub mod returns;
pub mod serve;
pub mod watchdog;

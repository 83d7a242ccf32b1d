//! Real clients against the real server: what they report, and what the server's records and
//! counters say about it. The clients are Debian packages; a missing one fails the test with the
//! package's name. `tests/run` installs them.

#[path = "../outside/mod.rs"]
mod outside;

mod baresip;
mod baresip_presence;
mod bridge;
mod browser;
mod complaints;
mod console;
mod embed;
mod pidgin_access_levels;
mod pidgin_conference;
mod pidgin_conference_faults;
mod pidgin_contacts;
mod pidgin_directory;
mod pidgin_endpoints;
mod pidgin_filter;
mod pidgin_presence;
mod pidgin_restart;
mod pidgin_sipe;
mod pidgin_sipe_ntlm;
mod sipp;
mod sipsak;

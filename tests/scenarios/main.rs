//! Conversations in octets with one to four shards in one thread: one test a behaviour.

#[path = "../harness/mod.rs"]
mod harness;

mod bridge;
mod conference_factory;
mod conference_invitations;
mod conference_joining;
mod conference_operations;
mod conference_operator;
mod conference_pager;
mod conference_races;
mod conference_real;
mod conference_records;
mod conference_refer;
mod conference_reports;
mod conference_review;
mod conference_roster;
mod conference_saying;
mod contact_list;
mod drain;
mod filter;
mod forking;
mod identity;
mod leaving;
mod limits;
mod lists;
mod lockout;
mod malformed;
mod ntlm;
mod observing;
mod pager;
mod presence_limits;
mod publishing;
mod reconfiguring;
mod refreshing;
mod registration;
mod responses;
mod session;
mod sign_in;
mod signatures;
mod storm;
mod timers;
mod vanish;
mod watching;

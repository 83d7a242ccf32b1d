//! Options of the command line for connections that many users share.

use crate::cli::resolve;
use crate::settings::{Links, Settings, Transport};
use anyhow::{Context, Result, ensure};
use clap::Args;
use std::path::PathBuf;

/// `--links` and what belongs to it.
#[derive(Args, Clone, Debug)]
pub struct LinkOptions {
    /// Connections that many users share, as those of an Edge: as many for each thread.
    #[arg(
        long,
        value_name = "N",
        value_parser = clap::value_parser!(u32).range(1..=10_000),
        requires_all = ["users_per_link", "link_target", "link_cert", "link_key"]
    )]
    links: Option<u32>,
    /// Users on each link; the others of --users have connections of their own.
    #[arg(
        long,
        value_name = "M",
        value_parser = clap::value_parser!(u32).range(1..=1_000_000),
        requires = "links"
    )]
    users_per_link: Option<u32>,
    /// Where the server takes links (Mynah: listen.links).
    #[arg(long, value_name = "HOST:PORT", requires = "links")]
    link_target: Option<String>,
    /// Certificate chain (PEM) that links show.
    #[arg(long, value_name = "FILE", requires = "links")]
    link_cert: Option<PathBuf>,
    /// Its private key (PEM).
    #[arg(long, value_name = "FILE", requires = "links")]
    link_key: Option<PathBuf>,
}

impl LinkOptions {
    /// What was asked for, if anything was.
    ///
    /// # Errors
    /// When the address is none.
    pub fn links(self) -> Result<Option<Links>> {
        let LinkOptions { links, users_per_link, link_target, link_cert, link_key } = self;
        let (Some(count), Some(users_per_link), Some(target), Some(cert), Some(key)) =
            (links, users_per_link, link_target, link_cert, link_key)
        else {
            return Ok(None);
        };
        let target = resolve("--link-target", &target)?;
        Ok(Some(Links { cert, count, key, target, users_per_link }))
    }
}

/// Refuses links that cannot be had. `fewest` is the number of users of the thread with the fewest.
pub fn check(settings: &Settings, fewest: u32) -> Result<()> {
    let Some(links) = &settings.links else { return Ok(()) };
    ensure!(
        settings.transport == Transport::Tls,
        "--links needs --transport tls: a link shows a certificate"
    );
    ensure!(
        settings.users_stay(),
        "--links needs users who stay: neither connect, nor register without \
         --refresh, nor conferences with --silent, nor profiles whose users return"
    );
    ensure!(
        links.count.is_multiple_of(settings.threads),
        "--links {} must be a multiple of --threads {}: every thread has as many",
        links.count,
        settings.threads
    );
    let wanted = (links.count / settings.threads)
        .checked_mul(links.users_per_link)
        .context("--links times --users-per-link is too much")?;
    ensure!(
        wanted <= fewest,
        "--links times --users-per-link is more than --users: a thread has {fewest} users and \
         {wanted} places on links"
    );
    Ok(())
}

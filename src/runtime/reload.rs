//! Another configuration while the server runs. All that can fail comes first: a file that cannot
//! be read or a certificate that cannot be used changes nothing at all.

use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::ServerName;
use tokio::sync::oneshot;
use tokio::time::{Instant, timeout_at};

use super::boot::{EXPIRY_WARNING_DAYS, link_names};
use super::control::Control;
use super::logging::LogFilter;
use super::orders::{Configuration, Order};
use crate::admin::certificates::{CertificateStanding, CertificatesStanding};
use crate::admin::operation::{ChangeReport, ReloadReport};
use crate::base::ids::ShardId;
use crate::config::{Settings, differences, reloaded};
use crate::net::certs::{Certificates, Dated, Offers};

/// For the cores to take other settings; one that stands still takes them when it goes on.
const APPLY_TIME: Duration = Duration::from_secs(1);

/// What a reload would put into force: everything was read and can be used.
struct Prepared {
    settings: Settings,
    certificates: Option<Certificates>,
    offers: Offers,
    link_names: Arc<[ServerName<'static>]>,
    report: ReloadReport,
}

/// What the pages tell of certificates.
pub(super) fn standing(certificates: &Certificates) -> CertificatesStanding {
    let one = |dated: &Dated| CertificateStanding {
        file: dated.file.clone(),
        is_authority: dated.is_authority,
        names: dated.names.clone(),
        valid: dated.validity.map(|valid| (valid.not_before, valid.not_after)),
    };
    let certificates = certificates.dated().iter().map(one).collect();
    CertificatesStanding { certificates, trouble: None }
}

impl Control {
    /// Reads the configuration again and says in the log and in the report what changes; then
    /// changes it, unless this is a trial.
    pub(super) async fn reload(
        &mut self,
        log: Option<&LogFilter>,
        dry_run: bool,
    ) -> Result<ReloadReport, String> {
        let prepared = self.prepare()?;
        if dry_run {
            return Ok(prepared.report);
        }
        for change in &prepared.report.changes {
            let ChangeReport { key, old, new, live } = change;
            match live {
                true => tracing::info!("reload: {key} changes from {old} to {new}"),
                false => tracing::warn!("{key} has changed: it takes effect at the next start"),
            }
        }
        let filter = &prepared.settings.log.filter;
        if let Some(log) = log
            && *filter != self.settings.log.filter
        {
            log.set(filter).map_err(|error| error.to_string())?;
        }
        let Prepared { settings, certificates, offers, link_names, mut report } = prepared;
        self.certificates = certificates;
        self.settings = settings;
        let settings = Arc::new(self.settings.clone());
        self.apply(settings, offers, link_names).await;
        report.applied = true;
        tracing::info!("reloaded");
        self.warn_of_dates();
        Ok(report)
    }

    /// Reads all that a reload needs, and changes nothing.
    fn prepare(&mut self) -> Result<Prepared, String> {
        let wanted = match &mut self.reread {
            Some(reread) => reread()?,
            None => self.settings.clone(),
        };
        let settings = reloaded(&self.settings, &wanted);
        LogFilter::check(&settings.log.filter).map_err(|error| error.to_string())?;
        let link_names = link_names(&settings.links.names).map_err(|error| error.to_string())?;
        let mut certificates = self.certificates.clone();
        let mut offers = Offers::default();
        let mut warnings = Vec::new();
        if let Some(read) = &mut certificates {
            read.replace(&settings.certificates, &settings.links.ca)
                .map_err(|error| error.to_string())?;
            offers = read.load().map_err(|error| error.to_string())?;
            warnings = read.warnings(EXPIRY_WARNING_DAYS);
        }
        let changes = differences(&self.settings, &wanted).into_iter().map(Into::into).collect();
        let report = ReloadReport { applied: false, changes, warnings };
        Ok(Prepared { settings, certificates, offers, link_names, report })
    }

    /// Gives the cores and the services other settings, and waits until the cores have them.
    async fn apply(
        &self,
        settings: Arc<Settings>,
        offers: Offers,
        link_names: Arc<[ServerName<'static>]>,
    ) {
        self.show_certificates();
        self.tls.send_replace(offers.clients.clone());
        let limits = Arc::new(settings.limits.clone());
        let configuration =
            Configuration { settings: settings.clone(), limits, offers, link_names };
        let mut answers = Vec::new();
        for shard in (0..self.cores.shards()).map(ShardId) {
            let (done, applied) = oneshot::channel();
            let order = Order::Configure(Box::new(configuration.clone()), done);
            match self.cores.order(shard, order) {
                Ok(()) => answers.push((shard, applied)),
                Err(error) => tracing::error!(%error, "not reloaded there"),
            }
        }
        self.in_force.send_replace(settings);
        let until = Instant::now() + APPLY_TIME;
        for (shard, applied) in answers {
            if timeout_at(until, applied).await.is_err() {
                tracing::warn!(%shard, "core takes its time to take the new settings");
            }
        }
    }

    /// Reads the certificates again because their files have changed. What cannot be used changes
    /// nothing.
    pub(super) fn reload_certificates(&mut self) {
        let Some(certificates) = &mut self.certificates else { return };
        match certificates.load() {
            Ok(offers) => {
                self.cores.order_all(|| Order::Offer(offers.clone()));
                self.tls.send_replace(offers.clients);
                self.show_certificates();
                tracing::info!("certificates reloaded");
                self.warn_of_dates();
            }
            Err(error) => {
                self.shown.send_modify(|standing| standing.trouble = Some(error.to_string()));
                tracing::error!("certificates not reloaded, the old stay: {error}");
            }
        }
    }

    /// Tells the pages which certificates are in force.
    fn show_certificates(&self) {
        self.shown.send_replace(self.certificates.as_ref().map(standing).unwrap_or_default());
    }

    /// Names in the log the certificates that have expired or are about to.
    pub(super) fn warn_of_dates(&self) {
        for warning in self.certificates.iter().flat_map(|read| read.warnings(EXPIRY_WARNING_DAYS))
        {
            tracing::warn!("{warning}");
        }
    }
}

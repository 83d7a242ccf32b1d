//! From text to settings.

use toml::Spanned;

use super::error::{Error, Problem};
use super::limits::{self, Located};
use super::schema::{self, File};
use super::settings::{Api, AuthMethod, Certificate, Links, Listen, Log, Settings};
use super::{hep, ldap, policy};

/// Reads the text of a `mynah.toml`. Keys that are absent have their default.
pub fn parse(text: &str) -> Result<Settings, Error> {
    let file = toml::from_str(text).map_err(|error| Error::from_toml(text, &error))?;
    resolve(file).map_err(|(span, problem)| Error::at(text, span, problem))
}

fn resolve(file: File) -> Result<Settings, Located> {
    let defaults = Settings::default();
    let listen = listen(&file.listen)?;
    let exempt = once(file.listen.exempt.unwrap_or_default(), |network| network.0.to_string())?;
    let api_place = file.api.listen.as_ref().map_or(0..0, Spanned::span);
    let api = api(file.api)?;
    let (lync_auth, standard_auth) = methods(file.auth.lync, file.auth.standard)?;
    let limits = limits::resolve(&file.limits)?;
    let policies = policy::resolve(file.policy, &limits)?;
    Ok(Settings {
        domains: match file.server.domains {
            Some(domains) => distinct(domains, Problem::NoDomain, |name| name.0.clone())?
                .into_iter()
                .map(|name| name.0)
                .collect(),
            None => defaults.domains,
        },
        name: file.server.name.map_or(defaults.name, |name| name.0),
        data: file.server.data.map_or(defaults.data, |path| path.0),
        cores: file.server.cores.map_or(defaults.cores, |cores| cores.0),
        certificates: match file.tls.certificates {
            Some(written) if written.get_ref().is_empty() && api.needs_tls() => {
                return Err((api_place, Problem::NoApiCertificate));
            }
            Some(certificates) => self::certificates(certificates, &listen)?,
            None => defaults.certificates,
        },
        api,
        links: links(file.links, file.listen.links.as_ref(), &listen)?,
        listen,
        exempt: exempt.into_iter().map(|network| network.0).collect(),
        lync_auth,
        standard_auth,
        ntlm_version: file.auth.ntlm_version.map_or(defaults.ntlm_version, |version| version.0),
        digest: match file.auth.digest {
            Some(list) => distinct(list, Problem::NoDigest, |a| a.0.name().to_owned())?
                .into_iter()
                .map(|algorithm| algorithm.0)
                .collect(),
            None => defaults.digest,
        },
        log: Log {
            filter: file.log.filter.map_or(defaults.log.filter, |filter| filter.0),
            format: file.log.format.map_or(defaults.log.format, |format| format.0),
        },
        custom_state_url: match file.presence.custom_state_url {
            Some(folder) => folder.0,
            None => defaults.custom_state_url,
        },
        hep: hep::resolve(file.hep)?,
        ldap: ldap::resolve(file.directory.ldap, &policies)?,
        policies,
        limits,
    })
}

fn listen(written: &schema::Listen) -> Result<Listen, Located> {
    let defaults = Listen::default();
    let address = |listener: &Option<Spanned<schema::Listener>>, default| {
        listener.as_ref().map_or(default, |listener| listener.get_ref().0)
    };
    let listen = Listen {
        tls: address(&written.tls, defaults.tls),
        tcp: address(&written.tcp, defaults.tcp),
        http: address(&written.http, defaults.http),
        links: address(&written.links, defaults.links),
    };
    if listen.tls.is_none() && listen.tcp.is_none() {
        let place = written.tls.as_ref().map_or(0..0, Spanned::span);
        return Err((place, Problem::NoListener));
    }
    Ok(listen)
}

fn api(written: schema::Api) -> Result<Api, Located> {
    let origins = once(written.origins.unwrap_or_default(), |origin| origin.0.clone())?;
    Ok(Api {
        listen: written.listen.and_then(|listener| listener.into_inner().0),
        origins: origins.into_iter().map(|origin| origin.0).collect(),
        url: written.url.and_then(|url| url.0),
    })
}

fn certificates(
    written: Spanned<Vec<schema::Certificate>>,
    listen: &Listen,
) -> Result<Vec<Certificate>, Located> {
    if written.get_ref().is_empty() && (listen.tls.is_some() || listen.links.is_some()) {
        return Err((written.span(), Problem::NoCertificate));
    }
    let read = |c: schema::Certificate| Certificate { chain: c.chain.0, key: c.key.0 };
    Ok(written.into_inner().into_iter().map(read).collect())
}

/// Who may open links: somebody must, where there is a listener for them.
fn links(
    written: schema::Links,
    listener: Option<&Spanned<schema::Listener>>,
    listen: &Listen,
) -> Result<Links, Located> {
    let defaults = Links::default();
    let names = match written.names {
        Some(names) => once(names.into_inner(), |name| name.0.clone())?,
        None => Vec::new(),
    };
    if names.is_empty() && listen.links.is_some() {
        return Err((listener.map_or(0..0, Spanned::span), Problem::NoLinkName));
    }
    Ok(Links {
        ca: written.ca.map_or(defaults.ca, |path| path.0),
        names: names.into_iter().map(|name| name.0).collect(),
    })
}

/// How Lync clients and standard clients sign in; at least one kind must be able to.
fn methods(
    lync: Option<Spanned<Vec<Spanned<schema::LyncMethod>>>>,
    standard: Option<Vec<Spanned<schema::StandardMethod>>>,
) -> Result<(Vec<AuthMethod>, Vec<AuthMethod>), Located> {
    let defaults = Settings::default();
    let place = lync.as_ref().map_or(0..0, Spanned::span);
    let lync = match lync {
        Some(list) => once(list.into_inner(), |method| method.0.name().to_owned())?
            .into_iter()
            .map(|method| method.0)
            .collect(),
        None => defaults.lync_auth,
    };
    let standard = match standard {
        Some(list) => once(list, |method| method.0.name().to_owned())?
            .into_iter()
            .map(|method| method.0)
            .collect(),
        None => defaults.standard_auth,
    };
    if lync.is_empty() && standard.is_empty() {
        return Err((place, Problem::NoAuth));
    }
    Ok((lync, standard))
}

/// The elements of a list that may neither be empty nor hold the same element twice.
fn distinct<T>(
    list: Spanned<Vec<Spanned<T>>>,
    empty: Problem,
    key: fn(&T) -> String,
) -> Result<Vec<T>, Located> {
    let place = list.span();
    let elements = list.into_inner();
    if elements.is_empty() {
        return Err((place, empty));
    }
    once(elements, key)
}

/// The elements of a list that may not hold the same element twice.
pub(super) fn once<T>(elements: Vec<Spanned<T>>, key: fn(&T) -> String) -> Result<Vec<T>, Located> {
    let mut seen = std::collections::BTreeSet::new();
    for element in &elements {
        let key = key(element.get_ref());
        if !seen.insert(key.clone()) {
            return Err((element.span(), Problem::Twice(key)));
        }
    }
    Ok(elements.into_iter().map(Spanned::into_inner).collect())
}

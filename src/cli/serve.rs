//! Serving a chain over HTTP while it is sealed, for the commands that seal.

use std::io::ErrorKind;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, ToSocketAddrs};
use std::str::FromStr;

use clap::Args;

use super::error::{Error, Result};
use crate::http::{self, Listener, Server};

/// The address of the demo's page, unless `--http` names another.
pub(crate) const DEFAULT: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 8080);

/// Whether and where.
#[derive(Clone, Debug, Args)]
pub(crate) struct Http {
    /// Serve the explorer, JSON and metrics here: HOST:PORT, or `off` [default: off; of a demo in a terminal
    /// 127.0.0.1:8080]
    #[arg(long, value_name = "ADDR", env = "CAIRN_HTTP", hide_env = true)]
    pub(crate) http: Option<Place>,

    /// Memory for the blocks in which the explorer looks up transfers and hashes, in MiB
    #[arg(long, value_name = "MIB", env = "CAIRN_HTTP_MEMORY_MIB", hide_env = true, default_value = "64", value_parser = clap::value_parser!(u32).range(1..=65_536))]
    pub(crate) http_memory_mib: u32,

    /// Names that requests may call the server, beside localhost and addresses [default: on loopback none, else any]
    #[arg(long, value_name = "NAME[,..]", env = "CAIRN_HTTP_NAMES", hide_env = true, value_delimiter = ',')]
    pub(crate) http_names: Vec<String>,
}

/// An address, or none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// Nothing is served.
    Off,
    /// Served here.
    At(SocketAddr),
}

impl FromStr for Place {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text == "off" {
            return Ok(Self::Off);
        }
        let example = "write HOST:PORT, such as 127.0.0.1:8080, or off";
        let mut found = text.to_socket_addrs().map_err(|error| format!("{error}; {example}"))?.collect::<Vec<_>>();
        // `localhost` is both; most who type an address type that of IPv4.
        found.sort_by_key(SocketAddr::is_ipv6);
        found.first().copied().map(Self::At).ok_or_else(|| format!("there is no such host; {example}"))
    }
}

impl Http {
    /// Binds the address, where there is one; before anything is begun that would have to be undone.
    pub(crate) fn bind(&self) -> Result<Option<Listener>> {
        match self.http {
            None | Some(Place::Off) => Ok(None),
            Some(Place::At(address)) => told(address, Listener::bind(address)).map(Some),
        }
    }

    /// The same, for something to look at: where the port is taken, another one will do.
    pub(crate) fn bind_anyhow(&self, usual: Option<SocketAddr>) -> Result<Option<Listener>> {
        let wanted = match self.http {
            Some(Place::Off) => None,
            Some(Place::At(address)) => Some(address),
            None => usual,
        };
        let Some(address) = wanted else { return Ok(None) };
        let bound = match Listener::bind(address) {
            Err(error) if error.kind() == ErrorKind::AddrInUse => Listener::bind(SocketAddr::new(address.ip(), 0)),
            bound => bound,
        };
        told(address, bound).map(Some)
    }

    /// How it is served.
    pub(crate) fn options(&self) -> http::Options {
        http::Options { index_bytes: (self.http_memory_mib as usize) << 20, names: self.http_names.clone() }
    }

    /// The address at which others reach it; `None` where nothing is served, or the address does not say that.
    pub(crate) fn reached_at(&self) -> Option<SocketAddr> {
        match self.http? {
            Place::At(address) => {
                Some(address).filter(|at| at.port() > 0 && !at.ip().is_unspecified() && !is_loopback(at))
            }
            Place::Off => None,
        }
    }

    /// Whether something is served.
    pub(crate) fn is_on(&self) -> bool {
        matches!(self.http, Some(Place::At(_)))
    }
}

/// What became of binding an address: an error that says what to do, a warning where strangers may come.
fn told(asked: SocketAddr, bound: std::io::Result<Listener>) -> Result<Listener> {
    let bound = bound.map_err(|error| {
        let what = format!("cannot serve HTTP at {asked}: {error}; give another address with --http");
        Error::usage(what).caused_by(error)
    })?;
    let address = bound.address();
    if !is_loopback(&address) {
        tracing::warn!(
            %address,
            "all who reach this address can read the whole chain; there is no password: put a proxy before it, or serve 127.0.0.1"
        );
    }
    Ok(bound)
}

fn is_loopback(address: &SocketAddr) -> bool {
    address.ip().to_canonical().is_loopback()
}

/// Serves a chain.
pub(crate) fn start<L: topology::log::Log>(
    listener: Listener,
    chain: http::Chain<L>,
    options: http::Options,
) -> Result<Server> {
    Server::start(listener, chain, options)
        .map_err(|error| Error::failed(format!("cannot serve HTTP: {error}")).caused_by(error))
}

/// The URL for a browser on this machine. An address that means all of a machine's is reached by this machine under its
/// own.
pub(crate) fn url(address: SocketAddr) -> String {
    let ip = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => IpAddr::V4(Ipv4Addr::LOCALHOST),
        IpAddr::V6(ip) if ip.is_unspecified() => IpAddr::V4(Ipv4Addr::LOCALHOST),
        other => other,
    };
    format!("http://{}/", SocketAddr::new(ip, address.port()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_a_host_with_a_port_or_off() {
        assert_eq!("off".parse(), Ok(Place::Off));
        assert_eq!("127.0.0.1:8080".parse(), Ok(Place::At(DEFAULT)));
        assert_eq!("localhost:8080".parse(), Ok(Place::At(DEFAULT)));
        for text in ["", "8080", "127.0.0.1", "127.0.0.1:x", "on"] {
            let said = text.parse::<Place>().unwrap_err();
            assert!(said.contains("write HOST:PORT"), "{said}");
        }
    }

    #[test]
    fn others_reach_it_at_an_address_that_is_one_and_not_this_machines_alone() {
        let reached = |http: Option<&str>| {
            let http = http.map(|text| text.parse().unwrap());
            Http { http, http_memory_mib: 1, http_names: Vec::new() }.reached_at().map(|at| at.to_string())
        };
        assert_eq!(reached(Some("10.0.0.1:8080")).as_deref(), Some("10.0.0.1:8080"));
        for nowhere in
            [None, Some("off"), Some("0.0.0.0:8080"), Some("[::]:80"), Some("127.0.0.1:80"), Some("10.0.0.1:0")]
        {
            assert_eq!(reached(nowhere), None, "{nowhere:?}");
        }
    }

    #[test]
    fn an_address_of_all_interfaces_is_reached_under_this_machines_own() {
        assert_eq!(url(DEFAULT), "http://127.0.0.1:8080/");
        assert_eq!(url("0.0.0.0:80".parse().unwrap()), "http://127.0.0.1:80/");
        assert_eq!(url("[::1]:80".parse().unwrap()), "http://[::1]:80/");
    }
}

//! Listening, and ending in good order.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::sync::watch;

use super::guard::{Reach, Rules};
use super::house::House;
use super::routes;
use super::token::Token;
use crate::store::Store;

/// How long the end waits for answers that are on their way.
const FAREWELL: Duration = Duration::from_secs(3);

/// Where to listen.
#[derive(Clone, Debug)]
pub struct Listen {
    /// Address; one of the network makes every request need the token.
    pub address: IpAddr,
    /// Port; 0 takes a free one.
    pub port: u16,
    /// Further names by which browsers may call this machine.
    pub names: Vec<String>,
}

/// A page that cannot be served.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "the messages say what the fields are")]
pub enum ServeError {
    /// Somebody else listens there.
    #[error("port {} of {} is in use: choose another with --port, or 0 for a free one", .0.port(), .0.ip())]
    InUse(SocketAddr),
    /// The address cannot be listened on.
    #[error("cannot listen on {at}: {source}; is it an address of this machine?")]
    Bind { at: SocketAddr, source: io::Error },
    /// The system gives no random bytes.
    #[error("cannot draw a token")]
    Token(#[source] io::Error),
    /// Serving broke off.
    #[error("serving broke off")]
    Serve(#[source] io::Error),
}

/// A server that listens.
pub struct Server {
    listener: TcpListener,
    at: SocketAddr,
    house: House,
    stop: watch::Sender<bool>,
    unkept: Option<io::Error>,
}

impl Server {
    /// Listens from now on. Call it within a runtime.
    ///
    /// # Errors
    ///
    /// The port is in use, the address is none of this machine, the system gives no random bytes.
    pub async fn bind(listen: Listen, store: Store) -> Result<Self, ServeError> {
        let asked = SocketAddr::new(listen.address, listen.port);
        let failed = |source: io::Error| match source.kind() {
            io::ErrorKind::AddrInUse => ServeError::InUse(asked),
            _ => ServeError::Bind { at: asked, source },
        };
        let listener = TcpListener::bind(asked).await.map_err(failed)?;
        let at = listener.local_addr().map_err(failed)?;
        let token = Token::draw().map_err(ServeError::Token)?;
        // A state folder may be read-only: its page is shown all the same.
        let unkept = token.keep(store.state_dir()).err();
        let rules = Rules { reach: Reach::of(at.ip()), names: names(&listen) };
        let (stop, stopping) = watch::channel(false);
        let house = House::new(store, token, rules, stopping);
        tokio::spawn(house.clone().warm());
        Ok(Self { listener, at, house, stop, unkept })
    }

    /// Returns the address to open; it carries the token where no server sees it.
    pub fn address(&self) -> String {
        let ip = match self.at.ip() {
            ip if ip.is_unspecified() => hostname().unwrap_or_else(|| "localhost".to_owned()),
            IpAddr::V6(ip) => format!("[{ip}]"),
            IpAddr::V4(ip) => ip.to_string(),
        };
        format!("http://{ip}:{}/#token={}", self.at.port(), self.house.token.text())
    }

    /// Returns whether every request needs the token.
    pub fn needs_token_to_read(&self) -> bool {
        self.house.rules.reach == Reach::Network
    }

    /// Returns why the token could not be kept in the state folder, where it could not.
    pub fn unkept(&self) -> Option<&io::Error> {
        self.unkept.as_ref()
    }

    /// Answers until `end` comes, then lets answers on their way arrive.
    ///
    /// # Errors
    ///
    /// The system takes the socket away.
    pub async fn run(
        self,
        end: impl Future<Output = ()> + Send + 'static,
    ) -> Result<(), ServeError> {
        let Self { listener, house, stop, .. } = self;
        let mut stopping = house.stopping.clone();
        let of = house.clone();
        let told = async move {
            end.await;
            stop.send_replace(true);
        };
        let serving = axum::serve(listener, routes::all(house)).with_graceful_shutdown(told);
        let late = async move {
            // A sender that is gone has sent before.
            let _stops = stopping.wait_for(|stops| *stops).await;
            tokio::time::sleep(FAREWELL).await;
        };
        let ended = tokio::select! {
            ended = serving => ended.map_err(ServeError::Serve),
            () = late => Ok(()),
        };
        of.token.forget(of.store.state_dir());
        ended
    }
}

/// Returns the names by which browsers may call this machine.
fn names(listen: &Listen) -> Vec<String> {
    let own = hostname().filter(|_| !listen.address.is_loopback());
    let named = listen.names.iter().cloned();
    named.chain(own).map(|name| name.to_ascii_lowercase()).collect()
}

fn hostname() -> Option<String> {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").ok()?;
    Some(name.trim().to_owned()).filter(|name| !name.is_empty())
}

//! DOOR-1 attacked over real sockets: strangers, wrong roots, wrong roles, withdrawn and expired certificates.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use jiff::Timestamp;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tonic::body::Body;
use tonic::codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder};
use tonic::service::Routes;
use tonic::transport::Channel;
use tonic::{Request, Response, Status};

use super::*;
use crate::gate::Gate;
use crate::identity::Role;
use crate::pki::{RevocationBook, Root};
use crate::shutdown::{self, Trigger};
use crate::testing::{days, identity, issue_for, root};
use crate::tls::{ClientTls, Credentials, ServerTls};

const REGION: &str = "urn:samman:region:21";
const NODE: &str = "urn:samman:node:2180";

/// Bytes as they are: enough of a codec for a test service.
#[derive(Clone, Default)]
struct Raw;

impl Codec for Raw {
    type Encode = Vec<u8>;
    type Decode = Vec<u8>;
    type Encoder = Raw;
    type Decoder = Raw;
    fn encoder(&mut self) -> Raw {
        Raw
    }
    fn decoder(&mut self) -> Raw {
        Raw
    }
}

impl Encoder for Raw {
    type Item = Vec<u8>;
    type Error = Status;
    fn encode(&mut self, item: Vec<u8>, dst: &mut EncodeBuf<'_>) -> Result<(), Status> {
        bytes_put(dst, &item);
        Ok(())
    }
}

fn bytes_put(dst: &mut EncodeBuf<'_>, item: &[u8]) {
    use bytes::BufMut as _;
    dst.put_slice(item);
}

impl Decoder for Raw {
    type Item = Vec<u8>;
    type Error = Status;
    fn decode(&mut self, src: &mut DecodeBuf<'_>) -> Result<Option<Vec<u8>>, Status> {
        use bytes::Buf as _;
        let mut item = vec![0; src.remaining()];
        src.copy_to_slice(&mut item);
        Ok(Some(item))
    }
}

/// Answers with the caller's identity, if `authenticate` lets it; on the enrolment port with `welcome`.
#[derive(Clone)]
struct WhoAmI {
    gate: Option<Arc<Gate>>,
    roles: &'static [Role],
}

impl tonic::server::NamedService for WhoAmI {
    const NAME: &'static str = "test.WhoAmI";
}

impl tonic::server::UnaryService<Vec<u8>> for WhoAmI {
    type Response = Vec<u8>;
    type Future = std::future::Ready<Result<Response<Vec<u8>>, Status>>;
    fn call(&mut self, request: Request<Vec<u8>>) -> Self::Future {
        let Some(gate) = &self.gate else {
            return std::future::ready(Ok(Response::new(b"welcome".to_vec())));
        };
        let peer = authenticate(&request, gate, self.roles, Timestamp::now());
        std::future::ready(peer.map(|peer| Response::new(peer.identity.uri().into_bytes())))
    }
}

impl tower::Service<http::Request<Body>> for WhoAmI {
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Infallible>> + Send>>;
    fn poll_ready(&mut self, _cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }
    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        let service = self.clone();
        Box::pin(async move { Ok(tonic::server::Grpc::new(Raw).unary(service, request).await) })
    }
}

/// A federation of one region with its door open.
struct Open {
    root: Root,
    book: RevocationBook,
    gate: Arc<Gate>,
    address: SocketAddr,
    trigger: Trigger,
}

fn credentials(root: &Root, uri: &str, from: Timestamp, life: u16) -> Arc<Credentials> {
    let (key, der) = issue_for(root, uri, from, life);
    Arc::new(Credentials::new(der, root.certificate_der().to_vec(), key).unwrap())
}

async fn start(tls: ServerTls, service: WhoAmI, limits: Limits) -> (SocketAddr, Trigger) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (trigger, shutdown) = shutdown::channel();
    tokio::spawn(serve(listener, Arc::new(tls), Routes::new(service), limits, shutdown));
    (address, trigger)
}

async fn open_with(limits: Limits, roles: &'static [Role]) -> Open {
    let now = Timestamp::now();
    let (root, mut book) = (root(), RevocationBook::default());
    let crl = book.sign(&root, now, days(7)).unwrap();
    let gate = Arc::new(Gate::new(root.certificate_der(), crl));
    let tls = ServerTls::mutual(credentials(&root, REGION, now, 90), gate.clone()).unwrap();
    let (address, trigger) = start(tls, WhoAmI { gate: Some(gate.clone()), roles }, limits).await;
    Open { root, book, gate, address, trigger }
}

async fn open() -> Open {
    open_with(Limits::default(), &[Role::Node]).await
}

impl Open {
    fn target(&self, expected: &str) -> Target {
        Target { address: self.address.to_string(), proxy: None, expected: identity(expected) }
    }

    fn revoke(&mut self, own: &Credentials) {
        self.book.revoke(own.about().serial.clone(), Timestamp::now());
        let crl = self.book.sign(&self.root, Timestamp::now(), days(7)).unwrap();
        self.gate.install(crl).unwrap();
    }

    /// Connects and calls once.
    async fn call_as(&self, own: Arc<Credentials>) -> Result<String, PeerRefused> {
        let about = own.about().clone();
        let tls = Arc::new(ClientTls::mutual(own, Some(self.gate.clone())));
        let explained = |e: &(dyn std::error::Error + 'static)| explain(e, Some(&about), Timestamp::now());
        let channel = connect(self.target(REGION), tls).await.map_err(|e| explained(&e))?;
        who_am_i(&channel).await.map_err(|status| explained(&status))
    }
}

async fn who_am_i(channel: &Channel) -> Result<String, Status> {
    let mut client = tonic::client::Grpc::new(channel.clone());
    client.ready().await.map_err(|e| Status::from_error(Box::new(e)))?;
    let path = http::uri::PathAndQuery::from_static("/test.WhoAmI/Ask");
    let answer = client.unary(Request::new(vec![1]), path, Raw).await?;
    Ok(String::from_utf8(answer.into_inner()).unwrap())
}

#[tokio::test]
async fn a_node_with_its_certificate_is_let_in_as_itself() {
    let open = open().await;
    let own = credentials(&open.root, NODE, Timestamp::now(), 90);
    assert_eq!(open.call_as(own).await, Ok(NODE.to_owned()));
}

#[tokio::test]
async fn a_stranger_without_a_certificate_gets_no_answer() {
    let open = open().await;
    let tls = Arc::new(ClientTls::enrolment([0; 32]));
    // A lax client, which trusts whatever it is shown: the server must refuse by itself.
    let shown = connect(open.target(REGION), tls).await;
    assert!(shown.is_err(), "the mutual port shows no root, so a pinned client cannot even begin");
    let mut lax = lax_tls(&open).await;
    let refused = async {
        lax.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").await?;
        lax.read_u8().await
    };
    let error = refused.await.unwrap_err();
    assert_eq!(explain(&error, None, Timestamp::now()), PeerRefused::NoCertificate);
}

/// A TLS client without certificate that verifies the server only by root.
async fn lax_tls(open: &Open) -> tokio_rustls::client::TlsStream<TcpStream> {
    let mut roots = rustls::RootCertStore::empty();
    roots.add(open.root.certificate_der().to_vec().into()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"h2".to_vec()];
    let tcp = TcpStream::connect(open.address).await.unwrap();
    let name = identity(REGION).dns_name().try_into().unwrap();
    tokio_rustls::TlsConnector::from(Arc::new(config)).connect(name, tcp).await.unwrap()
}

#[tokio::test]
async fn a_plain_text_visitor_gets_no_answer() {
    let open = open().await;
    let mut tcp = TcpStream::connect(open.address).await.unwrap();
    tcp.write_all(b"GET / HTTP/1.1\r\nHost: region\r\n\r\n").await.unwrap();
    let mut answer = Vec::new();
    let _closed_or_reset = tcp.read_to_end(&mut answer).await;
    assert!(!answer.starts_with(b"HTTP"), "{answer:?}");
}

#[tokio::test]
async fn a_certificate_of_another_root_is_refused_with_a_sentence() {
    let open = open().await;
    let theirs = root();
    let (key, der) = issue_for(&theirs, NODE, Timestamp::now(), 90);
    // The stranger knows our root, which is public, but holds a certificate of its own making.
    let own = Credentials::new(der, theirs.certificate_der().to_vec(), key).unwrap();
    let mut forged = rustls_forged(&open, &own).await;
    let refused = async {
        forged.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").await?;
        forged.read_u8().await
    };
    let error = refused.await.unwrap_err();
    assert_eq!(explain(&error, None, Timestamp::now()), PeerRefused::UnknownAuthority);
}

async fn rustls_forged(open: &Open, own: &Credentials) -> tokio_rustls::client::TlsStream<TcpStream> {
    let mut roots = rustls::RootCertStore::empty();
    roots.add(open.root.certificate_der().to_vec().into()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_client_auth_cert(vec![own.certificate_der().to_vec().into()], own.key().tls_key())
        .unwrap();
    config.alpn_protocols = vec![b"h2".to_vec()];
    let tcp = TcpStream::connect(open.address).await.unwrap();
    let name = identity(REGION).dns_name().try_into().unwrap();
    tokio_rustls::TlsConnector::from(Arc::new(config)).connect(name, tcp).await.unwrap()
}

#[tokio::test]
async fn an_expired_certificate_is_refused_with_a_sentence() {
    let open = open().await;
    let own = credentials(&open.root, NODE, Timestamp::now() - days(91), 90);
    assert_eq!(open.call_as(own).await, Err(PeerRefused::Expired));
}

#[tokio::test]
async fn a_revoked_certificate_is_refused_at_the_handshake_with_a_sentence() {
    let mut open = open().await;
    let own = credentials(&open.root, NODE, Timestamp::now(), 90);
    open.revoke(&own);
    let refused = open.call_as(own).await.unwrap_err();
    assert_eq!(refused, PeerRefused::Revoked);
    assert!(refused.swedish().contains("återkallats"));
    let neighbour = credentials(&open.root, "urn:samman:node:2181", Timestamp::now(), 90);
    assert!(open.call_as(neighbour).await.is_ok());
}

#[tokio::test]
async fn a_certificate_revoked_on_an_open_connection_stops_at_the_next_request() {
    let mut open = open().await;
    let own = credentials(&open.root, NODE, Timestamp::now(), 90);
    let tls = Arc::new(ClientTls::mutual(own.clone(), None));
    let channel = connect(open.target(REGION), tls).await.unwrap();
    assert_eq!(who_am_i(&channel).await.unwrap(), NODE);
    open.revoke(&own);
    let refused = who_am_i(&channel).await.unwrap_err();
    assert_eq!(refused.code(), tonic::Code::Unauthenticated);
    assert!(refused.message().contains("revoked"), "{refused:?}");
}

#[tokio::test]
async fn a_node_certificate_where_a_region_is_expected_is_refused() {
    let open = open_with(Limits::default(), &[Role::Region]).await;
    let own = credentials(&open.root, NODE, Timestamp::now(), 90);
    let refused = open.call_as(own).await.unwrap_err();
    assert!(matches!(refused, PeerRefused::NotAllowed(_)), "{refused:?}");
}

#[tokio::test]
async fn a_client_refuses_a_server_of_another_identity_before_sending_anything() {
    let open = open().await;
    let own = credentials(&open.root, NODE, Timestamp::now(), 90);
    let tls = ClientTls::mutual(own, None);
    let error = dial(&open.target("urn:samman:region:22"), &tls).await.unwrap_err();
    let refused = explain(&error, None, Timestamp::now());
    let PeerRefused::ServerNotTrusted(why) = refused else { panic!("{refused:?}") };
    assert_eq!(why, "expected region:22, found region:21");
}

#[tokio::test]
async fn a_client_refuses_a_revoked_server() {
    let open = open().await;
    let own = credentials(&open.root, NODE, Timestamp::now(), 90);
    let tls = ClientTls::mutual(own.clone(), Some(open.gate.clone()));
    let stream = dial(&open.target(REGION), &tls).await.unwrap();
    let server = stream.get_ref().1.peer_certificates().unwrap()[0].to_vec();
    let mut book = open.book.clone();
    book.revoke(crate::pki::PeerCertificate::parse(&server).unwrap().serial, Timestamp::now());
    let crl = book.sign(&open.root, Timestamp::now(), days(7)).unwrap();
    let tls = ClientTls::mutual(own, Some(Arc::new(Gate::new(open.root.certificate_der(), crl))));
    let error = dial(&open.target(REGION), &tls).await.unwrap_err();
    let refused = explain(&error, None, Timestamp::now());
    assert!(matches!(refused, PeerRefused::ServerNotTrusted(_)), "{refused:?}");
}

#[tokio::test]
async fn enrolment_trusts_only_the_root_whose_fingerprint_the_invite_holds() {
    let root = root();
    let own = credentials(&root, REGION, Timestamp::now(), 90);
    let tls = ServerTls::enrolment(own).unwrap();
    let service = WhoAmI { gate: None, roles: &[] };
    let (address, _trigger) = start(tls, service, Limits::enrolment()).await;
    let target =
        |expected| Target { address: address.to_string(), proxy: None, expected: identity(expected) };
    let good = Arc::new(ClientTls::enrolment(root.fingerprint()));
    let channel = connect(target(REGION), good.clone()).await.unwrap();
    assert_eq!(who_am_i(&channel).await.unwrap(), "welcome");

    let other_root = ClientTls::enrolment(self::root().fingerprint());
    let error = dial(&target(REGION), &other_root).await.unwrap_err();
    let wrong = explain(&error, None, Timestamp::now());
    assert!(matches!(wrong, PeerRefused::ServerNotTrusted(why) if why.contains("fingerprint")));
    let error = dial(&target("urn:samman:region:22"), &good).await.unwrap_err();
    assert!(matches!(explain(&error, None, Timestamp::now()), PeerRefused::ServerNotTrusted(_)));
}

#[tokio::test]
async fn a_server_that_shows_the_true_root_but_is_not_under_it_is_refused_at_enrolment() {
    let (truth, forger) = (root(), root());
    let (key, der) = issue_for(&forger, REGION, Timestamp::now(), 90);
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![der.into(), truth.certificate_der().to_vec().into()], key.tls_key())
        .unwrap();
    config.alpn_protocols = vec![b"h2".to_vec()];
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    tokio::spawn(async move {
        let (tcp, _) = listener.accept().await.unwrap();
        let _refused = tokio_rustls::TlsAcceptor::from(Arc::new(config)).accept(tcp).await;
    });
    let target = Target { address, proxy: None, expected: identity(REGION) };
    let error = dial(&target, &ClientTls::enrolment(truth.fingerprint())).await.unwrap_err();
    assert!(matches!(explain(&error, None, Timestamp::now()), PeerRefused::ServerNotTrusted(_)));
}

#[tokio::test]
async fn a_node_cannot_serve() {
    let root = root();
    let own = credentials(&root, NODE, Timestamp::now(), 90);
    assert!(matches!(ServerTls::enrolment(own), Err(crate::tls::TlsError::CannotServe(_))));
}

#[tokio::test]
async fn a_visitor_who_never_shakes_hands_is_cut_and_blocks_nobody() {
    let limits = Limits { handshakes: 1, handshake_time: Duration::from_millis(200), ..Limits::default() };
    let open = open_with(limits, &[Role::Node]).await;
    let mut silent = TcpStream::connect(open.address).await.unwrap();
    let own = credentials(&open.root, NODE, Timestamp::now(), 90);
    assert!(open.call_as(own).await.is_ok());
    assert_eq!(silent.read(&mut [0; 1]).await.unwrap_or(0), 0);
}

#[tokio::test]
async fn one_certificate_cannot_take_every_connection() {
    let open = open_with(Limits { per_peer: 2, ..Limits::default() }, &[Role::Node]).await;
    let greedy = credentials(&open.root, NODE, Timestamp::now(), 90);
    let mut held = Vec::new();
    for _ in 0..2 {
        let tls = Arc::new(ClientTls::mutual(greedy.clone(), None));
        let channel = connect(open.target(REGION), tls).await.unwrap();
        who_am_i(&channel).await.unwrap();
        held.push(channel);
    }
    assert!(open.call_as(greedy.clone()).await.is_err());
    let other = credentials(&open.root, "urn:samman:node:2181", Timestamp::now(), 90);
    assert!(open.call_as(other).await.is_ok());
    drop(held);
    for _ in 0..50 {
        if open.call_as(greedy.clone()).await.is_ok() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("slots were not given back");
}

#[tokio::test]
async fn nobody_there_and_a_refusing_proxy_are_told_apart() {
    let open = open().await;
    let own = credentials(&open.root, NODE, Timestamp::now(), 90);
    let tls = Arc::new(ClientTls::mutual(own, None));
    let free = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().to_string();
    let nobody = Target { address: free, ..open.target(REGION) };
    let error = connect(nobody, tls.clone()).await.unwrap_err();
    assert!(matches!(explain(&error, None, Timestamp::now()), PeerRefused::Unreachable(_)), "{error:?}");
    let refusing = proxy("HTTP/1.1 403 Forbidden\r\n\r\n").await;
    let error =
        connect(Target { proxy: Some(refusing), ..open.target(REGION) }, tls.clone()).await.unwrap_err();
    assert_eq!(explain(&error, None, Timestamp::now()), PeerRefused::Proxy);
    let letting = proxy("HTTP/1.1 200 Connection established\r\nVia: test\r\n\r\n").await;
    let channel = connect(Target { proxy: Some(letting), ..open.target(REGION) }, tls).await.unwrap();
    assert_eq!(who_am_i(&channel).await.unwrap(), NODE);
}

/// A proxy for one connection: gives `answer`, then, where that is a 200, passes bytes.
async fn proxy(answer: &'static str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    tokio::spawn(async move {
        let (mut inner, _) = listener.accept().await.unwrap();
        let mut question = Vec::new();
        while !question.ends_with(b"\r\n\r\n") {
            question.push(inner.read_u8().await.unwrap());
        }
        inner.write_all(answer.as_bytes()).await.unwrap();
        if answer.contains(" 200 ") {
            let line = String::from_utf8(question).unwrap();
            let mut outer = TcpStream::connect(line.split(' ').nth(1).unwrap()).await.unwrap();
            let _closed = tokio::io::copy_bidirectional(&mut inner, &mut outer).await;
        }
    });
    address
}

#[tokio::test]
async fn a_door_with_a_stale_list_answers_nobody_and_says_so() {
    let mut open = open().await;
    let own = credentials(&open.root, NODE, Timestamp::now(), 90);
    let stale = open.book.sign(&open.root, Timestamp::now() - days(9), days(7)).unwrap();
    open.gate.install(stale).unwrap();
    let refused = open.call_as(own).await.unwrap_err();
    assert!(
        matches!(&refused, PeerRefused::Unavailable(why) if why.contains("due for renewal")),
        "{refused:?}"
    );
}

#[tokio::test]
async fn a_lazy_channel_that_reaches_the_wrong_server_says_so_at_the_first_call() {
    let open = open().await;
    let own = credentials(&open.root, NODE, Timestamp::now(), 90);
    let tls = Arc::new(ClientTls::mutual(own, None));
    let channel = connect_lazy(open.target("urn:samman:region:22"), tls).unwrap();
    let status = who_am_i(&channel).await.unwrap_err();
    let refused = explain(&status, None, Timestamp::now());
    assert!(refused.to_string().contains("expected region:22, found region:21"), "{refused:?}");
}

#[test]
fn a_cut_connection_is_explained_by_our_own_expired_certificate() {
    let root = root();
    let own = credentials(&root, NODE, Timestamp::now() - days(91), 90);
    let cut = std::io::Error::from(std::io::ErrorKind::ConnectionReset);
    assert_eq!(explain(&cut, Some(own.about()), Timestamp::now()), PeerRefused::Expired);
    assert_eq!(explain(&cut, None, Timestamp::now()), PeerRefused::Closed);
}

#[tokio::test]
async fn shutdown_ends_the_door_in_time_even_with_idle_connections() {
    let open =
        open_with(Limits { grace: Duration::from_millis(200), ..Limits::default() }, &[Role::Node]).await;
    let own = credentials(&open.root, NODE, Timestamp::now(), 90);
    let channel = connect(open.target(REGION), Arc::new(ClientTls::mutual(own.clone(), None))).await.unwrap();
    assert!(who_am_i(&channel).await.is_ok());
    open.trigger.stop();
    for _ in 0..100 {
        if TcpStream::connect(open.address).await.is_err() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("the port is still open");
}

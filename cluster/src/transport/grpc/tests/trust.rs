//! Who lets whom in.

use rustls::client::ResolvesClientCert;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, ServerName, UnixTime};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls::{ClientConfig, DigitallySignedStruct, Error, ServerConfig, SignatureScheme};
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;
use tokio_rustls::{TlsAcceptor, TlsConnector};

use super::*;

async fn is_refused(peers: &Peers, to: &Peer) {
    let outcome = peers.call(to, call("e")).await;
    assert!(matches!(outcome, Err(CallError::NotSent(_))), "{outcome:?}");
}

#[tokio::test]
async fn a_peer_that_shows_another_certificate_is_not_called() {
    let caller = identity();
    let node = Node::start(1, &[&caller], Settings::default()).await;
    let expected = Peer { certificate: identity().certificate().to_vec(), ..node.peer.clone() };
    is_refused(&peers(&caller, Settings::default()), &expected).await;
    assert_eq!(node.server.stats().call_frames, 0);
}

#[tokio::test]
async fn who_is_no_member_is_not_answered() {
    let (member, stranger) = (identity(), identity());
    let node = Node::start(1, &[&member], Settings::default()).await;
    is_refused(&peers(&stranger, Settings::default()), &node.peer).await;
    assert_eq!((node.service.begun(), node.server.stats().connections), (0, 0));
    let reply = peers(&member, Settings::default()).call(&node.peer, call("e")).await;
    assert_eq!(reply, Ok(Bytes::from("e")));
}

#[tokio::test]
async fn the_first_call_of_a_node_that_has_just_joined_waits_until_it_is_known() {
    let (member, joins) = (identity(), identity());
    let node = Node::start(1, &[&member], Settings::default()).await;
    let peers = peers(&joins, Settings { connect_within: LONG, ..Settings::default() });
    let learning = async {
        eventually("it came again", || node.known.refused.load(Ordering::SeqCst) >= 2).await;
        node.known.learn(&joins);
    };
    let (reply, ()) = tokio::join!(peers.call(&node.peer, call("e")), learning);
    assert_eq!(reply, Ok(Bytes::from("e")));
    assert_eq!((peers.stats().connections, node.server.stats().connections), (1, 1));
    assert_eq!(node.service.begun(), 1);
}

/// Believes everything: what is tried here is whether the other side does.
#[derive(Debug)]
struct Credulous;

impl ServerCertVerifier for Credulous {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        vec![SignatureScheme::ECDSA_NISTP256_SHA256, SignatureScheme::ED25519]
    }
}

/// Someone's certificate, with a key that is not its own.
#[derive(Debug)]
struct Stolen(Arc<CertifiedKey>);

impl Stolen {
    fn from(victim: &Identity) -> Arc<Stolen> {
        let other = rcgen::KeyPair::generate().unwrap();
        let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(other.serialize_der()));
        let key = rustls::crypto::ring::sign::any_supported_type(&key).unwrap();
        let certificate = CertificateDer::from(victim.certificate().to_vec());
        Arc::new(Stolen(Arc::new(CertifiedKey::new(vec![certificate], key))))
    }
}

impl ResolvesServerCert for Stolen {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.0))
    }
}

impl ResolvesClientCert for Stolen {
    fn resolve(&self, _: &[&[u8]], _: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.0))
    }

    fn has_certs(&self) -> bool {
        true
    }
}

fn provider() -> Arc<rustls::crypto::CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}

/// Whether a client of that making is let in: it is refused at its handshake, or, as TLS 1.3 has
/// it, at its first read.
async fn is_let_in(node: &Node, mut config: ClientConfig) -> bool {
    config.alpn_protocols = vec![b"h2".to_vec()];
    let stream = TcpStream::connect(&node.peer.address).await.unwrap();
    let name = ServerName::try_from("barrow-peer").unwrap();
    let Ok(mut stream) = TlsConnector::from(Arc::new(config)).connect(name, stream).await else {
        return false;
    };
    // A server that lets it in begins with its settings.
    let read = tokio::time::timeout(LONG, stream.read(&mut [0; 9])).await.unwrap();
    matches!(read, Ok(length) if length > 0)
}

fn client(versions: &[&'static rustls::SupportedProtocolVersion]) -> ClientBuilder {
    let builder = ClientConfig::builder_with_provider(provider());
    let builder = builder.with_protocol_versions(versions).unwrap();
    builder.dangerous().with_custom_certificate_verifier(Arc::new(Credulous))
}

type ClientBuilder = rustls::ConfigBuilder<ClientConfig, rustls::client::WantsClientCert>;

#[tokio::test]
async fn who_shows_no_certificate_or_has_not_its_key_or_speaks_an_old_tls_is_not_let_in() {
    let member = identity();
    let node = Node::start(1, &[&member], Settings::default()).await;
    let new = &[&rustls::version::TLS13];
    assert!(!is_let_in(&node, client(new).with_no_client_auth()).await);
    let thief = client(new).with_client_cert_resolver(Stolen::from(&member));
    assert!(!is_let_in(&node, thief).await);
    let (certificate, key) = member.parts();
    let old = client(&[&rustls::version::TLS12]);
    let old = old.with_client_auth_cert(vec![certificate.clone()], key.clone_key()).unwrap();
    assert!(!is_let_in(&node, old).await);
    // The same client with its own key and the right version is: it was not refused for else.
    let right = client(new).with_client_auth_cert(vec![certificate], key).unwrap();
    assert!(is_let_in(&node, right).await);
    assert_eq!(node.server.stats().connections, 1);
}

#[tokio::test]
async fn a_peer_that_has_the_certificate_and_not_its_key_is_not_called() {
    let (caller, victim) = (identity(), identity());
    let config = ServerConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&rustls::version::TLS13])
        .unwrap()
        .with_no_client_auth()
        .with_cert_resolver(Stolen::from(&victim));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let to = peer(1, listener.local_addr().unwrap().to_string(), victim.certificate());
    let accepting = async {
        let (stream, _) = listener.accept().await.unwrap();
        TlsAcceptor::from(Arc::new(config)).accept(stream).await.map(drop)
    };
    let peers = peers(&caller, Settings::default());
    let (handshake, ()) = tokio::join!(accepting, is_refused(&peers, &to));
    assert!(handshake.is_err(), "the caller broke it off");
}

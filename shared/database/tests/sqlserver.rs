//! The conversation with SQL Server, against a server of the test's own that speaks the packets of \[MS-TDS\].
//!
//! It is no SQL Server: it shows that what the node sends is in the order and the encryption the document asks for, and
//! that what a document-abiding server answers is read. It shows nothing about real ones.
#![allow(clippy::unwrap_used)] // a test that fails here should

use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::sync::Arc;
use std::thread::{self, JoinHandle};

use database::{QueryError, Source};
use harmonise::Value;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use rustls::{ServerConfig, ServerConnection, Stream};

const PRELOGIN: u8 = 0x12;
const LOGIN: u8 = 0x10;
const BATCH: u8 = 0x01;
const ANSWER: u8 = 0x04;

/// How the server behaves.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Manner {
    Sound,
    /// Declines encryption.
    Plain,
    /// Points to the same place once.
    Routes,
}

/// What the server saw.
#[derive(Default, Debug)]
struct Seen {
    logins: usize,
    readonly: bool,
    batches: Vec<String>,
}

struct Server {
    port: u16,
    folder: tempfile::TempDir,
    thread: JoinHandle<Seen>,
}

/// Starts a server that answers the query with `reply`, in one session (two if it routes).
fn serve(manner: Manner, reply: Vec<u8>) -> Server {
    let folder = tempfile::tempdir().unwrap();
    let config = certificates(folder.path());
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let thread = thread::spawn(move || {
        let mut seen = Seen::default();
        let sessions = if manner == Manner::Routes { 2 } else { 1 };
        for session in 0..sessions {
            let (mut stream, _) = listener.accept().unwrap();
            let routed = (manner == Manner::Routes && session == 0).then_some(port);
            // a client that leaves is seen in `seen`
            let _ = converse(&mut stream, &config, manner, routed, &reply, &mut seen);
        }
        seen
    });
    Server { port, folder, thread }
}

fn certificates(folder: &Path) -> Arc<ServerConfig> {
    let authority = |name: &str| {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, name);
        CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
    };
    let (root, other) = (authority("root"), authority("other"));
    let key = KeyPair::generate().unwrap();
    let certificate =
        CertificateParams::new(["localhost".to_owned()]).unwrap().signed_by(&key, &root).unwrap();
    std::fs::write(folder.join("root.pem"), root.pem()).unwrap();
    std::fs::write(folder.join("other.pem"), other.pem()).unwrap();
    postgres::private(&folder.join("ord"), "KANARIE-ord\n");
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder =
        ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let key = rustls_pki_types::PrivateKeyDer::try_from(key.serialize_der()).unwrap();
    Arc::new(builder.with_no_client_auth().with_single_cert(vec![certificate.der().clone()], key).unwrap())
}

fn packet(kind: u8, content: &[u8]) -> Vec<u8> {
    let length = u16::try_from(content.len() + 8).unwrap().to_be_bytes();
    [&[kind, 1, length[0], length[1], 0, 0, 1, 0], content].concat()
}

/// A whole message: its kind and content.
fn message(stream: &mut impl Read) -> io::Result<(u8, Vec<u8>)> {
    let mut all = Vec::new();
    loop {
        let mut header = [0; 8];
        stream.read_exact(&mut header)?;
        let mut content = vec![0; usize::from(u16::from_be_bytes([header[2], header[3]])) - 8];
        stream.read_exact(&mut content)?;
        all.extend(content);
        if header[1] & 1 == 1 {
            return Ok((header[0], all));
        }
    }
}

/// The handshake's bytes inside packets.
struct Wrapped<'s> {
    stream: &'s mut TcpStream,
    come: Vec<u8>,
}

impl Read for Wrapped<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.come.is_empty() {
            let (kind, content) = message(self.stream)?;
            assert_eq!(kind, PRELOGIN);
            self.come = content;
        }
        let count = buffer.len().min(self.come.len());
        buffer[..count].copy_from_slice(&self.come[..count]);
        self.come.drain(..count);
        Ok(count)
    }
}

impl Write for Wrapped<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        // packets of a length that cuts the flight of certificates in two
        let part = &bytes[..bytes.len().min(500)];
        self.stream.write_all(&packet(PRELOGIN, part))?;
        Ok(part.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.stream.flush()
    }
}

fn converse(
    stream: &mut TcpStream,
    config: &Arc<ServerConfig>,
    manner: Manner,
    routed: Option<u16>,
    reply: &[u8],
    seen: &mut Seen,
) -> io::Result<()> {
    let (kind, _) = message(stream)?;
    assert_eq!(kind, PRELOGIN);
    let encryption = if manner == Manner::Plain { 2 } else { 1 };
    let first = [0, 0, 11, 0, 6, 1, 0, 17, 0, 1, 0xff, 16, 0, 0, 0, 0, 0, encryption];
    stream.write_all(&packet(ANSWER, &first))?;
    let mut session = ServerConnection::new(Arc::clone(config)).unwrap();
    let mut wrapped = Wrapped { stream, come: Vec::new() };
    while session.is_handshaking() {
        session.complete_io(&mut wrapped)?;
    }
    assert_eq!(session.protocol_version(), Some(rustls::ProtocolVersion::TLSv1_2));
    let mut stream = Stream::new(&mut session, stream);
    let (kind, login) = message(&mut stream)?;
    assert_eq!(kind, LOGIN, "the driver's own first message stays in the node");
    seen.logins += 1;
    seen.readonly = login[26] & 0x20 != 0;
    let word = field(&login, 44).iter().map(|byte| (byte ^ 0xa5).rotate_left(4)).collect::<Vec<_>>();
    let is_known = (units(field(&login, 40)), units(&word)) == ("las".into(), "KANARIE-ord".into());
    let answer = match (is_known, routed) {
        (false, _) => [error(18_456, 1), done()].concat(),
        (true, Some(port)) => [acknowledged(), routing(port), done()].concat(),
        (true, None) => [acknowledged(), done()].concat(),
    };
    stream.write_all(&packet(ANSWER, &answer))?;
    while let Ok((kind, batch)) = message(&mut stream) {
        assert_eq!(kind, BATCH);
        let headers = u32::from_le_bytes(batch[..4].try_into().unwrap()) as usize;
        let text = units(&batch[headers..]);
        let answer = if text.contains("BEGIN TRANSACTION") { done() } else { reply.to_vec() };
        seen.batches.push(text);
        for piece in packets(&answer) {
            stream.write_all(&piece)?;
        }
    }
    Ok(())
}

/// An answer as packets of the usual length.
fn packets(answer: &[u8]) -> Vec<Vec<u8>> {
    let last = answer.chunks(4_088).count() - 1;
    let one = |(at, piece): (usize, &[u8])| {
        let mut packet = packet(ANSWER, piece);
        packet[1] = u8::from(at == last);
        packet
    };
    answer.chunks(4_088).enumerate().map(one).collect()
}

/// A field of the login message, named by where its offset and length stand.
fn field(login: &[u8], at: usize) -> &[u8] {
    let number = |at: usize| usize::from(u16::from_le_bytes([login[at], login[at + 1]]));
    &login[number(at)..number(at) + 2 * number(at + 2)]
}

fn units(bytes: &[u8]) -> String {
    let units = bytes.chunks_exact(2).map(|pair| u16::from_le_bytes([pair[0], pair[1]]));
    String::from_utf16(&units.collect::<Vec<_>>()).unwrap()
}

fn utf16(text: &str) -> Vec<u8> {
    text.encode_utf16().flat_map(u16::to_le_bytes).collect()
}

/// Characters after their number in one byte.
fn short(text: &str) -> Vec<u8> {
    [vec![u8::try_from(text.encode_utf16().count()).unwrap()], utf16(text)].concat()
}

fn token(kind: u8, content: Vec<u8>) -> Vec<u8> {
    [vec![kind], u16::try_from(content.len()).unwrap().to_le_bytes().to_vec(), content].concat()
}

fn acknowledged() -> Vec<u8> {
    token(0xad, [vec![1, 0x74, 0, 0, 4], short("prov"), vec![16, 0, 0, 0]].concat())
}

fn done() -> Vec<u8> {
    [vec![0xfd], vec![0; 12]].concat()
}

fn error(number: u32, line: u32) -> Vec<u8> {
    let text = "Conversion failed when converting the value 'KANARIE'.";
    let length = u16::try_from(text.len()).unwrap().to_le_bytes();
    let message = [&length[..], &utf16(text)].concat();
    let parts = [&number.to_le_bytes()[..], &[1, 16], &message, &short("S"), &short(""), &line.to_le_bytes()]
        .concat();
    token(0xaa, parts)
}

fn routing(port: u16) -> Vec<u8> {
    let host = "localhost";
    let port = port.to_le_bytes();
    let value = [&[0, port[0], port[1]], &u16::try_from(host.len()).unwrap().to_le_bytes()[..], &utf16(host)];
    let value = value.concat();
    let length = u16::try_from(value.len()).unwrap().to_le_bytes();
    token(0xe3, [&[20], &length[..], &value, &[0, 0]].concat())
}

/// The heads of columns: each a type with its lengths, and a name.
fn columns(of: &[(&[u8], &str)]) -> Vec<u8> {
    let mut out = vec![0x81];
    out.extend(u16::try_from(of.len()).unwrap().to_le_bytes());
    for (sql_type, name) in of {
        out.extend([0, 0, 0, 0, 1, 0]);
        out.extend(*sql_type);
        out.extend(short(name));
    }
    out
}

const INT: &[u8] = &[0x26, 8];
const TEXT: &[u8] = &[0xe7, 200, 0, 9, 4, 0xd0, 0, 52];
const DAY: &[u8] = &[0x28];
const MOMENT: &[u8] = &[0x2a, 7];
const DECIMAL: &[u8] = &[0x6a, 5, 9, 2];
const TRUTH: &[u8] = &[0x68, 1];
const GUID: &[u8] = &[0x24, 16];

fn day_bytes() -> [u8; 3] {
    let bytes = 738_915u32.to_le_bytes(); // 2024-01-31
    [bytes[0], bytes[1], bytes[2]]
}

fn text_bytes(text: &str) -> Vec<u8> {
    let bytes = utf16(text);
    [&u16::try_from(bytes.len()).unwrap().to_le_bytes()[..], &bytes].concat()
}

fn source(server: &Server, lines: &str) -> Source {
    let root = if lines.contains("rot =") { "" } else { "rot = 'root.pem'\n" };
    let query = if lines.contains("fraga") { "" } else { "fraga = 'SELECT * FROM akt'\n" };
    let text = format!(
        "version = 1\nslag = \"sqlserver\"\nvard = \"localhost\"\nport = {}\ndatabas = \"vks\"\nanvandare = \"las\"\n\
         losenord_fil = \"ord\"\n{root}{query}{lines}",
        server.port
    );
    let file = server.folder.path().join("kalla.toml");
    std::fs::write(&file, text).unwrap();
    Source::read(&file).unwrap()
}

fn shown(value: &Value) -> String {
    match value {
        Value::Null => "null".into(),
        Value::Text(text) => text.clone(),
        Value::Number(number) => number.to_string(),
        Value::Day(day) => day.to_string(),
    }
}

/// The rows with all their columns but those in `left_out`.
fn read(source: &Source, left_out: &[&str]) -> Result<Vec<Vec<String>>, QueryError> {
    let asked = source.ask()?;
    let wanted = asked.names().iter().map(|name| !left_out.contains(&name.as_str())).collect();
    asked.rows(wanted).map(|row| Ok(row?.iter().map(shown).collect())).collect()
}

#[test]
fn rows_of_every_type_come_encrypted_in_a_transaction_that_is_never_committed() {
    let head = columns(&[
        (INT, "nr"),
        (TEXT, "typ"),
        (DAY, "dag"),
        (MOMENT, "stund"),
        (DECIMAL, "alder"),
        (TRUTH, "ny"),
        (GUID, "id"),
    ]);
    let full = [
        vec![0xd1, 8],
        198_001_012_387i64.to_le_bytes().to_vec(),
        text_bytes("Ansökan"),
        [&[3][..], &day_bytes()].concat(),
        [&[8, 0, 0, 0, 0, 0][..], &day_bytes()].concat(),
        [&[5, 1][..], &3_400u32.to_le_bytes()].concat(),
        vec![1, 1],
        [&[16][..], &[7; 16]].concat(),
    ]
    .concat();
    let empty = vec![0xd1, 0, 0xff, 0xff, 0, 0, 0, 0, 0];
    let many = full.repeat(1_000);
    let server = serve(Manner::Sound, [head, empty, many, done()].concat());
    let rows = read(&source(&server, ""), &["id"]).unwrap();
    assert_eq!(rows.len(), 1_001);
    assert_eq!(rows[0], ["null"; 7]);
    let expected = ["198001012387", "Ansökan", "2024-01-31", "2024-01-31", "34", "SANT", "null"];
    assert!(rows[1..].iter().all(|row| row == &expected), "{:?}", rows[1]);
    let seen = server.thread.join().unwrap();
    assert_eq!((seen.logins, seen.readonly), (1, true));
    let begin = "SET XACT_ABORT ON; SET IMPLICIT_TRANSACTIONS OFF; BEGIN TRANSACTION";
    assert_eq!(seen.batches, [begin, "SELECT * FROM akt"]);
}

#[test]
fn a_listener_that_points_to_a_readable_copy_is_followed_once() {
    let reply = [columns(&[(INT, "nr")]), vec![0xd1, 8], 7i64.to_le_bytes().to_vec(), done()].concat();
    let server = serve(Manner::Routes, reply);
    assert_eq!(read(&source(&server, ""), &[]).unwrap(), [["7"]]);
    assert_eq!(server.thread.join().unwrap().logins, 2);
}

#[test]
fn stay_1_each_error_says_what_to_mend_and_shows_no_word_of_a_row_or_the_password() {
    let rows = || [columns(&[(INT, "nr"), (GUID, "id")]), vec![0xd1, 0, 0, 0xd1, 0, 0], done()].concat();
    let failed = |number, line| [error(number, line), done()].concat();
    let login = "anvandare, losenord_fil, databas: servern släpper inte in las: ";
    for (manner, reply, lines, expected) in [
        (Manner::Sound, rows(), "radgrans = 1\n[kolumner]\nid = '-'", "radgrans: frågan ger fler än 1 rader"),
        (
            Manner::Sound,
            rows(),
            "",
            "kolumn id: typen uniqueidentifier läses inte; skriv om kolumnen i frågan, till exempel CAST(kolumn AS nvarchar(100))",
        ),
        (Manner::Sound, failed(207, 3), "", "fraga: frågans rad 3: kolumnen finns inte (207)"),
        (
            Manner::Sound,
            failed(245, 1),
            "",
            "fraga: frågans rad 1: ett värde i databasen kan inte räknas om som frågan ber om (245)",
        ),
        (Manner::Sound, done(), "", "fraga: frågan ger inga kolumner"),
        (
            Manner::Sound,
            [rows(), rows()].concat(),
            "[kolumner]\nid = '-'",
            "fraga: frågan ger mer än en tabell",
        ),
        (Manner::Plain, rows(), "", "tls: servern krypterar inte"),
        (
            Manner::Sound,
            rows(),
            "rot = 'other.pem'",
            "tls: servern visar ett certifikat från en utfärdare som inte",
        ),
    ] {
        let server = serve(manner, reply);
        let source = source(&server, lines);
        let left_out: &[&str] = if lines.contains("id = '-'") { &["id"] } else { &[] };
        let error = read(&source, left_out).unwrap_err();
        assert!(error.to_string().starts_with(expected), "{error}\n{expected}");
        assert!(!format!("{error} {error:?}").contains("KANARIE"));
        let seen = server.thread.join().unwrap();
        assert!(!expected.starts_with("tls") || seen.logins == 0, "no password before encryption");
    }
    let server = serve(Manner::Sound, done());
    postgres::private(&server.folder.path().join("ord"), "KANARIE-fel");
    let error = read(&source(&server, ""), &[]).unwrap_err();
    assert_eq!(error.to_string(), format!("{login}användaren eller lösenordet godtas inte (18456)"));
    let seen = server.thread.join().unwrap();
    assert_eq!((seen.logins, seen.batches.len()), (1, 0));
}

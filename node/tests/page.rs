//! The page on loopback, as a browser, another page in it and another user of the machine meet it.
#![allow(clippy::unwrap_used)] // a test

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};

use node::config::Config;
use node::page::{Keys, Page, router};

/// A label that would run, were it not escaped.
const SCRIPT: &str = "<script>alert(1)</script>";

/// A codes file to begin with.
const EMPTY: &str = "version = 1\nkommun = \"2101\"\n";

struct Served {
    at: SocketAddr,
    once: String,
    folder: tempfile::TempDir,
    _runtime: tokio::runtime::Runtime,
}

struct Answer {
    status: u16,
    head: String,
    body: String,
}

fn collection() -> String {
    "id = 'prov'\nversion = 1\ntitel = 'Prov'\nlan = '21'\nkodbok = 'barn/1'\nperioder = ['2024']\n\
     deltagare = ['2101', '2104', '2121', '2132', '2161']\ndeklarera_inom_timmar = 24\nlamna_inom_timmar = 24\n\
     kontakt = 'k'\nkalla = 'k'\n[[tabell]]\nid = 'T1'\ntitel = 'Efter typ'\nmatt = 'aktualiseringar'\n\
     omfattning = 'kommun'\ndimensioner = ['aktualiseringstyp']\n[[tabell]]\nid = 'T2'\ntitel = 'Efter orsak'\n\
     matt = 'aktualiseringar'\nomfattning = 'kommun'\ndimensioner = ['orsak']\nflera = { orsak = 'kombination' }\n"
        .into()
}

fn extract() -> String {
    let mut text = String::from("Inkom datum;Typ;Orsak\n");
    for day in 1..=12 {
        text.push_str(&format!("2024-02-{day:02};Orosanmälan;Skolfrånvaro\n"));
    }
    for day in 1..=5 {
        text.push_str(&format!("2024-03-{day:02};Ansökan;Skolfrånvaro, Kriminalitet\n"));
    }
    text.push_str("2024-03-06;Yttrande;Missbruk\n2024-03-07;Anmälan barn 0-12 år;Missbruk\n");
    text.push_str(&format!("2024-03-08;Anmälan;{SCRIPT}\n"));
    text
}

impl Served {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
        write("uttag.csv", &extract());
        write("prov.toml", &collection());
        write(
            "node.toml",
            "enhet = \"2101\"\nkatalog = \"data\"\nregion = \"localhost:1\"\n[uttag]\nfil = \"uttag.csv\"\n\
             kodbok = \"barn\"\nkoder = \"2101.codes.toml\"\n",
        );
        let config = Config::read(&folder.path().join("node.toml")).unwrap();
        let keys = Keys::new().unwrap();
        let once = keys.once();
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let listener = runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0")).unwrap();
        let at = listener.local_addr().unwrap();
        let page = Page::new(config, Some(folder.path().join("prov.toml")), "Eva Ek".into()).unwrap();
        let app = router(page, at.to_string(), keys);
        runtime.spawn(async move { axum::serve(listener, app).await });
        Self { at, once, folder, _runtime: runtime }
    }

    fn ask(&self, first: &str, headers: &[String], body: &str) -> Answer {
        let mut stream = TcpStream::connect(self.at).unwrap();
        let headers: String = headers.iter().map(|header| format!("{header}\r\n")).collect();
        let length = body.len();
        write!(
            stream,
            "{first} HTTP/1.1\r\n{headers}content-length: {length}\r\nconnection: close\r\n\r\n{body}"
        )
        .unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        Answer { status, head: head.to_ascii_lowercase(), body: body.to_owned() }
    }

    fn host(&self) -> String {
        format!("host: {}", self.at)
    }

    fn origin(&self) -> String {
        format!("origin: http://{}", self.at)
    }

    /// Takes the key of the printed address for the cookie.
    fn let_in(&self) -> String {
        let answer = self.ask(&format!("GET /?nyckel={}", self.once), &[self.host()], "");
        assert_eq!(answer.status, 303);
        let cookie =
            answer.head.lines().find_map(|line| line.strip_prefix("set-cookie: ")).unwrap().to_owned();
        assert!(cookie.contains("httponly") && cookie.contains("samesite=strict"), "{cookie}");
        format!("cookie: {}", cookie.split(';').next().unwrap())
    }

    fn page(&self, cookie: &str) -> Answer {
        self.ask("GET /", &[self.host(), cookie.to_owned()], "")
    }

    fn choose(&self, cookie: &str, label: &str, code: &str, origin: &str) -> Answer {
        let headers = [
            self.host(),
            cookie.to_owned(),
            origin.to_owned(),
            "content-type: application/x-www-form-urlencoded".into(),
        ];
        self.ask("POST /etiketter", &headers, &format!("variabel=orsak&etikett={label}&kod={code}"))
    }

    fn codes(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("2101.codes.toml")).unwrap()
    }
}

#[test]
fn the_page_shows_tables_labels_and_the_extract_to_who_holds_the_key() {
    let served = Served::new();
    let cookie = served.let_in();
    let answer = served.page(&cookie);
    assert_eq!(answer.status, 200, "{}", answer.body);
    for text in [
        "Det här lämnar kommunen",
        "T1 Efter typ",
        "<td class=\"tal\">12</td>",
        "undertryckt: antal under 4",
        "Flera",
        "Missbruk",
        "Lästa rader: 20",
        "Eva Ek",
        "Flera koder; den första: ",
        "<option value=\"\">Välj kod</option>",
    ] {
        assert!(answer.body.contains(text), "{text} is not in {}", answer.body);
    }
    assert!(!answer.body.contains(SCRIPT) && answer.body.contains("script&#62;"), "labels are escaped");
    for word in ["<script", "http://", "https://", "style=", "onclick"] {
        assert!(
            !answer.body.contains(word),
            "{word}: the page needs nothing from elsewhere and runs nothing"
        );
    }
    assert_eq!(served.ask("GET /stil.css", &[served.host(), cookie], "").status, 200);
}

#[test]
fn every_answer_forbids_what_other_pages_could_do_with_it() {
    let served = Served::new();
    let cookie = served.let_in();
    for answer in [
        served.page(&cookie),
        served.page("cookie: a=b"),
        served.ask("GET /", &["host: evil.example".into()], ""),
    ] {
        assert!(
            answer.head.contains("content-security-policy: default-src 'none'; style-src 'self'"),
            "{}",
            answer.head
        );
        assert!(
            answer.head.contains("frame-ancestors 'none'") && answer.head.contains("cache-control: no-store")
        );
        assert!(!answer.head.contains("access-control"), "no other site may read it");
    }
}

/// STAY-1: another user of the machine reaches the port, but has no key.
#[test]
fn without_the_key_or_with_a_used_one_nothing_is_shown() {
    let served = Served::new();
    for first in [
        "GET /",
        "GET /stil.css",
        "GET /?nyckel=",
        "GET /?nyckel=00",
        "POST /etiketter",
        "OPTIONS /",
        "GET /okand",
    ] {
        let answer = served.ask(first, &[served.host(), served.origin()], "");
        assert_eq!(answer.status, 403, "{first}");
        assert!(!answer.body.contains("Missbruk") && !answer.body.contains("2101"), "{first}");
    }
    let cookie = served.let_in();
    let again = served.ask(&format!("GET /?nyckel={}", served.once), &[served.host()], "");
    assert_eq!(again.status, 403, "the key is taken once");
    assert!(!again.head.contains("set-cookie"));
    assert_eq!(served.page(&format!("{}0", &cookie[..cookie.len() - 1])).status, 403);
}

/// STAY-1: a page in the operator's browser whose name was made to lead here.
#[test]
fn another_name_for_the_machine_is_refused_even_with_the_cookie() {
    let served = Served::new();
    let cookie = served.let_in();
    for host in ["evil.example", "localhost", "127.0.0.1", &format!("evil.example:{}", served.at.port())] {
        let answer = served.ask("GET /", &[format!("host: {host}"), cookie.clone()], "");
        assert_eq!(answer.status, 421, "{host}");
        assert!(!answer.body.contains("Missbruk"), "{host}");
    }
    let key = served.ask(&format!("GET /?nyckel={}", served.once), &["host: evil.example".into()], "");
    assert!(key.status == 421 && !key.head.contains("set-cookie"));
}

#[test]
fn a_choice_is_written_with_author_and_date_and_only_from_the_page_itself() {
    let served = Served::new();
    let cookie = served.let_in();
    for origin in ["x: y", "origin: http://evil.example", "origin: null"] {
        assert_eq!(served.choose(&cookie, "Missbruk", "annat", origin).status, 403, "{origin}");
        assert_eq!(served.codes(), EMPTY);
    }
    let before = served.page(&cookie).body;
    assert!(before.contains("value=\"Missbruk\""));
    let answer = served.choose(&cookie, "Missbruk", "annat", &served.origin());
    assert_eq!(answer.status, 303, "{}", answer.body);
    let codes = served.codes();
    let line = codes.lines().find(|line| line.starts_with("\"Missbruk\" = \"annat\"")).unwrap();
    assert!(line.contains("  # 20") && line.ends_with(", Eva Ek"), "{line}");
    assert!(!served.page(&cookie).body.contains("value=\"Missbruk\""), "the label has its code now");
}

#[test]
fn a_choice_that_cannot_be_is_refused_and_changes_nothing() {
    let served = Served::new();
    let cookie = served.let_in();
    for (label, code, why) in [
        ("Missbruk", "finns_inte", "Välj en av koderna"),
        ("Missbruk", "", "Välj en av koderna"),
        ("Skolfr%C3%A5nvaro", "annat", "står inte längre"),
        ("okand", "annat", "står inte längre"),
        // two codes stand in the field: one in their place would lose the other
        ("Skolfr%C3%A5nvaro%2C+Kriminalitet", "annat", "står inte längre"),
    ] {
        let answer = served.choose(&cookie, label, code, &served.origin());
        assert!(answer.status == 422 && answer.body.contains(why), "{label} {code}: {}", answer.body);
    }
    let long = "a".repeat(1 << 20);
    assert_eq!(served.choose(&cookie, &long, "annat", &served.origin()).status, 413);
    assert_eq!(served.codes(), EMPTY, "nothing half-written stays");
}

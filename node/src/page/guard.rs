//! Who is let in to the page: the browser that opened the printed address, and nobody else (STAY-1).
//!
//! Other users of the machine can reach a port on loopback, and so can every web page in the operator's browser. Against the
//! first: the address holds a key that is taken once and gives a cookie. Against the second: the name that is asked for must
//! be the page's own (DNS rebinding), the cookie goes to no other site's requests (`SameSite=Strict`), an answer to a form must
//! come from the page itself (`Origin`), no other site may read or frame anything (no CORS headers, `frame-ancestors`), and the
//! policy of content lets nothing run.
//!
//! Does not protect against who can read the operator's own terminal, memory or browser.

use std::sync::{Arc, Mutex};

use axum::extract::{Request, State};
use axum::http::header::{self, HeaderName, HeaderValue};
use axum::http::{Method, StatusCode};
use axum::middleware::Next;
use axum::response::{Html, IntoResponse, Response};
use sha2::{Digest, Sha256};

use super::view;

/// Bytes of a key: nobody guesses it.
const KEY_BYTES: usize = 32;
/// The cookie of who was let in.
const COOKIE: &str = "samman_nod";
/// Nothing but the page's own style sheet and forms.
const POLICY: &str =
    "default-src 'none'; style-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'";

/// The key of the address, and that of the cookie it gives.
pub struct Keys {
    once: Mutex<Option<String>>,
    session: String,
}

impl Keys {
    /// Fresh keys.
    ///
    /// # Errors
    /// When the operating system has no randomness.
    pub fn new() -> Result<Self, getrandom::Error> {
        let fresh = || {
            let mut bytes = [0; KEY_BYTES];
            getrandom::fill(&mut bytes).map(|()| hex::encode(bytes))
        };
        Ok(Self { once: Mutex::new(Some(fresh()?)), session: fresh()? })
    }

    /// The key to print; empty when it has been used.
    pub fn once(&self) -> String {
        self.once.lock().map(|once| once.clone().unwrap_or_default()).unwrap_or_default()
    }

    /// Takes the key of the address, once.
    fn take(&self, given: &str) -> bool {
        let Ok(mut once) = self.once.lock() else { return false };
        let fits = once.as_ref().is_some_and(|once| is_same(once, given));
        if fits {
            *once = None;
        }
        fits
    }
}

/// Compared as hashes, so that the time it takes says nothing about the key.
fn is_same(one: &str, other: &str) -> bool {
    Sha256::digest(one) == Sha256::digest(other)
}

/// The page's address and its keys.
pub(super) struct Door {
    pub(super) host: String,
    pub(super) keys: Keys,
}

/// Lets a request through, or says why not; every answer carries the policies.
pub(super) async fn admit(State(door): State<Arc<Door>>, request: Request, next: Next) -> Response {
    let mut answer = match judge(&door, &request) {
        Verdict::In => next.run(request).await,
        Verdict::LetIn => welcome(&door),
        Verdict::Out(status, text) => (status, Html(view::fault(text))).into_response(),
    };
    let headers = answer.headers_mut();
    for (name, value) in [
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        // not `no-referrer`: browsers then send no origin with a form
        (header::REFERRER_POLICY, "same-origin"),
        (header::CACHE_CONTROL, "no-store"),
        (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
        (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    answer
}

enum Verdict {
    In,
    /// With the key of the address.
    LetIn,
    Out(StatusCode, &'static str),
}

fn judge(door: &Door, request: &Request) -> Verdict {
    let text = |name: HeaderName| request.headers().get(name).and_then(|value| value.to_str().ok());
    if text(header::HOST) != Some(&door.host) {
        return Verdict::Out(
            StatusCode::MISDIRECTED_REQUEST,
            "Sidan har en annan adress: den som noden skrev ut.",
        );
    }
    let is_read = request.method() == Method::GET || request.method() == Method::HEAD;
    if is_read && request.uri().path() == "/" {
        let query = request.uri().query().unwrap_or_default();
        if let Some(given) = query.strip_prefix("nyckel=") {
            return match door.keys.take(given) {
                true => Verdict::LetIn,
                false => Verdict::Out(
                    StatusCode::FORBIDDEN,
                    "Adressen är redan använd eller fel. Avsluta noden och starta sidan på nytt.",
                ),
            };
        }
    }
    let cookies = text(header::COOKIE).unwrap_or_default().split(';');
    let own = cookies.filter_map(|cookie| cookie.trim().split_once('=')).find(|(name, _)| *name == COOKIE);
    if !own.is_some_and(|(_, session)| is_same(session, &door.keys.session)) {
        return Verdict::Out(StatusCode::FORBIDDEN, "Öppna sidan med den adress som noden skrev ut.");
    }
    let origin = format!("http://{}", door.host);
    if !is_read && text(header::ORIGIN) != Some(&origin) {
        return Verdict::Out(StatusCode::FORBIDDEN, "Svaret kom inte från sidan själv.");
    }
    Verdict::In
}

fn welcome(door: &Door) -> Response {
    let cookie = format!("{COOKIE}={}; HttpOnly; SameSite=Strict; Path=/", door.keys.session);
    (StatusCode::SEE_OTHER, [(header::LOCATION, "/".to_owned()), (header::SET_COOKIE, cookie)])
        .into_response()
}

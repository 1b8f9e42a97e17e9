//! `node page`: *Det här lämnar kommunen*, a page for the operator of this machine.
//!
//! Shows what `node check` and `node preview` say, and the labels that no code or only their words fit, each with codes to
//! choose from; what is chosen goes into the kommun's codes file as `node review` writes it. Every view reads the extract
//! anew, so it shows the files as they are. The page works without script and asks nothing of any other machine.
//!
//! Architecture invariant: this module listens on loopback and answers who has been let in (`guard`); it opens no
//! connection, and nothing it shows leaves the machine (STAY-1). Errors on the page are those of the commands: file, row and
//! column, never a cell.

mod guard;
mod view;

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::{Context, anyhow, bail};
use axum::extract::{DefaultBodyLimit, State};
use axum::http::StatusCode;
use axum::response::{Html, IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use axum::{Form, Router};
use daemon::shutdown::Shutdown;
use tokio::net::TcpListener;
use tokio::sync::Mutex;

pub use guard::Keys;
use view::Answer;

use crate::config::Config;
use crate::intake::review;

/// Longest answer to a form in bytes: a label, a variable and a code.
const MAX_ANSWER: usize = 64 << 10;

/// What the page shows, and for whom.
#[derive(Debug, Clone, clap::Args)]
pub struct PageArguments {
    /// Insamlingens dokument, vars tabeller visas.
    pub collection: Option<PathBuf>,
    /// Vem som går igenom etiketter; står i kodfilen.
    #[arg(long)]
    pub by: String,
    /// Port på den här maskinen; 0 tar en ledig.
    #[arg(long, default_value_t = 0)]
    pub port: u16,
}

/// What a page is made from.
pub struct Page {
    config: Config,
    collection: Option<PathBuf>,
    by: String,
}

impl Page {
    /// A page of the configured extract, with a codes file to begin with where the configured one is missing. `collection`: the
    /// document whose tables are shown. `by`: who reviews labels.
    ///
    /// # Errors
    /// A name that is none, or a codes file that cannot be made.
    pub fn new(config: Config, collection: Option<PathBuf>, by: String) -> anyhow::Result<Self> {
        if by.trim().is_empty() || by.chars().any(char::is_control) {
            bail!("--by: väntade ett namn");
        }
        if let Some(path) = &config.codes {
            review::begin(path, &config.unit)?;
        }
        Ok(Self { config, collection, by })
    }
}

struct Served {
    page: Page,
    /// One reading or writing at a time.
    turn: Mutex<()>,
}

/// Serves the page until told to stop.
///
/// # Errors
/// A name that is none, or a port that cannot be had.
pub async fn run(config: Config, arguments: PageArguments, mut stop: Shutdown) -> anyhow::Result<()> {
    let PageArguments { collection, by, port } = arguments;
    let page = Page::new(config, collection, by)?;
    let at = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let listener = TcpListener::bind(at).await.with_context(|| format!("--port: {at} kan inte användas"))?;
    let host = listener.local_addr()?.to_string();
    let keys = Keys::new().map_err(|error| anyhow!("operativsystemet gav inga slumptal: {error}"))?;
    println!("Öppna den här adressen i webbläsaren; den gäller en gång, på den här maskinen:");
    println!("  http://{host}/?nyckel={}", keys.once());
    println!("Avsluta med Ctrl-C.");
    let app = router(page, host, keys);
    axum::serve(listener, app).with_graceful_shutdown(async move { stop.wait().await }).await?;
    Ok(())
}

/// The page at `host`, for who holds the keys.
pub fn router(page: Page, host: String, keys: Keys) -> Router {
    let served = Arc::new(Served { page, turn: Mutex::new(()) });
    let door = Arc::new(guard::Door { host, keys });
    Router::new()
        .route("/", get(show))
        .route("/etiketter", post(accept))
        .route("/stil.css", get(style))
        .with_state(served)
        .layer(DefaultBodyLimit::max(MAX_ANSWER))
        .layer(axum::middleware::from_fn_with_state(door, guard::admit))
}

async fn style() -> impl IntoResponse {
    ([("content-type", "text/css; charset=utf-8")], include_str!("../../templates/stil.css"))
}

async fn show(State(served): State<Arc<Served>>) -> Response {
    let own = Arc::clone(&served);
    let _turn = served.turn.lock().await;
    match tokio::task::spawn_blocking(move || view::page(&own.page)).await {
        Ok(Ok(html)) => Html(html).into_response(),
        Ok(Err(error)) => fault(StatusCode::UNPROCESSABLE_ENTITY, &format!("{error:#}")),
        Err(_) => fault(StatusCode::INTERNAL_SERVER_ERROR, "Uttaget kunde inte läsas: ett fel i programmet."),
    }
}

async fn accept(State(served): State<Arc<Served>>, Form(answer): Form<Answer>) -> Response {
    let own = Arc::clone(&served);
    let _turn = served.turn.lock().await;
    match tokio::task::spawn_blocking(move || view::accept(&own.page, &answer)).await {
        Ok(Ok(())) => Redirect::to("/#etiketter").into_response(),
        Ok(Err(error)) => fault(StatusCode::UNPROCESSABLE_ENTITY, &format!("{error:#}")),
        Err(_) => fault(StatusCode::INTERNAL_SERVER_ERROR, "Svaret sparades inte: ett fel i programmet."),
    }
}

/// A page that says what is wrong and leads back.
fn fault(status: StatusCode, text: &str) -> Response {
    (status, Html(view::fault(text))).into_response()
}

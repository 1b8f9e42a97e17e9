//! The third coordinator: a process of its own, run by another body than the national one, usually a region's.
//!
//! It must not pool its data with the national body: together they could open any county's sums. Enrolled like a region;
//! what it answers the national body is in [`crate::counties::third`].

use std::sync::Arc;

use anyhow::{Context, bail};
use daemon::door::{Limits, Target, connect_lazy, serve};
use daemon::gate::Gate;
use daemon::identity::{Identity, Role};
use daemon::shutdown::Shutdown;
use daemon::tls::{ClientTls, ServerTls};
use daemon::wallet::Wallet;
use jiff::Timestamp;
use proto::v1;
use sharing::signing::SigningContext;
use tables::unit::LansKod;

use crate::admin::{self, Question, Reply};
use crate::config::Config;
use crate::counties::third::{Desk, ThirdService};
use crate::issuer::upstream::Upstream;
use crate::national::{hpke_keys, operator_socket};
use crate::region::keep_current;
use crate::signer::Signer;
use crate::storage;

/// Largest question: a sealed share of every county, and a collection.
const MAX_QUESTION: usize = 1 << 30;

/// Runs until `stop`. The coordinator must be enrolled.
///
/// # Errors
/// When something configured cannot be used; the text says what.
pub async fn run(config: Config, county: LansKod, national: String, stop: Shutdown) -> anyhow::Result<()> {
    let wallet = Wallet::new(config.data.join("identitet"));
    if wallet.is_empty() {
        bail!("this coordinator is not enrolled: run `coordinator enrol --config FILE --invite FILE` first");
    }
    let (credentials, _) = wallet.load()?;
    if credentials.about().identity != Identity::new(Role::Third, county.to_string())? {
        bail!(
            "niva = \"tredje\", lan = \"{county}\", but the certificate in {} names {}",
            config.data.display(),
            credentials.about().identity
        );
    }
    let Some(store) = storage::open(&config, &stop).await? else { return Ok(()) };
    storage::take_papers(store.as_ref(), &wallet, Timestamp::now())?;
    let (credentials, crl) = wallet.load()?;
    let credentials = Arc::new(credentials);
    let gate = Arc::new(Gate::new(credentials.root_der(), crl));
    let tls = Arc::new(ClientTls::mutual(credentials.clone(), Some(gate.clone())));
    let expected = Identity::new(Role::National, "00")?;
    let channel = connect_lazy(Target { address: national, proxy: None, expected }, tls)?;
    let upstream = Arc::new(Upstream::National { channel, root: credentials.root_der().to_vec() });
    let signer = Arc::new(Signer::new(credentials.clone()));
    let keys = hpke_keys(store.as_ref(), "third/hpke")?;
    let key = signer.sign(SigningContext::HelperKey, keys.public().to_bytes().to_vec());
    let key_id = hex::encode(keys.public().id());
    let desk = Arc::new(Desk::open(store.clone(), keys)?);
    let service = ThirdService { desk, gate: gate.clone(), signer, key };
    let service = v1::third_server::ThirdServer::new(service).max_decoding_message_size(MAX_QUESTION);
    let server = Arc::new(ServerTls::mutual(credentials, gate.clone())?);
    let listener = storage::bind(&config, "lyssna", &config.listen).await?;
    tokio::spawn(keep_current(
        (wallet, store.clone()),
        upstream,
        gate,
        config.revocation_seconds,
        stop.clone(),
    ));
    let asked = store.clone();
    let answer = move |question| {
        let key_id = key_id.clone();
        storage::answer(asked.clone(), question, |question| async move { reply(question, key_id) })
    };
    tokio::spawn(admin::serve(operator_socket(&config)?, answer));
    tracing::info!(listen = %config.listen, %county, "third coordinator");
    let routes = tonic::service::Routes::new(service);
    tokio::select! {
        ended = serve(listener, server, routes, Limits::default(), stop) => Ok(ended?),
        error = daemon::store::halted(store) => Err(error).context("lagret tar inte emot mer; starta om"),
    }
}

fn reply(question: Question, key_id: String) -> Reply {
    match question {
        Question::Status => Reply::Status(Vec::new()),
        Question::Key => Reply::Key(key_id),
        _ => Reply::Refused("the third coordinator only opens what national rounds list".into()),
    }
}

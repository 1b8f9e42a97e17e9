//! DOOR-1 over real sockets against running coordinators: who has no right certificate hears nothing, a withdrawn one
//! stops working, nobody acts as another, and the enrolment port enrols and does nothing else.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, ensure};
use coordinator::admin::Question;
use daemon::invite::InviteFile;
use daemon::pki::{Csr, Key, PeerCertificate, Root};
use e2e::caller::{Caller, Papers};
use e2e::federation::{Federation, REGION};
use e2e::wait::until;
use jiff::{SignedDuration, Timestamp};
use proto::v1;
use proto::v1::enrolment_client::EnrolmentClient;
use proto::v1::helper_client::HelperClient;
use proto::v1::issuer_client::IssuerClient;
use proto::v1::region_client::RegionClient;
use round::document::CollectionRef;
use tables::codebook::Codebook;
use tables::system::System;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tonic::transport::Channel;
use tonic::{Code, Status};

const EXE: &str = env!("CARGO_BIN_EXE_e2e-party");
const REGION_21: &str = "urn:samman:region:21";
const NATIONAL_00: &str = "urn:samman:national:00";
const NODE_2101: &str = "urn:samman:node:2101";

fn root_der(federation: &Federation) -> anyhow::Result<Vec<u8>> {
    Ok(std::fs::read(federation.national.data.join("identitet/root.der"))?)
}

/// The federation's own root with its key, as only the national body has it.
fn root(federation: &Federation) -> anyhow::Result<Root> {
    Ok(Root::load(&federation.national.data.join("rot"))?)
}

fn caller(federation: &Federation, papers: &Papers) -> anyhow::Result<Caller> {
    Caller::new(&root_der(federation)?, Some(papers))
}

fn node_papers(federation: &Federation, unit: &str) -> anyhow::Result<Papers> {
    Papers::of(&federation.node_folder(unit)?.join("identitet"))
}

async fn list(channel: &Channel) -> Result<usize, Status> {
    let reply = RegionClient::new(channel.clone()).list_collections(v1::ListCollectionsRequest {}).await?;
    Ok(reply.into_inner().collections.len())
}

async fn helper_key(channel: &Channel) -> Result<(), Status> {
    HelperClient::new(channel.clone()).get_key(v1::GetKeyRequest {}).await.map(drop)
}

fn days(count: i64) -> SignedDuration {
    SignedDuration::from_hours(24 * count)
}

/// Nothing inside TLS is answered, and no call gets through: what a stranger sees is the transport's failure, never an
/// answer of the program behind it.
fn hears_nothing(federation: &Federation, who: &str, caller: &Caller) -> anyhow::Result<()> {
    let doors = [(&federation.region.address, REGION_21), (&federation.national.address, NATIONAL_00)];
    federation.runtime().block_on(async {
        for (address, server) in doors {
            let answered = caller.answered(address, server);
            let bytes =
                tokio::time::timeout(Duration::from_secs(60), answered).await.context("the door hangs")??;
            ensure!(bytes == 0, "{who} was answered {bytes} bytes at {server}");
            let channel = caller.channel(address, server)?;
            let called =
                if server == REGION_21 { list(&channel).await.map(drop) } else { helper_key(&channel).await };
            let code = called.err().map(|status| status.code());
            ensure!(matches!(code, Some(Code::Unavailable | Code::Unknown)), "{who} at {server}: {code:?}");
        }
        Ok(())
    })
}

#[test]
fn who_has_no_right_certificate_hears_nothing_at_any_door() -> anyhow::Result<()> {
    let federation = Federation::offices(EXE, true)?;
    let (root, now) = (root(&federation)?, Timestamp::now());
    hears_nothing(&federation, "no certificate", &Caller::new(&root_der(&federation)?, None)?)?;
    let other = Root::create(now - days(1), days(400))?;
    for (who, identity) in [("another root's node", NODE_2101), ("another root's region", REGION_21)] {
        hears_nothing(&federation, who, &caller(&federation, &Papers::issued(&other, identity, now, 90)?)?)?;
    }
    let expired = Papers::issued(&root, NODE_2101, now - days(91), 90)?;
    hears_nothing(&federation, "an expired certificate", &caller(&federation, &expired)?)?;
    let early = Papers::issued(&root, NODE_2101, now + days(1), 90)?;
    hears_nothing(&federation, "a certificate of tomorrow", &caller(&federation, &early)?)?;
    // The same way of calling gets through with a certificate in force: it was the door that refused.
    let right = caller(&federation, &Papers::issued(&root, NODE_2101, now, 90)?)?;
    federation.runtime().block_on(async {
        ensure!(right.answered(&federation.region.address, REGION_21).await? > 0);
        ensure!(list(&right.channel(&federation.region.address, REGION_21)?).await? == 0);
        Ok(())
    })
}

#[test]
fn without_tls_there_is_at_most_an_alert() -> anyhow::Result<()> {
    let federation = Federation::offices(EXE, true)?;
    let (region, national) = (&federation.region, &federation.national);
    federation.runtime().block_on(async {
        for address in [&region.address, &region.enrolment, &national.address, &national.enrolment] {
            let mut stream = tokio::net::TcpStream::connect(address).await?;
            stream.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0").await?;
            let mut answer = Vec::new();
            let reading =
                tokio::time::timeout(Duration::from_secs(60), stream.read_to_end(&mut answer)).await;
            // A reset is as good as an end.
            let _ = reading.context("the door hangs")?;
            // A TLS alert (RFC 8446, 6) is type 21 and seven bytes in all.
            ensure!(
                answer.len() <= 7 && answer.first().is_none_or(|kind| *kind == 21),
                "{} bytes",
                answer.len()
            );
        }
        Ok(())
    })
}

#[test]
fn a_withdrawn_node_is_refused_on_its_open_connection_and_on_new_ones() -> anyhow::Result<()> {
    let mut federation = Federation::stage(EXE, true)?;
    let handle = federation.runtime().handle().clone();
    let _inside = handle.enter();
    federation.announce()?;
    let calling = caller(&federation, &node_papers(&federation, "2101")?)?;
    let channel = calling.channel(&federation.region.address, REGION_21)?;
    ensure!(federation.runtime().block_on(list(&channel))? == 1, "in force before");
    federation.ask(&federation.national, &Question::Revoke { identity: NODE_2101.into() })?;
    // The region polls the list every second.
    let refused =
        until("the region has the new list", || Ok(federation.runtime().block_on(list(&channel)).err()))?;
    ensure!(refused.code() == Code::Unauthenticated, "{refused:?}");
    ensure!(calling.dials() == 1, "it was another connection");
    hears_nothing_at_region(&federation, &calling)?;
    // Its neighbour is untouched, and the list survives a restart of the region.
    federation.kill(REGION)?;
    federation.start(REGION)?;
    hears_nothing_at_region(&federation, &calling)?;
    let neighbour = caller(&federation, &node_papers(&federation, "2121")?)?;
    let channel = neighbour.channel(&federation.region.address, REGION_21)?;
    ensure!(federation.runtime().block_on(list(&channel))? == 1);
    Ok(())
}

fn hears_nothing_at_region(federation: &Federation, caller: &Caller) -> anyhow::Result<()> {
    let answered = caller.answered(&federation.region.address, REGION_21);
    let bytes = federation
        .runtime()
        .block_on(async { tokio::time::timeout(Duration::from_secs(60), answered).await });
    ensure!(bytes.context("the door hangs")?? == 0);
    Ok(())
}

#[test]
fn a_withdrawn_region_is_refused_at_once_on_its_open_connection() -> anyhow::Result<()> {
    let federation = Federation::offices(EXE, true)?;
    let handle = federation.runtime().handle().clone();
    let _inside = handle.enter();
    let calling = caller(&federation, &Papers::of(&federation.region.data.join("identitet"))?)?;
    let channel = calling.channel(&federation.national.address, NATIONAL_00)?;
    federation.runtime().block_on(helper_key(&channel))?;
    federation.ask(&federation.national, &Question::Revoke { identity: REGION_21.into() })?;
    let refused = federation.runtime().block_on(helper_key(&channel)).err().context("it was answered")?;
    ensure!(refused.code() == Code::Unauthenticated && calling.dials() == 1, "{refused:?}");
    Ok(())
}

/// The codes of every method of a service, called with empty messages.
async fn at_helper_and_issuer(channel: &Channel) -> Vec<(&'static str, Option<Code>)> {
    let (mut helper, mut issuer) = (HelperClient::new(channel.clone()), IssuerClient::new(channel.clone()));
    let chunk = tokio_stream::iter([v1::VerifyChunk::default()]);
    vec![
        ("GetKey", helper.get_key(v1::GetKeyRequest {}).await.err().map(|s| s.code())),
        (
            "PutCollection",
            helper.put_collection(v1::PutCollectionRequest::default()).await.err().map(|s| s.code()),
        ),
        ("PutPattern", helper.put_pattern(v1::PutPatternRequest::default()).await.err().map(|s| s.code())),
        ("Verify", helper.verify(chunk).await.err().map(|s| s.code())),
        ("Close", helper.close(v1::CloseRequest::default()).await.err().map(|s| s.code())),
        ("Issue", issuer.issue(v1::EnrolRequest::default()).await.err().map(|s| s.code())),
        ("Renew", issuer.renew(v1::RenewRequest::default()).await.err().map(|s| s.code())),
        ("Revocations", issuer.revocations(v1::RevocationsRequest {}).await.err().map(|s| s.code())),
    ]
}

async fn at_region(channel: &Channel) -> Vec<(&'static str, Option<Code>)> {
    let mut region = RegionClient::new(channel.clone());
    let chunk = tokio_stream::iter([v1::ReportChunk::default()]);
    vec![
        (
            "ListCollections",
            region.list_collections(v1::ListCollectionsRequest {}).await.err().map(|s| s.code()),
        ),
        ("Declare", region.declare(v1::DeclareRequest::default()).await.err().map(|s| s.code())),
        ("GetPattern", region.get_pattern(v1::GetPatternRequest::default()).await.err().map(|s| s.code())),
        ("Answer", region.answer(v1::AnswerRequest::default()).await.err().map(|s| s.code())),
        ("Submit", region.submit(chunk).await.err().map(|s| s.code())),
        ("GetProgress", region.get_progress(v1::GetProgressRequest::default()).await.err().map(|s| s.code())),
        ("Revocations", region.revocations(v1::RevocationsQuery {}).await.err().map(|s| s.code())),
        ("Renew", region.renew(v1::RenewQuery::default()).await.err().map(|s| s.code())),
    ]
}

fn all_are(codes: &[(&str, Option<Code>)], expected: Code, who: &str) -> anyhow::Result<()> {
    for (method, code) in codes {
        ensure!(*code == Some(expected), "{who} at {method}: {code:?}");
    }
    Ok(())
}

#[test]
fn a_certificate_of_another_role_may_do_nothing() -> anyhow::Result<()> {
    let federation = Federation::offices(EXE, true)?;
    let (root, now) = (root(&federation)?, Timestamp::now());
    let issued = |identity: &str| caller(&federation, &Papers::issued(&root, identity, now, 90)?);
    federation.runtime().block_on(async {
        for who in [NODE_2101, NATIONAL_00] {
            let channel = issued(who)?.channel(&federation.national.address, NATIONAL_00)?;
            all_are(&at_helper_and_issuer(&channel).await, Code::PermissionDenied, who)?;
        }
        for who in [REGION_21, NATIONAL_00, "urn:samman:third:12"] {
            let channel = issued(who)?.channel(&federation.region.address, REGION_21)?;
            all_are(&at_region(&channel).await, Code::PermissionDenied, who)?;
        }
        // A third coordinator asks for revocations, not for what helpers do.
        let third = issued("urn:samman:third:12")?.channel(&federation.national.address, NATIONAL_00)?;
        ensure!(helper_key(&third).await.err().map(|s| s.code()) == Some(Code::PermissionDenied));
        Ok(())
    })
}

#[test]
fn a_region_renews_for_its_own_county_and_never_for_a_key_of_its_own() -> anyhow::Result<()> {
    let federation = Federation::offices(EXE, true)?;
    let handle = federation.runtime().handle().clone();
    let _inside = handle.enter();
    let (root, now) = (root(&federation)?, Timestamp::now());
    let region = caller(&federation, &Papers::of(&federation.region.data.join("identitet"))?)?;
    let channel = region.channel(&federation.national.address, NATIONAL_00)?;
    let renew = async |identity: &str, key: Option<Key>| {
        let papers = Papers::issued(&root, identity, now, 90)?;
        let key = key.map_or_else(|| Key::from_pem(&papers.key), Ok)?;
        let certificate_signing_request = Csr::create(&key)?;
        let request = v1::RenewRequest { certificate: papers.certificate, certificate_signing_request };
        let reply = IssuerClient::new(channel.clone()).renew(request).await;
        anyhow::Ok(reply.map(|reply| reply.into_inner().certificate).map_err(|status| status.code()))
    };
    federation.runtime().block_on(async {
        for other in ["urn:samman:node:0180", "urn:samman:region:22", NATIONAL_00, "urn:samman:third:21"] {
            ensure!(renew(other, None).await? == Err(Code::PermissionDenied), "{other}");
        }
        // Or a region could become any of its nodes by renewing for it.
        ensure!(
            renew(NODE_2101, Some(Key::generate()?)).await? == Err(Code::PermissionDenied),
            "another key"
        );
        let renewed = renew(NODE_2101, None).await?.map_err(|code| anyhow::anyhow!("{code:?}"))?;
        ensure!(PeerCertificate::parse(&renewed)?.identity.uri() == NODE_2101);
        Ok(())
    })
}

#[test]
fn a_declaration_counts_for_the_unit_of_the_certificate_and_for_no_other() -> anyhow::Result<()> {
    let mut federation = Federation::stage(EXE, true)?;
    let handle = federation.runtime().handle().clone();
    let _inside = handle.enter();
    federation.announce()?;
    let system = System::new(federation.collection(), &Codebook::vuxna()?)?;
    let reference = CollectionRef::of(federation.collection());
    let declare = |papers: Papers| {
        let message = v1::DeclareRequest {
            collection: Some(wire::collection_message(&reference)),
            statuses: vec![0; system.unit_atoms],
            changes: None,
        };
        let channel = caller(&federation, &papers)?.channel(&federation.region.address, REGION_21)?;
        let done = federation.runtime().block_on(async { RegionClient::new(channel).declare(message).await });
        anyhow::Ok(done.map(drop).map_err(|status| status.code()))
    };
    ensure!(declare(node_papers(&federation, "2101")?)? == Ok(()));
    // Not invited: of the county, of another one, and a part of a kommun that is invited whole.
    let (root, now) = (root(&federation)?, Timestamp::now());
    for stranger in ["urn:samman:node:2104", "urn:samman:node:0180", "urn:samman:node:2101-01"] {
        let refused = declare(Papers::issued(&root, stranger, now, 90)?)?;
        ensure!(refused == Err(Code::PermissionDenied), "{stranger}: {refused:?}");
    }
    // The same unit with another certificate declares no second time.
    ensure!(declare(Papers::issued(&root, NODE_2101, now, 90)?)? == Err(Code::PermissionDenied));
    let status = federation.status()?;
    ensure!(status.declared == ["2101"] && status.phase == "declare", "{status:?}");
    Ok(())
}

#[test]
fn an_invite_for_one_unit_makes_nobody_another() -> anyhow::Result<()> {
    let federation = Federation::offices(EXE, true)?;
    let invite = federation.invite(NODE_2101)?;
    let output = federation.enrol("2121", &invite)?;
    ensure!(output.status.code() == Some(1), "{:?}", output.status);
    ensure!(!federation.node_folder("2121")?.join("identitet/certificate.der").exists());
    // An identity carried over to another unit's node does not run there.
    ensure!(federation.enrol("2101", &invite)?.status.success());
    let (from, to) = (federation.node_folder("2101")?, federation.node_folder("2121")?);
    copy(&from.join("identitet"), &to.join("identitet"))?;
    let output = federation.node("2121", &["run"])?;
    ensure!(output.status.code() == Some(1), "{:?}", output.status);
    Ok(())
}

fn copy(from: &Path, to: &Path) -> anyhow::Result<()> {
    std::fs::create_dir_all(to)?;
    for entry in from.read_dir()? {
        let entry = entry?;
        // Copies the mode too: a key that others may read is refused for that.
        std::fs::copy(entry.path(), to.join(entry.file_name()))?;
    }
    Ok(())
}

async fn enrol(channel: &Channel, token: &[u8], key: &Key) -> anyhow::Result<Result<Vec<u8>, Code>> {
    let csr = Csr::create(key)?;
    let claim = match daemon::invite::Token::from_bytes(token) {
        Ok(token) => token.claim(&csr).to_bytes().to_vec(),
        Err(_) => token.to_vec(),
    };
    let request = v1::EnrolRequest { claim, certificate_signing_request: csr };
    let reply = EnrolmentClient::new(channel.clone()).enrol(request).await;
    Ok(reply.map(|reply| reply.into_inner().certificate).map_err(|status| status.code()))
}

#[test]
fn an_invite_serves_one_key_and_an_unknown_one_nobody() -> anyhow::Result<()> {
    let federation = Federation::offices(EXE, true)?;
    let handle = federation.runtime().handle().clone();
    let _inside = handle.enter();
    let invite = InviteFile::parse(Path::new("inbjudan.toml"), &federation.invite(NODE_2101)?)?;
    let stranger = Caller::new(&root_der(&federation)?, None)?;
    let channel = stranger.channel(&federation.region.enrolment, REGION_21)?;
    let (own, thief) = (Key::generate()?, Key::generate()?);
    federation.runtime().block_on(async {
        ensure!(enrol(&channel, &[7; 32], &own).await? == Err(Code::PermissionDenied), "a token of nobody");
        ensure!(enrol(&channel, &[7; 5], &own).await? == Err(Code::PermissionDenied), "no token");
        let token = invite.token.as_bytes();
        let first = enrol(&channel, token, &own).await?.map_err(|code| anyhow::anyhow!("{code:?}"))?;
        ensure!(PeerCertificate::parse(&first)?.identity.uri() == NODE_2101);
        ensure!(enrol(&channel, token, &own).await? == Ok(first), "asking again gives the same (KEEP-1)");
        ensure!(enrol(&channel, token, &thief).await? == Err(Code::PermissionDenied), "another key");
        // What the national body's own port says to the same is the same.
        let national = stranger.channel(&federation.national.enrolment, NATIONAL_00)?;
        ensure!(
            enrol(&national, token, &thief).await? == Err(Code::PermissionDenied),
            "another key, at the root"
        );
        Ok(())
    })
}

#[test]
fn the_enrolment_ports_answer_nothing_but_enrolment() -> anyhow::Result<()> {
    let federation = Federation::offices(EXE, true)?;
    let (root, now) = (root(&federation)?, Timestamp::now());
    let ports = [(&federation.region.enrolment, REGION_21), (&federation.national.enrolment, NATIONAL_00)];
    federation.runtime().block_on(async {
        for (address, server) in ports {
            // With the right certificate for each service: the port asks for none and believes none.
            for papers in [None, Some(NODE_2101), Some(REGION_21)] {
                let papers = papers.map(|identity| Papers::issued(&root, identity, now, 90)).transpose()?;
                let channel =
                    Caller::new(&root_der(&federation)?, papers.as_ref())?.channel(address, server)?;
                all_are(&at_region(&channel).await, Code::Unimplemented, server)?;
                all_are(&at_helper_and_issuer(&channel).await, Code::Unimplemented, server)?;
            }
        }
        Ok(())
    })
}

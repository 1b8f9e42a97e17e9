//! A PostgreSQL of a test's own: a cluster in a temporary folder, on a socket and on loopback with TLS.
//!
//! Found where Debian's packages put it. Where there is none, tests say that they were skipped, unless the environment
//! has `SAMMAN_POSTGRES=required`: then they fail. A cluster is stopped when it goes out of scope, also by a panic.
//!
//! PostgreSQL refuses to run as root; then the account `postgres` of the package runs it.
#![allow(clippy::unwrap_used)] // helpers of tests may panic

use std::fs;
use std::io::Write;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

/// The user of the cluster, and of its first database.
pub const USER: &str = "samman";
/// The password of [`USER`], with a word that no output may hold.
pub const PASSWORD: &str = "KANARIE-ord";
const FOLDERS: &str = "/usr/lib/postgresql";
const PATIENCE: Duration = Duration::from_secs(60);

/// A running cluster.
pub struct Cluster {
    folder: TempDir,
    programs: PathBuf,
    port: u16,
    settings: Vec<String>,
    server: Child,
}

impl Cluster {
    /// Starts one that does not sync to disk; nothing where PostgreSQL is not installed and not required.
    pub fn start() -> Option<Self> {
        Self::start_with(&["fsync=off"])
    }

    /// Starts one with settings; nothing where PostgreSQL is not installed and not required.
    pub fn start_with(settings: &[&str]) -> Option<Self> {
        let Some(programs) = programs() else {
            let required = std::env::var("SAMMAN_POSTGRES").is_ok_and(|word| word == "required");
            assert!(!required, "SAMMAN_POSTGRES=required, and no PostgreSQL in {FOLDERS}");
            println!("skipped: no PostgreSQL in {FOLDERS}");
            return None;
        };
        let folder = tempfile::tempdir().unwrap();
        certificates(folder.path());
        private(&folder.path().join("password"), PASSWORD);
        give_away(folder.path());
        let data = folder.path().join("data");
        let mut init = as_other(&programs.join("initdb"));
        init.args(["--no-sync", "--encoding=UTF8", "--locale=C.UTF-8", "--auth-local=trust"]);
        init.args(["--auth-host=scram-sha-256", "--username", USER, "--pwfile"]);
        let made = init.arg(folder.path().join("password")).arg("-D").arg(&data).output().unwrap();
        assert!(made.status.success(), "initdb: {}", String::from_utf8_lossy(&made.stderr));
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let settings: Vec<String> = settings.iter().map(ToString::to_string).collect();
        let server = serve(&programs, folder.path(), port, &settings);
        let cluster = Self { folder, programs, port, settings, server };
        cluster.wait();
        Some(cluster)
    }

    /// Ends the server at once, as `pg_ctl stop -m immediate` does: nothing is written out, connections break.
    pub fn crash(&mut self) {
        self.signal(Signal::QUIT);
        self.server.wait().unwrap();
    }

    /// Starts the server again after [`Cluster::crash`], and waits until it has recovered.
    pub fn start_again(&mut self) {
        self.server = serve(&self.programs, self.folder.path(), self.port, &self.settings);
        self.wait();
    }

    fn signal(&self, signal: Signal) {
        if let Some(pid) = i32::try_from(self.server.id()).ok().and_then(Pid::from_raw) {
            let _ = kill_process(pid, signal);
        }
    }

    fn wait(&self) {
        let started = Instant::now();
        while !self.ask("SELECT 1") {
            assert!(started.elapsed() < PATIENCE, "PostgreSQL does not answer");
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    fn ask(&self, sql: &str) -> bool {
        let mut client = self.client();
        client.args(["-c", sql]).stdout(Stdio::null()).stderr(Stdio::null()).status().unwrap().success()
    }

    fn client(&self) -> Command {
        let mut client = Command::new(self.programs.join("psql"));
        client.args(["-X", "-q", "-v", "ON_ERROR_STOP=1", "-U", USER, "-d", "postgres", "-p"]);
        client.arg(self.port.to_string()).arg("-h").arg(self.folder.path());
        client
    }

    /// Runs statements as the cluster's owner.
    pub fn run(&self, sql: &str) {
        let mut client = self.client().stdin(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        client.stdin.take().unwrap().write_all(sql.as_bytes()).unwrap();
        let done = client.wait_with_output().unwrap();
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    }

    /// The port on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The folder of its socket.
    pub fn socket(&self) -> &Path {
        self.folder.path()
    }

    /// The certificate that issued the server's.
    pub fn root(&self) -> PathBuf {
        self.folder.path().join("root.pem")
    }

    /// A certificate that issued nothing here.
    pub fn other_root(&self) -> PathBuf {
        self.folder.path().join("other.pem")
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        if matches!(self.server.try_wait(), Ok(None)) {
            // at once and in order, so that it gives back what it shares
            self.signal(Signal::INT);
        }
        let _ = self.server.wait();
    }
}

fn serve(programs: &Path, folder: &Path, port: u16, settings: &[String]) -> Child {
    let mut server = as_other(&programs.join("postgres"));
    server.arg("-D").arg(folder.join("data")).args(["-p", &port.to_string(), "-k"]).arg(folder);
    for setting in ["listen_addresses=127.0.0.1", "ssl=on", "shared_buffers=16MB"] {
        server.args(["-c", setting]);
    }
    for (key, file) in [("ssl_cert_file", "server.pem"), ("ssl_key_file", "server.key")] {
        server.arg("-c").arg(format!("{key}={}", folder.join(file).display()));
    }
    settings.iter().for_each(|setting| _ = server.args(["-c", setting]));
    server.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
}

/// The folder of the newest installed version's programs.
fn programs() -> Option<PathBuf> {
    let versions = fs::read_dir(FOLDERS).ok()?.filter_map(|entry| Some(entry.ok()?.path().join("bin")));
    let number = |path: &PathBuf| path.parent()?.file_name()?.to_str()?.parse::<u32>().ok();
    versions.filter(|path| path.join("initdb").exists() && path.join("psql").exists()).max_by_key(number)
}

fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// A command in the account that may run PostgreSQL; it ends when the test does.
fn as_other(program: &Path) -> Command {
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", "INT"]);
    if is_root() {
        command.args(["--reuid", "postgres", "--regid", "postgres", "--clear-groups"]);
    }
    command.arg(program).current_dir("/");
    command
}

fn give_away(folder: &Path) {
    if is_root() {
        let done = Command::new("chown").args(["-R", "postgres:postgres"]).arg(folder).status().unwrap();
        assert!(done.success());
    }
}

/// Writes a file that only its owner may read.
pub fn private(file: &Path, text: &str) {
    use std::os::unix::fs::PermissionsExt;
    fs::write(file, text).unwrap();
    fs::set_permissions(file, fs::Permissions::from_mode(0o600)).unwrap();
}

fn certificates(folder: &Path) {
    let authority = |name: &str| {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
    };
    let (root, other) = (authority("root"), authority("other"));
    let key = KeyPair::generate().unwrap();
    let params = CertificateParams::new(["localhost".to_owned(), "127.0.0.1".to_owned()]).unwrap();
    let certificate = params.signed_by(&key, &root).unwrap();
    fs::write(folder.join("root.pem"), root.pem()).unwrap();
    fs::write(folder.join("other.pem"), other.pem()).unwrap();
    fs::write(folder.join("server.pem"), certificate.pem()).unwrap();
    private(&folder.join("server.key"), &key.serialize_pem());
}

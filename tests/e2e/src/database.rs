//! The table `[lager]` for coordinators whose store lies in a cluster of the test's own.

use postgres::{Cluster, USER};

/// The store of a name: a schema. Who died is replaced after two seconds.
pub fn store(cluster: &Cluster, schema: &str) -> toml::Table {
    let mut table = toml::Table::new();
    let mut set = |key: &str, value: toml::Value| _ = table.insert(key.into(), value);
    set("slag", "postgresql".into());
    set("adress", format!("{}:{}", cluster.socket().display(), cluster.port()).into());
    set("databas", "postgres".into());
    set("anvandare", USER.into());
    set("schema", schema.into());
    set("overtag_sekunder", 2.into());
    table
}

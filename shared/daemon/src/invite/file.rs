//! The invite as a file: what an operator sends to a kommun.
//!
//! What it does not do: it is not signed; whoever holds it can enrol once, so it travels by a way the parties
//! trust. Its root fingerprint is what the node believes from then on.
//!
//! Invariants: every field is checked when read; unknown fields are refused.

use std::path::Path;

use jiff::Timestamp;
use serde::Deserialize;
use zeroize::Zeroizing;

use super::Token;
use crate::config::{self, ConfigError, FieldError};
use crate::identity::{Identity, Role};

/// Version of the file's form.
const FORMAT: u16 = 1;

/// A checked invite.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InviteFile {
    /// Whom the certificate will name.
    pub identity: Identity,
    /// Who answers at both addresses: the region (for a region: national).
    pub server: Identity,
    /// `host:port` of the ordinary door.
    pub address: String,
    /// `host:port` of the enrolment door.
    pub enrolment_address: String,
    /// SHA-256 of the national root certificate.
    pub root_sha256: [u8; 32],
    /// The secret.
    pub token: Token,
    /// Not to be used after this.
    pub expires: Timestamp,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawInvite {
    format: u16,
    identity: String,
    server: String,
    address: String,
    enrolment_address: String,
    root_sha256: String,
    token: String,
    expires: String,
}

impl InviteFile {
    /// Reads an invite file.
    ///
    /// # Errors
    /// [`ConfigError`], naming file, key and what was expected, never the token.
    pub fn read(file: &Path) -> Result<Self, ConfigError> {
        config::read::<RawInvite, InviteFile>(file).map_err(without_values)
    }

    /// Reads invite text; `file` is for the errors only.
    ///
    /// # Errors
    /// As [`InviteFile::read`].
    pub fn parse(file: &Path, text: &str) -> Result<Self, ConfigError> {
        config::parse::<RawInvite, InviteFile>(file, text).map_err(without_values)
    }

    /// The text of the file. It holds the secret: write it with mode 0600.
    pub fn to_toml(&self) -> Zeroizing<String> {
        let line = |key: &str, value: &str| format!("{key} = \"{value}\"\n");
        Zeroizing::new(
            [
                "# Inbjudan till Samman. Den gäller en gång, för en enhet. Behandla den som ett lösenord.\n"
                    .into(),
                format!("format = {FORMAT}\n"),
                line("identity", &self.identity.uri()),
                line("server", &self.server.uri()),
                line("address", &self.address),
                line("enrolment_address", &self.enrolment_address),
                line("root_sha256", &hex::encode(self.root_sha256)),
                line("token", &hex::encode(self.token.as_bytes())),
                line("expires", &self.expires.to_string()),
            ]
            .concat(),
        )
    }
}

/// A TOML message about a value repeats the value, which here may be the token.
fn without_values(error: ConfigError) -> ConfigError {
    let about_keys = |text: &str| text.starts_with("unknown field") || text.starts_with("missing field");
    match error {
        ConfigError::Syntax { file, line, column, message } if !about_keys(&message) => {
            let message = "not an invite: expected `key = \"value\"`".to_owned();
            ConfigError::Syntax { file, line, column, message }
        }
        other => other,
    }
}

impl TryFrom<RawInvite> for InviteFile {
    type Error = FieldError;

    fn try_from(raw: RawInvite) -> Result<Self, FieldError> {
        let token = Zeroizing::new(raw.token);
        if raw.format != FORMAT {
            return Err(FieldError::new("format", format!("{FORMAT}; this invite is for another version")));
        }
        let party =
            |key: &str, text: &str| text.parse::<Identity>().map_err(|e| FieldError::new(key, e.to_string()));
        let (identity, server) = (party("identity", &raw.identity)?, party("server", &raw.server)?);
        if !server.role().serves() {
            return Err(FieldError::new("server", format!("a coordinator, not a {}", Role::Node)));
        }
        let mut root_sha256 = [0; 32];
        hex::decode_to_slice(&raw.root_sha256, &mut root_sha256)
            .map_err(|_| FieldError::new("root_sha256", "64 hexadecimal digits"))?;
        Ok(InviteFile {
            identity,
            server,
            address: host_and_port("address", raw.address)?,
            enrolment_address: host_and_port("enrolment_address", raw.enrolment_address)?,
            root_sha256,
            token: Token::from_hex(&token).map_err(|e| FieldError::new("token", e.to_string()))?,
            expires: raw
                .expires
                .parse()
                .map_err(|_| FieldError::new("expires", "an instant, as 2026-03-01T12:00:00Z"))?,
        })
    }
}

fn host_and_port(key: &str, text: String) -> Result<String, FieldError> {
    let fits = |c: char| c.is_ascii_alphanumeric() || "-.:[]".contains(c);
    let port =
        text.rsplit_once(':').filter(|(host, _)| !host.is_empty()).map(|(_, port)| port.parse::<u16>());
    match port {
        Some(Ok(1..)) if text.chars().all(fits) => Ok(text),
        _ => Err(FieldError::new(key, "host:port")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{at, identity};

    fn invite() -> InviteFile {
        InviteFile {
            identity: identity("urn:samman:node:2180-03"),
            server: identity("urn:samman:region:21"),
            address: "samman.region.example:443".into(),
            enrolment_address: "[2001:db8::1]:8444".into(),
            root_sha256: [7; 32],
            token: Token::generate().unwrap(),
            expires: at(),
        }
    }

    #[test]
    fn an_invite_reads_back_as_it_was_written() {
        let invite = invite();
        assert_eq!(InviteFile::parse(Path::new("i.toml"), &invite.to_toml()).unwrap(), invite);
    }

    #[test]
    fn a_wrong_field_is_named_and_the_token_is_never_shown() {
        let invite = invite();
        let text = invite.to_toml();
        let secret = hex::encode(invite.token.as_bytes());
        assert!(!format!("{invite:?}").contains(&secret));
        for (from, to, names) in [
            ("format = 1", "format = 2", "format"),
            ("node:2180-03", "node:218", "identity"),
            ("region:21", "node:2180", "server"),
            (":443", "", "address"),
            ("root_sha256 = \"07", "root_sha256 = \"7", "root_sha256"),
            (secret.as_str(), &secret[..60], "token"),
            ("2026-03-01T", "2026-13-01T", "expires"),
            ("format = 1", "format = 1\nextra = 1", "extra"),
            ("token = \"", "token = \"\"\"x\ny", "not an invite"),
            ("token = \"", "token = [\"", "not an invite"),
        ] {
            let bent = text.replacen(from, to, 1);
            let error = InviteFile::parse(Path::new("i.toml"), &bent).unwrap_err().to_string();
            assert!(error.starts_with("i.toml") && error.contains(names), "{names}: {error}");
            assert!(!error.contains(&secret[..60]), "{error}");
        }
    }
}

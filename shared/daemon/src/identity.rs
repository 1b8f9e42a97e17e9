//! Who a party is: a role and a unit, written as one URI in the certificate's subject alternative name.
//!
//! `urn:samman:node:2180`, `urn:samman:node:2180-03`, `urn:samman:region:21`, `urn:samman:national:00`,
//! `urn:samman:third:12`.
//!
//! What it does not do: it does not know which kommunkoder exist; the issuer checks that against the list.
//!
//! Invariants: one identity has one spelling (lower case, no leading or trailing text), so equality of text is
//! equality of parties.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use thiserror::Error;

/// What every identity URI begins with.
pub const URI_PREFIX: &str = "urn:samman:";
/// The DNS suffix of server names. It is never looked up: it names *who*, an address names *where*.
pub const DNS_SUFFIX: &str = "samman.internal";
/// Longest sub-unit (stadsdel) after the hyphen, in characters.
const MAX_SUB_UNIT: usize = 8;

/// Why a text is not an identity. The text itself is not repeated: it came from a stranger.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum IdentityError {
    /// The URI is not of this scheme.
    #[error("an identity starts with urn:samman:")]
    Prefix,
    /// The role word is unknown.
    #[error("the role is not node, region, national or third")]
    Role,
    /// The unit does not have the role's form.
    #[error("the unit does not fit the role {role}: expected {expected}")]
    Unit {
        /// The role whose form was expected.
        role: Role,
        /// That form in words.
        expected: &'static str,
    },
}

/// What a party does in a federation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Role {
    /// A kommun, beside its verksamhetssystem.
    Node,
    /// The coordinator of a county.
    Region,
    /// National follow-up: issuer, and helper of the regions.
    National,
    /// The other coordinator of a national round.
    Third,
}

impl Role {
    /// The word in URIs and names.
    pub fn word(self) -> &'static str {
        match self {
            Role::Node => "node",
            Role::Region => "region",
            Role::National => "national",
            Role::Third => "third",
        }
    }

    /// Whether parties of this role listen for others. A node opens connections outward only.
    pub fn serves(self) -> bool {
        self != Role::Node
    }

    fn unit_form(self) -> &'static str {
        match self {
            Role::Node => "a kommunkod (four digits), optionally a hyphen and 1 to 8 of a-z, 0-9",
            Role::Region | Role::Third => "a länskod (two digits, not 00)",
            Role::National => "00",
        }
    }

    fn accepts(self, unit: &str) -> bool {
        let digits = |text: &str, count| text.len() == count && text.bytes().all(|b| b.is_ascii_digit());
        match self {
            Role::National => unit == "00",
            Role::Region | Role::Third => digits(unit, 2) && unit != "00",
            Role::Node => {
                let (kommun, sub) = match unit.split_once('-') {
                    Some((kommun, sub)) => (kommun, Some(sub)),
                    None => (unit, None),
                };
                let sub_fits = |s: &str| {
                    (1..=MAX_SUB_UNIT).contains(&s.len())
                        && s.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit())
                };
                digits(kommun, 4) && !kommun.starts_with("00") && sub.is_none_or(sub_fits)
            }
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

impl FromStr for Role {
    type Err = IdentityError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "node" => Ok(Role::Node),
            "region" => Ok(Role::Region),
            "national" => Ok(Role::National),
            "third" => Ok(Role::Third),
            _ => Err(IdentityError::Role),
        }
    }
}

/// A party: role and unit. Ordered and hashed by both.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Identity {
    role: Role,
    unit: String,
}

impl Identity {
    /// Checks that the unit has the role's form.
    ///
    /// # Errors
    /// [`IdentityError::Unit`] otherwise.
    pub fn new(role: Role, unit: impl Into<String>) -> Result<Self, IdentityError> {
        let unit = unit.into();
        if !role.accepts(&unit) {
            return Err(IdentityError::Unit { role, expected: role.unit_form() });
        }
        Ok(Identity { role, unit })
    }

    /// The role.
    pub fn role(&self) -> Role {
        self.role
    }

    /// The unit as written in the URI.
    pub fn unit(&self) -> &str {
        &self.unit
    }

    /// The kommunkod of a node, without its sub-unit; `None` for other roles. Minimums count these, not units.
    pub fn kommun(&self) -> Option<&str> {
        (self.role == Role::Node).then(|| self.unit.split('-').next().unwrap_or(&self.unit))
    }

    /// The länskod the unit belongs to (`00` for national).
    pub fn county(&self) -> &str {
        // infallible: every accepted unit starts with two ASCII digits.
        &self.unit[..2]
    }

    /// The URI for the certificate's subject alternative name.
    pub fn uri(&self) -> String {
        format!("{URI_PREFIX}{}:{}", self.role, self.unit)
    }

    /// The DNS name a server of this identity is verified by, wherever it runs.
    pub fn dns_name(&self) -> String {
        format!("{}-{}.{DNS_SUFFIX}", self.role, self.unit)
    }
}

impl fmt::Display for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.role, self.unit)
    }
}

impl FromStr for Identity {
    type Err = IdentityError;

    fn from_str(uri: &str) -> Result<Self, Self::Err> {
        let rest = uri.strip_prefix(URI_PREFIX).ok_or(IdentityError::Prefix)?;
        let (role, unit) = rest.split_once(':').ok_or(IdentityError::Role)?;
        Identity::new(role.parse()?, unit)
    }
}

impl TryFrom<String> for Identity {
    type Error = IdentityError;

    fn try_from(uri: String) -> Result<Self, Self::Error> {
        uri.parse()
    }
}

impl From<Identity> for String {
    fn from(identity: Identity) -> String {
        identity.uri()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn every_role_prints_what_it_reads() {
        for uri in [
            "urn:samman:node:2180",
            "urn:samman:node:2180-03",
            "urn:samman:region:21",
            "urn:samman:national:00",
            "urn:samman:third:12",
        ] {
            let identity: Identity = uri.parse().unwrap();
            assert_eq!(identity.uri(), uri);
        }
    }

    #[test]
    fn a_unit_that_does_not_fit_its_role_is_refused() {
        for uri in [
            "urn:samman:node:218",
            "urn:samman:node:2180-",
            "urn:samman:node:2180-AB",
            "urn:samman:node:2180-123456789",
            "urn:samman:node:0080",
            "urn:samman:node: 2180",
            "urn:samman:region:00",
            "urn:samman:region:2180",
            "urn:samman:national:01",
            "urn:samman:region:٢١",
        ] {
            assert!(matches!(uri.parse::<Identity>(), Err(IdentityError::Unit { .. })), "{uri}");
        }
        assert_eq!("urn:other:node:2180".parse::<Identity>(), Err(IdentityError::Prefix));
        assert_eq!("urn:samman:Node:2180".parse::<Identity>(), Err(IdentityError::Role));
        assert_eq!("urn:samman:node".parse::<Identity>(), Err(IdentityError::Role));
    }

    #[test]
    fn a_sub_unit_belongs_to_its_kommun_and_county() {
        let node: Identity = "urn:samman:node:2180-03".parse().unwrap();
        assert_eq!(node.kommun(), Some("2180"));
        assert_eq!(node.county(), "21");
        let region: Identity = "urn:samman:region:21".parse().unwrap();
        assert_eq!(region.kommun(), None);
        assert_eq!(region.dns_name(), "region-21.samman.internal");
    }

    proptest! {
        #[test]
        fn no_text_panics_and_what_parses_prints_back(text in "(urn:samman:)?(node|region|third|national|x)?:?[ -~å]{0,14}") {
            if let Ok(identity) = text.parse::<Identity>() {
                prop_assert_eq!(identity.uri(), text);
                prop_assert_eq!(identity.county().len(), 2);
            }
        }
    }
}

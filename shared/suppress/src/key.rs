//! The pattern key: keeps a reader who has the source from rerunning the pattern's choice.
//!
//! Ties between equally dear witnesses are broken by HMAC-SHA256 (RFC 2104) over coordinates that do not
//! depend on the collection (a unit's code, the definitions of the printed cells that hold an atom), so
//! linked collections break them alike. Decides nothing but ties. `Debug` prints no key.

use std::fmt;

use ring::hmac;

use crate::table::mix;

/// The coordinator's secret for breaking ties; the same for all its collections.
#[derive(Clone)]
pub struct PatternKey(hmac::Key);

impl PatternKey {
    /// A key from 32 secret bytes.
    pub fn new(bytes: &[u8; 32]) -> Self {
        Self(hmac::Key::new(hmac::HMAC_SHA256, bytes))
    }

    /// The tag of a coordinate; parts are length-prefixed so that no two lists collide.
    pub(crate) fn tag(&self, parts: &[&[u8]]) -> u64 {
        let mut context = hmac::Context::with_key(&self.0);
        context.update(b"samman/v1 pattern tie\0");
        for part in parts {
            context.update(&(part.len() as u64).to_be_bytes());
            context.update(part);
        }
        let tag = context.sign();
        tag.as_ref().iter().take(8).fold(0, |tag, byte| tag << 8 | u64::from(*byte))
    }
}

/// What a key makes of tables of known values: decides between patterns of as many cells, in place of the counts.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct TieSecret(u64);

impl TieSecret {
    /// Numbers nobody without the key foresees, one for each of a list of things.
    pub(crate) fn of(self, thing: u64) -> u64 {
        mix(self.0 ^ mix(thing))
    }
}

impl fmt::Debug for TieSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TieSecret(..)")
    }
}

impl PatternKey {
    /// The secret for tables of known values.
    pub fn tie_secret(&self) -> TieSecret {
        TieSecret(self.tag(&[b"tables of known values"]))
    }
}

impl fmt::Debug for PatternKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PatternKey(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_depend_on_the_key_and_on_where_parts_end() {
        let (one, two) = (PatternKey::new(&[1; 32]), PatternKey::new(&[2; 32]));
        assert_ne!(one.tag(&[b"2101"]), two.tag(&[b"2101"]));
        assert_ne!(one.tag(&[b"21", b"01"]), one.tag(&[b"2101"]));
        assert_eq!(one.tag(&[b"2101"]), PatternKey::new(&[1; 32]).tag(&[b"2101"]));
    }

    #[test]
    fn debug_shows_no_key() {
        let key = PatternKey::new(&[7; 32]);
        assert_eq!(format!("{key:?} {:?}", key.tie_secret()), "PatternKey(..) TieSecret(..)");
    }
}

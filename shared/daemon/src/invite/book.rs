//! The issuer's book of invites.
//!
//! What it does not do: it has no clock, no randomness and no disk; the caller stores the whole book, in one
//! commit with what else changed, before it answers (KEEP-1).
//!
//! Invariants: at most one open invite per identity; an entry with a certificate never changes again.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use subtle::{Choice, ConditionallySelectable as _, ConstantTimeEq as _};
use thiserror::Error;

use super::{Claim, Token};
use crate::identity::Identity;

/// Why an invite is not honoured. The peer is told one sentence for all but the first-hand ones; see
/// [`InviteError::for_peer`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum InviteError {
    /// No such token.
    #[error("no such invite")]
    Unknown,
    /// Too late.
    #[error("the invite has expired")]
    Expired,
    /// Used by another key.
    #[error("the invite was used already, with another key")]
    Used,
    /// Recording a certificate for an entry that has one: a fault of the caller.
    #[error("the invite already carries another certificate")]
    AlreadyRecorded,
}

impl InviteError {
    /// What a stranger is told: nothing that tells an unknown token from an expired one.
    pub fn for_peer(self) -> &'static str {
        "the invite is not valid; ask for a new one"
    }
}

/// What to do with a redeemed token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Redemption {
    /// Issue for this identity, then [`InviteBook::record`].
    Issue(Identity),
    /// The certificate that was issued for this key before.
    Repeat(Vec<u8>),
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Entry {
    identity: Identity,
    id: [u8; 32],
    key: [u8; 32],
    /// Second since 1970.
    expires: i64,
    redeemed: Option<Redeemed>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Redeemed {
    public_key: [u8; 32],
    certificate: Vec<u8>,
}

/// All invites of an issuer. A few hundred: lookups read every entry, in constant time per entry.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct InviteBook {
    entries: Vec<Entry>,
}

impl InviteBook {
    /// Notes an invite. An open one for the same identity is withdrawn by it: the newest letter counts.
    pub fn issue(&mut self, identity: Identity, token: &Token, expires: Timestamp) {
        self.withdraw(&identity);
        let entry = Entry {
            identity,
            id: token.id(),
            key: token.key(),
            expires: expires.as_second(),
            redeemed: None,
        };
        self.entries.push(entry);
    }

    /// Takes back the open invite of an identity; whether there was one.
    pub fn withdraw(&mut self, identity: &Identity) -> bool {
        let before = self.entries.len();
        self.entries.retain(|entry| entry.redeemed.is_some() || entry.identity != *identity);
        self.entries.len() < before
    }

    /// Judges a token shown with a request for `public_key`. Changes nothing.
    ///
    /// # Errors
    /// [`InviteError`].
    pub fn redeem(
        &self,
        claim: &Claim,
        csr_der: &[u8],
        public_key: &[u8; 32],
        now: Timestamp,
    ) -> Result<Redemption, InviteError> {
        let entry = self.find(claim.id()).map(|place| &self.entries[place]).ok_or(InviteError::Unknown)?;
        if !claim.holds(&entry.key, csr_der) {
            return Err(InviteError::Unknown);
        }
        match &entry.redeemed {
            // Also after its end: the answer may have been lost in the last minute, and it is the same bytes.
            Some(done) if done.public_key == *public_key => Ok(Redemption::Repeat(done.certificate.clone())),
            Some(_) => Err(InviteError::Used),
            None if now.as_second() >= entry.expires => Err(InviteError::Expired),
            None => Ok(Redemption::Issue(entry.identity.clone())),
        }
    }

    /// Notes the certificate issued for a token. To be stored before the certificate is sent.
    ///
    /// # Errors
    /// [`InviteError::Unknown`], [`InviteError::AlreadyRecorded`].
    pub fn record(
        &mut self,
        claim: &Claim,
        public_key: [u8; 32],
        certificate: Vec<u8>,
    ) -> Result<(), InviteError> {
        let place = self.find(claim.id()).ok_or(InviteError::Unknown)?;
        let redeemed = Some(Redeemed { public_key, certificate });
        let slot = &mut self.entries[place].redeemed;
        if slot.is_some() && *slot != redeemed {
            return Err(InviteError::AlreadyRecorded);
        }
        *slot = redeemed;
        Ok(())
    }

    /// Drops open invites past their end; how many.
    pub fn expire(&mut self, now: Timestamp) -> usize {
        let before = self.entries.len();
        self.entries.retain(|entry| entry.redeemed.is_some() || now.as_second() < entry.expires);
        before - self.entries.len()
    }

    /// Identities with an open invite, and its end, for the operator's page.
    pub fn open(&self) -> impl Iterator<Item = (&Identity, Timestamp)> {
        let open = self.entries.iter().filter(|entry| entry.redeemed.is_none());
        open.map(|e| (&e.identity, Timestamp::from_second(e.expires).unwrap_or(Timestamp::MAX)))
    }

    /// Compares with every entry without stopping early.
    fn find(&self, wanted: [u8; 32]) -> Option<usize> {
        let (mut found, mut place) = (Choice::from(0), 0u64);
        for (index, entry) in (0u64..).zip(&self.entries) {
            let same = entry.id.ct_eq(&wanted);
            place.conditional_assign(&index, same);
            found |= same;
        }
        if bool::from(found) { usize::try_from(place).ok() } else { None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{at, days, identity};

    const CSR: &[u8] = b"a request";

    fn redeem(
        book: &InviteBook,
        token: &Token,
        key: &[u8; 32],
        now: Timestamp,
    ) -> Result<Redemption, InviteError> {
        book.redeem(&token.claim(CSR), CSR, key, now)
    }

    #[test]
    fn whoever_passes_a_claim_on_cannot_use_it_for_another_request() {
        // DOOR-1: the region sees the claim and the request, never the token.
        let (book, token) = book();
        let refused = book.redeem(&token.claim(CSR), b"the region's own request", &[1; 32], at());
        assert_eq!(refused, Err(InviteError::Unknown));
        assert!(!token.claim(CSR).to_bytes().windows(32).any(|part| part == token.as_bytes()));
    }

    fn book() -> (InviteBook, Token) {
        let (mut book, token) = (InviteBook::default(), Token::generate().unwrap());
        book.issue(identity("urn:samman:node:2181"), &Token::generate().unwrap(), at() + days(14));
        book.issue(identity("urn:samman:node:2180"), &token, at() + days(14));
        (book, token)
    }

    #[test]
    fn an_invite_gives_one_certificate_and_the_same_one_again_for_the_same_key() {
        let (mut book, token) = book();
        let issue = Redemption::Issue(identity("urn:samman:node:2180"));
        assert_eq!(redeem(&book, &token, &[1; 32], at()), Ok(issue));
        book.record(&token.claim(CSR), [1; 32], b"certificate".to_vec()).unwrap();
        let repeat = Ok(Redemption::Repeat(b"certificate".to_vec()));
        assert_eq!(redeem(&book, &token, &[1; 32], at()), repeat);
        assert_eq!(redeem(&book, &token, &[1; 32], at() + days(30)), repeat);
        assert_eq!(redeem(&book, &token, &[2; 32], at()), Err(InviteError::Used));
        assert_eq!(
            book.record(&token.claim(CSR), [2; 32], b"other".to_vec()),
            Err(InviteError::AlreadyRecorded)
        );
        assert_eq!(book.record(&token.claim(CSR), [1; 32], b"certificate".to_vec()), Ok(()));
    }

    #[test]
    fn an_unknown_or_expired_invite_is_refused_with_the_same_words() {
        let (book, token) = book();
        let unknown = redeem(&book, &Token::generate().unwrap(), &[1; 32], at()).unwrap_err();
        let expired = redeem(&book, &token, &[1; 32], at() + days(14)).unwrap_err();
        assert_eq!((unknown, expired), (InviteError::Unknown, InviteError::Expired));
        assert_eq!(unknown.for_peer(), expired.for_peer());
    }

    #[test]
    fn a_second_letter_withdraws_the_first_but_not_a_used_one() {
        let (mut book, first) = book();
        let second = Token::generate().unwrap();
        book.issue(identity("urn:samman:node:2180"), &second, at() + days(14));
        assert_eq!(redeem(&book, &first, &[1; 32], at()), Err(InviteError::Unknown));
        book.record(&second.claim(CSR), [1; 32], b"c".to_vec()).unwrap();
        book.issue(identity("urn:samman:node:2180"), &first, at() + days(14));
        assert!(matches!(redeem(&book, &second, &[1; 32], at()), Ok(Redemption::Repeat(_))));
    }

    #[test]
    fn expiring_drops_open_invites_only() {
        let (mut book, token) = book();
        book.record(&token.claim(CSR), [1; 32], b"c".to_vec()).unwrap();
        assert_eq!(book.open().count(), 1);
        assert_eq!(book.expire(at() + days(13)), 0);
        assert_eq!(book.expire(at() + days(14)), 1);
        assert_eq!(book.open().count(), 0);
        assert!(redeem(&book, &token, &[1; 32], at()).is_ok());
    }

    #[test]
    fn the_stored_book_holds_no_token() {
        let (book, token) = book();
        let bytes = postcard::to_stdvec(&book).unwrap();
        assert!(!bytes.windows(32).any(|w| w == token.as_bytes()));
        assert_eq!(postcard::from_bytes::<InviteBook>(&bytes).unwrap(), book);
    }
}

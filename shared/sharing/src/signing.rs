//! Ed25519 signatures (RFC 8032, section 5.1) over a context and a message.
//!
//! What is signed is `length of context (1 byte) ‖ context ‖ message`, so a signature made for a report is
//! worth nothing under a pattern. It does not check certificates: the caller takes the key from a chain it
//! has verified. Invariants: no `Debug` shows a secret; generated key bytes are wiped on drop (the copy
//! inside `ring` is not, which its API does not allow).

use rand_core::CryptoRng;
use ring::signature::{ED25519, Ed25519KeyPair, KeyPair, UnparsedPublicKey};
use zeroize::Zeroizing;

/// Bytes of a signature.
pub const SIGNATURE_BYTES: usize = 64;

/// RFC 8410, section 7: `PrivateKeyInfo` version 0, id-Ed25519, an octet string with a 32-byte octet string
/// in it.
const PKCS8_PREFIX: [u8; 16] =
    [0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20];

/// What is signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SigningContext {
    /// A node signs the content hash of its report.
    Report,
    /// A coordinator signs a pattern.
    Pattern,
    /// A coordinator signs a collection.
    Collection,
    /// A helper countersigns opened sums.
    Opening,
    /// A coordinator signs a publication's manifest.
    Manifest,
    /// A helper or third coordinator signs its HPKE key.
    HelperKey,
    /// A region signs the marks of its county for a national round.
    CountyOffer,
    /// A region signs the totals its county publishes.
    CountyRows,
    /// A region signs its sealed aggregate share.
    CountyShare,
    /// The national body signs a pattern over counties.
    NationalPattern,
    /// The national body signs which counties delivered and what is opened of them.
    NationalClose,
}

impl SigningContext {
    /// Every context.
    pub const ALL: [Self; 11] = [
        Self::Report,
        Self::Pattern,
        Self::Collection,
        Self::Opening,
        Self::Manifest,
        Self::HelperKey,
        Self::CountyOffer,
        Self::CountyRows,
        Self::CountyShare,
        Self::NationalPattern,
        Self::NationalClose,
    ];

    /// The text that is signed with the message.
    pub fn text(self) -> &'static str {
        match self {
            Self::Report => "samman/v1 report",
            Self::Pattern => "samman/v1 pattern",
            Self::Collection => "samman/v1 collection",
            Self::Opening => "samman/v1 opening",
            Self::Manifest => "samman/v1 manifest",
            Self::HelperKey => "samman/v1 helper key",
            Self::CountyOffer => "samman/v1 county offer",
            Self::CountyRows => "samman/v1 county rows",
            Self::CountyShare => "samman/v1 county share",
            Self::NationalPattern => "samman/v1 national pattern",
            Self::NationalClose => "samman/v1 national close",
        }
    }

    /// The bytes that are really signed: the context with its length, then the message.
    pub fn frame(self, message: &[u8]) -> Vec<u8> {
        let text = self.text().as_bytes();
        let mut framed = Vec::with_capacity(1 + text.len() + message.len());
        framed.push(text.len() as u8); // infallible: every context is far below 256 bytes, as a test says
        framed.extend_from_slice(text);
        framed.extend_from_slice(message);
        framed
    }
}

/// Why a key or signature was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SigningError {
    /// The key is not an Ed25519 key in PKCS#8.
    #[error("the signing key is not an Ed25519 key in PKCS#8")]
    KeyRefused,
    /// The signature is not this key's over this context and message.
    #[error("the signature does not verify")]
    SignatureRefused,
}

/// A signature.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Signature(pub [u8; SIGNATURE_BYTES]);

/// A key that signs.
pub struct SigningKey(Ed25519KeyPair);

impl SigningKey {
    /// From PKCS#8 DER, version 1 (RFC 5958; with or without the public key) or 2.
    ///
    /// # Errors
    /// [`SigningError::KeyRefused`]; also when a public key inside does not belong to the secret one.
    pub fn from_pkcs8(der: &[u8]) -> Result<Self, SigningError> {
        Ed25519KeyPair::from_pkcs8_maybe_unchecked(der).map(Self).map_err(|_| SigningError::KeyRefused)
    }

    /// A fresh key as PKCS#8 DER (RFC 8410), for [`Self::from_pkcs8`] and for a certificate request.
    pub fn generate(rng: &mut impl CryptoRng) -> Zeroizing<Vec<u8>> {
        let mut der = Zeroizing::new(vec![0; PKCS8_PREFIX.len() + 32]);
        let (prefix, seed) = der.split_at_mut(PKCS8_PREFIX.len());
        prefix.copy_from_slice(&PKCS8_PREFIX);
        rng.fill_bytes(seed);
        der
    }

    /// Signs `message` in `context`.
    pub fn sign(&self, context: SigningContext, message: &[u8]) -> Signature {
        Signature(self.sign_raw(&context.frame(message)))
    }

    fn sign_raw(&self, framed: &[u8]) -> [u8; SIGNATURE_BYTES] {
        let mut out = [0; SIGNATURE_BYTES];
        out.copy_from_slice(self.0.sign(framed).as_ref()); // infallible: an Ed25519 signature has 64 bytes
        out
    }

    /// The key others verify with.
    pub fn verifying_key(&self) -> VerifyingKey {
        let mut bytes = [0; 32];
        bytes.copy_from_slice(self.0.public_key().as_ref()); // infallible: an Ed25519 public key has 32 bytes
        VerifyingKey(bytes)
    }
}

impl std::fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("SigningKey").field(&self.verifying_key()).finish()
    }
}

/// A key that verifies: the 32 bytes of RFC 8032.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct VerifyingKey(pub [u8; 32]);

impl VerifyingKey {
    /// Verifies `signature` over `message` in `context`.
    ///
    /// # Errors
    /// [`SigningError::SignatureRefused`], also for bytes that are no key.
    pub fn verify(
        &self,
        context: SigningContext,
        message: &[u8],
        signature: &Signature,
    ) -> Result<(), SigningError> {
        self.verify_raw(&context.frame(message), &signature.0)
    }

    fn verify_raw(&self, framed: &[u8], signature: &[u8; SIGNATURE_BYTES]) -> Result<(), SigningError> {
        UnparsedPublicKey::new(&ED25519, &self.0)
            .verify(framed, signature)
            .map_err(|_| SigningError::SignatureRefused)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::rng;
    use proptest::prelude::*;

    fn key(seed: u64) -> SigningKey {
        SigningKey::from_pkcs8(&SigningKey::generate(&mut rng(seed))).unwrap()
    }

    fn array<const N: usize>(text: &str) -> [u8; N] {
        hex::decode(text).unwrap().try_into().unwrap()
    }

    /// RFC 8032, section 7.1, TEST 2.
    #[test]
    fn signatures_agree_with_rfc_8032() {
        let seed: [u8; 32] = array("4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb");
        let key = SigningKey::from_pkcs8(&[PKCS8_PREFIX.as_slice(), &seed].concat()).unwrap();
        let public = "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c";
        assert_eq!(key.verifying_key(), VerifyingKey(array(public)));
        let expected: [u8; 64] = array(concat!(
            "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da",
            "085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00",
        ));
        assert_eq!(key.sign_raw(&[0x72]), expected);
        assert_eq!(key.verifying_key().verify_raw(&[0x72], &expected), Ok(()));
    }

    #[test]
    fn a_signature_is_worth_nothing_in_another_context() {
        let key = key(1);
        for made in SigningContext::ALL {
            let signature = key.sign(made, b"message");
            for read in SigningContext::ALL {
                let verified = key.verifying_key().verify(read, b"message", &signature);
                assert_eq!(verified.is_ok(), made == read, "{made:?} read as {read:?}");
            }
        }
    }

    #[test]
    fn contexts_are_short_and_distinct_and_a_message_cannot_continue_one() {
        let texts: std::collections::BTreeSet<_> = SigningContext::ALL.iter().map(|c| c.text()).collect();
        assert_eq!(texts.len(), SigningContext::ALL.len());
        assert!(texts.iter().all(|text| text.len() < 256));
        assert_ne!(SigningContext::Report.frame(b"s"), b"\x11samman/v1 reports");
    }

    #[test]
    fn a_key_that_is_not_pkcs8_ed25519_is_refused() {
        assert_eq!(SigningKey::from_pkcs8(&[1, 2, 3]).unwrap_err(), SigningError::KeyRefused);
        let mut der = SigningKey::generate(&mut rng(2)).to_vec();
        der[11] = 0x6e; // id-X25519
        assert_eq!(SigningKey::from_pkcs8(&der).unwrap_err(), SigningError::KeyRefused);
    }

    #[test]
    fn a_key_made_by_ring_with_a_public_part_is_read_too() {
        let der = Ed25519KeyPair::generate_pkcs8(&ring::rand::SystemRandom::new()).unwrap();
        let key = SigningKey::from_pkcs8(der.as_ref()).unwrap();
        let signature = key.sign(SigningContext::Report, b"x");
        assert!(key.verifying_key().verify(SigningContext::Report, b"x", &signature).is_ok());
    }

    #[test]
    fn debug_shows_the_public_key_only() {
        let der = SigningKey::generate(&mut rng(3));
        let key = SigningKey::from_pkcs8(&der).unwrap();
        let seed = format!("{:?}", &der[16..20]).replace(['[', ']'], "");
        assert!(!format!("{key:?}").contains(&seed));
        assert!(format!("{key:?}").contains("VerifyingKey"));
    }

    proptest! {
        #[test]
        fn any_flipped_bit_breaks_a_signature(
            message in prop::collection::vec(any::<u8>(), 1..64), bit in any::<prop::sample::Index>(),
        ) {
            let key = key(4);
            let signature = key.sign(SigningContext::Report, &message);
            let mut all = [signature.0.as_slice(), &message].concat();
            let bit = bit.index(all.len() * 8);
            all[bit / 8] ^= 1 << (bit % 8);
            let flipped = Signature(all[..64].try_into().unwrap());
            prop_assert!(key.verifying_key().verify(SigningContext::Report, &all[64..], &flipped).is_err());
        }
    }
}

//! HPKE keys and seals (RFC 9180, base mode; DHKEM(X25519, HKDF-SHA256), HKDF-SHA256, ChaCha20Poly1305).
//!
//! A seal has a purpose and a binding hash in its `info` and everything it stands beside in its `aad`. Base
//! mode does not say who sealed: the node's signature over the report does. Used for the helper's part of a
//! report and, between tiers, for aggregate shares on their way to the third coordinator. Invariants: secret
//! keys are wiped on drop and never shown; an opened seal's plaintext is wiped on drop.

use crate::binding::BindingHash;
use crate::bytes::{put_prefixed, sha256};
use hpke::aead::ChaCha20Poly1305;
use hpke::kdf::HkdfSha256;
use hpke::kem::X25519HkdfSha256;
use hpke::rand_core::{TryCryptoRng, TryRng};
use hpke::{Deserializable, Kem, OpModeR, OpModeS, Serializable};
use rand_core::CryptoRng;
use std::convert::Infallible;
use zeroize::Zeroizing;

type PrivateKey = <X25519HkdfSha256 as Kem>::PrivateKey;
type PublicKey = <X25519HkdfSha256 as Kem>::PublicKey;
type EncappedKey = <X25519HkdfSha256 as Kem>::EncappedKey;

/// Bytes a seal is longer than what it holds: the Poly1305 tag.
pub const SEAL_OVERHEAD_BYTES: usize = 16;
/// Least input keying material of [`HelperKeyPair::derive`], in bytes (RFC 9180, section 7.1.3: at least
/// Nsk).
pub const MIN_IKM_BYTES: usize = 32;

/// Why a key or a seal was refused. Says no more: a reason would help whoever forged it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SealError {
    /// Too little keying material.
    #[error("a helper key needs at least {minimum} bytes of keying material")]
    ShortIkm {
        /// The least number of bytes.
        minimum: usize,
    },
    /// The key is not a usable X25519 key.
    #[error("the helper key is not usable")]
    KeyRefused,
    /// The seal does not open: another key, purpose, binding or context, or altered bytes.
    #[error("the seal does not open")]
    Broken,
}

/// What a seal is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SealPurpose {
    /// The helper's part of a report.
    HelperPart,
    /// An aggregate share on its way to the coordinator that holds it in a national round.
    AggregateShare,
}

impl SealPurpose {
    fn domain(self) -> &'static str {
        match self {
            Self::HelperPart => "samman/v1 seal helper part",
            Self::AggregateShare => "samman/v1 seal aggregate share",
        }
    }

    fn info(self, binding: BindingHash) -> Vec<u8> {
        let mut info = Vec::with_capacity(80);
        put_prefixed(&mut info, self.domain().as_bytes());
        info.extend_from_slice(&binding.0);
        info
    }
}

/// A ciphertext with the key that was encapsulated for it.
#[derive(Clone, PartialEq, Eq)]
pub struct Sealed {
    /// The encapsulated key.
    pub encapsulated: [u8; 32],
    /// Ciphertext and tag.
    pub ciphertext: Vec<u8>,
}

impl std::fmt::Debug for Sealed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Sealed").field("bytes", &self.ciphertext.len()).finish_non_exhaustive()
    }
}

/// The public key of a helper.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HelperPublicKey(PublicKey);

impl HelperPublicKey {
    /// From the 32 bytes of RFC 7748.
    ///
    /// # Errors
    /// [`SealError::KeyRefused`]. Points of small order are refused here already, by a trial agreement.
    pub fn from_bytes(bytes: &[u8; 32]) -> Result<Self, SealError> {
        let key = PublicKey::from_bytes(bytes).map_err(|_| SealError::KeyRefused)?;
        // RFC 9180, section 7.1.4: an all-zero agreement must be refused. The probe's secret protects
        // nothing.
        let (probe, _) = X25519HkdfSha256::derive_keypair(&[0; MIN_IKM_BYTES]);
        let as_encapsulated = EncappedKey::from_bytes(bytes).map_err(|_| SealError::KeyRefused)?;
        X25519HkdfSha256::decap(&probe, None, &as_encapsulated).map_err(|_| SealError::KeyRefused)?;
        Ok(Self(key))
    }

    /// The 32 bytes of RFC 7748.
    pub fn to_bytes(&self) -> [u8; 32] {
        self.0.to_bytes().into()
    }

    /// The key's id: SHA-256 of its bytes.
    pub fn id(&self) -> [u8; 32] {
        sha256(&self.to_bytes())
    }

    /// Seals `plaintext` for `purpose` and `binding`; `aad` must be given again to open.
    ///
    /// # Errors
    /// [`SealError::KeyRefused`] when no key can be agreed with this public key.
    pub fn seal(
        &self,
        purpose: SealPurpose,
        binding: BindingHash,
        aad: &[u8],
        plaintext: &[u8],
        rng: &mut impl CryptoRng,
    ) -> Result<Sealed, SealError> {
        let (encapsulated, ciphertext) =
            hpke::single_shot_seal_with_rng::<ChaCha20Poly1305, HkdfSha256, X25519HkdfSha256>(
                &OpModeS::Base,
                &self.0,
                &purpose.info(binding),
                plaintext,
                aad,
                &mut Adapted(rng),
            )
            .map_err(|_| SealError::KeyRefused)?;
        Ok(Sealed { encapsulated: encapsulated.to_bytes().into(), ciphertext })
    }
}

/// The key pair of a helper.
#[derive(Clone)]
pub struct HelperKeyPair {
    secret: PrivateKey,
    public: HelperPublicKey,
}

impl HelperKeyPair {
    /// Derives the pair from keying material (RFC 9180, `DeriveKeyPair`): the same material, the same pair.
    ///
    /// # Errors
    /// [`SealError::ShortIkm`].
    pub fn derive(ikm: &[u8]) -> Result<Self, SealError> {
        if ikm.len() < MIN_IKM_BYTES {
            return Err(SealError::ShortIkm { minimum: MIN_IKM_BYTES });
        }
        let (secret, public) = X25519HkdfSha256::derive_keypair(ikm);
        Ok(Self { secret, public: HelperPublicKey(public) })
    }

    /// A fresh pair.
    pub fn generate(rng: &mut impl CryptoRng) -> Self {
        let (secret, public) = X25519HkdfSha256::gen_keypair_with_rng(&mut Adapted(rng));
        Self { secret, public: HelperPublicKey(public) }
    }

    /// From the stored secret key.
    ///
    /// # Errors
    /// [`SealError::KeyRefused`].
    pub fn from_secret_bytes(bytes: &[u8; 32]) -> Result<Self, SealError> {
        let secret = PrivateKey::from_bytes(bytes).map_err(|_| SealError::KeyRefused)?;
        let public = HelperPublicKey(X25519HkdfSha256::sk_to_pk(&secret));
        Ok(Self { secret, public })
    }

    /// The secret key, for the key file and nowhere else.
    pub fn to_secret_bytes(&self) -> Zeroizing<[u8; 32]> {
        Zeroizing::new(self.secret.to_bytes().into())
    }

    /// The public half.
    pub fn public(&self) -> &HelperPublicKey {
        &self.public
    }

    /// Opens a seal.
    ///
    /// # Errors
    /// [`SealError::Broken`] for anything that was not sealed to this key for this purpose, binding
    /// and `aad`.
    pub fn open(
        &self,
        purpose: SealPurpose,
        binding: BindingHash,
        aad: &[u8],
        sealed: &Sealed,
    ) -> Result<Zeroizing<Vec<u8>>, SealError> {
        let encapsulated = EncappedKey::from_bytes(&sealed.encapsulated).map_err(|_| SealError::Broken)?;
        hpke::single_shot_open::<ChaCha20Poly1305, HkdfSha256, X25519HkdfSha256>(
            &OpModeR::Base,
            &self.secret,
            &encapsulated,
            &purpose.info(binding),
            &sealed.ciphertext,
            aad,
        )
        .map(Zeroizing::new)
        .map_err(|_| SealError::Broken)
    }
}

impl std::fmt::Debug for HelperKeyPair {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("HelperKeyPair").field("public", &self.public).finish_non_exhaustive()
    }
}

/// The workspace's rand_core 0.9 generators as hpke's rand_core 0.10 ones.
struct Adapted<'a, R>(&'a mut R);

impl<R: CryptoRng> TryRng for Adapted<'_, R> {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        Ok(self.0.next_u32())
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        Ok(self.0.next_u64())
    }

    fn try_fill_bytes(&mut self, dst: &mut [u8]) -> Result<(), Infallible> {
        self.0.fill_bytes(dst);
        Ok(())
    }
}

impl<R: CryptoRng> TryCryptoRng for Adapted<'_, R> {}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::rng;

    const BINDING: BindingHash = BindingHash([7; 32]);

    #[test]
    fn a_seal_opens_only_with_its_key_purpose_binding_and_context() {
        let keys = HelperKeyPair::generate(&mut rng(1));
        let other = HelperKeyPair::generate(&mut rng(2));
        let purpose = SealPurpose::HelperPart;
        let sealed = keys.public().seal(purpose, BINDING, b"aad", b"text", &mut rng(3)).unwrap();
        assert_eq!(keys.open(purpose, BINDING, b"aad", &sealed).unwrap().as_slice(), b"text");
        for attempt in [
            other.open(purpose, BINDING, b"aad", &sealed),
            keys.open(SealPurpose::AggregateShare, BINDING, b"aad", &sealed),
            keys.open(purpose, BindingHash([8; 32]), b"aad", &sealed),
            keys.open(purpose, BINDING, b"aae", &sealed),
        ] {
            assert_eq!(attempt.unwrap_err(), SealError::Broken);
        }
    }

    /// RFC 9180, appendix A.1.1 (DHKEM(X25519, HKDF-SHA256), base mode): ikmR gives skRm and pkRm.
    #[test]
    fn a_pair_derived_from_the_rfc_9180_material_is_the_rfc_9180_pair() {
        let ikm = hex::decode("6db9df30aa07dd42ee5e8181afdb977e538f5e1fec8a06223f33f7013e525037").unwrap();
        let pair = HelperKeyPair::derive(&ikm).unwrap();
        let public = "3948cfe0ad1ddb695d780e59077195da6c56506b027329794ab02bca80815c4d";
        let secret = "4612c550263fc8ad58375df3f557aac531d26850903e55a9f23f21d8534e8ac8";
        assert_eq!(hex::encode(pair.public().to_bytes()), public);
        // The RFC prints the secret before clamping (RFC 7748); both name the same key.
        let mut clamped: [u8; 32] = hex::decode(secret).unwrap().try_into().unwrap();
        let pair_of_printed = HelperKeyPair::from_secret_bytes(&clamped).unwrap();
        clamped[0] &= 248;
        clamped[31] = (clamped[31] & 127) | 64;
        assert_eq!(*pair.to_secret_bytes(), clamped);
        assert_eq!(pair_of_printed.public(), pair.public());
    }

    #[test]
    fn a_pair_survives_storage_and_its_id_is_the_hash_of_its_public_bytes() {
        let pair = HelperKeyPair::generate(&mut rng(4));
        let again = HelperKeyPair::from_secret_bytes(&pair.to_secret_bytes()).unwrap();
        assert_eq!(again.public(), pair.public());
        let public = HelperPublicKey::from_bytes(&pair.public().to_bytes()).unwrap();
        assert_eq!(public.id(), sha256(&pair.public().to_bytes()));
    }

    #[test]
    fn keys_of_small_order_and_short_material_are_refused() {
        assert_eq!(HelperPublicKey::from_bytes(&[0; 32]).unwrap_err(), SealError::KeyRefused);
        let mut one = [0; 32];
        one[0] = 1;
        assert_eq!(HelperPublicKey::from_bytes(&one).unwrap_err(), SealError::KeyRefused);
        assert!(matches!(HelperKeyPair::derive(&[1; 31]), Err(SealError::ShortIkm { minimum: 32 })));
    }

    #[test]
    fn debug_shows_no_secret() {
        let pair = HelperKeyPair::generate(&mut rng(5));
        let shown = format!("{pair:?}");
        let secret = pair.to_secret_bytes();
        assert!(!shown.contains(&hex::encode(&secret[..4])));
        assert!(!shown.contains(&format!("{:?}", &secret[..4]).replace(['[', ']'], "")));
    }
}

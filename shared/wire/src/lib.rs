//! Between protobuf messages and domain types: the only crate that sees both.
//!
//! Every `TryFrom` here is a decoder of something a peer sent; each checks lengths and codes and answers with an
//! [`Unreadable`] that names the field, never its content. No sockets.

use std::collections::BTreeSet;

use proto::v1;
use round::chain::Signed;
use round::document::CollectionRef;
use round::merkle::Proof;
use round::national::document::NationalRef;
use sharing::chunk::Chunk;
use tables::count::FineStatus;

/// Most statuses of one declaration.
pub const MAX_STATUSES: usize = 1 << 20;
/// Deepest Merkle proof: 2^16 units are far more than Sweden has.
pub const MAX_PROOF: usize = 16;

/// A message of a peer that cannot be read. Names the field only.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the message's {field} is {problem}")]
pub struct Unreadable {
    /// Which field.
    pub field: &'static str,
    /// What is wrong with it.
    pub problem: &'static str,
}

fn unreadable(field: &'static str, problem: &'static str) -> Unreadable {
    Unreadable { field, problem }
}

/// A field of exactly `N` bytes.
///
/// # Errors
/// [`Unreadable`] naming the field.
pub fn array<const N: usize>(field: &'static str, bytes: &[u8]) -> Result<[u8; N], Unreadable> {
    bytes.try_into().map_err(|_| unreadable(field, "of the wrong length"))
}

/// A field that must be there.
///
/// # Errors
/// [`Unreadable`] naming the field.
pub fn present<T>(field: &'static str, value: Option<T>) -> Result<T, Unreadable> {
    value.ok_or(unreadable(field, "missing"))
}

/// A collection reference.
///
/// # Errors
/// [`Unreadable`].
pub fn collection_ref(message: Option<v1::CollectionRef>) -> Result<CollectionRef, Unreadable> {
    let message = present("collection", message)?;
    if message.id.len() > 64 {
        return Err(unreadable("collection id", "too long"));
    }
    Ok(CollectionRef {
        id: message.id,
        version: message.version,
        hash: array("collection hash", &message.hash)?,
    })
}

/// The message of a collection reference.
pub fn collection_message(reference: &CollectionRef) -> v1::CollectionRef {
    let CollectionRef { id, version, hash } = reference.clone();
    v1::CollectionRef { id, version, hash: hash.to_vec() }
}

/// The name of a national round.
///
/// # Errors
/// [`Unreadable`].
pub fn national_ref(message: Option<v1::NationalRef>) -> Result<NationalRef, Unreadable> {
    let message = present("national", message)?;
    if message.id.len() > 64 {
        return Err(unreadable("collection id", "too long"));
    }
    let shape = array("shape", &message.shape)?;
    Ok(NationalRef { id: message.id, version: message.version, shape })
}

/// The message of the name of a national round.
pub fn national_message(reference: &NationalRef) -> v1::NationalRef {
    let NationalRef { id, version, shape } = reference.clone();
    v1::NationalRef { id, version, shape: shape.to_vec() }
}

/// Signed bytes.
///
/// # Errors
/// [`Unreadable`].
pub fn signed(field: &'static str, message: Option<v1::Signed>) -> Result<Signed, Unreadable> {
    let message = present(field, message)?;
    let _: [u8; 64] = array("signature", &message.signature)?;
    Ok(Signed { bytes: message.bytes, signature: message.signature, certificate: message.certificate })
}

/// The message of signed bytes.
pub fn signed_message(signed: &Signed) -> v1::Signed {
    let Signed { bytes, signature, certificate } = signed.clone();
    v1::Signed { bytes, signature, certificate }
}

/// Statuses, one byte each.
///
/// # Errors
/// [`Unreadable`] for an unknown code or too many.
pub fn statuses(bytes: &[u8]) -> Result<Vec<FineStatus>, Unreadable> {
    if bytes.len() > MAX_STATUSES {
        return Err(unreadable("statuses", "too long"));
    }
    let status = |byte: &u8| match byte {
        0 => Ok(FineStatus::Zero),
        1 => Ok(FineStatus::Small),
        2 => Ok(FineStatus::Plain),
        _ => Err(unreadable("statuses", "not 0, 1 or 2")),
    };
    bytes.iter().map(status).collect()
}

/// The cells of a message of changes.
///
/// # Errors
/// [`Unreadable`] when there are too many, or they are not ascending.
pub fn changes(message: v1::Changes) -> Result<BTreeSet<usize>, Unreadable> {
    if message.cells.len() > MAX_STATUSES {
        return Err(unreadable("changes", "too many"));
    }
    if message.cells.windows(2).any(|pair| pair[0] >= pair[1]) {
        return Err(unreadable("changes", "not ascending"));
    }
    Ok(message.cells.into_iter().map(|cell| cell as usize).collect())
}

/// The message of changes.
pub fn changes_message(changed: &BTreeSet<usize>) -> v1::Changes {
    // a collection has far fewer cells than u32::MAX (`tables::system::MAX_CELLS`)
    v1::Changes { cells: changed.iter().map(|cell| u32::try_from(*cell).unwrap_or(u32::MAX)).collect() }
}

/// The bytes of statuses.
pub fn status_bytes(statuses: &[FineStatus]) -> Vec<u8> {
    let byte = |status: &FineStatus| match status {
        FineStatus::Zero => 0,
        FineStatus::Small => 1,
        FineStatus::Plain => 2,
    };
    statuses.iter().map(byte).collect()
}

/// A Merkle proof.
///
/// # Errors
/// [`Unreadable`].
pub fn proof(message: Vec<v1::Sibling>) -> Result<Proof, Unreadable> {
    if message.len() > MAX_PROOF {
        return Err(unreadable("proof", "too long"));
    }
    let sibling = |sibling: v1::Sibling| match sibling.hash.is_empty() {
        true => Ok(None),
        false => array("proof", &sibling.hash).map(Some),
    };
    Ok(Proof { siblings: message.into_iter().map(sibling).collect::<Result<_, _>>()? })
}

/// The message of a proof.
pub fn proof_message(proof: &Proof) -> Vec<v1::Sibling> {
    let sibling =
        |hash: &Option<[u8; 32]>| v1::Sibling { hash: hash.map(|h| h.to_vec()).unwrap_or_default() };
    proof.siblings.iter().map(sibling).collect()
}

/// Lines of unit atoms.
pub fn lines(message: Vec<v1::Line>) -> Vec<Vec<u32>> {
    message.into_iter().map(|line| line.atoms).collect()
}

/// The message of lines.
pub fn lines_message(lines: &[Vec<u32>]) -> Vec<v1::Line> {
    lines.iter().map(|atoms| v1::Line { atoms: atoms.clone() }).collect()
}

/// One piece of a report.
pub fn chunk(message: &v1::ReportChunk) -> Chunk<'_> {
    Chunk { index: message.index, count: message.count, bytes: &message.bytes }
}

/// One piece of what a region passes to its helper.
pub fn verify_chunk(message: &v1::VerifyChunk) -> Chunk<'_> {
    Chunk { index: message.index, count: message.count, bytes: &message.bytes }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn statuses_survive_the_wire(bytes in prop::collection::vec(0u8..3, 0..50)) {
            prop_assert_eq!(status_bytes(&statuses(&bytes).unwrap()), bytes);
        }

        #[test]
        fn arbitrary_messages_are_refused_or_read_and_never_panic(
            id in ".{0,80}", hash in prop::collection::vec(any::<u8>(), 0..40),
            bytes in prop::collection::vec(any::<u8>(), 0..20),
        ) {
            let _ = collection_ref(Some(v1::CollectionRef { id, version: 1, hash: hash.clone() }));
            let _ = statuses(&bytes);
            let _ = proof(vec![v1::Sibling { hash }]);
            let _ = signed("x", Some(v1::Signed { bytes: bytes.clone(), signature: bytes, certificate: vec![] }));
        }
    }

    #[test]
    fn an_unknown_status_is_refused() {
        assert_eq!(statuses(&[0, 3]).unwrap_err().field, "statuses");
    }
}

//! A Merkle tree over the witnesses of all units: the pattern commits to all, each node receives only its own.
//!
//! SHA-256, with different prefixes for leaves and nodes and the number of leaves in the root (RFC 6962, section 2.1,
//! says why the prefixes). The leaf of unit `i` of the roster is at place `i`; an odd node moves up unchanged.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

type Hash = [u8; 32];

/// The hashes that take a leaf to the root.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Proof {
    /// Sibling on each level, `None` where the node moved up alone.
    pub siblings: Vec<Option<Hash>>,
}

fn leaf(bytes: &[u8]) -> Hash {
    Sha256::new().chain_update([0]).chain_update(bytes).finalize().into()
}

fn join(left: &Hash, right: &Hash) -> Hash {
    Sha256::new().chain_update([1]).chain_update(left).chain_update(right).finalize().into()
}

fn seal(count: usize, top: &Hash) -> Hash {
    Sha256::new()
        .chain_update([2])
        .chain_update((count as u64).to_be_bytes())
        .chain_update(top)
        .finalize()
        .into()
}

fn above(level: &[Hash]) -> Vec<Hash> {
    level.chunks(2).map(|pair| if let [left, right] = pair { join(left, right) } else { pair[0] }).collect()
}

/// The root over the leaves' bytes.
pub fn root(leaves: &[Vec<u8>]) -> Hash {
    let mut level: Vec<Hash> = leaves.iter().map(|bytes| leaf(bytes)).collect();
    while level.len() > 1 {
        level = above(&level);
    }
    seal(leaves.len(), level.first().unwrap_or(&[0; 32]))
}

/// The proof of leaf `place`; `None` when there is no such leaf.
pub fn prove(leaves: &[Vec<u8>], place: usize) -> Option<Proof> {
    if place >= leaves.len() {
        return None;
    }
    let mut level: Vec<Hash> = leaves.iter().map(|bytes| leaf(bytes)).collect();
    let (mut place, mut siblings) = (place, Vec::new());
    while level.len() > 1 {
        siblings.push(level.get(place ^ 1).copied());
        level = above(&level);
        place /= 2;
    }
    Some(Proof { siblings })
}

/// Whether `bytes` are leaf `place` of `count` under `root`.
pub fn holds(root: &Hash, count: usize, place: usize, bytes: &[u8], proof: &Proof) -> bool {
    let (mut hash, mut place, mut width) = (leaf(bytes), place, count);
    if place >= count {
        return false;
    }
    for sibling in &proof.siblings {
        let alone = place == width - 1 && width % 2 == 1;
        hash = match sibling {
            None if alone => hash,
            Some(other) if !alone && place % 2 == 0 => join(&hash, other),
            Some(other) if !alone => join(other, &hash),
            _ => return false,
        };
        (place, width) = (place / 2, width.div_ceil(2));
    }
    width == 1 && seal(count, &hash) == *root
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn every_leaf_proves_itself_and_nothing_else(count in 1usize..12, place in 0usize..12, other in 0usize..12) {
            let leaves: Vec<Vec<u8>> = (0..count).map(|at| vec![at as u8; 3]).collect();
            let root = root(&leaves);
            match prove(&leaves, place) {
                None => prop_assert!(place >= count),
                Some(proof) => {
                    prop_assert!(holds(&root, count, place, &leaves[place], &proof));
                    prop_assert!(!holds(&root, count, place, b"xyz", &proof));
                    prop_assert!(!holds(&root, count + 1, place, &leaves[place], &proof));
                    if other != place {
                        prop_assert!(!holds(&root, count, other, &leaves[place], &proof));
                    }
                }
            }
        }
    }
}

//! Documents that got more fields later: one that has none of them keeps the bytes, and with them the hash and the signatures, it had before.
//!
//! Postcard says nothing of fields, so a longer form begins with what no document begins with ([`Marker`]), then the old
//! fields, then the new. Both forms of one content are never canonical: without new content only the short one is.

use std::fmt;
use std::marker::PhantomData;

use serde::de::{DeserializeOwned, Error, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::document::NationalRef;

/// A first field with a value that no document has.
pub trait Marker: PartialEq + Serialize + DeserializeOwned {
    /// That value.
    fn marker() -> Self;
}

impl Marker for [u8; 32] {
    /// No SHA-256 anyone can find.
    fn marker() -> Self {
        [0; 32]
    }
}

impl Marker for NationalRef {
    /// No collection's id is empty.
    fn marker() -> Self {
        Self { id: String::new(), version: 0, shape: [0; 32] }
    }
}

/// A document's first field, its other old fields, and the new ones where there is any content in them.
pub struct Tailed<First, Rest, Tail> {
    /// The first field.
    pub first: First,
    /// The other fields that were always there.
    pub rest: Rest,
    /// The new fields.
    pub tail: Option<Tail>,
}

impl<First: Marker, Rest: Serialize, Tail: Serialize> Serialize for Tailed<First, Rest, Tail> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match &self.tail {
            None => (&self.first, &self.rest).serialize(serializer),
            Some(tail) => (First::marker(), (&self.first, &self.rest), tail).serialize(serializer),
        }
    }
}

impl<'de, First: Marker, Rest: DeserializeOwned, Tail: DeserializeOwned> Deserialize<'de>
    for Tailed<First, Rest, Tail>
{
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_tuple(3, Fields(PhantomData))
    }
}

type Kinds<First, Rest, Tail> = fn() -> (First, Rest, Tail);

struct Fields<First, Rest, Tail>(PhantomData<Kinds<First, Rest, Tail>>);

impl<'de, First: Marker, Rest: DeserializeOwned, Tail: DeserializeOwned> Visitor<'de>
    for Fields<First, Rest, Tail>
{
    type Value = Tailed<First, Rest, Tail>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a document with or without later fields")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut fields: A) -> Result<Self::Value, A::Error> {
        let missing = || A::Error::custom("a field is missing");
        let first: First = fields.next_element()?.ok_or_else(missing)?;
        if first != First::marker() {
            let rest = fields.next_element()?.ok_or_else(missing)?;
            return Ok(Tailed { first, rest, tail: None });
        }
        let (first, rest) = fields.next_element()?.ok_or_else(missing)?;
        let tail = Some(fields.next_element()?.ok_or_else(missing)?);
        Ok(Tailed { first, rest, tail })
    }
}

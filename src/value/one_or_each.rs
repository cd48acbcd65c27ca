//! One value that stands for all, or a list with one for each.

use std::fmt;

use serde::de::{self, Deserialize, Deserializer, Unexpected, Visitor};
use serde::ser::{Serialize, SerializeSeq, Serializer};

/// Reads one value for all of `N`, or a list of `N`.
pub(super) fn one_or_each<'de, D, T, const N: usize>(
    deserializer: D,
    says: &'static str,
) -> Result<[T; N], D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de> + Copy,
{
    struct OneOrEach<T, const N: usize>(&'static str, std::marker::PhantomData<T>);
    impl<'de, T: Deserialize<'de> + Copy, const N: usize> Visitor<'de> for OneOrEach<T, N> {
        type Value = [T; N];
        fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
            f.write_str(self.0)
        }
        fn visit_u64<E: de::Error>(self, number: u64) -> Result<[T; N], E> {
            T::deserialize(de::value::U64Deserializer::new(number)).map(|value| [value; N])
        }
        fn visit_i64<E: de::Error>(self, number: i64) -> Result<[T; N], E> {
            T::deserialize(de::value::I64Deserializer::new(number)).map(|value| [value; N])
        }
        fn visit_f64<E: de::Error>(self, number: f64) -> Result<[T; N], E> {
            T::deserialize(de::value::F64Deserializer::new(number)).map(|value| [value; N])
        }
        fn visit_str<E: de::Error>(self, text: &str) -> Result<[T; N], E> {
            T::deserialize(de::value::StrDeserializer::<E>::new(text))
                .map(|value| [value; N])
                .map_err(|_| E::invalid_type(Unexpected::Str(text), &self))
        }
        fn visit_seq<A: de::SeqAccess<'de>>(self, mut items: A) -> Result<[T; N], A::Error> {
            let mut found = Vec::new();
            while let Some(item) = items.next_element()? {
                found.push(item);
            }
            <[T; N]>::try_from(found).map_err(|found| de::Error::invalid_length(found.len(), &self))
        }
    }
    deserializer.deserialize_any(OneOrEach(says, std::marker::PhantomData))
}

pub(super) fn serialize_one_or_each<T, S, const N: usize>(
    values: &[T; N],
    serializer: S,
) -> Result<S::Ok, S::Error>
where
    T: Serialize + PartialEq,
    S: Serializer,
{
    if values.iter().all(|value| *value == values[0]) {
        return values[0].serialize(serializer);
    }
    let mut sequence = serializer.serialize_seq(Some(N))?;
    for value in values {
        sequence.serialize_element(value)?;
    }
    sequence.end()
}

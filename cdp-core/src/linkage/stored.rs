//! A model as bytes: magic, version, length, BLAKE3 of the content, the content in little-endian numbers.

use super::compare::Comparison;
use super::model::{Dependence, Field, Frequencies, LinkageModel, MODEL_VERSION};
use super::parsed::Slot;
use crate::error::{Error, ErrorKind, Result};

const MAGIC: &[u8; 8] = b"cdplinks";
const HEADER: usize = 8 + 4 + 32;

fn corrupt() -> Error {
    Error::new(ErrorKind::Corrupt, "the bytes of the linkage model are damaged").with_hint("train it again")
}

struct Reader<'b>(&'b [u8]);

impl<'b> Reader<'b> {
    fn take(&mut self, n: usize) -> Result<&'b [u8]> {
        let (taken, rest) = self.0.split_at_checked(n).ok_or_else(corrupt)?;
        self.0 = rest;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N]> {
        self.take(N)?.try_into().map_err(|_| corrupt())
    }

    fn u8(&mut self) -> Result<u8> {
        self.array::<1>().map(|[byte]| byte)
    }

    fn u32(&mut self) -> Result<u32> {
        self.array().map(u32::from_le_bytes)
    }

    fn u64(&mut self) -> Result<u64> {
        self.array().map(u64::from_le_bytes)
    }

    fn f64(&mut self) -> Result<f64> {
        self.array().map(f64::from_le_bytes)
    }

    /// A count of things of which each needs at least `size` bytes that are there.
    fn count(&mut self, size: usize) -> Result<usize> {
        let count = self.u32()? as usize;
        if count.saturating_mul(size) > self.0.len() { Err(corrupt()) } else { Ok(count) }
    }

    fn shares(&mut self, n: usize) -> Result<Vec<f64>> {
        (0..n).map(|_| self.f64()).collect()
    }
}

impl LinkageModel {
    /// The model as bytes, which [`LinkageModel::from_bytes`] reads back to the bit.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut content = Vec::new();
        let float = |content: &mut Vec<u8>, number: f64| content.extend_from_slice(&number.to_le_bytes());
        let count = |content: &mut Vec<u8>, n: usize| content.extend_from_slice(&(n as u32).to_le_bytes());
        content.extend_from_slice(&self.n_records.to_le_bytes());
        content.extend_from_slice(&self.seed.to_le_bytes());
        for number in [self.match_share, self.household_share, self.records_per_person] {
            float(&mut content, number);
        }
        count(&mut content, self.fields.len());
        for field in &self.fields {
            content.push(field.comparison.code());
            for number in field.m.iter().chain(&field.u).chain(&field.h) {
                float(&mut content, *number);
            }
        }
        count(&mut content, self.dependences.len());
        for dependence in &self.dependences {
            content.extend_from_slice(&[dependence.left, dependence.right]);
            float(&mut content, dependence.bits);
        }
        count(&mut content, self.frequencies.len());
        for known in &self.frequencies {
            content.push(known.slot as u8);
            content.extend_from_slice(&known.n_filled.to_le_bytes());
            float(&mut content, known.same_by_chance);
            count(&mut content, known.counts.len());
            for (hash, n) in &known.counts {
                content.extend_from_slice(&hash.to_le_bytes());
                content.extend_from_slice(&n.to_le_bytes());
            }
        }
        let mut bytes = Vec::with_capacity(HEADER + content.len());
        bytes.extend_from_slice(MAGIC);
        bytes.extend_from_slice(&MODEL_VERSION.to_le_bytes());
        bytes.extend_from_slice(blake3::hash(&content).as_bytes());
        bytes.extend_from_slice(&content);
        bytes
    }

    /// Reads a stored model. Fails with `Incompatible` for another version and with `Corrupt` for damaged bytes.
    pub fn from_bytes(bytes: &[u8]) -> Result<LinkageModel> {
        super::distance::check_available()?;
        let mut header = Reader(bytes);
        if header.take(8)? != MAGIC {
            return Err(Error::new(ErrorKind::Incompatible, "these bytes are not a linkage model"));
        }
        let version = header.u32()?;
        if version != MODEL_VERSION {
            let message = format!("the linkage model has version {version}, this library reads {MODEL_VERSION}");
            return Err(Error::new(ErrorKind::Incompatible, message).with_hint("train it again"));
        }
        let checksum = header.take(32)?;
        let mut content = header;
        if blake3::hash(content.0).as_bytes() != checksum {
            return Err(corrupt());
        }
        let (n_records, seed) = (content.u64()?, content.u64()?);
        let (match_share, household_share, records_per_person) = (content.f64()?, content.f64()?, content.f64()?);
        let n_fields = content.count(1)?;
        let mut fields = Vec::with_capacity(n_fields);
        for _ in 0..n_fields {
            let comparison = Comparison::from_code(content.u8()?).ok_or_else(corrupt)?;
            let n = comparison.prior().len();
            fields.push(Field { comparison, m: content.shares(n)?, u: content.shares(n)?, h: content.shares(n)? });
        }
        let mut dependences = Vec::new();
        for _ in 0..content.count(10)? {
            dependences.push(Dependence { left: content.u8()?, right: content.u8()?, bits: content.f64()? });
        }
        let mut frequencies = Vec::new();
        for _ in 0..content.count(21)? {
            let slot = Slot::ALL.get(usize::from(content.u8()?)).copied().ok_or_else(corrupt)?;
            let (n_filled, same_by_chance) = (content.u64()?, content.f64()?);
            let n = content.count(12)?;
            let counts = (0..n).map(|_| Ok((content.u64()?, content.u32()?))).collect::<Result<_>>()?;
            frequencies.push(Frequencies { slot, n_filled, same_by_chance, counts });
        }
        Ok(LinkageModel {
            fields,
            match_share,
            household_share,
            records_per_person,
            n_records,
            seed,
            dependences,
            frequencies,
        })
    }
}

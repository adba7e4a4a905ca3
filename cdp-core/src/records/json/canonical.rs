//! Makes canonical text of JSON bytes in one pass, while it reads them.
//!
//! It takes what a message came as and leaves what [`Value::to_json`](super::Value::to_json) would give. It decides no
//! fault: whatever is not plain it leaves to the parser of values.

use std::cell::RefCell;

use super::{JsonObject, Member, string_end};
use crate::records::Number;
use crate::records::value::{MAX_DEPTH, write_json_text};

impl JsonObject {
    /// The canonical text of a JSON object, made in one pass; `None` for what needs [`Value::parse`](crate::records::Value::parse): anything but an
    /// object, a fault, an escaped key. Cost: about the copy of the text.
    ///
    /// ```
    /// use cdp_core::records::JsonObject;
    /// let object = JsonObject::parse(br#"{"b": [1.50, true], "a": "x"}"#).unwrap();
    /// assert_eq!(object.text(), r#"{"a":"x","b":[1.5,true]}"#);
    /// assert_eq!(object.get("a").unwrap().as_text().as_deref(), Some("x"));
    /// ```
    pub fn parse(bytes: &[u8]) -> Option<JsonObject> {
        object_of(bytes)
    }
}

/// The canonical text of a JSON object and the places of its members; `None`: leave it to the parser of values.
fn object_of(bytes: &[u8]) -> Option<JsonObject> {
    // The places of members are 32 bits wide; a canonical text is never longer than six times its source.
    if bytes.len() > (u32::MAX / 8) as usize {
        return None;
    }
    std::str::from_utf8(bytes).ok()?;
    SCRATCH.with_borrow_mut(|scratch| {
        scratch.members.clear();
        scratch.inner.clear();
        let mut writer = Canonical { input: bytes, at: 0, out: Vec::with_capacity(bytes.len()), scratch };
        writer.skip_space();
        if writer.peek() != Some(b'{') {
            return None;
        }
        writer.object(0)?;
        writer.skip_space();
        if writer.peek().is_some() {
            return None;
        }
        let text = String::from_utf8(writer.out).ok()?;
        let Scratch { members, inner, .. } = scratch;
        Some(JsonObject { text, n_members: members.len() as u32, places: [&members[..], &inner[..]].concat().into() })
    })
}

thread_local! {
    static SCRATCH: RefCell<Scratch> = RefCell::default();
}

/// What is made while an object is read; kept for the next one.
#[derive(Default)]
struct Scratch {
    /// The members of the objects that are open; in the end those of the outermost.
    members: Vec<Member>,
    /// The members of the values of the outermost object, by their places in the value.
    inner: Vec<Member>,
    /// The object that is being sorted, as it came.
    unsorted: (Vec<u8>, Vec<Member>),
}

/// Writes canonical text while it reads. `None` anywhere means: leave it to the parser of values.
struct Canonical<'b> {
    input: &'b [u8],
    at: usize,
    out: Vec<u8>,
    scratch: &'b mut Scratch,
}

const ONES: u64 = u64::MAX / 255;
const HIGHS: u64 = ONES << 7;

/// Where the first byte stands that cannot be in a plain string: a quote, a backslash, a control character. Eight bytes at a
/// time: a subtraction borrows into the high bit of each byte that is less than the other.
fn first_special(bytes: &[u8]) -> Option<usize> {
    let less = |word: u64, than: u8| word.wrapping_sub(ONES * u64::from(than)) & !word & HIGHS;
    let (eights, rest) = bytes.as_chunks::<8>();
    for (place, eight) in eights.iter().enumerate() {
        let word = u64::from_le_bytes(*eight);
        let equal = |byte: u8| less(word ^ (ONES * u64::from(byte)), 1);
        let found = less(word, 0x20) | equal(b'"') | equal(b'\\');
        if found != 0 {
            return Some(place * 8 + found.trailing_zeros() as usize / 8);
        }
    }
    let found = rest.iter().position(|byte| *byte == b'"' || *byte == b'\\' || *byte < 0x20)?;
    Some(eights.len() * 8 + found)
}

impl Canonical<'_> {
    fn peek(&self) -> Option<u8> {
        self.input.get(self.at).copied()
    }

    fn skip_space(&mut self) {
        while let Some(b' ' | b'\n' | b'\r' | b'\t') = self.peek() {
            self.at += 1;
        }
    }

    fn place(&self) -> u32 {
        u32::try_from(self.out.len()).unwrap_or(u32::MAX)
    }

    fn value(&mut self, depth: usize) -> Option<()> {
        match self.peek()? {
            b'"' => self.string(),
            b'{' => self.object(depth),
            b'[' => self.array(depth),
            b't' => self.literal(b"true"),
            b'f' => self.literal(b"false"),
            b'n' => self.literal(b"null"),
            _ => self.number(),
        }
    }

    fn literal(&mut self, word: &[u8]) -> Option<()> {
        let end = self.at + word.len();
        if self.input.get(self.at..end)? != word {
            return None;
        }
        self.out.extend_from_slice(word);
        self.at = end;
        Some(())
    }

    fn string(&mut self) -> Option<()> {
        let rest = self.input.get(self.at + 1..)?;
        let end = first_special(rest)?;
        match rest.get(end)? {
            b'"' => {
                self.out.extend_from_slice(self.input.get(self.at..self.at + end + 2)?);
                self.at += end + 2;
                Some(())
            }
            b'\\' => {
                let length = string_end(rest)? + 2;
                let unescaped: String = serde_json::from_slice(self.input.get(self.at..self.at + length)?).ok()?;
                let mut literal = String::with_capacity(length);
                write_json_text(&unescaped, &mut literal);
                self.out.extend_from_slice(literal.as_bytes());
                self.at += length;
                Some(())
            }
            _ => None,
        }
    }

    fn number(&mut self) -> Option<()> {
        let rest = self.input.get(self.at..)?;
        let length = rest
            .iter()
            .position(|byte| !matches!(byte, b'0'..=b'9' | b'-' | b'+' | b'.' | b'e' | b'E'))
            .unwrap_or(rest.len());
        let text = rest.get(..length)?;
        let (sign, digits) = match text {
            [b'-', digits @ ..] => (&b"-"[..], digits),
            digits => (&b""[..], digits),
        };
        let whole_length = digits.iter().position(|byte| !byte.is_ascii_digit()).unwrap_or(digits.len());
        let (whole, behind) = digits.split_at_checked(whole_length)?;
        // JSON knows no leading zero and no bare point.
        if whole.is_empty() || (whole.len() > 1 && whole.first() == Some(&b'0')) {
            return None;
        }
        let fraction = match behind {
            [] => &b""[..],
            [b'.', fraction @ ..] if !fraction.is_empty() && fraction.iter().all(u8::is_ascii_digit) => fraction,
            _ => return self.unusual_number(text),
        };
        if whole.len() > 18 || fraction.len() > 9 {
            return self.unusual_number(text);
        }
        let zeros = fraction.iter().rev().take_while(|digit| **digit == b'0').count();
        let fraction = fraction.get(..fraction.len() - zeros)?;
        if !(whole == b"0" && fraction.is_empty()) {
            self.out.extend_from_slice(sign);
        }
        self.out.extend_from_slice(whole);
        if !fraction.is_empty() {
            self.out.push(b'.');
            self.out.extend_from_slice(fraction);
        }
        self.at += length;
        Some(())
    }

    /// A number with an exponent, or with more digits than 64 bits of nano-units hold for certain.
    fn unusual_number(&mut self, text: &[u8]) -> Option<()> {
        let number: serde_json::Number = serde_json::from_slice(text).ok()?;
        let canonical = Number::parse(&number.to_string()).ok()?.to_string();
        self.out.extend_from_slice(canonical.as_bytes());
        self.at += text.len();
        Some(())
    }

    fn array(&mut self, depth: usize) -> Option<()> {
        if depth >= MAX_DEPTH {
            return None;
        }
        self.at += 1;
        self.out.push(b'[');
        self.skip_space();
        if self.peek()? == b']' {
            self.at += 1;
            self.out.push(b']');
            return Some(());
        }
        loop {
            self.skip_space();
            let open = self.scratch.members.len();
            self.value(depth + 1)?;
            self.scratch.members.truncate(open);
            self.skip_space();
            let byte = self.peek()?;
            self.at += 1;
            self.out.push(byte);
            match byte {
                b',' => {}
                b']' => return Some(()),
                _ => return None,
            }
        }
    }

    /// Leaves the object's members at the end of `members`.
    fn object(&mut self, depth: usize) -> Option<()> {
        if depth >= MAX_DEPTH {
            return None;
        }
        self.at += 1;
        let (start, first) = (self.out.len(), self.scratch.members.len());
        self.out.push(b'{');
        self.skip_space();
        if self.peek()? == b'}' {
            self.at += 1;
            self.out.push(b'}');
            return Some(());
        }
        let mut sorted = true;
        loop {
            self.skip_space();
            let key_start = self.place() + 1;
            let rest = self.input.get(self.at..)?.strip_prefix(b"\"")?;
            let length = first_special(rest)?;
            if rest.get(length) != Some(&b'"') {
                return None;
            }
            self.out.extend_from_slice(self.input.get(self.at..self.at + length + 2)?);
            self.at += length + 2;
            let key_end = self.place() - 1;
            if sorted && let Some(before) = self.scratch.members.get(first..)?.last() {
                let key = |start: u32, end: u32| self.out.get(start as usize..end as usize);
                sorted = key(before.key_start, before.key_end)? < key(key_start, key_end)?;
            }
            self.skip_space();
            if self.peek()? != b':' {
                return None;
            }
            self.at += 1;
            self.out.push(b':');
            self.skip_space();
            let (open, value_start) = (self.scratch.members.len(), self.place());
            self.value(depth + 1)?;
            let inner_start = self.scratch.inner.len() as u32;
            if depth == 0 {
                self.scratch.inner.extend(self.scratch.members.iter().skip(open).map(|member| {
                    let place = |place: u32| place - value_start;
                    Member::new(place(member.key_start), place(member.key_end), place(member.value_end))
                }));
            }
            self.scratch.members.truncate(open);
            let inner_end = self.scratch.inner.len() as u32;
            self.scratch.members.push(Member { key_start, key_end, value_end: self.place(), inner_start, inner_end });
            self.skip_space();
            let byte = self.peek()?;
            self.at += 1;
            match byte {
                b',' => self.out.push(b','),
                b'}' => break,
                _ => return None,
            }
        }
        self.out.push(b'}');
        if sorted { Some(()) } else { self.sort(start, first) }
    }

    /// Brings the members of the object that begins at `start` into order; of a repeated key the last value stays.
    fn sort(&mut self, start: usize, first: usize) -> Option<()> {
        let (mut text, mut members) = std::mem::take(&mut self.scratch.unsorted);
        text.clear();
        text.extend_from_slice(self.out.get(start..)?);
        self.out.truncate(start);
        members.clear();
        members.extend(self.scratch.members.drain(first..));
        let at = |place: u32| place as usize - start;
        let key = |member: &Member| text.get(at(member.key_start)..at(member.key_end)).unwrap_or_default();
        members.sort_by(|left, right| key(left).cmp(key(right)));
        self.out.push(b'{');
        let mut rest = members.iter().peekable();
        while let Some(member) = rest.next() {
            if rest.peek().is_some_and(|next| key(next) == key(member)) {
                continue;
            }
            if self.scratch.members.len() > first {
                self.out.push(b',');
            }
            let key_start = self.place() + 1;
            self.out.extend_from_slice(text.get(at(member.key_start) - 1..at(member.value_end))?);
            let key_end = key_start + (member.key_end - member.key_start);
            self.scratch.members.push(Member { key_start, key_end, value_end: self.place(), ..*member });
        }
        self.out.push(b'}');
        self.scratch.unsorted = (text, members);
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn the_first_special_byte_is_the_one_that_a_look_at_each_finds(
            bytes in proptest::collection::vec(prop_oneof![3 => 0x20u8..0x80, 1 => any::<u8>()], 0..40)
        ) {
            let found = bytes.iter().position(|byte| *byte == b'"' || *byte == b'\\' || *byte < 0x20);
            prop_assert_eq!(first_special(&bytes), found);
        }
    }
}

//! A growing array in chunks: values never move, and at most one chunk is wasted.

/// Values by the numbers `0..len`.
#[derive(Clone, Debug)]
pub(super) struct Chunked<T> {
    // Every chunk is full except the last.
    chunks: Vec<Vec<T>>,
}

const CHUNK: usize = 4096;

impl<T> Default for Chunked<T> {
    fn default() -> Chunked<T> {
        Chunked { chunks: Vec::new() }
    }
}

impl<T> FromIterator<T> for Chunked<T> {
    fn from_iter<I: IntoIterator<Item = T>>(values: I) -> Chunked<T> {
        let mut values = values.into_iter();
        let next_chunk = || Some(values.by_ref().take(CHUNK).collect::<Vec<T>>()).filter(|chunk| !chunk.is_empty());
        Chunked { chunks: std::iter::from_fn(next_chunk).collect() }
    }
}

impl<T: Clone> Chunked<T> {
    /// An array of this length that stores only the values of its last chunk; for reading alone.
    pub(super) fn of_none(len: usize, value: T) -> Chunked<T> {
        let mut chunks = vec![Vec::new(); len / CHUNK];
        chunks.push(vec![value; len % CHUNK]);
        Chunked { chunks }
    }
}

impl<T> Chunked<T> {
    pub(super) fn len(&self) -> usize {
        self.chunks.last().map_or(0, |last| (self.chunks.len() - 1) * CHUNK + last.len())
    }

    pub(super) fn get(&self, index: usize) -> Option<&T> {
        self.chunks.get(index / CHUNK)?.get(index % CHUNK)
    }

    pub(super) fn get_mut(&mut self, index: usize) -> Option<&mut T> {
        self.chunks.get_mut(index / CHUNK)?.get_mut(index % CHUNK)
    }

    pub(super) fn push(&mut self, value: T) {
        match self.chunks.last_mut() {
            Some(last) if last.len() < CHUNK => last.push(value),
            // The first chunk of a small array grows on demand.
            None => self.chunks.push(vec![value]),
            Some(_) => {
                let mut chunk = Vec::with_capacity(CHUNK);
                chunk.push(value);
                self.chunks.push(chunk);
            }
        }
    }

    /// Moves the values of another array to the end of this one.
    pub(super) fn append(&mut self, other: Chunked<T>) {
        if self.chunks.is_empty() {
            *self = other;
        } else {
            other.chunks.into_iter().flatten().for_each(|value| self.push(value));
        }
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &T> {
        self.chunks.iter().flatten()
    }
}

//! Benches as ratios to peers; see the Makefile's `bench` targets.

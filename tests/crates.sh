#!/usr/bin/env bash
# Fails if a build of the core compiles this number of crates or more: the limit, then the options of cargo for the build.
set -euo pipefail
limit=$1
shift
crates=$(cargo tree --package cdp-core --edges normal,build --prefix none --no-dedupe "$@" | sed 's/ (.*//' | sort -u | wc -l)
echo "crates: $crates with $*"
if [ "$crates" -ge "$limit" ]; then
    echo "crates: fewer than $limit are wanted; see the features in cdp-core/Cargo.toml" >&2
    exit 1
fi

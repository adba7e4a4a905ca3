#!/usr/bin/env bash
# Packs the Node package with the addons that lie in cdp-node, and fails if one of a platform is missing: an install downloads
# nothing, so what is not in the package cannot be had.
set -euo pipefail
for platform in linux-x64-gnu linux-arm64-gnu linux-x64-musl linux-arm64-musl darwin-x64 darwin-arm64 win32-x64; do
  test -f "cdp-node/cdp.$platform.node" || { echo "no addon for $platform" >&2; exit 1; }
done
mkdir -p dist
cd cdp-node
npm pack --pack-destination ../dist

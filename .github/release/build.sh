#!/usr/bin/env bash
# Builds the wheel and the Node addon of one platform into dist/. Argument: the platform, such as linux-x64-gnu or win32-x64.
# On Linux it runs in an image with the oldest C library that is served; that image has no Rust.
set -euo pipefail
platform=$1
python=python
audit=()
case $platform in
  linux-*)
    curl --proto '=https' --tlsv1.2 -sSf https://sh.rustup.rs | sh -s -- -y --profile minimal
    . "$HOME/.cargo/env"
    python=/opt/python/cp311-cp311/bin/python
    ;;
esac
case $platform in
  linux-*-gnu) audit=(--compatibility manylinux_2_28) ;;
  linux-*-musl)
    audit=(--compatibility musllinux_1_2)
    # musl links statically unless told otherwise, and a static library cannot be loaded by Python or Node.
    export RUSTFLAGS="-C target-feature=-crt-static"
    ;;
esac

"$python" -m venv build/release
bin=build/release/bin
[ -d "$bin" ] || bin=build/release/Scripts
"$bin/python" -m pip install --quiet 'maturin>=1.9,<2'
mkdir -p dist
"$bin/python" -m maturin build --release --locked --manifest-path cdp-py/Cargo.toml --out dist ${audit[@]+"${audit[@]}"}

cargo build --release --locked --package cdp-node
case $platform in
  darwin-*) library=libcdp_node.dylib ;;
  win32-*) library=cdp_node.dll ;;
  *) library=libcdp_node.so ;;
esac
cp "target/release/$library" "dist/cdp.$platform.node"

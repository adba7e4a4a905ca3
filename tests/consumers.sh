#!/usr/bin/env bash
# Uses the product as others would, outside the repository: the wheel in a fresh venv, the packed tarball in an empty folder
# with strict TypeScript, the crate by path. Arguments: the folder with the wheel and the tarball, and the tsc to use.
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
packages=$(cd "$1" && pwd)
tsc=$(cd "$(dirname "$2")" && pwd)/$(basename "$2")
types=$(dirname "$(dirname "$tsc")")/@types
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

cd "$folder"
python3 -m venv venv
venv/bin/python -m pip install --quiet --no-index "$packages"/*.whl
cat > use.py <<'PY'
import cdp
with cdp.open("shop.db") as db:
    assert db.track("Order Completed", user_id="u1", properties={"revenue": 9.5}).accepted == 1
with cdp.open("shop.db", read_only=True) as db:
    assert db.profile(user_id="u1").ids == {"user_id": ["u1"]}
PY
venv/bin/python -W error use.py
echo "consumers: the wheel works in a fresh venv, without any other package"

mkdir node && cd node
npm init --yes > /dev/null
npm install --silent --no-audit --no-fund --offline "$packages"/*.tgz
cat > use.ts <<'TS'
import { open, type Receipt } from 'embedded-cdp'
const db = open('shop.db')
const receipt: Receipt = db.track({ userId: 'u1', event: 'Order Completed', properties: { revenue: 9.5 } })
const person = db.profile<{ country?: string }, { spend: number }>({ userId: 'u1' })
const country: string | undefined = person?.traits.country
if (receipt.accepted !== 1 || country !== undefined) throw new Error('unexpected')
db.close()
TS
mkdir -p node_modules/@types && cp -R "$types/node" node_modules/@types/node
cp -R "$types/../undici-types" node_modules/undici-types
"$tsc" --strict --module node16 --moduleResolution node16 --target es2022 --types node --outDir out use.ts
node out/use.js
echo "consumers: the packed npm package works in an empty folder, strictly typed"

mkdir -p "$folder/rust/src" && cd "$folder/rust"
sed "s|@ROOT@|$root|" "$root/tests/consumer.toml" > Cargo.toml
cp "$root/Cargo.lock" .
cat > src/main.rs <<'RS'
use cdp_core::records::Value;
fn main() -> cdp_core::Result<()> {
    let db = cdp_core::Cdp::open_file("shop.db")?;
    let track = Value::object([("type", "track"), ("event", "Signed Up"), ("userId", "u1")].map(|(k, v)| (k, Value::from(v))));
    assert_eq!(db.send(&track)?.accepted, 1);
    db.close()
}
RS
CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-$root/target} cargo run --quiet
echo "consumers: the crate works by path"

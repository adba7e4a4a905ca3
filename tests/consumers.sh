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
use cdp_core::cdp::{DecideOptions, Query};
use cdp_core::define::{Audience, Feature, Policy, Rule};
use cdp_core::records::{AsOf, Track};
use cdp_core::{Cdp, OpenOptions};

#[derive(serde::Serialize)]
struct Order {
    revenue: f64,
}

#[derive(serde::Deserialize)]
struct Features {
    spend: f64,
    orders: u64,
}

#[derive(serde::Deserialize)]
struct Member {
    user_id: String,
    #[serde(rename = "features.spend")]
    spend: f64,
}

#[derive(serde::Deserialize)]
struct Offer {
    discount: u8,
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let db = Cdp::open(OpenOptions::file("shop.db"))?;
    db.define((
        [Feature::sum("spend", "Order Completed", "revenue"), Feature::count("orders", "Order Completed")],
        Audience::new("customers", Rule::feature("orders").gte(1)),
        Policy::new("checkout", "service")
            .choose(Rule::audience("customers"), serde_json::json!({ "discount": 10 }))
            .otherwise(serde_json::json!({ "discount": 0 })),
    ))?;
    let receipt = db.track(Track::new("Order Completed").user_id("u1").properties(&Order { revenue: 9.5 })?)?;
    assert_eq!(receipt.accepted, 1);

    let profile = db.profile(("user_id", "u1"), AsOf::NOW)?.ok_or("u1 ordered")?;
    let features: Features = profile.features_as()?;
    assert_eq!((features.spend, features.orders, profile.audiences), (9.5, 1, vec!["customers".to_owned()]));

    let members = db.members("customers", &Query::new().columns(["user_id", "features.spend"]))?;
    let members = members.rows_as::<Member>().collect::<Result<Vec<_>, _>>()?;
    assert_eq!((members[0].user_id.as_str(), members[0].spend), ("u1", 9.5));

    let decision = db.decide("checkout", ("user_id", "u1"), &DecideOptions::new())?;
    assert_eq!(decision.choice_as::<Offer>()?.discount, 10);
    Ok(db.close()?)
}
RS
CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-$root/target} cargo run --quiet
echo "consumers: the crate works by path, with typed access"

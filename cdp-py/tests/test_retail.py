"""The UCI Online Retail file through the package: the figures and the fingerprint that Rust and Node give, too."""

import decimal
import json
import os
import pathlib
import subprocess
import sys

import pytest

import cdp

ROOT = pathlib.Path(__file__).parents[2]
SHARED = pathlib.Path(os.environ.get("SHARED", ROOT / "../shared"))
FILE = SHARED / "data/retail/online_retail.csv.gz"
EXPECTED = json.loads((ROOT / "examples/online_retail/expected.json").read_text())

pytestmark = pytest.mark.skipif(not FILE.exists(), reason=f"the shared data {FILE.name} is not there; set SHARED to its folder")


@pytest.fixture(scope="module")
def db(tmp_path_factory):
    with cdp.open(tmp_path_factory.mktemp("retail") / "shop.db", clock="2012-01-01T00:00:00Z") as store:
        store.define(ROOT / "examples/online_retail/definitions")
        receipt = store.ingest(FILE, source="shop_csv")
        assert (receipt.rows, receipt.accepted, receipt.rejected) == (EXPECTED["rows"], EXPECTED["accepted"], EXPECTED["rejected"])
        yield store


def test_the_figures_are_exact(db):
    table = db.feature_table(["gross_revenue", "refunds", "orders"])
    assert len(table) == EXPECTED["profiles"]
    rows = table.to_dicts()
    exact = lambda name: sum(decimal.Decimal(str(row[f"features.{name}"])) for row in rows)
    assert exact("gross_revenue") == decimal.Decimal(EXPECTED["gross_revenue"])
    assert exact("refunds") == decimal.Decimal(EXPECTED["refunds"])
    assert exact("orders") == EXPECTED["orders"]
    customer = db.profile(user_id="14646")
    assert str(customer.features["gross_revenue"]) == EXPECTED["customer_14646_gross_revenue"]
    for as_of, members in EXPECTED["high_value_30d"].items():
        assert len(db.members("high_value_30d", as_of=as_of)) == members


def test_the_fingerprint_is_the_one_of_every_language(db):
    assert db.fingerprint() == EXPECTED["fingerprint"]


def test_duckdb_queries_the_events_by_name(db):
    duckdb = pytest.importorskip("duckdb", reason="duckdb is optional; make installs it")
    events = db.table("events")
    counts = dict(duckdb.sql("select event, count(*) from events group by 1").fetchall())
    assert sum(counts.values()) == EXPECTED["accepted"]
    assert set(counts) == {"Order Line Purchased", "Order Refunded"}


@pytest.mark.skipif(not pathlib.Path("/proc/self/status").exists(), reason="the peak of a process is read from /proc")
def test_the_ingest_stays_below_300_megabytes(tmp_path):
    """In a process of its own: the tables of the other tests are no part of it."""
    program = (
        "import cdp, re, sys\n"
        "db = cdp.open(sys.argv[1]); db.define(sys.argv[2]); db.ingest(sys.argv[3], source='shop_csv')\n"
        "print(re.search(r'VmHWM:\\s+(\\d+) kB', open('/proc/self/status').read())[1])\n"
    )
    arguments = [str(tmp_path / "shop.db"), str(ROOT / "examples/online_retail/definitions"), str(FILE)]
    run = subprocess.run([sys.executable, "-c", program, *arguments], capture_output=True, text=True, check=True)
    peak_kilobytes = int(run.stdout)
    assert peak_kilobytes < 300 * 1024, f"{peak_kilobytes} kB"

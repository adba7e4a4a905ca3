"""What the audience peers share: the columns, the instants, and the median of repeated runs."""

import measure  # first: it binds the process
import statistics

import numpy

CART, ORDER = 2, 6
AS_OF, DAY = measure.AS_OF_MS, measure.DAY_MS
MIN_SPEND_CENTS, MIN_PRICE_CENTS, MIN_CARTS = 10_000, 2_000, 2


def columns():
    names = [("pid.u32", "<u4"), ("ts.i64", "<i8"), ("kind.u8", "u1"), ("cents.i64", "<i8")]
    return {name.split(".")[0]: numpy.fromfile(f"{measure.arguments.data}/{name}", kind) for name, kind in names}


def run(members):
    """Calls `members` once to warm up and then as often as asked; says the medians and who was found."""
    found = members()
    used = []
    for _ in range(measure.arguments.repeat):
        meter = measure.Meter()
        members()
        used.append(meter.stop())
    medians = {name: statistics.median(run[name] for run in used) for name in used[0]}
    measure.say(members=sorted(int(pid) for pid in found), **medians)

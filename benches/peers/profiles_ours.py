"""Our profiles by identifier through Python: the same reads as in the core, with the walk into Python objects."""

import measure  # first: it binds the process
import json

import cdp

sample = [{kind: value} for kind, value, _ in json.load(open(measure.arguments.sample, encoding="utf-8"))]
db = cdp.open(measure.arguments.store, clock=measure.AS_OF_MS)


def profile(identifier):
    return db.profile(**identifier)


latencies = measure.read_latencies(profile, sample)
answers = [profile(identifier) for identifier in sample]
check = [
    sum(len(found.audiences) for found in answers),
    sum(found.features["views_30d"] for found in answers),
    sum(len(found.traits) for found in answers),
]
db.close()
measure.say(check=check, **latencies)

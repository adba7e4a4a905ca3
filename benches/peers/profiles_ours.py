"""Our profiles by identifier through Python: the same reads as in the core, with the walk into Python objects."""

import measure  # first: it binds the process
import json

import cdp

WARM_UP, HOT_PEOPLE, HOT_ROUNDS = 1_000, 500, 10

sample = [{kind: value} for kind, value, _ in json.load(open(measure.arguments.sample, encoding="utf-8"))]
db = cdp.open(measure.arguments.store, clock=measure.AS_OF_MS)


def profile(identifier):
    return db.profile(**identifier)


warm_up, rest = sample[: min(WARM_UP, len(sample) // 2)], sample[min(WARM_UP, len(sample) // 2) :]
for identifier in warm_up:
    profile(identifier)
everybody, again = measure.Latencies(), measure.Latencies()
for identifier in rest:
    everybody.measure(profile, identifier)
hot = rest[:HOT_PEOPLE]
for identifier in hot:
    profile(identifier)
for identifier in hot * HOT_ROUNDS:
    again.measure(profile, identifier)
answers = [profile(identifier) for identifier in sample]
check = [
    sum(len(found.audiences) for found in answers),
    sum(found.features["views_30d"] for found in answers),
    sum(len(found.traits) for found in answers),
]
db.close()
measure.say(everybody=everybody.summary(), again=again.summary(), check=check)

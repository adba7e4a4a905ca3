"""recordlinkage: blocks on five fields, all fields compared, ECM without labels, connected components."""

import measure  # first: it binds the process

import networkx
import pandas as pd
import people
import recordlinkage

meter = measure.Meter()
frame = pd.read_csv(measure.arguments.data, dtype=str).set_index("rec_id")
truth = frame.pop("cluster")
index = recordlinkage.Index()
for field in ["email", "phone", "date_of_birth", "surname", "address_1", "device_id"]:
    index.block(field)
pairs = index.index(frame)
compare = recordlinkage.Compare()
for field in ["given_name", "surname", "address_1", "suburb"]:
    compare.string(field, field, method="jarowinkler", threshold=0.85, label=field)
for field in ["date_of_birth", "email", "phone", "postcode", "street_number", "device_id"]:
    compare.exact(field, field, label=field)
features = compare.compute(pairs, frame)
links = recordlinkage.ECMClassifier().fit_predict(features)
graph = networkx.Graph()
graph.add_nodes_from(frame.index)
graph.add_edges_from(links)
cluster = {node: number for number, nodes in enumerate(networkx.connected_components(graph)) for node in nodes}
figures = meter.stop()
measure.say(rows=len(frame), **figures, **people.quality([cluster[row] for row in frame.index], truth.tolist()))

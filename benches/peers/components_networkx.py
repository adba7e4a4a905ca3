"""Connected components in networkx, from pairs of u32."""

import measure  # first: it binds the process

import networkx
import numpy as np

edges = np.fromfile(measure.arguments.data, dtype="<u4").reshape(-1, 2)
meter = measure.Meter()
graph = networkx.Graph()
graph.add_nodes_from(range(len(edges)))
graph.add_edges_from(edges.tolist())
count = networkx.number_connected_components(graph)
measure.say(rows=len(edges), components=count, **meter.stop())

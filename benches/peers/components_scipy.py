"""Connected components in scipy, from pairs of u32: the matrix is part of the work."""

import measure  # first: it binds the process

import numpy as np
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

edges = np.fromfile(measure.arguments.data, dtype="<u4").reshape(-1, 2)
n = len(edges)
meter = measure.Meter()
matrix = coo_matrix((np.ones(n, dtype=np.int8), (edges[:, 0], edges[:, 1])), shape=(n, n))
count, labels = connected_components(matrix, directed=False)
measure.say(rows=n, components=int(count), **meter.stop())

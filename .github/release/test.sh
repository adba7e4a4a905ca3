#!/usr/bin/env bash
# Tests the wheel and the packed Node package in dist/ as they would be published: the shared vectors, and a small kill test, each in
# both languages. On Linux it runs in an image that has no Node.
set -euo pipefail
if [ -d /opt/python ]; then
  if command -v dnf > /dev/null; then
    dnf --quiet -y module enable nodejs:20
    dnf --quiet -y install nodejs
  else
    apk add --quiet nodejs
  fi
  # The oldest Python that is served and a newer one: the wheel is one for all.
  pythons=(/opt/python/cp311-cp311/bin/python /opt/python/cp313-cp313/bin/python)
else
  pythons=(python)
fi

# In place of the sources, so that tests and workers of the repository load the packed files.
rm -f cdp-node/*.node
mkdir -p build
tar -xzf dist/*.tgz -C build
cp -R build/package/. cdp-node/
node --test cdp-node/test/vectors.test.js

for python in "${pythons[@]}"; do
  rm -rf build/test
  "$python" -m venv build/test
  bin=build/test/bin
  [ -d "$bin" ] || bin=build/test/Scripts
  "$bin/python" -m pip install --quiet pytest
  "$bin/python" -m pip install --quiet --no-index dist/*.whl
  "$bin/python" -m pytest cdp-py/tests/test_vectors.py
done
"$bin/python" tests/kill.py --kills 5 --rows 20000 --languages python,node

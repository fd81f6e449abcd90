#!/bin/sh
# Renew the lock files: a hash for every file, no index lines, no host names.
set -eu
cd "$(dirname "$0")/.."
compile() {
  out=$1
  shift
  uv pip compile "$@" --universal --python-version 3.11 --generate-hashes \
    --no-emit-index-url --no-emit-find-links --no-header --quiet --output-file "requirements/$out"
}
compile dev.txt pyproject.toml requirements/build.in --extra dev "$@"
compile run.txt pyproject.toml requirements/build.in --extra proxy --constraint requirements/dev.txt
compile node.txt requirements/node.in "$@"
if grep -nE 'https?://' requirements/*.txt; then
  echo "a lock file names a host: remove it" >&2
  exit 1
fi

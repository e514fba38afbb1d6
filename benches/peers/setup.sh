#!/usr/bin/env bash
# Installs PyTorch, JAX and NumPy in a virtual environment: target/venv beside this script, or the given folder.
# About 1.5 GB on disk with PyTorch's default wheel. fma_peak measures the arithmetic peak of the machine.
set -euo pipefail
cd "$(dirname "$0")"
venv=${1:-target/venv}
mkdir -p "$(dirname "$venv")"
python3 -m venv "$venv"
"$venv/bin/pip" install --quiet --disable-pip-version-check numpy torch==2.13.0 jax
gcc -O3 -march=native -pthread fma_peak.c -o "$venv/fma_peak"
echo "ready: $PWD/$venv"

#!/usr/bin/env bash
# Builds the Rust programs into ../target/bin: build.sh [NAME ...]
# Names: wengert candle burn burn-ndarray dfdx autograd; without names: wengert candle burn dfdx autograd.
# The other libraries are built for this machine's processor (-C target-cpu=native). wengert is not, because its
# kernels choose the instruction set at run time. burn uses its flex backend with x86-64-v4 kernels; burn-v3
# does without these kernels, for processors without AVX-512. candle, burn and dfdx take several minutes each on two cores.
set -euo pipefail
cd "$(dirname "$0")"
built=$PWD/../target
mkdir -p "$built/bin"
unset CARGO_TARGET_DIR RUSTFLAGS CARGO_ENCODED_RUSTFLAGS

one() { # one NAME CRATE CARGO-ARGUMENTS...
  local name=$1 crate=$2 how=native flags="-C target-cpu=native"
  shift 2
  if [ "$crate" = wengert ]; then how=default flags=""; fi
  (cd "$crate" && RUSTFLAGS=$flags BENCH_BUILD=$how CARGO_TARGET_DIR=$built/$how nice cargo build --release "$@")
  cp "$built/$how/release/peer-$crate" "$built/bin/$name"
}
[ $# -gt 0 ] || set -- wengert candle burn dfdx autograd
for name; do
  case $name in
    wengert) one wengert wengert ;;
    candle | dfdx | autograd) one "$name" "$name" ;;
    burn) one burn burn --features flex,x86-v4 ;;
    burn-v3) one burn-v3 burn --features flex ;;
    burn-ndarray) one burn-ndarray burn --features ndarray ;;
    *) echo "build.sh: unknown name $name" >&2; exit 2 ;;
  esac
done

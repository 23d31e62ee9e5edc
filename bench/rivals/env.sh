# SPDX-License-Identifier: Apache-2.0
# Fair tuning of PyTorch and ONNX Runtime on a CPU. Source it before a rival:
#     . bench/rivals/env.sh && python3 bench/rivals/torch_train_step.py ...
# Values already set by the caller win.

# Threads: as many as cores are measured, one on each, never moving.
export OMP_NUM_THREADS="${OMP_NUM_THREADS:-2}"
export MKL_NUM_THREADS="${MKL_NUM_THREADS:-$OMP_NUM_THREADS}"
export OMP_PROC_BIND="${OMP_PROC_BIND:-close}"
export OMP_PLACES="${OMP_PLACES:-cores}"

# glibc malloc: keep freed memory, so that a large tensor does not cost new page faults each time.
export MALLOC_MMAP_MAX_="${MALLOC_MMAP_MAX_:-0}"
export MALLOC_TRIM_THRESHOLD_="${MALLOC_TRIM_THRESHOLD_:-100000000000}"
export MALLOC_TOP_PAD_="${MALLOC_TOP_PAD_:-268435456}"

# A PyTorch built on OpenBLAS can take a new CPU for an AVX2 one. Builds on MKL ignore this.
if grep -q -w avx512vl /proc/cpuinfo 2>/dev/null; then
  export OPENBLAS_CORETYPE="${OPENBLAS_CORETYPE:-SkylakeX}"
fi

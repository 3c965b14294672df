#!/bin/bash
# Spreads a run over a Slurm cluster: an array of shards, then a job that merges them, whose id is printed.
# usage: submit.sh SHARDS RESULTS [SBATCH-OPTION...] -- verify|bench|run PATH... [OPTION...]
#   submit.sh 8 /shared/results --gres=gpu:1 -- verify /shared/libflashattention.a --device cuda:all
# Artifacts, datasets and RESULTS have to lie where all nodes see them. The same command again goes on with what is not finished.
# ASSAY: the program, where it is not in the PATH of the nodes.
set -eu
shards=${1:?how many shards}
ASSAY_RESULTS=${2:?a folder for the results}
shift 2
sbatch_options=()
while [ $# -gt 0 ] && [ "$1" != -- ]; do
    sbatch_options+=("$1")
    shift
done
[ $# -gt 1 ] || {
    echo "usage: submit.sh SHARDS RESULTS [SBATCH-OPTION...] -- verify|bench|run PATH... [OPTION...]" >&2
    exit 2
}
shift
here=$(cd "$(dirname "$0")" && pwd)
mkdir -p "$ASSAY_RESULTS"
ASSAY_RESULTS=$(cd "$ASSAY_RESULTS" && pwd)
export ASSAY_RESULTS ASSAY_SHARDS=$shards
array=$(sbatch --parsable --array="1-$shards" --output="$ASSAY_RESULTS/shard-%a.log" "${sbatch_options[@]}" "$here/array.sbatch" "$@")
# afterany: a shard in which something failed has results like any other
sbatch --parsable --dependency="afterany:${array%%;*}" --output="$ASSAY_RESULTS/merge.log" "$here/merge.sbatch"

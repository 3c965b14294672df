#!/usr/bin/env bash
# A against A: the same artifacts twice, several times over; how many cases `assay compare` calls FASTER or SLOWER, which none is.
# Takes minutes, so it is not part of ctest. usage: same.sh ASSAY REPEATS ARTIFACTS [OPTION of compare...]
# SAME_FILES=1: two runs of `assay bench`, one after the other, and their result files, rather than rounds in turns.
# Exit code 1 when more than 1 % of the cases are flagged, in all repeats together, or there are fewer than 200 in one.
set -uo pipefail
assay=${1:?assay} repeats=${2:?how often} artifacts=${3:?artifacts}
shift 3
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
flagged=0 timed=0 few=0
for ((i = 1; i <= repeats; i++)); do
    start=$SECONDS
    if [ "${SAME_FILES:-0}" = 1 ]; then
        for side in base new; do
            "$assay" bench "$artifacts" --device cuda:0 --no-baseline --quiet --out "$work/$side.h5" "$@" >"$work/$side.txt" 2>&1 ||
                tail -n 2 "$work/$side.txt"
        done
        "$assay" compare "$work/base.h5" "$work/new.h5" --all --json "$work/c.json" >"$work/c.txt" 2>&1
    else
        "$assay" compare "$artifacts" "$artifacts" --device cuda:0 --all --json "$work/c.json" "$@" >"$work/c.txt" 2>&1
    fi
    # one verdict a case: flagged when its hot or its cold time is
    counts=$(awk '/^ *"(hot|cold)": \{$/ { inside = 1 }
                  inside && /"verdict":/ { inside = 0; verdict = $2; gsub(/[",]/, "", verdict)
                                           if (verdict != "-" && verdict != "REFUSED") any = 1
                                           if (verdict == "FASTER" || verdict == "SLOWER") bad = 1
                                           if (verdict == "UNSURE") unsure = 1 }
                  /^ *"regressions":/ { cases += any; flags += bad; unsures += unsure; any = bad = unsure = 0 }
                  END { print cases + any, flags + bad, unsures + unsure }' "$work/c.json")
    read -r cases bad unsure <<<"$counts"
    echo "repeat $i: $cases cases timed, $bad FASTER or SLOWER, $unsure UNSURE, $((SECONDS - start)) s"
    grep -E "FASTER|SLOWER" "$work/c.txt" | head -n 12
    timed=$((timed + cases)) flagged=$((flagged + bad))
    [ "$cases" -ge 200 ] || few=1
done
echo "in all: $flagged of $timed flagged ($(awk -v a=$flagged -v b=$timed 'BEGIN { printf "%.2f", b ? 100 * a / b : 0 }') %)"
[ $few = 0 ] && [ $((flagged * 100)) -le "$timed" ]

#!/usr/bin/env bash
# `assay compare` on artifacts that it times in turns: the same archive twice is flagged FASTER or SLOWER in at most 1 % of the
# cases, one that is slower by 3 % (kernels/specimen/delay.cuh) in at least 95 % of those of 100 us and more, by 10 % in all;
# `assay matrix` finds the same shares.
# REPEATS: how often the same archive is held against itself, default 1 (what the project states was measured with 5).
# SECONDS_A_FIGURE: of timing, for one figure of one case, all rounds together; default 0.08 for the same archive, 0.16 for the
# slower ones.
# PARTS: of "same slower matrix", those that are wanted; default: all.
set -uo pipefail
needs_sass=no
. "$(dirname "$0")/common.sh"
slow=$specimens/prebuilt/slow
[ -e "$slow/delay_10/libflashattention.a" ] || skip "the specimens were not built (-DASSAY_SPECIMENS=OFF)"
spec=$source_dir/tests/gpu/turns.spec
parts=" ${PARTS:-same slower matrix} "
keep=${KEEP:-$work}
mkdir -p "$keep"

plain=$specimens/prebuilt/candle-flash-attn-specimen/out

wanted() { [[ $parts == *" $1 "* ]]; }

# held NAME BASE NEW SECONDS OPTION...: JSON to NAME.json; exit codes 0 and 1 are fine
held() {
    local name=$1 base=$2 new=$3 seconds=${SECONDS_A_FIGURE:-$4} start=$SECONDS
    shift 4
    "$assay" compare "$base/libflashattention.a" "$new/libflashattention.a" --device cuda:0 --dataset "$spec" \
        --bench-seconds "$seconds" --all --verbose --json "$keep/$name.json" --out "$keep/$name" "$@" >"$keep/$name.out" 2>&1
    local code=$?
    echo "$name: $((SECONDS - start)) s"
    [ $code -le 1 ] || fail "$name: exit code $code: $(tail -n 2 "$keep/$name.out")"
}

# Lines "hot-median-us hot-verdict cold-verdict hot-ratio hot-verdict cold-verdict" of the cases that were timed.
verdicts() {
    awk '/^ *"(hot|cold)": \{/ { kind = $1; gsub(/[":]/, "", kind) }
         kind != "" && /^ *"verdict":/ { gsub(/[",]/, ""); verdict[kind] = $2 }
         kind == "hot" && /^ *"base_median_seconds":/ { gsub(/,/, ""); median = $2 * 1e6 }
         kind == "hot" && /^ *"ratio":/ { gsub(/,/, ""); ratio = $2 }
         /^ *"launches_differ":/ { say() }
         END { say() }
         function say() {
             if (verdict["hot"] != "") print median, verdict["hot"], verdict["cold"], ratio
             verdict["hot"] = verdict["cold"] = kind = ""
         }' "$1"
}

total=0 flagged=0 repeats=${REPEATS:-1}
wanted same || repeats=0
for ((i = 1; i <= repeats; i++)); do
    # 224 of the cases
    held "same_$i" "$plain" "$plain" 0.08 --filter '-*d192*' --filter '-*d256*' --filter '-*window*'
    verdicts "$keep/same_$i.json" >"$work/lines"
    cases=$(wc -l <"$work/lines")
    wrong=$(grep -cE 'SLOWER|FASTER' "$work/lines")
    echo "the same archive twice: $wrong of $cases cases flagged ($(grep -c ' SAME SAME ' "$work/lines") SAME hot and cold)"
    total=$((total + cases)) flagged=$((flagged + wrong))
done
[ "$total" -ge $((200 * repeats)) ] || fail "only $total cases were timed"
[ $((flagged * 100)) -le "$total" ] || fail "$flagged of $total cases of the same archive are flagged"

for share in 3 10; do
    wanted slower || break
    held "slower_$share" "$slow/delay_0" "$slow/delay_$share" 0.16 --filter '*s3072*' --filter '*s2560*'
    verdicts "$keep/slower_$share.json" | awk '$1 >= 100' >"$work/lines"
    cases=$(wc -l <"$work/lines")
    found=$(awk '$2 == "SLOWER"' "$work/lines" | wc -l)
    echo "slower by $share %: $found of $cases cases of 100 us and more are SLOWER hot; $(awk '{ print $4 }' "$work/lines" | sort -g |
        awk '{ ratio[NR] = $1 } END { print "their ratios are", ratio[1], "to", ratio[NR] ", median", ratio[int((NR + 1) / 2)] }')"
    [ "$cases" -ge 20 ] || fail "only $cases cases take 100 us and more"
    if [ $share = 3 ]; then least=95; else least=100; fi
    [ $((found * 100)) -ge $((cases * least)) ] || fail "slower by $share %: $found of $cases are told"
done

if wanted matrix; then
    "$assay" matrix --artifacts "zero=$slow/delay_0/libflashattention.a,ten=$slow/delay_10/libflashattention.a" --devices cuda:0 \
        --datasets "$spec" --filter '*s3072*' --interleave --rounds 4 --bench-seconds "${SECONDS_A_FIGURE:-0.16}" --csv "$keep/matrix.csv" >"$keep/matrix.out" 2>&1 ||
        fail "matrix: exit code $?: $(tail -n 2 "$keep/matrix.out")"
    # 1 / 1.1 = 0.909; the kernel itself is slower by 10 %, the 2 us around it are not
    awk -F, 'NR == 1 { for (i = 1; i <= NF; i++) column[$i] = i }
        NR == 3 { print "throughput of the slower one:", $column["throughput"], "(" $column["throughput_low"] " .. " $column["throughput_high"] ")"
                  exit !($column["throughput"] > 0.900 && $column["throughput"] < 0.925) }' <(sed 's/"[^"]*"/_/g' "$keep/matrix.csv") ||
        fail "the matrix has another throughput"
fi
finish

#!/usr/bin/env bash
# The specimens that are slower by 0, 3 and 10 percent (kernels/specimen/delay.cuh) are slower by so much, which is what other
# tests and `assay compare` are held to: the ratio of medians, of every case of slow.spec and slow-memory.spec.
# The first is timed before and after the others; where its two medians differ, the clock moved, and the bound is wider by that.
# SECONDS_A_FIGURE: how long one is timed, default 0.4.
set -uo pipefail
needs_sass=no
. "$(dirname "$0")/common.sh"
slow=$specimens/prebuilt/slow
[ -e "$slow/delay_10/affine.ptx" ] || skip "the specimens were not built (-DASSAY_SPECIMENS=OFF)"
seconds=${SECONDS_A_FIGURE:-0.4}

# times NAME DELAY: lines "case microseconds" to $work/NAME
times() {
    local what begun=$SECONDS
    : >"$work/$1.times"
    for what in libflashattention.a:slow affine.ptx:slow-memory; do
        timeout 300 "$assay" bench "$slow/delay_$2/${what%:*}" --dataset "$source_dir/tests/gpu/${what#*:}.spec" --device cuda:0 \
            --repeats 0 --no-baseline --bench-seconds "$seconds" --cache-dir "$work/cache" --benchmark-json "$work/$1.json" --quiet \
            >"$work/$1.out" 2>&1 || fail "delay_$2: exit code $?: $(tail -n 3 "$work/$1.out")"
        awk '/^ *"name":/ { gsub(/[",]/, ""); name = $2 }
             /^ *"real_time":/ { gsub(/,/, ""); print name, $2 }' "$work/$1.json" >>"$work/$1.times"
        echo "delay_$2: ${what#*:}.spec after $((SECONDS - begun)) s" >&2
    done
    sort "$work/$1.times" >"$work/$1"
}

times before 0
times three 3
times ten 10
times after 0
join "$work/before" "$work/after" | join - "$work/three" | join - "$work/ten" >"$work/all"
cases=$(wc -l <"$work/all")
[ "$cases" -ge 13 ] || fail "only $cases cases were timed four times"

# Bound: 0.4 % of spread of the medians, half of what the two of the first lie apart, and that the about 2 us around a kernel,
# which are in the measured time, are not made longer.
awk '
    function off(ratio, share, base, apart) {
        return ratio - 1 - share > 0.004 + apart / 2 || 1 + share - ratio > 0.004 + apart / 2 + share * 2.5 / base
    }
    BEGIN { printf "%-70s %9s %8s %8s %8s\n", "case", "us", "again", "3 %", "10 %" }
    {
        base = ($2 + $3) / 2
        apart = $2 > $3 ? $2 / $3 - 1 : $3 / $2 - 1
        wrong = !(base >= 100) ? "  shorter than 100 us" : ""
        if (!(base > 0) || off($4 / base, 0.03, base, apart) || off($5 / base, 0.10, base, apart)) wrong = wrong "  OFF"
        printf "%-70s %9.2f %8.4f %8.4f %8.4f%s\n", $1, base, $3 / $2, $4 / base, $5 / base, wrong
        if (wrong ~ /OFF/) bad++
    }
    END { exit bad > 0 }' "$work/all" || fail "a specimen is not slower by what it says"
finish

#!/usr/bin/env bash
# How many mutants of good kernels the cases catch: mutants.sh BUILD [FAMILY...]
#
# Each line of mutants.list names a kernel, a seed and how many mutants are made of it; each mutant is run through all cases of
# its entry point. Written: a table by family, and a line for each that was not caught. The numbers of a line of the table add up:
#
#   mutants     all that were made = caught + same + in_bound + unreached + open
#   caught      the verdict of a case told
#   same        not caught: mutants.known explains that it does what the original does
#   in_bound    not caught: it differs, and mutants.known explains that the bound permits that
#   unreached   not caught, not explained: its line is one that no case reaches
#   open        not caught, not explained, reached
#   strict      caught of all that differ: of all but `same`
#   lenient     caught of those that differ by more than the bound permits: of all but `same` and `in_bound`
#
# Both shares count what is unreached or open as not caught. Exit 1 when `lenient` is below 95 % in a family, or it has fewer than
# 20 mutants.
#
#   DEVICE     default cpu            MODULES   folder of the modules; default: the good specimens of BUILD
#   JOBS       default 2              SPECS     specs, default datasets/operators/*.spec
#   LIST       default mutants.list   MATH      default precise
#   SECONDS_EACH  of the processor for a mutant, default 60     REPEATS  default 1
#   KEEP       folder for mutants and results; default: a temporary one
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
build=$1
shift
source=$here/../..
modules=${MODULES:-$build/specimens/operators/good/candle-kernels-specimen/out}
list=${LIST:-$here/mutants.list}
read -ra specs <<<"${SPECS:-$(echo "$source"/datasets/operators/*.spec)}"
if [ -n "${KEEP:-}" ]; then
    work=$KEEP
    mkdir -p "$work"
else
    work=$(mktemp -d)
    trap 'rm -rf "$work"' EXIT
fi
options=(--device "${DEVICE:-cpu}" --math "${MATH:-precise}" --jobs "${JOBS:-2}" --seconds "${SECONDS_EACH:-60}" --repeats "${REPEATS:-1}")
for spec in "${specs[@]}"; do options+=(--spec "$spec"); done
wanted=" $* "

# FAMILY MODULE ENTRY SEED COUNT
grep -v '^#' "$list" | while read -r family module entry seed count; do
    [ "$wanted" = "  " ] || [[ $wanted == *" $family "* ]] || continue
    echo "$family $module $entry $seed $count"
done >"$work/chosen"
[ -s "$work/chosen" ] || { echo "mutants.sh: no line of $list is of: $*" >&2; exit 2; }

# The originals pass: else every mutant would be "caught".
while read -r family module entry _; do echo "$modules/$module.ptx $entry pass"; done <"$work/chosen" | sort -u >"$work/originals"
"$build/tests/tools/operator_twins" "${options[@]}" "$work/originals" >"$work/originals.out" ||
    { grep -v '^as-expected' "$work/originals.out"; echo "mutants.sh: an original does not pass" >&2; exit 2; }

while read -r family module entry seed count; do
    "$build/tests/tools/ptx_mutate" "$modules/$module.ptx" "$entry" "$seed" "$count" "$work/$family" |
        sed "s|^|$family |"
done <"$work/chosen" >"$work/mutants"
sed -n 's/^[a-z0-9_]* \([^ ]*\.ptx\): line .*/\1/p' "$work/mutants" |
    sed 's|^\(.*/\([A-Za-z0-9_]*\)\.[0-9]*\.ptx\)$|\1 \2 any|' >"$work/list"
"$build/tests/tools/operator_twins" "${options[@]}" "$work/list" >"$work/results" || true

# Of those that survived: whether any case reaches the line.
sed -n 's|^NOT \(.*\)/\([A-Za-z0-9_]*\)\(\.[0-9]*\.ptx\) .*|\1/reach/\2\3 \2 pass|p' "$work/results" >"$work/probes"
: >"$work/reached"
[ ! -s "$work/probes" ] || "$build/tests/tools/operator_twins" "${options[@]}" "$work/probes" >"$work/reached" || true

awk -v known="$here/mutants.known" '
    function share(part, whole) { return sprintf("%.1f%%", whole ? 100 * part / whole : 0) }
    BEGIN {
        # "ENTRY: before -> after :: why"; a line that begins with a blank or # is a comment
        while ((getline line <known) > 0)
            if (line !~ /^[ #]/ && (at = index(line, " :: ")))
                is_known[substr(line, 1, at - 1)] = line ~ / :: within the bound: / ? "in_bound" : "same"
    }
    FILENAME == ARGV[1] { # FAMILY PATH: line N: kind: before -> after
        path = $2
        sub(/:$/, "", path)
        family[path] = $1
        entry = path
        sub(/^.*\//, "", entry)
        sub(/\.[0-9]*\.ptx$/, "", entry)
        change = $0
        sub(/^[^ ]* [^ ]* line [0-9]*: [a-z]*: /, "", change)
        gsub(/[ \t]+/, " ", change)
        text[path] = entry ": " change
        where[path] = $4 " " $5
        next
    }
    FILENAME == ARGV[2] { result[$2] = $1; next }
    { # of a probe
        path = $2
        sub(/\/reach\//, "/", path)
        reached[path] = $1 == "as-expected" ? "unreached" : "survived"
    }
    END {
        for (path in family) {
            f = family[path]
            made[f]++
            if (result[path] == "as-expected") {
                caught[f]++
                continue
            }
            state = result[path] == "NOT" ? reached[path] : "not-run"
            line = state " " text[path]
            explained = state != "not-run" && text[path] in is_known
            why = explained ? is_known[text[path]] : state == "unreached" ? "unreached" : "open"
            count[f, why]++
            total[why]++
            list = list f " " why " " line "   (" where[path] " " path ")\n"
        }
        format = "%-20s %8s %8s %8s %8s %10s %8s %8s %8s\n"
        printf format, "family", "mutants", "caught", "same", "in_bound", "unreached", "open", "strict", "lenient"
        for (f in made) {
            differ = made[f] - count[f, "same"]
            due = differ - count[f, "in_bound"]
            printf format, f, made[f], caught[f] + 0, count[f, "same"] + 0, count[f, "in_bound"] + 0, count[f, "unreached"] + 0,
                count[f, "open"] + 0, share(caught[f], differ), share(caught[f], due) | "sort"
            if (caught[f] < 0.95 * due || !caught[f] || made[f] < 20)
                bad = 1
            all += made[f]; all_caught += caught[f]
        }
        close("sort")
        differ = all - total["same"]
        due = differ - total["in_bound"]
        printf format, "all", all, all_caught, total["same"] + 0, total["in_bound"] + 0, total["unreached"] + 0, total["open"] + 0,
            share(all_caught, differ), share(all_caught, due)
        printf "strict:  %d caught of %d that differ from the original\n", all_caught, differ
        printf "lenient: %d caught of %d that differ by more than the bound permits (%d are within it)\n", all_caught, due,
            total["in_bound"]
        printf "unreached: %d, whose line no case reaches; not caught in both\n", total["unreached"]
        printf "%s", list | "sort"
        close("sort")
        exit bad
    }' "$work/mutants" "$work/results" "$work/reached"

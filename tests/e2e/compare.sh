#!/usr/bin/env bash
# Result files against each other: the same artifact twice, a faulty twin, cases that are gone, what cannot be compared; text,
# Markdown, JSON and JUnit; exit codes.
# usage: compare.sh ASSAY CC JSON_VALUE
. "$(dirname "$0")/lib.sh"
json_value=${3:?the program json_value}
options=(--device cpu --dataset "$cases" --without-check no-launch --quiet)

# run NAME CODE COMMAND...: what it prints goes to $work/NAME
run() {
    local name=$1 code=$2
    shift 2
    "$@" >"$work/$name" 2>"$work/$name.err"
    local got=$?
    [ $got = "$code" ] || fail "$name: exit code $got instead of $code: $(cat "$work/$name.err")"
}

value() {
    "$json_value" "$2" <"$work/$1"
}

for fault in none one_element_wrong; do in_background build "$fault"; done
wait
good=$work/none/libflashattention.a
faulty=$work/one_element_wrong/libflashattention.a
run good 0 "$assay" verify "$good" "${options[@]}" --out "$work/good.h5"
run again 0 "$assay" verify "$good" "${options[@]}" --out "$work/again.h5"
run faulty 1 "$assay" verify "$faulty" "${options[@]}" --out "$work/faulty.h5"
run fewer 0 "$assay" verify "$good" "${options[@]}" --filter d32 --out "$work/fewer.h5"
run other 0 "$assay" verify "$good" "${options[@]}" --filter nan_k --filter zero --out "$work/other.h5"
run seed 0 "$assay" verify "$good" "${options[@]}" --seed 77 --out "$work/seed.h5"

# the same artifact twice
run same 0 "$assay" compare "$work/good.h5" "$work/again.h5" --json "$work/same.json" --junit "$work/same.xml"
expect_line "$work/same" '^assay compare: no regression$'
expect_line "$work/same" 'outputs +10 cases bit-identical, 0 with other bits, 0 not comparable'
expect_line "$work/same" 'times +none: neither run timed a case'
expect "regressions" 0 "$(value same.json regressions)"
expect "common cases" 10 "$(value same.json comparisons.0.summary.common_cases)"
expect_line "$work/same.xml" 'tests="10" failures="0" errors="0" skipped="0"'

# a faulty twin: nine verdicts became worse; the other way round they became better
run worse 1 "$assay" compare "$work/good.h5" "$work/faulty.h5" --json "$work/worse.json" --junit "$work/worse.xml" \
    --markdown "$work/worse.md"
expect_line "$work/worse" '^assay compare: 9 regressions$'
expect_line "$work/worse" 'pass -> fail \(numbers: '
expect_line "$work/worse" 'sha256: [0-9a-f]{64} -> [0-9a-f]{64}'
expect "worse verdicts" 9 "$(value worse.json comparisons.0.summary.worse_verdicts)"
expect "other bits" 9 "$(value worse.json comparisons.0.summary.other_bits)"
expect "worst first" verdict "$(value worse.json comparisons.0.cases.0.regressions.0)"
expect "failures in JUnit" 9 "$(grep -c '<failure type="verdict"' "$work/worse.xml")"
expect_line "$work/worse.md" '^## assay compare: 9 regressions$'
expect_line "$work/worse.md" '^<details><summary>Artifacts \(1\)</summary>$'
if command -v python3 >/dev/null; then
    python3 -c 'import sys, xml.etree.ElementTree as tree; tree.parse(sys.argv[1])' "$work/worse.xml" || fail "JUnit is no XML"
fi
run better 0 "$assay" compare "$work/faulty.h5" "$work/good.h5"
expect_line "$work/better" 'verdicts +0 became worse, 9 better'

# several files against the first
run several 1 "$assay" compare "$work/good.h5" "$work/again.h5" "$work/faulty.h5" --json -
expect "comparisons" 0 "$(value several comparisons.0.summary.regressions)"
expect "comparisons" 9 "$(value several comparisons.1.summary.regressions)"

# what is gone, what is new, other inputs
run vanished 1 "$assay" compare "$work/good.h5" "$work/fewer.h5"
expect_line "$work/vanished" 'cases +2 in common, 8 vanished, 0 new'
run added 0 "$assay" compare "$work/fewer.h5" "$work/good.h5"
expect_line "$work/added" 'cases +2 in common, 0 vanished, 8 new'
run inputs 0 "$assay" compare "$work/good.h5" "$work/seed.h5"
expect_line "$work/inputs" 'outputs +0 cases bit-identical, 0 with other bits, 10 not comparable'
expect_line "$work/inputs" 'differs +seed: 0 -> 77'

# no case in common, and files that are none
run empty 3 "$assay" compare "$work/fewer.h5" "$work/other.h5"
expect_line "$work/empty.err" 'none of the 2 cases of the base run is among the [0-9]+ of the new run'
run absent 3 "$assay" compare "$work/good.h5" "$work/absent.h5"
cp "$cases" "$work/text.h5"
run no_file 3 "$assay" compare "$work/good.h5" "$work/text.h5"
run unwritable 3 "$assay" compare "$work/good.h5" "$work/again.h5" --junit "$work/no/such/folder.xml"

# an entry point that is gone: a module without one of its kernels
modules=$here/../../kernels/specimen/ptx/prebuilt
mkdir -p "$work/whole" "$work/lacking"
cp "$modules/fill.ptx" "$work/whole"
sed 's/fill_u8/fill_x8/g' "$modules/fill.ptx" >"$work/lacking/fill.ptx"
for which in whole lacking; do
    run verify_$which 0 "$assay" verify "$work/$which" --device cpu --dataset "$here/operators.spec" --out "$work/$which.h5"
done
run gone 1 "$assay" compare "$work/whole.h5" "$work/lacking.h5" --json "$work/gone.json"
expect_line "$work/gone" 'vanished +fill: fill_u8$'

# the name of a report that was forgotten: measurements are not replaced
cp "$work/whole.h5" "$work/precious.h5"
run forgotten 2 "$assay" compare "$work/whole.h5" "$work/lacking.h5" --json "$work/precious.h5"
run forgotten_csv 2 "$assay" matrix --artifacts "$work/whole" --datasets "$here/operators.spec" --devices cpu --csv "$work/precious.h5"
for which in forgotten forgotten_csv; do expect_line "$work/$which.err" 'is a result file or a dataset, which no report replaces'; done
run same_name 2 "$assay" compare "$work/whole.h5" "$work/lacking.h5" --json "$work/twice" --junit "$work/twice"
run same_result 2 "$assay" verify "$work/whole" --device cpu --dataset "$here/operators.spec" --out "$work/twice" --html "$work/twice"
for which in same_name same_result; do expect_line "$work/$which.err" 'is to be written twice'; done
[ ! -e "$work/twice" ] || fail "a name that was given twice was written"
cmp "$work/whole.h5" "$work/precious.h5" || fail "a report took the place of a result file"
finish

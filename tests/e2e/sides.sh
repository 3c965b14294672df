#!/usr/bin/env bash
# Artifacts held against each other: `assay compare` that runs them, `assay matrix`; their JSON against its schemas; options and
# exit codes. On the cpu device there are no times: those are a GPU's (tests/gpu/turns.sh).
# usage: sides.sh ASSAY CC JSON_VALUE CHECK_SCHEMA
. "$(dirname "$0")/lib.sh"
json_value=${3:?the program json_value} check_schema=${4:?the program check_schema}
docs=$here/../../docs
options=(--device cpu --dataset "$cases" --without-check no-launch)

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

# schema DOCUMENT SCHEMA
schema() {
    "$check_schema" "$docs/$2" "$work/$1" >"$work/schema.out" 2>&1 || fail "$1 is not what $2 describes: $(head -n 3 "$work/schema.out")"
}

for fault in none one_element_wrong segfault changes_later; do in_background build "$fault"; done
modules=$here/../../kernels/specimen/ptx/prebuilt
mkdir -p "$work/whole" "$work/lacking"
cp "$modules/fill.ptx" "$modules/affine.ptx" "$work/whole"
cp "$modules/affine.ptx" "$work/lacking"
sed 's/fill_u8/fill_x8/g' "$modules/fill.ptx" >"$work/lacking/fill.ptx"
wait
good=$work/none bad=$work/one_element_wrong

# an archive twice, and with a faulty twin; the result files are kept and say the same
run same 0 "$assay" compare "$good" "$good" "${options[@]}" --json "$work/same.json"
expect_line "$work/same" '^assay compare: no regression$'
expect_line "$work/same" 'outputs +10 cases bit-identical, 0 with other bits, 0 not comparable'
expect "differing elements" 0 "$(value same.json comparisons.0.summary.elements_differing)"
schema same.json compare-json.schema.json
run worse 1 "$assay" compare "$good" "$bad" "${options[@]}" --json "$work/worse.json" --out "$work/results"
expect_line "$work/worse" '^assay compare: 9 regressions$'
expect_line "$work/worse" 'differences +9 of [0-9]+ elements in 9 outputs; ULP apart: 17-256: [0-9]+, 257-65536: [0-9]+$'
expect_line "$work/worse" 'other bits in o: 1 of 512 elements, at most 128 ULP \(element 511: 0.125 -> 0.25\)'
schema worse.json compare-json.schema.json
# without the copies of outputs, which nobody asked for: of the size that `assay verify` writes, but for texts; copies would double it
run lean 0 "$assay" verify "$good" "${options[@]}" --quiet --out "$work/lean.h5"
lean=$(stat -c %s "$work/lean.h5") written=$(stat -c %s "$work/results/1-none.h5")
[ "$written" -lt $((lean * 5 / 4)) ] || fail "a result file of $written bytes, where assay verify writes $lean"
run no_copies 1 "$assay" compare "$work/results/1-none.h5" "$work/results/2-one_element_wrong.h5"
expect_line "$work/no_copies" 'outputs +1 cases bit-identical, 9 with other bits, 0 not comparable'
grep -q '^  differences' "$work/no_copies" && fail "the result files hold copies of outputs"
run copies 1 "$assay" compare "$good" "$bad" "${options[@]}" --out "$work/with_copies" --keep-outputs
run files 1 "$assay" compare "$work/with_copies/1-none.h5" "$work/with_copies/2-one_element_wrong.h5" --json "$work/files.json" --all
expect "elements differing, from files" "$(value worse.json comparisons.0.summary.elements_differing)" \
    "$(value files.json comparisons.0.summary.elements_differing)"
schema files.json compare-json.schema.json

# outputs are kept by other commands when they are asked to
run kept 0 "$assay" verify "$good/libflashattention.a" "${options[@]}" --quiet --keep-outputs --out "$work/kept.h5"
run bare 1 "$assay" verify "$bad/libflashattention.a" "${options[@]}" --quiet --out "$work/bare.h5"
run against_kept 1 "$assay" compare "$work/kept.h5" "$work/with_copies/2-one_element_wrong.h5"
expect_line "$work/against_kept" 'differences +9 of [0-9]+ elements in 9 outputs'
run against_bare 1 "$assay" compare "$work/kept.h5" "$work/bare.h5"
expect_line "$work/against_bare" 'outputs +1 cases bit-identical, 9 with other bits, 0 not comparable'
grep -q '^  differences' "$work/against_bare" && fail "differences are told without copies"

# rounds on the cpu device: every case once more in each, in processes of their own, and no times of it
run rounds 0 "$assay" compare "$good" "$good" "${options[@]}" --rounds 2 --out "$work/rounds_out"
expect_line "$work/rounds" 'times +none: neither run timed a case'
"$assay" report "$work/rounds_out/1-none.h5" | grep -q 'timed in 2 rounds, in turns with .*none' || fail "the rounds are not noted"

# killed while it goes through the rounds: what was verified is there, marked as not complete, and nothing under the final name
"$assay" compare "$good" "$good" "${options[@]}" --rounds 32 --out "$work/cut" >"$work/cut.out" 2>&1 &
killed=$!
for _ in $(seq 600); do
    [ -e "$work/cut/2-none.h5.partial" ] && break
    sleep 0.05
done
{
    kill -KILL $killed
    wait $killed
} 2>/dev/null
expect "files of a killed run" "1-none.h5.partial 2-none.h5.partial" "$(cd "$work/cut" && echo *)"
run cut_short 0 "$assay" compare "$work/cut/1-none.h5.partial" "$work/cut/2-none.h5.partial"
expect_line "$work/cut_short" 'outputs +10 cases bit-identical, 0 with other bits, 0 not comparable'
expect_line "$work/cut_short" 'both runs were cut short'
expect "files of a run that was not killed" "1-none.h5 2-none.h5" "$(cd "$work/rounds_out" && echo *)"

# a round calls what was verified once, in a process of its own: other bits there are looked into. The third process is the second
# round's
changing=("${options[@]}" --filter attention/f16/d32/* --rounds 2)
TWIN_PROCESSES=$work/processes run changing 1 "$assay" compare "$good" "$work/changes_later" "${changing[@]}" --all
expect "processes that called it" 3 "$(stat -c %s "$work/processes")"
grep -q 'pass -> fail (in round 2: .*; also broken: repeat)' "$work/changing" ||
    fail "what changes in a later round is not told: $(cat "$work/changing")"

# modules: an entry point that is gone; rounds load them in groups
run gone 1 "$assay" compare "$work/whole" "$work/lacking" --device cpu --dataset "$here/operators.spec" --rounds 2 --json "$work/gone.json"
expect_line "$work/gone" 'vanished +fill: fill_u8$'
expect_line "$work/gone" 'entry points +14, of which 1 vanished and 1 are new'
expect_line "$work/gone" 'resources +[0-9]+ kernels in both: 0 take more, 0 less$'
schema gone.json compare-json.schema.json

# what cannot be
run mixed 2 "$assay" compare "$work/kept.h5" "$good"
expect_line "$work/mixed.err" 'is a result file and .* is not: .*assay run'
run idle 2 "$assay" compare "$work/kept.h5" "$work/kept.h5" --device cpu
expect_line "$work/idle.err" 'options from --device on are for artifacts'
run no_path 3 "$assay" compare "$good" "$work/nowhere" "${options[@]}" --out "$work/before"
[ -e "$work/before" ] && fail "the first artifact was run though the second is not there"
run unset 2 "$assay" compare "$good" "$good" "${options[@]}" --out ''
expect_line "$work/unset.err" 'assay compare: --out takes the name of a folder, and is empty'
run unset_matrix 2 "$assay" matrix --artifacts "$good" --devices cpu --datasets "$cases" --out ''
expect_line "$work/unset_matrix.err" 'assay matrix: --out takes the name of a folder, and is empty'
run no_out 2 "$assay" compare "$good" "$good" --keep-outputs
expect_line "$work/no_out.err" 'keep-outputs is for the result files of --out'
# told before minutes of work, not after them: nothing has run by then
run no_report 3 "$assay" compare "$good" "$good" "${options[@]}" --out "$work/never" --junit "$work/no/such/folder.xml"
[ -e "$work/never" ] && fail "artifacts were run for a report that cannot be written"
run no_round 2 "$assay" compare "$good" "$good" --rounds 33
run no_folder 3 "$assay" compare "$good" "$good" "${options[@]}" --out "$cases/folder"
sed -e 's/fill_/fxll_/g' -e 's/copy2d_/cxpy2d_/g' "$modules/fill.ptx" >"$work/unknown.ptx"
run nothing 3 "$assay" compare "$work/unknown.ptx" "$work/unknown.ptx" --device cpu --dataset "$here/operators.spec"
run no_case 3 "$assay" compare "$good" "$good" "${options[@]}" --filter nothing_is_called_so

# a matrix: two datasets, an artifact that is not there, one that crashes
run matrix 1 "$assay" matrix --artifacts "$good,bad=$bad" --artifacts "$work/segfault" --artifacts "$work/nowhere" --devices cpu \
    --datasets "$cases" --without-check no-launch --filter d32 --filter d40 --json "$work/matrix.json" --csv "$work/matrix.csv" \
    --markdown "$work/matrix.md" --out "$work/cells"
schema matrix.json matrix-json.schema.json
expect_line "$work/matrix" '^  cpu +cases.spec +none +3 pass +0\.'
expect_line "$work/matrix" '^  cpu +cases.spec +bad +3 fail +[0-9]'
expect_line "$work/matrix" '^  cpu +cases.spec +segfault +2 pass, 1 crashed +0\.'
expect_line "$work/matrix" '^  not run +nowhere on cpu, cases.spec$'
expect_line "$work/matrix.md" '^## assay matrix: 4 artifacts, 1 dataset, 1 device$'
expect "lines of the CSV" 5 "$(wc -l <"$work/matrix.csv")"
expect "failures" 3 "$(value matrix.json cells.1.verdicts.fail)"
expect "result files" "1-none.h5 2-bad.h5 3-segfault.h5" "$(cd "$work/cells/cpu-cases.spec" && echo *.h5)"
run turns 0 "$assay" matrix --artifacts "a=$work/whole,b=$work/whole" --devices cpu --datasets "$here/operators.spec" --interleave --rounds 1 --json -
expect "in turns" true "$(value turns in_turns)"
expect "the same verdicts" "$(value turns cells.0.verdicts.pass)" "$(value turns cells.1.verdicts.pass)"
run not_there 3 "$assay" matrix --artifacts "$good" --devices cpu,cuda:99 --datasets "$cases" --without-check no-launch --filter d32
expect_line "$work/not_there" '^  cuda:99 +cases.spec +none +not run'
run twice 2 "$assay" matrix --artifacts "$good,$good"
expect_line "$work/twice.err" 'would both be called none; give names'
run row_twice 2 "$assay" matrix --artifacts "$good" --devices cpu,cpu
expect_line "$work/row_twice.err" '--devices: cpu is there twice'
run no_device 2 "$assay" matrix --artifacts "$good" --devices cpu,nonsense --datasets "$cases" --out "$work/not_begun"
expect_line "$work/no_device.err" '--devices nonsense: takes cpu or cuda:N'
[ -e "$work/not_begun" ] && fail "cells were run before a device that cannot be was told"
# datasets of one name: each has its row and its result files
mkdir "$work/other"
cp "$cases" "$work/other/cases.spec"
run names 0 "$assay" matrix --artifacts "$good" --devices cpu --datasets "$cases,$work/other/cases.spec" --without-check no-launch \
    --filter d32 --out "$work/named"
expect_line "$work/names" "^  cpu +$work/other/cases.spec +none +2 pass"
expect "result files of datasets of one name" "cpu-1-cases.spec/1-none.h5 cpu-2-cases.spec/1-none.h5" "$(cd "$work/named" && echo */*.h5)"
: >"$work/empty.spec"
run empty 3 "$assay" matrix --artifacts "$good" --devices cpu --datasets "$work/empty.spec"
expect_line "$work/empty" 'empty.spec:1: holds no section'
# a folder that cannot be made is told before the cells of the others are run
mkdir "$work/half"
: >"$work/half/cpu-2-cases.spec"
run no_cell_folder 3 "$assay" matrix --artifacts "$good" --devices cpu --datasets "$cases,$work/other/cases.spec" --out "$work/half"
[ -e "$work/half/cpu-1-cases.spec/1-none.h5" ] && fail "cells were run before a folder that cannot be made was told"
# names are anyone's: no table, heading or list is broken by them
hostile=$(printf 'a|`b\n# c<d>&"\001')
run hostile 0 "$assay" matrix --artifacts "$hostile=$good,b=$good" --devices cpu --datasets "$cases" --without-check no-launch --filter d32 \
    --markdown "$work/hostile.md" --csv "$work/hostile.csv" --json "$work/hostile.json"
schema hostile.json matrix-json.schema.json
expect "lines of the CSV with a hostile name" 3 "$(wc -l <"$work/hostile.csv")"
expect "lines of the Markdown that begin with the rest of a name" 0 "$(grep -c '^# c' "$work/hostile.md")"
expect "rows of the table" 2 "$(grep -c '^| cpu |' "$work/hostile.md")"
run no_artifact 2 "$assay" matrix
run comma 2 "$assay" matrix --artifacts "$good,,$bad"
finish

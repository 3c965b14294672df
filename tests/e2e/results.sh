#!/usr/bin/env bash
# What a run leaves behind and says: result files and reports, kept failures, commands that reproduce, names and filters,
# exit codes. usage: results.sh ASSAY CC JSON_VALUE
. "$(dirname "$0")/lib.sh"
json_value=${3:?the program json_value}
options=(--device cpu --dataset "$cases" --without-check no-launch)

for fault in none one_element_wrong missing_function segfault last_words; do in_background build "$fault"; done
wait
good=$work/none/libflashattention.a
faulty=$work/one_element_wrong/libflashattention.a

# run OUTPUT COMMAND...: standard output to OUTPUT, errors to OUTPUT.err; $code
run() {
    local output=$work/$1
    shift
    "$@" >"$output" 2>"$output.err"
    code=$?
}

result_files() {
    run files "$assay" verify "$faulty" "${options[@]}" --out "$work/r.h5" --json "$work/r.json" --markdown "$work/r.md"
    expect "exit code with a failed case" 1 $code
    [ -e "$work/r.h5.partial" ] && fail "r.h5.partial was left behind"
    expect "verdicts in the JSON" "$(printf '1\n9\n10')" \
        "$("$json_value" runs.0.summary.statuses.pass runs.0.summary.statuses.fail runs.0.summary.cases <"$work/r.json")"
    run report "$assay" report "$work/r.h5" --json -
    expect "exit code of report" 0 $code
    cmp -s "$work/r.json" "$work/report" || fail "report makes other JSON of the file than the run did"
    run report.md "$assay" report "$work/r.h5" --markdown -
    cmp -s "$work/r.md" "$work/report.md" || fail "report makes other Markdown of the file than the run did"
    run report.txt "$assay" report "$work/r.h5"
    expect_line "$work/report.txt" 'fail +9 of 10 cases'
    # what verify prints at its end is the start of it
    sed -n '/^Conditions/,$p' "$work/files" | grep -vxFf "$work/report.txt" >"$work/differing" &&
        fail "report says other things than the run: $(cat "$work/differing")"
    run overwrite "$assay" verify "$good" "${options[@]}" --out "$work/r.h5" --quiet
    expect "exit code when a result file is replaced" 0 $code
    expect "result file replaced" 10 "$("$assay" report "$work/r.h5" --json - | "$json_value" runs.0.summary.statuses.pass)"
}

# Another archive beside it is verified by itself; what becomes of it is not the artifact's verdict.
baselines() {
    local segfault=$work/segfault/libflashattention.a
    run baseline "$assay" bench "$good" "${options[@]}" --filter d32 --baseline "$faulty" --baseline "$segfault" --json "$work/b.json" \
        --out "$work/b.h5"
    expect "exit code with baselines that fail" 0 $code
    expect_line "$work/b.json" '"note": "fail: numbers: '
    expect_line "$work/b.json" '"note": "crashed: '
    expect "baselines beside the first case" "$(printf 'libflashattention.a\nlibflashattention.a (2)')" \
        "$("$json_value" runs.0.cases.0.baselines.0.name runs.0.cases.0.baselines.1.name <"$work/b.json")"
    "$assay" report "$work/b.h5" --json - >"$work/b2.json" || fail "report of a run with baselines"
    cmp -s "$work/b.json" "$work/b2.json" || fail "baselines differ between the run and its file"
    run no_entry "$assay" bench "$good" "${options[@]}" --baseline "$cases"
    expect "exit code when the baseline is no artifact" 3 $code
    expect_line "$work/no_entry.err" '--baseline'
}

kept_failures() {
    local kept=$work/kept/deeper file
    run keep "$assay" verify "$faulty" "${options[@]}" --keep-failures "$kept" --filter d32 --filter nan_k --filter zero
    expect "kept failures" 4 "$(find "$kept" -name '*.h5' | wc -l)"
    expect "files in the folder of kept failures" 4 "$(find "$kept" -type f | wc -l)"
    for file in "$kept"/*.h5; do
        "$assay" dataset info "$file" >"$work/info" || fail "dataset info of $file"
        expect_line "$work/info" '1 cases, 1 with float64 expectations'
        "$assay" dataset check "$file" --device cpu >"$work/check" || fail "dataset check of $file: $(cat "$work/check")"
        expect_line "$work/check" '^in order'
        verify "$faulty" "$work/again" --dataset "$file" --without-check no-launch
        expect "exit code of the kept case" 1 $?
        local again then
        again=$(verdicts "$work/again")
        then=$(verdicts "$work/keep" | grep -F "$(cut -d ' ' -f 2 <<<"$again") ")
        expect "verdict of the kept case" "$then" "$again"
        verify "$good" "$work/again" --dataset "$file" --without-check no-launch
        expect "exit code of the kept case with a good archive" 0 $?
    done
    # two artifacts that fail alike, here even copies of one file, have files of their own
    mkdir -p "$work/copy"
    cp "$faulty" "$work/copy/"
    run keep_two "$assay" verify "$faulty" "$work/copy/libflashattention.a" "${options[@]}" --keep-failures "$work/kept-two" \
        --filter d32 --filter nan_k --filter zero
    expect "failures kept of two artifacts" 8 "$(find "$work/kept-two" -type f -name '*.libflashattention-*-[12].h5' | wc -l)"
    run keep_none "$assay" verify "$good" "${options[@]}" --keep-failures "$work/kept-none" --quiet
    [ -z "$(find "$work/kept-none" -type f 2>/dev/null)" ] || fail "cases that passed were kept"
}

# The command that is printed is run as it stands, in a path that a shell would take apart.
reproduction() {
    local folder="$work/it's \$HOME & more" count=0 status name said command option
    mkdir -p "$folder"
    cp "$faulty" "$folder/"
    run printed "$assay" verify "$folder/libflashattention.a" "${options[@]}" --seed 77 --repeats 1 --timeout 50
    while read -r status name said; do
        command=$(grep -F -- "--filter $name " "$work/printed" | sed -n 's/^ *reproduce: assay //p' | sort -u)
        eval "\"\$assay\" $command" >"$work/reproduced" 2>&1
        expect "exit code of: $command" 1 $?
        expect "verdict of: $command" "$status $name $said" "$(verdicts "$work/reproduced")"
        count=$((count + 1))
    done < <(verdicts "$work/printed" | grep '^fail' | head -n 3)
    expect "commands tried" 3 $count
    for option in '--timeout 50' '--repeats 1' '--seed 77' '--device cpu'; do
        expect_line "$work/printed" "^ *reproduce: .* $option( |\$)"
    done
}

names() {
    run list "$assay" verify --list --dataset "$cases"
    expect "exit code of --list" 0 $code
    expect "number of names" 10 "$(wc -l <"$work/list")"
    verify "$good" "$work/all" --dataset "$cases" --without-check no-launch
    expect "names that --list and verify print" "$(cat "$work/list")" "$(verdicts "$work/all" | cut -d ' ' -f 2)"
    expect "names that dataset list prints" "$(cat "$work/list")" "$("$assay" dataset list "$cases")"
    local name
    while IFS= read -r name; do
        expect "filter by a whole name" "$name" "$("$assay" verify --list --dataset "$cases" --filter "$name")"
    done <"$work/list"
    expect "filter by a pattern" 1 "$("$assay" verify --list --dataset "$cases" --filter 'attention/*/d40/*' | wc -l)"
    expect "filter that takes away" 6 "$("$assay" verify --list --dataset "$cases" --filter -/bf16/ | wc -l)"
    expect "two filters" 2 "$("$assay" verify --list --dataset "$cases" --filter d40 --filter d24 | wc -l)"
    expect "both kinds" 1 "$("$assay" verify --list --dataset "$cases" --filter d32 --filter=-/bf16/ | wc -l)"
    run nothing "$assay" verify "$good" "${options[@]}" --filter no-such-case
    expect "exit code of an empty selection" 3 $code
    expect_line "$work/nothing.err" 'none of its 10 cases matches the filter; --list'
    run nothing "$assay" verify --list --dataset "$cases" --filter no-such-case
    expect "exit code of an empty list" 3 $code
}

exit_codes() {
    local missing=$work/missing_function/libflashattention.a crashing=$work/segfault/libflashattention.a
    run code "$assay" verify "$missing" "${options[@]}"
    expect "exit code with unsupported cases" 0 $code
    run code "$assay" verify "$missing" "${options[@]}" --strict
    expect "exit code with unsupported cases, strict" 1 $code
    run code "$assay" verify "$missing" "${options[@]}" --filter /bf16/
    expect "exit code when nothing passed" 3 $code
    run code "$assay" verify "$missing" "${options[@]}" --filter /bf16/ --strict
    expect "exit code when nothing passed, strict" 1 $code
    run code "$assay" verify "$good" --device cpu --dataset "$cases" --without-check no-such-check
    expect "exit code of an unknown check" 2 $code
    run code "$assay" verify "$good" "${options[@]}" --abi 0.1
    expect "exit code of an unknown profile" 2 $code

    run skipped "$assay" verify "$crashing" "${options[@]}" --filter /bf16/ --deaths 2
    expect "exit code after two crashes" 1 $code
    expect "verdicts after two crashes" "crashed crashed skipped skipped" "$(verdicts "$work/skipped" | cut -d ' ' -f 1 | xargs)"
    expect_line "$work/skipped" 'not run: the 2 cases before it all ended the worker'

    # logits so large that rounding alone may change everything, and a head that the profile cannot express
    printf '[large]\nfamily = attention\nhead_dim = 32\nseqlen = 9\nscale = 100000\n' >"$work/large.spec"
    run mistrusted "$assay" verify "$good" --device cpu --dataset "$work/large.spec" --without-check no-launch
    expect "exit code of a mistrusted case" 1 $code
    expect_line "$work/mistrusted" '^mistrusted +attention/f16/d32/.*scale:100000'
    printf '[wide]\nfamily = attention\nhead_dim = 264, 32\nseqlen = 9\n' >"$work/wide.spec"
    run wide "$assay" verify "$good" --device cpu --dataset "$work/wide.spec" --without-check no-launch
    expect "exit code with a head dimension too large" 0 $code
    expect_line "$work/wide" 'head_dim 264 is beyond the 256 of Candle 0.9.2'
}

# A case that no machine has the memory for costs itself only. Where the system promises any amount, it is not tried.
out_of_memory() {
    [ "$(cat /proc/sys/vm/overcommit_memory 2>/dev/null)" != 1 ] || return
    printf '[large]\nfamily = attention\nhead_dim = 512\nheads = 64\nseqlen = 16777216\n' >"$work/large.spec"
    printf '[small]\nfamily = attention\nhead_dim = 32\nseqlen = 9\n' >>"$work/large.spec"
    run memory "$assay" verify "$good" --device cpu --dataset "$work/large.spec" --without-check no-launch --verbose
    expect "exit code without memory" 1 $code
    expect "verdicts without memory" "error pass" "$(verdicts "$work/memory" | cut -d ' ' -f 1 | xargs)"
    expect_line "$work/memory" "out of memory: tensor 'q' needs 1099511627776 bytes"
}

# An object and a shared object stand for the archive; a folder may hold several.
kinds_of_files() {
    local folder=$work/folder
    mkdir -p "$folder/candle-flash-attn-0123456789abcdef/out"
    (cd "$folder" && ar x "$good") && "$cc" -shared -o "$folder/libflashattention.so" "$folder/host_mha.o" -lm ||
        fail "object or shared object not built"
    run object "$assay" verify "$folder/host_mha.o" "${options[@]}" --filter d32
    expect "exit code with an object" 0 $code
    run shared "$assay" verify "$folder/libflashattention.so" "${options[@]}" --filter d32
    expect "exit code with a shared object" 3 $code
    expect_line "$work/shared" '^unsupported every case: .*use --cudart real, or the static archive'
    expect_line "$work/shared" '^no device'
    rm "$folder/host_mha.o" "$folder/libflashattention.so"
    cp "$good" "$folder/candle-flash-attn-0123456789abcdef/out/libflashattention.a"
    run cargo "$assay" verify "$folder/candle-flash-attn-0123456789abcdef" "${options[@]}" --filter d32
    expect "exit code with a Cargo folder" 0 $code
    expect_line "$work/cargo" "pass +2 of 2 cases"
    run two "$assay" verify "$good" "$faulty" "${options[@]}" --filter d32 --json "$work/two.json"
    expect "exit code of a good and a faulty archive" 1 $code
    expect "verdicts of a good and a faulty archive" "$(printf '2\n2')" \
        "$("$json_value" runs.0.summary.statuses.pass runs.0.summary.statuses.fail <"$work/two.json")"
    run real "$assay" verify "$good" "${options[@]}" --filter d32 --cudart real --cudart-path "$good"
    expect "exit code with a CUDA runtime that is none" 3 $code
}

# bench and run on the cpu device: nothing can be timed there, and that is no failure of the archive.
bench() {
    run bench "$assay" bench "$good" "${options[@]}" --filter d32 --benchmark-json "$work/gbench.json"
    expect "exit code of bench" 0 $code
    "$json_value" benchmarks.0.name <"$work/gbench.json" >"$work/name" || fail "Google Benchmark's JSON: $(cat "$work/gbench.json")"
    expect_line "$work/name" '^attention/f16/d32/'
    grep -q 'not timed: .*its work was counted instead' "$work/gbench.json" || fail "no reason in Google Benchmark's JSON"
    expect_line "$work/bench.err" 'the cpu device times nothing.*: cases are verified, and their work is counted'
    run run "$assay" run "$good" "${options[@]}" --filter d32
    expect "exit code of run" 0 $code
    expect_line "$work/run" 'entry points +run_mha'
    expect_line "$work/run" 'pass +2 of 2 cases'
    run run.json "$assay" run "$good" "${options[@]}" --filter d32 --json -
    expect "verdicts of run in JSON alone on standard output" 2 "$("$json_value" runs.0.summary.statuses.pass <"$work/run.json")"
}

# What an artifact prints reaches the reports, but commands no terminal and breaks no document.
farewell() {
    run words "$assay" verify "$work/last_words/libflashattention.a" "${options[@]}" --filter d32 --out "$work/words.h5" --json "$work/words.json"
    expect "exit code of last words" 1 $code
    "$assay" report "$work/words.h5" >>"$work/words"
    "$assay" report "$work/words.h5" --markdown - >>"$work/words"
    LC_ALL=C grep -q "$(printf '\033\|\302\233\|\377')" "$work/words" && fail "what an artifact prints reaches the terminal as it is"
    "$json_value" runs.0.cases.1.reason <"$work/words.json" >"$work/reason" || fail "no JSON with an artifact's last words"
    expect_line "$work/reason" 'its last words: farewell .* red'
}

for test in result_files kept_failures reproduction names exit_codes out_of_memory kinds_of_files bench baselines farewell; do
    mkdir "$work/$test"
    (
        # a folder of its own for each, the archives and the cache shared
        shared=$work
        work=$work/$test
        mkdir "$work/failures"
        ln -s "$shared"/*/libflashattention.a "$work/" 2>/dev/null
        for fault in none one_element_wrong missing_function segfault last_words; do ln -s "$shared/$fault" "$work/$fault"; done
        $test
        find "$work/failures" -type f -exec cp -t "$shared/failures" {} +
    ) &
    while [ "$(jobs -rp | wc -l)" -ge "$(nproc)" ]; do wait -n || true; done
done
finish

#!/usr/bin/env bash
# Every fault of host_mha.c gets the verdict it deserves in the cases where it shows, every other case passes, and with the
# checks that see the fault switched off all pass. usage: twins.sh ASSAY CC
. "$(dirname "$0")/lib.sh"

# fault | where | status | checks that see it | reason | options
#   where    extended regular expression over the names of cases; with a leading ! the cases that do not match
#   checks   those that must be off for the twin to pass; - when nothing can be switched off
#   reason   extended regular expression over what is said; in cases with exact answers `exact` may be told as well
readonly twins='
none                | .                      | fail        | no-launch               | ^no-launch: the entry point launched no kernel
wrong_scale         | .                      | fail        | numbers,lse             | ^(numbers: .* beyond their bound|lse: LSE)
softcap_missing     | softcap                | fail        | numbers,lse             | ^numbers: .*also broken: lse
mask_top_left       | causal|window          | fail        | numbers,lse,row-class,exact | ^(numbers: batch|row-class: output)
gqa_mapping         | /h4:2/                 | fail        | numbers,lse,exact       | ^numbers: .* 4 of 8 heads
alibi_batch_ignored | alibi:batch            | fail        | numbers,lse             | ^numbers: batch 1, .* 2 of 4 heads
one_element_wrong   | !nan_k                 | fail        | numbers,exact           | ^numbers: .* 1 of [0-9]+ heads
outlier_head        | .                      | fail        | numbers,exact           | ^numbers: batch [0-9]+, head [123],
output_nan          | !nan_k                 | fail        | finite,exact            | ^finite: .* is nan where a number is due; 1 such
last_bit_wrong      | /padded/normal|lse:padded|constant | fail | exact              | ^exact: .* is the only right answer
v_stride_ignored    | /padded/normal|packed  | fail        | numbers                 | ^numbers:
lse_base2           | !varlen:zero/normal    | fail        | lse                     | ^lse: LSE at .* instead of
lse_offset          | !varlen:zero/normal    | fail        | lse                     | ^lse: .* off by 0\.01 >
lse_infinity_sign   | /padded/normal|lse:padded | fail     | row-class               | ^row-class: LSE .* is -inf where \+inf
masked_row_nan      | /padded/normal|varlen  | fail        | row-class               | ^row-class: output .* is nan where 0, as no key is visible
masked_row_average  | /padded/normal         | fail        | row-class               | ^row-class: output .* where 0, as no key is visible
nan_swallowed       | nan_k                  | fail        | row-class               | ^row-class: output .* where NaN
last_row_unwritten  | .                      | fail        | unwritten,finite,row-class,exact | ^unwritten: .* elements of o were not written
lse_unwritten       | !varlen:zero/normal    | fail        | unwritten,finite,row-class | ^unwritten: .* elements of lse were not written
depends_on_output   | .                      | fail        | previous                | ^previous: .* depend on what the output held before
accumulates_into_output | .                  | fail        | previous,finite,row-class,exact | ^previous: .* depend on what the output held before
writes_before       | .                      | fail        | canary                  | ^canary: 1 elements outside o changed, the first at element -1
writes_after        | .                      | fail        | canary                  | ^canary: 1 elements outside o changed, the first at element [0-9]
lse_writes_after    | !varlen:zero/normal    | fail        | canary                  | ^canary: 1 elements outside lse changed
writes_into_gaps    | /padded/normal         | fail        | gap                     | ^gap: .* elements in the gaps of o changed
modifies_input      | .                      | fail        | input                   | ^input: input q changed at byte 1
not_repeatable      | .                      | fail        | repeat                  | ^repeat: o differs between two runs
launch_swallowed    | .                      | fail        | launch                  | ^launch: cudaLaunchKernel returned error 98 .* in silence
reads_past_k        | !varlen                | crashed     | -                       | signal 11|exit code 1 while calling        | --guard pages
reads_past_k        | $never                 | pass        | -                       |
missing_function    | /bf16/                 | unsupported | -                       | needs cudaNoSuchFunction
segfault            | /bf16/                 | crashed     | -                       | (signal 11|exit code 1) .*while calling the entry point
exits               | /bf16/                 | crashed     | -                       | ended itself with exit code [0-9]+ while calling the entry point
aborts              | /bf16/                 | crashed     | -                       | signal 6 .*while calling the entry point
double_free         | /bf16/                 | crashed     | -                       | (signal 6|exit code 1) .*while calling the entry point; its last words
overflows_stack     | /bf16/                 | crashed     | -                       | (signal 11|exit code 1) .*while calling the entry point
kills_itself        | /bf16/                 | crashed     | -                       | signal 15 .*while calling the entry point
closes_descriptors  | /bf16/                 | crashed     | -                       | while calling the entry point
writes_garbage      | /bf16/                 | crashed     | -                       | sent what is no message .* while calling the entry point
leaves_child        | $never                 | pass        | -                       |
leaves_child_and_crashes | /bf16/            | crashed     | -                       | signal 6 .*while calling the entry point
last_words          | /bf16/                 | crashed     | -                       | signal 6 .*; its last words: farewell
prints              | $never                 | pass        | -                       |
loops               | /bf16/                 | timeout     | -                       | no answer within 3 s while calling         | --timeout 3 --filter /d32/ --filter nan_k
loops_printing      | /bf16/                 | timeout     | -                       | no answer within 3 s while calling         | --timeout 3 --filter /d32/ --filter nan_k
writes_a_header     | /bf16/                 | timeout     | -                       | no answer within 3 s while calling         | --timeout 3 --filter /d32/ --filter nan_k
'

# Whether the fault shows in the case NAME.
shows_in() {
    if [[ $where == !* ]]; then [[ ! $1 =~ ${where#!} ]]; else [[ $1 =~ $where ]]; fi
}

# check_twin ROW FAULT WHERE STATUS CHECKS REASON OPTIONS
check_twin() {
    local row=$1 fault=$2 where=$3 status=$4 checks=$5 reason=$6 options=$7
    local output=$work/$fault/output.$row code off=() seen=0 expected_code=0 line_status name said
    [ "$fault" = none ] || off=(--without-check no-launch)
    # shellcheck disable=SC2086
    verify "$work/$fault/libflashattention.a" "$output" --dataset "$cases" "${off[@]}" $options
    code=$?
    while read -r line_status name said; do
        seen=$((seen + 1))
        if shows_in "$name"; then
            expect "$fault: status of $name" "$status" "$line_status"
            [[ $said =~ $reason ]] || fail "$fault: reason of $name: '$said' does not match '$reason'"
            case $status in pass | unsupported | skipped) ;; *) expected_code=1 ;; esac
        else
            expect "$fault: status of $name" pass "$line_status"
        fi
    done < <(verdicts "$output")
    [ "$seen" -ge 3 ] || fail "$fault: only $seen verdicts: $(cat "$output" "$output.err")"
    expect "$fault: exit code" "$expected_code" "$code"
    grep -qE "^$status " "$output" || [[ $status == pass ]] || fail "$fault: shows nowhere"

    [ "$checks" = - ] && return
    off=(--without-check no-launch)
    local check
    for check in ${checks//,/ }; do off+=(--without-check "$check"); done
    verify "$work/$fault/libflashattention.a" "$output.off" --dataset "$cases" "${off[@]}"
    expect "$fault: exit code without $checks" 0 $?
    expect "$fault: verdicts without $checks" pass "$(verdicts "$output.off" | cut -d ' ' -f 1 | sort -u)"
}

# columns are set apart by " | "; a bare | belongs to a regular expression
rows=$(sed -E '/^$/d; s/ +\| */~/g; s/ +$//' <<<"$twins")
for fault in $(cut -d '~' -f 1 <<<"$rows" | sort -u); do in_background build "$fault"; done
wait
row=0
while IFS='~' read -r fault where status checks reason options; do
    row=$((row + 1))
    in_background check_twin "$row" "$fault" "$where" "$status" "$checks" "$reason" "$options"
done <<<"$rows"
wait
echo "$row rows, $(cut -d '~' -f 1 <<<"$rows" | sort -u | wc -l) archives"
[ "$row" -gt 40 ] || fail "the table was not read"
finish

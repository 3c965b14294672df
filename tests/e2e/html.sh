#!/usr/bin/env bash
# The HTML page of a report in a real browser: charts are drawn, nothing is asked for or complained about, light and dark, nothing wider
# than a phone; what a hostile result file says stays text. And the other forms of the same results: CSV, JUnit.
# usage: html.sh ASSAY CC JSON_VALUE REPORT_SAMPLES
. "$(dirname "$0")/lib.sh"
samples=${4:?the program report_samples}
"$samples" "$work" || fail "no samples"
a=$work/timed-1.h5 b=$work/timed-2.h5 c=$work/timed-3.h5

pages=()
# page NAME CHARTS FILE...
page() {
    local name=$1 charts=$2
    shift 2
    "$assay" report "$@" --html "$work/$name.html" >"$work/$name.out" 2>&1 || fail "no page of $*: $(cat "$work/$name.out")"
    pages+=("$work/$name.html=$charts")
    expect_line "$work/$name.html" "default-src 'none'; base-uri 'none'; form-action 'none'; img-src data:; style-src 'sha256-[A-Za-z0-9+/]{43}='"
    [ "$(wc -c <"$work/$name.html")" -lt 5000000 ] || fail "$name.html has more than 5 MB"
}

# without Chart.js there are tables only, which the page says
plots=1
page timed 10 "$a"
grep -q 'id="chart0"' "$work/timed.html" || plots=0
[ $plots = 1 ] || expect_line "$work/timed.html" 'built without Chart.js'
page history 15 "$a" "$b" "$c"
page hostile 4 "$work/hostile.h5"
page odd 5 "$work/odd.h5"
page empty 0 "$work/empty.h5"
page operators 4 "$work/operators.h5"
expect_line "$work/operators.html" 'Of 2400 points one in 2 is drawn'
expect_line "$work/timed.html" 'TFLOP/s'
expect_line "$work/timed.html" 'Conditions were poor'
expect_line "$work/timed.html" 'Against cudnn'
expect_line "$work/history.html" '>newest / first<'
expect_line "$work/hostile.html" '5 of 10 cases did not pass'
expect_line "$work/empty.html" 'Nothing was verified'

# a run writes the same page as the report of its file
build none
"$assay" verify "$work/none/libflashattention.a" --device cpu --dataset "$cases" --without-check no-launch --filter d32 --quiet \
    --out "$work/run.h5" --html "$work/run.html" --csv "$work/run.csv" --junit "$work/run.xml" >"$work/run.out" 2>&1 || fail "verify: $(cat "$work/run.out")"
page again 2 "$work/run.h5"
cmp -s "$work/run.html" "$work/again.html" || fail "verify --html and report --html differ"
expect "rows of the CSV" 3 "$(wc -l <"$work/run.csv")"
expect_line "$work/run.xml" '<testsuites name="assay" tests="2" failures="0" errors="0">'

# every row has as many cells as the head, no cell is a formula; the XML is well-formed
if command -v python3 >/dev/null; then
    for sample in hostile odd empty; do
        "$assay" report "$work/$sample.h5" --csv "$work/$sample.csv" --junit "$work/$sample.xml" --json "$work/$sample.json" \
            --gbench-json "$work/$sample.gbench.json" --markdown "$work/$sample.md" >/dev/null || fail "$sample.h5: no report"
    done
    python3 - "$work" <<'END' || fail "CSV, JUnit or JSON of hostile, odd or no results"
import csv, json, os, sys, xml.etree.ElementTree as tree
os.chdir(sys.argv[1])
def refuse(name):
    raise ValueError("JSON has no " + name)
for sample, cases in ("hostile", 10), ("odd", 56), ("empty", 0):
    rows = list(csv.reader(open(sample + ".csv", newline="", encoding="utf-8"), strict=True))
    assert len(rows) == cases + 1 and len({len(row) for row in rows}) == 1, (sample, [len(row) for row in rows])
    assert len(list(tree.parse(sample + ".xml").getroot().iter("testcase"))) == cases, sample
    runs = json.load(open(sample + ".json", encoding="utf-8"), parse_constant=refuse)["runs"]
    assert [len(run["cases"]) for run in runs] == [cases], sample
    json.load(open(sample + ".gbench.json", encoding="utf-8"), parse_constant=refuse)
# cases alternate between two ratios: one in two of them has to show both
page = open("operators.html", encoding="utf-8").read()
data = json.loads(page[page.index('id="data">') + len('id="data">'):].split("</script>", 1)[0])
assert not data["charts"] or {point[1] for chart in data["charts"] if chart["y"] == "cold time / hot time"
                              for point in chart["series"][0]["points"]} == {2.0, 4.0}
rows = list(csv.reader(open("hostile.csv", newline="", encoding="utf-8"), strict=True))
assert not [cell for row in rows for cell in row if cell[:1] in ("=", "@", "+", "-")], rows
root = tree.parse("hostile.xml").getroot()
cases = list(root.iter("testcase"))
assert len(list(root.iter("failure"))) == 5
assert all("reproduce: assay verify " in failure.text for failure in root.iter("failure"))
assert any("</script>" in case.get("name") for case in cases)
END
fi

browser=$(command -v chromium || command -v chromium-browser || true)
reason=
[ -n "$browser" ] || reason="no chromium"
command -v python3 >/dev/null || reason="no python3"
[ $plots = 1 ] || reason="built without Chart.js"
case $(readlink -f "${browser:-/}") in */snap*) reason="chromium is a snap, which sees no files of this test" ;; esac
[ -f "${browser:-/}" ] && grep -qs 'snap run\|/snap/bin' "$browser" && reason="chromium is a snap, which sees no files of this test"
if [ -z "$reason" ]; then
    python3 "$here/browse.py" "$browser" "$work" "${pages[@]}" >"$work/browse.out" 2>&1
    code=$?
    [ $code = 77 ] && reason=$(cat "$work/browse.out")
    [ $code = 0 ] || [ $code = 77 ] || fail "in the browser: $(cat "$work/browse.out")"
    tail -n 1 "$work/browse.out"
fi
[ -z "${SCREENSHOTS:-}" ] || cp "$work"/*.png "$SCREENSHOTS"
if [ -n "$reason" ] && [ -z "$(ls "$work/failures")" ]; then
    echo "pages were made but not opened: $reason"
    exit 77
fi
finish

# JSON on standard output is one document and nothing else.
cp "$SOURCE/tests/e2e/cases.spec" .
archive libflashattention.a 'void run_mha(void) {}'
archive other.a 'int something(void) { return 1; }'
json() {
    printf '$ %s\n' "$*"
    printf '$ %s\n' "$*" >&2
    "$@" >document
    printf '[exit code %d]\n' $?
}
json assay devices --json -
json_value schema <document
json assay inspect libflashattention.a missing.a other.a --json -
json_value schema schema_version artifacts.0.path artifacts.1.path artifacts.1.error artifacts.2.path <document
json assay verify libflashattention.a --device cpu --dataset cases.spec --filter d40 --json - --out result.h5
json_value runs.0.summary.statuses.fail runs.0.cases.0.name runs.0.cases.0.status runs.0.cases.0.reason <document
json assay verify other.a --device cpu --dataset cases.spec --filter d40 --json -
json_value runs.0.conditions.device runs.0.summary.statuses.unsupported <document
json assay verify libflashattention.a --device cpu --dataset cases.spec --filter d40 --json - --verbose
json_value runs.0.summary.cases <document
json assay run libflashattention.a --device cpu --dataset cases.spec --filter d40 --json -
json_value runs.0.summary.cases <document
json assay bench libflashattention.a --device cpu --dataset cases.spec --filter d40 --json - --benchmark-json bench.json
json_value runs.0.summary.cases <document
# Google Benchmark 1.8 tells a benchmark that was left out from one that failed
{ json_value benchmarks.0.error_occurred <bench.json || json_value benchmarks.0.skipped <bench.json; } 2>/dev/null
json assay report result.h5 --json -
json_value runs.0.summary.statuses.fail <document
json assay report result.h5 --gbench-json -
json_value context.library_build_type >/dev/null 2>&1 <document || json_value benchmarks <document
json assay report missing.h5 --json -
wc -c <document | tr -d ' '
json assay verify missing.a --device cpu --dataset cases.spec --json -
wc -c <document | tr -d ' '
# names that are no UTF-8
mv libflashattention.a "$(printf 'libflash\377attention.a')"
assay inspect libflash*.a --json - | json_value artifacts.0.path
assay verify libflash*.a --device cpu --dataset cases.spec --filter d40 --json - | json_value runs.0.summary.cases

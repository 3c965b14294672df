# Policies: what passes, what fails and with which words, mistakes in them, JSON.
module() { # NAME ISA TARGET BODY
    printf '.version %s\n.target %s\n.address_size 64\n%s\n' "$2" "$3" "$4" >"$1"
}
kernel='.visible .entry uexp_f32(.param .u64 uexp_f32_param_0) .maxntid 256 { ret; }'
module good.ptx 8.5 sm_80 "$kernel"
module debug.ptx 8.5 "sm_80, debug" ".file 1 \"/home/someone/unary.cu\"
$kernel"
archive libk.a 'void run_mha(void) {} int cudaLaunchKernel(void); int f(void) { return cudaLaunchKernel(); }'
mkdir folder && cp good.ptx libk.a folder
cat >mine.ini <<'END'
[targets *.ptx]
runs_on = sm_86, sm_75   ; the second is not
[targets]
sass = any
[symbols libk.a]
entry_points = run_mha, run_mhb
[kernels unary]
pattern         = u*_f32
parameter_bytes = 8
registers       = 32
[driver]
linux   = 550.54.14
windows = 560.76
[folder]
files = good.ptx, libk.a, cast.ptx
END
try assay inspect good.ptx --gpu sm_86 --policy publish
try assay inspect debug.ptx --gpu sm_86 --policy publish.ini
try assay inspect folder --gpu sm_86 --policy mine.ini | sed '/^  file .*GNU ar/d' # how large an object is depends on the compiler
try assay inspect folder --list --policy publish --expect mine.ini
try assay inspect good.ptx --gpu sm_86 --policy publish --policy mine.ini --json -  >/dev/null

assay inspect good.ptx --policy mine.ini --expect publish --json - >document
json_value artifacts.0.policy.verdict artifacts.0.policy.failed artifacts.0.policy.results.0.rule artifacts.0.policy.results.0.asked \
    artifacts.0.policy.results.0.origin artifacts.0.policy.results.0.verdict artifacts.0.policy.results.0.evidence \
    artifacts.0.policy.results.0.remedy artifacts.0.policy.results.0.unit artifacts.0.policy.results.0.looked_at \
    artifacts.0.policy.results.0.violations artifacts.0.expect.verdict files.policy.verdict <document

printf '[targets]\nsas = sm_80\n' >key.ini
printf '[target]\nsass = sm_80\n' >section.ini
printf '[targets]\nsass = sm80\n' >value.ini
printf '[build]\ndebug = no\ndebug = no\n' >twice.ini
printf '; nothing\n' >empty.ini
for policy in key.ini section.ini value.ini twice.ini empty.ini missing.ini unpublish good.ptx folder; do
    try assay inspect good.ptx --policy $policy
done

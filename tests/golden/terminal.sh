# Escape sequences and progress belong to terminals: `script` makes one.
command -v script >/dev/null || skip "there is no script(1) to make a terminal with"
[ "$(script -qec 'test -t 1 && echo yes' /dev/null </dev/null 2>/dev/null | tr -d '\r\n')" = yes ] ||
    skip "script(1) makes no terminal here (no /dev/pts?)"
cp "$SOURCE/tests/e2e/cases.spec" .
archive libflashattention.a 'void run_mha(void) {}'
escape=$(printf '\033')
# Which of the marks are in the file `seen`.
marks() {
    grep -q "$escape\\[[0-9;]*m" seen && printf ' colour'
    grep -q "$escape\\[K" seen && printf ' progress'
    grep -q 'left' seen && printf ' time-left'
    grep -q "$escape" seen || printf ' no-escapes'
    printf '\n'
}
on_terminal() {
    printf 'on a terminal: %s:' "$*"
    script -qec "$*" /dev/null </dev/null >seen 2>&1
    marks
}
in_pipe() {
    printf 'in a pipe: %s:' "$*"
    "$@" 2>&1 </dev/null | cat >seen
    marks
}
verify="assay verify libflashattention.a --device cpu --dataset cases.spec"
on_terminal assay inspect libflashattention.a
on_terminal env NO_COLOR=1 assay inspect libflashattention.a
on_terminal env TERM=dumb assay inspect libflashattention.a
on_terminal $verify
on_terminal env NO_COLOR=1 $verify
on_terminal env TERM=dumb $verify
in_pipe assay inspect libflashattention.a
in_pipe $verify
in_pipe assay run libflashattention.a --device cpu --dataset cases.spec
in_pipe assay bench libflashattention.a --device cpu --dataset cases.spec

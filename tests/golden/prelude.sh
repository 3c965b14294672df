# What the golden scripts share.
# shellcheck shell=bash

# Runs a command; its name is printed before what it prints, its exit code behind it.
try() {
    printf '$ %s\n' "$*"
    printf '$ %s\n' "$*" >&2
    "$@"
    printf '[exit code %d]\n' $?
}

skip() {
    echo "$*"
    exit 77
}

# archive NAME.a C-SOURCE: an archive of one object
archive() {
    # without what one compiler adds and another does not
    printf '%s\n' "$2" | "$CC" -fPIC -x c -c -o member.o - &&
        objcopy -R .comment -R .note.gnu.property member.o &&
        ar rcsD "$1" member.o && rm member.o
}

# Whoever may do everything is not stopped by permissions.
is_root() {
    [ "$(id -u)" = 0 ]
}

# Nothing but the named files is in this folder.
only() {
    local found
    found=$(find . -mindepth 1 ! -path './.cache*' | sort | sed 's#^\./##' | xargs)
    [ "$found" = "$*" ] || echo "left behind: $found, expected: $*"
}

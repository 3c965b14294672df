#!/usr/bin/env bash
# The installed tree works by itself: its datasets and its runtime shim are found from the executable, wherever it lies.
#   usage: install.sh CMAKE BUILD SOURCE CC
set -euo pipefail
cmake=${1:?cmake}
build=${2:?the folder it was built in}
source=${3:?the source folder}
cc=${4:?a C compiler}

work=$(mktemp -d "${TMPDIR:-/tmp}/assay-install.XXXXXX")
trap 'rm -rf "$work"' EXIT
unset ASSAY_DATADIR ASSAY_LIBDIR
export XDG_CACHE_HOME=$work/cache OPENBLAS_NUM_THREADS=1

"$cmake" --install "$build" --prefix "$work/first" >"$work/log"
# somewhere else, so that no path of the build or of the first place can help
mkdir "$work/a place"
mv "$work/first" "$work/a place/assay"
prefix=$work/a\ place/assay
assay=$prefix/bin/assay
[ -x "$assay" ] || { echo "no bin/assay was installed"; cat "$work/log"; exit 1; }
shopt -s nullglob
shims=("$prefix"/lib*/assay/libassay_cudart.so "$prefix"/lib*/*/assay/libassay_cudart.so)
[ ${#shims[@]} = 1 ] ||
    { echo "the runtime shim was not installed"; cat "$work/log"; exit 1; }
for file in smoke.h5 smoke.spec attention.spec bench.spec operators.spec operators-bench.spec; do
    [ -e "$prefix/share/assay/datasets/$file" ] || { echo "$file was not installed"; exit 1; }
done
[ -e "$prefix/share/assay/policies/publish.ini" ] || { echo "publish.ini was not installed"; exit 1; }
for file in inspect-json.schema.json inspect-difference-json.schema.json; do
    [ -e "$prefix/share/doc/assay/$file" ] || { echo "$file was not installed"; exit 1; }
done

cd "$work"
"$assay" --version
"$assay" dataset check "$prefix/share/assay/datasets/smoke.h5" --device cpu

# the archive that passes all stored cases, by the default dataset
"$cc" -std=gnu17 -O1 -fPIC -c "$source/tests/e2e/host_mha.c" -o host_mha.o
ar rcs libflashattention.a host_mha.o
"$assay" verify libflashattention.a --device cpu --without-check no-launch --quiet --out result.h5 >report ||
    { cat report; exit 1; }
grep -q "dataset .*share/assay/datasets/smoke.h5" report || { echo "not the installed dataset:"; cat report; exit 1; }
grep -qE 'pass +36 of 36 cases' report || { cat report; exit 1; }
"$assay" report result.h5 >/dev/null
# the installed policy is found by its name
"$assay" inspect libflashattention.a --policy publish >policy || [ $? = 1 ] || { cat policy; exit 1; }
grep -q '^  pass  *build.unreadable' policy || { cat policy; exit 1; }
"$assay" verify libflashattention.a --device cpu --list >/dev/null
echo "the installed tree works"

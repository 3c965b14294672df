# Files that are not there, are empty, are something else, or are cut off.
mkdir empty_folder
: >empty.a
printf '\211PNG\r\n\032\n\0\0\0\rIHDR' >image.a
printf 'This is no archive.\n' >text.a
printf '!<arch>\n' >nothing.a
printf '!<arch>\nrun_mha.o/      0           0     0     644     9999      `\nshort' >cut.a
printf '!<arch>\nrun_mha.o/      0           0     0     644     a lot     `\nshort' >letters.a
printf '!<arch>\nrun_m' >header.a
printf '\177ELF\2\1\1\0' >cut.o
# an object as Windows has them: machine x86-64, no sections, no symbols
printf '\144\206\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0' >windows.obj
printf '!<arch>\nwindows.obj/    0           0     0     644     20        `\n' >windows.lib
cat windows.obj >>windows.lib
archive other.a 'int something(void) { return 1; }'
archive whole.a 'void run_mha(void) {}'
head -c 400 whole.a >truncated.a
mkfifo pipe.a

for path in missing.a empty_folder empty.a image.a text.a nothing.a cut.a letters.a header.a cut.o windows.obj windows.lib \
    truncated.a pipe.a /dev/null; do
    try assay inspect "$path"
    try assay verify "$path" --device cpu --dataset "$SOURCE/tests/e2e/cases.spec" --filter d40
done
try assay verify other.a --device cpu --dataset "$SOURCE/tests/e2e/cases.spec" --filter d40

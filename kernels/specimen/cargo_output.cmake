# Writes FOLDER/output and FOLDER/root-output as Cargo leaves them beside out/ after it has run the build script of a
# crate that compiles kernels with bindgen_cuda: the script's directives, and nvcc's account of itself (--verbose, here
# --dryrun, whose lines are the same). PATH and LD_LIBRARY_PATH are left out: they are the builder's own business.
#
# Variables: NVCC, FLAGS (one string), SOURCE, COMPUTE_CAP, FOLDER.

separate_arguments(flags UNIX_COMMAND "${FLAGS}")
execute_process(
    COMMAND ${NVCC} --dryrun -c -o ${FOLDER}/out/run_mha.o ${flags} ${SOURCE}
    RESULT_VARIABLE result OUTPUT_VARIABLE out ERROR_VARIABLE account)
if(NOT result EQUAL 0)
    message(FATAL_ERROR "${NVCC} --dryrun failed:\n${account}")
endif()
string(REGEX REPLACE "#\\$ (PATH|LD_LIBRARY_PATH)=[^\n]*\n" "" account "${account}")

file(WRITE ${FOLDER}/output
"cargo::rerun-if-changed=build.rs
cargo:info=[\"/usr\", \"/usr/local/cuda\", \"/opt/cuda\", \"/usr/lib/cuda\"]
cargo:rerun-if-env-changed=CUDA_COMPUTE_CAP
cargo:rustc-env=CUDA_COMPUTE_CAP=${COMPUTE_CAP}
${account}cargo::rustc-link-search=${FOLDER}/out
cargo::rustc-link-lib=flashattention
cargo::rustc-link-lib=dylib=cudart
cargo::rustc-link-lib=dylib=stdc++
")
file(WRITE ${FOLDER}/root-output "${FOLDER}/out")

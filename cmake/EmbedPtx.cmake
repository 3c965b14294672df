# assay_embed_ptx(target file.ptx symbol), assay_embed_text(target file symbol)
#
# Compiles the bytes of a committed PTX file, or of another text, into `target` as
#     extern const char symbol[];         NUL-terminated text, as module_load of harness/device/device.h takes it
#     extern const size_t symbol_size;    bytes without the NUL
# Plain C, so that neither nvcc nor an assembler syntax is needed. The file is read again when it changes.

if(CMAKE_SCRIPT_MODE_FILE STREQUAL CMAKE_CURRENT_LIST_FILE)
	# Run as a script by the rule below: INPUT, OUTPUT, SYMBOL.
	file(READ "${INPUT}" hex HEX)
	if(NOT hex)
		message(FATAL_ERROR "${INPUT} is empty (PTX: rebuild it with cmake/rebuild_ptx.sh)")
	endif()
	string(REGEX REPLACE "(................................)" "\\1\n\t" hex "${hex}")
	string(REGEX REPLACE "([0-9a-f][0-9a-f])" "0x\\1," bytes "${hex}")
	get_filename_component(name "${INPUT}" NAME)
	file(WRITE "${OUTPUT}" "/* Made from ${name} by cmake/EmbedPtx.cmake. */
#include <stddef.h>

extern const char ${SYMBOL}[];
extern const size_t ${SYMBOL}_size;

const char ${SYMBOL}[] = {
	${bytes}0x00
};
const size_t ${SYMBOL}_size = sizeof(${SYMBOL}) - 1;
")
	return()
endif()

set(ASSAY_EMBED_PTX_SCRIPT "${CMAKE_CURRENT_LIST_FILE}" CACHE INTERNAL "")

function(assay_embed_ptx target file symbol)
	get_filename_component(input "${file}" ABSOLUTE BASE_DIR "${CMAKE_CURRENT_SOURCE_DIR}")
	set(output "${CMAKE_CURRENT_BINARY_DIR}/${symbol}.c")
	add_custom_command(OUTPUT "${output}"
		COMMAND ${CMAKE_COMMAND} "-DINPUT=${input}" "-DOUTPUT=${output}" "-DSYMBOL=${symbol}"
			-P "${ASSAY_EMBED_PTX_SCRIPT}"
		DEPENDS "${input}" "${ASSAY_EMBED_PTX_SCRIPT}"
		COMMENT "Embedding ${file}"
		VERBATIM)
	target_sources(${target} PRIVATE "${output}")
endfunction()

function(assay_embed_text target file symbol)
	assay_embed_ptx(${target} ${file} ${symbol})
endfunction()

/* Names as a reader knows them. */
#ifndef ASSAY_ARTIFACT_DEMANGLE_H
#define ASSAY_ARTIFACT_DEMANGLE_H

/* The C++ name of an Itanium-mangled symbol, or a copy of `name` when it is not one, in memory the caller frees; NULL
 * when memory runs out. */
char *demangle(const char *name);

#endif

#include "artifact/artifact.h"

#include "artifact/reader.h"

#include <stdlib.h>
#include <string.h>

static int out_of_memory(struct error *err)
{
	return error_set(err, ERROR_ENVIRONMENT, "out of memory");
}

/* What keeps a unit of this kind from being looked into, or NULL. */
static const char *unreadable(enum object_kind kind)
{
	switch (kind) {
	case OBJECT_COFF_LTCG:
		return "is compiler-internal code of cl.exe /GL, which only the same link.exe reads; build without /GL";
	case OBJECT_MACHO:
		return "is a macOS file (Mach-O), where CUDA does not run; build the artifact for Linux";
	case OBJECT_LLVM_BITCODE:
		return "is LLVM bitcode; build without -flto, or link it first";
	case OBJECT_ELF_OTHER:
		return "is an ELF file of another class or byte order; build for a 64-bit little-endian host";
	case OBJECT_ZIP:
		return "is a zip archive within another file; unpack it and inspect it by itself";
	case OBJECT_ARCHIVE:
	case OBJECT_ARCHIVE_THIN:
		return "is an archive within an archive, which no linker reads; unpack it first";
	case OBJECT_EMPTY:
		return "is empty";
	case OBJECT_UNKNOWN:
		return "is nothing this program knows";
	default:
		return NULL;
	}
}

const char *artifact_unit_not_linkable(const struct artifact_unit *unit)
{
	switch (unit->kind) {
	case OBJECT_COFF:
	case OBJECT_COFF_BIGOBJ:
		return "is a Windows object (COFF): its host code cannot be linked on Linux; build the artifact for Linux, or test it on Windows";
	case OBJECT_COFF_IMPORT:
		return "is an import of a Windows DLL and holds no code; give the DLL or a static library";
	case OBJECT_PE:
		return "is a Windows image (PE): it cannot be loaded on Linux; build the artifact for Linux, or test it on Windows";
	default:
		return unit->problem;
	}
}

static int images_append(struct artifact_unit *unit, const struct fatbin *fatbin, int relocatable, struct error *err)
{
	if (fatbin->count == 0) {
		unit->container_count += fatbin->containers;
		return 0;
	}
	const size_t count = (size_t)unit->image_count + (size_t)fatbin->count;
	if (count > INT32_MAX)
		return out_of_memory(err);
	struct artifact_image *images = realloc(unit->images, count * sizeof *images);
	if (!images)
		return out_of_memory(err);
	unit->images = images;
	for (int i = 0; i < fatbin->count; i++) {
		struct artifact_image *image = &images[unit->image_count++];
		*image = (struct artifact_image){.entry = fatbin->entries[i], .relocatable_section = relocatable};
		image->entry.container += unit->container_count;
	}
	unit->container_count += fatbin->containers;
	return 0;
}

static int open_fatbin(struct artifact_unit *unit, const unsigned char *data, size_t size, int relocatable, struct error *err)
{
	struct fatbin fatbin;
	if (fatbin_parse_section(data, size, &fatbin, err))
		return -1;
	const int result = images_append(unit, &fatbin, relocatable, err);
	fatbin_free(&fatbin);
	return result;
}

static int open_host(struct artifact_unit *unit, struct error *err)
{
	if (host_object_parse(unit->data, unit->size, &unit->host, err))
		return -1;
	int linked = 0;
	for (int i = 0; i < unit->host.fatbin_count; i++) {
		const struct host_section *section = &unit->host.fatbins[i];
		if (open_fatbin(unit, section->data, section->size, section->relocatable, err))
			return -1;
		linked |= !section->relocatable;
	}
	/* a linked file keeps what its device link was made from, beside the result */
	if (linked && host_object_is_linked(&unit->host))
		unit->host.needs_device_link = 0;
	return 0;
}

/* A plain .ptx or .cubin is treated as a container of one entry. */
static int open_single(struct artifact_unit *unit, enum fatbin_kind kind, const struct artifact *artifact, struct error *err)
{
	unit->images = calloc(1, sizeof *unit->images);
	if (!unit->images)
		return out_of_memory(err);
	unit->image_count = unit->container_count = 1;
	struct artifact_image *image = &unit->images[0];
	struct fatbin_entry *entry = &image->entry;
	*entry = (struct fatbin_entry){.kind = kind,
				       .raw_kind = kind == FATBIN_PTX ? 1 : 2,
				       .payload = unit->data,
				       .payload_size = unit->size,
				       .decompressed_size = unit->size};
	if (artifact_load_image(artifact, unit, image, err))
		return -1;
	if (kind == FATBIN_PTX) {
		entry->arch = image->ptx.arch;
		entry->suffix = image->ptx.suffix;
		entry->version_major = image->ptx.version_major;
		entry->version_minor = image->ptx.version_minor;
		entry->flags = image->ptx.debug ? FATBIN_FLAG_DEBUG : 0;
	} else {
		entry->arch = image->cubin.sm;
		entry->suffix = image->cubin.suffix;
		entry->version_major = 1;
		entry->version_minor = image->cubin.abi;
	}
	return 0;
}

static int open_unit(struct artifact_unit *unit, const struct artifact *artifact, struct error *err)
{
	switch (unit->kind) {
	case OBJECT_ELF_RELOCATABLE:
	case OBJECT_ELF_SHARED:
	case OBJECT_ELF_EXECUTABLE:
	case OBJECT_COFF:
	case OBJECT_COFF_BIGOBJ:
	case OBJECT_COFF_IMPORT:
	case OBJECT_PE:
		return open_host(unit, err);
	case OBJECT_FATBIN:
		return open_fatbin(unit, unit->data, unit->size, 0, err);
	case OBJECT_PTX:
		return open_single(unit, FATBIN_PTX, artifact, err);
	case OBJECT_CUBIN:
		return open_single(unit, FATBIN_ELF, artifact, err);
	case OBJECT_RUST_METADATA: /* nothing in it is for a linker */
		return 0;
	default:
		unit->problem = strdup(unreadable(unit->kind));
		return unit->problem ? 0 : out_of_memory(err);
	}
}

/* A new unit, named and otherwise zero; the units before it may move. */
static struct artifact_unit *unit_append(struct artifact *artifact, char *name, struct error *err)
{
	if (!name) {
		out_of_memory(err);
		return NULL;
	}
	/* room for 1, 2, 4, 8 ...: it is full when the count is a power of two */
	const int count = artifact->unit_count;
	if ((count & (count - 1)) == 0) {
		const size_t room = count ? (size_t)count * 2 : 1;
		struct artifact_unit *units = count > INT32_MAX / 2 ? NULL : realloc(artifact->units, room * sizeof *units);
		if (!units) {
			free(name);
			out_of_memory(err);
			return NULL;
		}
		artifact->units = units;
	}
	struct artifact_unit *unit = &artifact->units[artifact->unit_count++];
	*unit = (struct artifact_unit){.name = name};
	return unit;
}

/* Maps the file that a thin archive's member stands for: its name is relative to the archive's folder. */
static int open_thin_member(struct artifact *artifact, const struct ar_member *member, struct artifact_unit *unit, struct error *err)
{
	char *path = NULL;
	int result = -1;
	if (unit->name[0] == '/') {
		path = strdup(unit->name);
	} else {
		const size_t folder = (size_t)(path_base(artifact->path) - artifact->path);
		if (asprintf(&path, "%.*s%s", (int)folder, artifact->path, unit->name) < 0)
			path = NULL;
	}
	if (!path) {
		out_of_memory(err);
		goto done;
	}
	struct file_map *map = &artifact->members[artifact->member_count];
	if (file_map_open(map, path, err)) {
		error_context(err, "a thin archive, whose members are files of their own, names one that is not there");
		goto done;
	}
	artifact->member_count++;
	unit->data = map->data;
	unit->size = map->size;
	if (member->within && ar_member_at(map->data, map->size, member->within, &unit->data, &unit->size, err)) {
		error_context(err, "%s", path);
		goto done;
	}
	unit->kind = object_identify(unit->data, unit->size, &unit->machine);
	result = 0;
done:
	free(path);
	return result;
}

static int open_archive(struct artifact *artifact, struct error *err)
{
	struct ar *ar = &artifact->ar;
	if (ar_parse(artifact->map.data, artifact->map.size, ar, err))
		return -1;
	if (ar->count == 0)
		return error_set(err, ERROR_INPUT, "is an archive without members; build it again and check what the build printed");
	artifact->members = ar->thin ? calloc((size_t)ar->count, sizeof *artifact->members) : NULL;
	if (ar->thin && !artifact->members)
		return out_of_memory(err);
	for (int i = 0; i < ar->count; i++) {
		const struct ar_member *member = &ar->members[i];
		struct artifact_unit *unit = unit_append(artifact, strdup(member->name), err);
		if (!unit)
			return -1;
		unit->offset = ar->thin ? 0 : member->offset;
		unit->size = member->size;
		unit->data = member->data;
		unit->kind = member->kind;
		unit->machine = member->machine;
		if (ar->thin && open_thin_member(artifact, member, unit, err))
			return -1;
		if (open_unit(unit, artifact, err))
			return error_context(err, "member %s", *unit->name ? unit->name : "without a name");
	}
	return 0;
}

/* In a zip archive a member that cannot be read costs itself only: most members of a wheel are other people's. */
static int open_unit_or_note(struct artifact_unit *unit, const struct artifact *artifact, struct error *err)
{
	struct error why = {0};
	if (open_unit(unit, artifact, &why) == 0)
		return 0;
	if (why.kind == ERROR_ENVIRONMENT) {
		*err = why;
		return -1;
	}
	if (asprintf(&unit->problem, "%s; unpack it and inspect it by itself", why.message) < 0) {
		unit->problem = NULL;
		return out_of_memory(err);
	}
	return 0;
}

/* The members of an archive that lies in a zip archive: units called "archive(member)". */
static int open_inner_archive(struct artifact *artifact, const struct zip_member *holder, int library, struct error *err)
{
	struct ar ar;
	int result = -1;
	struct error why = {0};
	if (ar_parse(holder->data, holder->size, &ar, &why)) {
		struct artifact_unit *unit = unit_append(artifact, strdup(holder->name), err);
		if (!unit)
			return -1;
		unit->size = holder->size;
		unit->library = library;
		unit->kind = OBJECT_ARCHIVE;
		unit->problem = strdup(why.message);
		return unit->problem ? 0 : out_of_memory(err);
	}
	for (int i = 0; i < ar.count; i++) {
		const struct ar_member *member = &ar.members[i];
		char *name;
		if (asprintf(&name, "%s(%s)", holder->name, member->name) < 0)
			name = NULL;
		struct artifact_unit *unit = unit_append(artifact, name, err);
		if (!unit)
			goto done;
		unit->offset = holder->offset ? holder->offset + member->offset : 0;
		unit->library = library;
		unit->size = member->size;
		unit->data = member->data;
		unit->kind = member->kind;
		unit->machine = member->machine;
		if (open_unit_or_note(unit, artifact, err))
			goto done;
	}
	result = 0;
done:
	ar_free(&ar);
	return result;
}

static int is_loose(const struct zip_member *member)
{
	const enum name_class class = object_name_class(member->name);
	return class == NAME_OBJECT || class == NAME_MODULE;
}

/* Objects and modules in one folder are used together; everything else is a library by itself. */
static int is_same_library(const struct zip_member *member, const struct zip_member *other)
{
	const size_t folder = (size_t)(path_base(member->name) - member->name);
	return is_loose(member) && is_loose(other) && folder == (size_t)(path_base(other->name) - other->name) &&
	       memcmp(member->name, other->name, folder) == 0;
}

static int open_zip(struct artifact *artifact, struct error *err)
{
	int library = -1;
	artifact->zip = calloc(1, sizeof *artifact->zip);
	if (!artifact->zip)
		return out_of_memory(err);
	if (zip_archive_open(artifact->map.data, artifact->map.size, path_base(artifact->path), artifact->zip, err))
		return -1;
	if (artifact->zip->count == 0)
		return error_set(err, ERROR_INPUT,
				 "is a zip archive in which none of %d members is a library, object or module by its name; give the one that "
				 "holds the compiled code",
				 artifact->zip->others);
	for (int i = 0; i < artifact->zip->count; i++) {
		const struct zip_member *member = &artifact->zip->members[i];
		unsigned machine;
		const enum object_kind kind = object_identify(member->data, member->size, &machine);
		library += i == 0 || !is_same_library(member, member - 1);
		if (!member->problem && kind == OBJECT_ARCHIVE) {
			if (open_inner_archive(artifact, member, library, err))
				return -1;
			continue;
		}
		struct artifact_unit *unit = unit_append(artifact, strdup(member->name), err);
		if (!unit)
			return -1;
		unit->offset = member->offset;
		unit->size = member->size;
		unit->data = member->data;
		unit->kind = member->problem ? OBJECT_UNKNOWN : kind;
		unit->library = library;
		unit->machine = machine;
		if (member->problem) {
			unit->problem = strdup(member->problem);
			if (!unit->problem)
				return out_of_memory(err);
		} else if (open_unit_or_note(unit, artifact, err)) {
			return -1;
		}
	}
	return 0;
}

static int open_file(struct artifact *artifact, struct error *err)
{
	unsigned machine;
	artifact->kind = object_identify(artifact->map.data, artifact->map.size, &machine);
	if (artifact->kind == OBJECT_ARCHIVE || artifact->kind == OBJECT_ARCHIVE_THIN)
		return open_archive(artifact, err);
	if (artifact->kind == OBJECT_ZIP)
		return open_zip(artifact, err);
	if (artifact->kind == OBJECT_EMPTY)
		return error_set(err, ERROR_INPUT, "is empty; build it again and check what the build printed");
	if (artifact->kind == OBJECT_UNKNOWN)
		return error_set(err, ERROR_INPUT,
				 "is no archive, object, shared object, Windows library, PTX module, cubin, fatbin or wheel; give what a CUDA "
				 "build made");
	struct artifact_unit *unit = unit_append(artifact, strdup(path_base(artifact->path)), err);
	if (!unit)
		return -1;
	unit->size = artifact->map.size;
	unit->data = artifact->map.data;
	unit->kind = artifact->kind;
	unit->machine = machine;
	return open_unit(unit, artifact, err);
}

/* The build-output folder of a file in `folder` ("" or with its '/'): that folder itself or, where it is called `out`,
 * the one above it, by the shortest name that leads there. NULL (and *failed) when memory runs out. */
static char *build_folder(const char *folder, int above, int *failed)
{
	const size_t length = strlen(folder);
	char *result = NULL, *real = NULL;
	if (!above) {
		result = strdup(length ? folder : "./");
	} else if (length >= 5 && strcmp(folder + length - 5, "/out/") == 0) {
		result = copy_text(folder, length - 4);
	} else if (strcmp(folder, "out/") == 0) {
		result = strdup("./");
	} else {
		real = realpath(length ? folder : ".", NULL);
		if (!real || strcmp(path_base(real), "out") != 0) {
			free(real);
			return NULL;
		}
		real[strlen(real) - 3] = '\0';
		result = real;
	}
	*failed = !result;
	return result;
}

static int find_provenance(struct artifact *artifact, struct error *err)
{
	int result = -1, found = 0, failed = 0;
	char *folder = copy_text(artifact->path, (size_t)(path_base(artifact->path) - artifact->path));
	char *candidate = NULL;
	artifact->provenance = calloc(1, sizeof *artifact->provenance);
	if (!folder || !artifact->provenance) {
		out_of_memory(err);
		goto done;
	}
	for (int above = 0; above < 2 && !found; above++) {
		provenance_free(artifact->provenance);
		free(candidate);
		candidate = build_folder(folder, above, &failed);
		if (failed) {
			out_of_memory(err);
			goto done;
		}
		if (candidate && provenance_read(candidate, artifact->provenance, &found, err))
			goto done;
	}
	result = 0;
done:
	free(folder);
	free(candidate);
	if (artifact->provenance && !found) {
		provenance_free(artifact->provenance);
		free(artifact->provenance);
		artifact->provenance = NULL;
	}
	return result;
}

/* README files beside the artifact, in and beside its build-output folder, and one above that. A folder whose files of
 * provenance were not published along is known by its `out/` only: then not that far up. */
static int find_claims(struct artifact *artifact, struct error *err)
{
	char *own = copy_text(artifact->path, (size_t)(path_base(artifact->path) - artifact->path));
	char *around_out = NULL;
	int result = -1, found = 0, failed = 0;
	artifact->claims = calloc(1, sizeof *artifact->claims);
	if (!own || !artifact->claims) {
		out_of_memory(err);
		goto done;
	}
	if (!artifact->provenance) {
		around_out = build_folder(own, 1, &failed);
		if (failed) {
			out_of_memory(err);
			goto done;
		}
	}
	const char *const build = artifact->provenance ? artifact->provenance->folder : around_out;
	const struct {
		const char *folder;
		int above;
	} places[] = {{*own ? own : ".", 0}, {build, 0}, {build ? build : *own ? own : ".", 1}, {around_out ? NULL : build, 2}};
	for (size_t i = 0; i < ARRAY_COUNT(places) && !found; i++)
		if (places[i].folder && readme_claims_read(places[i].folder, places[i].above, artifact->claims, &found, err))
			goto done;
	result = 0;
done:
	free(own);
	free(around_out);
	if (artifact->claims && !found) {
		readme_claims_free(artifact->claims);
		free(artifact->claims);
		artifact->claims = NULL;
	}
	return result;
}

int artifact_open(const char *path, struct artifact *artifact, struct error *err)
{
	*artifact = (struct artifact){.path = strdup(path)};
	if (!artifact->path)
		return out_of_memory(err);
	if (file_map_open(&artifact->map, path, err))
		goto failed;
	if (open_file(artifact, err)) {
		error_context(err, "%s", path);
		goto failed;
	}
	if (find_provenance(artifact, err) || find_claims(artifact, err))
		goto failed;
	return 0;
failed:
	artifact_close(artifact);
	return -1;
}

static void unit_free(struct artifact_unit *unit)
{
	for (int i = 0; i < unit->image_count; i++) {
		cubin_free(&unit->images[i].cubin);
		ptx_free(&unit->images[i].ptx);
		free(unit->images[i].owned);
	}
	free(unit->images);
	host_object_free(&unit->host);
	free(unit->problem);
	free(unit->name);
}

void artifact_close(struct artifact *artifact)
{
	for (int i = 0; i < artifact->unit_count; i++)
		unit_free(&artifact->units[i]);
	free(artifact->units);
	ar_free(&artifact->ar);
	for (int i = 0; i < artifact->member_count; i++)
		file_map_close(&artifact->members[i]);
	free(artifact->members);
	if (artifact->zip)
		zip_archive_close(artifact->zip);
	free(artifact->zip);
	if (artifact->provenance)
		provenance_free(artifact->provenance);
	free(artifact->provenance);
	if (artifact->claims)
		readme_claims_free(artifact->claims);
	free(artifact->claims);
	file_map_close(&artifact->map);
	free(artifact->path);
	*artifact = (struct artifact){0};
}

const char *artifact_sha256(struct artifact *artifact)
{
	if (!artifact->sha256[0])
		sha256_hex(artifact->map.data, artifact->map.size, artifact->sha256);
	return artifact->sha256;
}

int artifact_load_image(const struct artifact *artifact, const struct artifact_unit *unit, struct artifact_image *image,
			struct error *err)
{
	const struct fatbin_entry *entry = &image->entry;
	if (image->loaded)
		return 0;
	int failed = 0;
	if (entry->compression == FATBIN_RAW && entry->kind != FATBIN_PTX) {
		image->bytes = entry->payload;
		image->size = entry->payload_size;
	} else {
		failed = fatbin_entry_decompress(entry, &image->owned, &image->size, err);
		image->bytes = image->owned;
	}
	if (!failed && entry->kind == FATBIN_ELF)
		failed = cubin_parse(image->bytes, image->size, &image->cubin, err);
	else if (!failed && entry->kind == FATBIN_PTX)
		failed = ptx_parse(image->bytes, image->size, &image->ptx, err);
	if (failed) {
		free(image->owned);
		image->owned = NULL;
		image->bytes = NULL;
		image->size = 0;
		char target[24];
		fatbin_entry_target(entry, target);
		if (unit->kind == OBJECT_PTX || unit->kind == OBJECT_CUBIN)
			return -1; /* artifact_open names the file */
		return error_context(err, "%s(%s): %s for %s", artifact->path, unit->name, fatbin_kind_name(entry->kind), target);
	}
	/* A PTX description does not point into its text, and a cubin's code has been looked at. */
	const int needed = entry->compression == FATBIN_RAW;
	if (!needed && (entry->kind == FATBIN_PTX || entry->kind == FATBIN_ELF)) {
		if (entry->kind == FATBIN_ELF && cubin_detach(&image->cubin, err)) {
			cubin_free(&image->cubin);
			failed = 1;
		}
		free(image->owned);
		image->owned = NULL;
		image->bytes = NULL;
	}
	image->loaded = !failed;
	return failed ? -1 : 0;
}

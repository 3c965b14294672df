#include "install_private.h"

#include "cli.h"
#include "core/util.h"
#include "inspect_format.h"
#include "manifest.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* ---- where ---- */

static int use_build_dir(const char *given, struct install_target *target, struct error *err)
{
	if (*given != '/')
		return error_set(err, ERROR_INPUT,
				 "CANDLE_FLASH_ATTN_BUILD_DIR=%s: the build script starts from the crate's own folder; give an "
				 "absolute path",
				 given);
	target->out = path_is_dir(given) ? realpath(given, NULL) : NULL;
	if (target->out)
		return 0;
	return error_set(err, ERROR_INPUT,
			 "CANDLE_FLASH_ATTN_BUILD_DIR=%s: is no folder; the build script fails without it: mkdir -p it", given);
}

int install_find_target(const struct cargo_project *project, const struct prebuilt_folder *folder, struct install_target *target,
			struct error *err)
{
	const char *build_dir = getenv("CANDLE_FLASH_ATTN_BUILD_DIR");
	const struct cargo_package *package = cargo_package_find(project, folder->crate, NULL);
	const struct cargo_build_folder *build = cargo_build_folder_find(project, folder->crate, NULL);
	*target = (struct install_target){.folder = folder,
					  .crate = folder->crate,
					  .version = package ? package->version : NULL,
					  .profile = project->profile};
	if (build) {
		char *real = realpath(build->path, NULL);
		target->output = real ? path_join(real, "output") : NULL;
		free(real);
		if (!target->output)
			return error_out_of_memory(err);
	}
	if (build_dir && *build_dir && strcmp(folder->crate, "candle-flash-attn") == 0) {
		if (use_build_dir(build_dir, target, err) == 0)
			return 0;
		goto failed;
	}
	if (!build) {
		error_set(err, ERROR_INPUT,
			  "%s/build: has no folder of %s's build script yet: run `cargo build%s%s%s -p %s` in %s, with the "
			  "features that are built "
			  "later; it may be stopped, or fail, once it compiles kernels; then install again",
			  project->profile_dir, folder->crate, strcmp(project->profile, "release") == 0 ? " --release" : "",
			  project->is_cross ? " --target " : "", project->is_cross ? project->triple : "", folder->crate,
			  project->root);
		goto failed;
	}
	char *out = path_join(build->path, "out");
	target->out = out ? realpath(out, NULL) : NULL;
	free(out);
	if (target->out)
		return 0;
	error_set(err, ERROR_INPUT, "%s/out: %s", build->path, strerror(errno));
failed:
	install_target_free(target);
	return -1;
}

void install_target_free(struct install_target *target)
{
	free(target->out);
	free(target->output);
	*target = (struct install_target){0};
}

/* ---- what the commands do ---- */

static void tell_change(const struct change *change, const struct install_options *options, struct text *out)
{
	const char *crate = change->target ? change->target->crate : manifest_text(change->before, "crate", "?");
	cli_append_clean(out, crate, strlen(crate));
	const int count = change->target ? change->installed : change->dropped;
	text_append(out, ": %d file%s %s%s ", count, count == 1 ? "" : "s", options->dry_run ? "would be " : "",
		    change->target ? "installed in" : "removed from");
	cli_append_clean(out, change->out, strlen(change->out));
	text_append(out, "\n");
	if (change->displaced)
		text_append(out, "  %d file%s displaced, and kept for uninstall\n", change->displaced,
			    change->displaced == 1 ? "" : "s");
	if (change->restored_count)
		text_append(out, "  %d displaced file%s put back\n", change->restored_count,
			    change->restored_count == 1 ? "" : "s");
	for (const char *at = change->told.data; at && *at;) {
		const size_t length = strcspn(at, "\n");
		text_append(out, "  ");
		cli_append_clean(out, at, length);
		text_append(out, "\n");
		at += length + (at[length] == '\n');
	}
}

static int run_changes(struct install_state *state, struct change *changes, int count, const struct install_options *options,
		       struct text *out, struct error *err)
{
	if (!options->dry_run && count && install_carry_out(state, changes, count, options, err))
		return -1;
	for (int i = 0; i < count; i++)
		tell_change(&changes[i], options, out);
	return 0;
}

int install_all(struct install_state *state, const struct install_target *targets, int count,
		const struct install_options *options, struct text *out, struct error *err)
{
	struct change *changes = calloc((size_t)count + 1, sizeof *changes);
	int result = changes ? 0 : error_out_of_memory(err), planned = 0;
	for (; result == 0 && planned < count; planned++) {
		for (int k = 0; k < planned && result == 0; k++)
			if (strcmp(targets[k].out, targets[planned].out) == 0)
				result = error_set(err, ERROR_INPUT, "%s and %s would both go to %s; install one of them",
						   targets[k].folder->path, targets[planned].folder->path, targets[k].out);
		if (result == 0)
			result = install_plan(&changes[planned], &targets[planned], targets[planned].out,
					     install_state_place(state, targets[planned].out), options, err);
	}
	if (result == 0)
		result = run_changes(state, changes, count, options, out, err);
	for (int i = 0; changes && i < count; i++)
		install_change_free(&changes[i]);
	free(changes);
	return result;
}

int uninstall_all(struct install_state *state, const char *only, const struct install_options *options, struct text *out,
		  struct error *err)
{
	const size_t places = json_array_size(state->places);
	struct change *changes = calloc(places + 1, sizeof *changes);
	int result = changes ? 0 : error_out_of_memory(err), count = 0;
	json_t *gone = json_array();
	for (size_t i = 0; result == 0 && i < places; i++) {
		json_t *place = json_array_get(state->places, i);
		const char *folder = manifest_text(place, "out", "");
		if (only && strcmp(manifest_text(place, "crate", ""), only) != 0)
			continue;
		if (!path_is_dir(folder)) {
			/* somebody cleaned up */
			cli_append_clean(out, folder, strlen(folder));
			text_append(out, ": is gone, and with it what was installed\n");
			char *kept = tree_kept_of(folder);
			if (kept && path_exists(kept)) {
				text_append(out, "  what was displaced from it still lies in ");
				cli_append_clean(out, kept, strlen(kept));
				text_append(out, "\n");
			}
			free(kept);
			if (json_array_append(gone, place))
				result = error_out_of_memory(err);
			continue;
		}
		result = install_plan(&changes[count], NULL, folder, place, options, err);
		count++;
	}
	if (result == 0 && json_array_size(gone) && !options->dry_run) {
		json_t *left = json_array(), *journal;
		for (size_t i = 0; left && i < places; i++) {
			json_t *place = json_array_get(state->places, i);
			int is_gone = 0;
			for (size_t k = 0; k < json_array_size(gone); k++)
				is_gone |= json_array_get(gone, k) == place;
			if (!is_gone)
				json_array_append(left, place);
		}
		journal = json_pack("{s:s, s:i, s:b, s:[], s:O}", "schema", "assay-install-journal", "schema_version", 1, "ready",
				    1, "moves", "places", left);
		result = !journal ? error_out_of_memory(err)
			 : install_state_prepare_places(state, left, err) || install_state_write_journal(state, journal, err) ||
					 install_state_finish(state, err)
				 ? -1
				 : 0;
		json_decref(journal);
		/* the changes speak of places of the list before, which `gone` keeps alive no longer than this function */
		json_decref(left);
	}
	if (result == 0)
		result = run_changes(state, changes, count, options, out, err);
	for (int i = 0; changes && i < count; i++)
		install_change_free(&changes[i]);
	free(changes);
	json_decref(gone);
	return result;
}

int install_status(const struct install_state *state, struct text *out, int *changed, struct error *err)
{
	*changed = 0;
	if (state->journal)
		text_append(out, "A run was interrupted; the next install or uninstall brings it to its end or takes it back.\n");
	if (json_array_size(state->places) == 0)
		text_append(out, "Nothing is installed.\n");
	for (size_t i = 0; i < json_array_size(state->places); i++) {
		const json_t *place = json_array_get(state->places, i), *files = json_object_get(place, "files");
		const char *folder = manifest_text(place, "out", ""), *from = manifest_text(place, "from", "?");
		const char *crate = manifest_text(place, "crate", "?"), *verified = manifest_text(place, "verified", "");
		json_int_t bytes = 0;
		struct text gone = {0};
		for (size_t k = 0; k < json_array_size(files); k++) {
			const json_t *file = json_array_get(files, k);
			const int same = install_file_is_unchanged(folder, file, err);
			bytes += json_integer_value(json_object_get(file, "size"));
			if (same < 0) {
				text_free(&gone);
				return -1;
			}
			if (!same) {
				(*changed)++;
				text_append(&gone, "  changed or gone: %s\n", manifest_text(file, "path", "?"));
			}
		}
		cli_append_clean(out, crate, strlen(crate));
		text_append(out, " %s: %zu files, ", manifest_text(place, "version", ""), json_array_size(files));
		format_size(out, (size_t)bytes);
		text_append(out, ", in ");
		cli_append_clean(out, folder, strlen(folder));
		text_append(out, "\n  since %s from ", manifest_text(place, "installed", "?"));
		cli_append_clean(out, from, strlen(from));
		text_append(out, "\n  verified: ");
		cli_append_clean(out, *verified ? verified : "no", strlen(*verified ? verified : "no"));
		text_append(out, "\n");
		if (gone.data)
			for (const char *at = gone.data; *at;) {
				const size_t length = strcspn(at, "\n");
				cli_append_clean(out, at, length);
				text_append(out, "\n");
				at += length + 1;
			}
		text_free(&gone);
	}
	return out->failed ? error_out_of_memory(err) : 0;
}

json_t *install_status_json(const struct install_state *state)
{
	return json_pack("{s:s, s:i, s:b, s:O}", "schema", "assay-install-status", "schema_version", 1, "interrupted",
			 state->journal != NULL, "places", state->places);
}

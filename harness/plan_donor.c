/* Host code for an artifact whose own cannot, or is not to, be called. */
#include "plan.h"

#include "core/util.h"

#include <stdlib.h>
#include <string.h>

/* Without host code: modules, and what has to be unpacked first. */
static int is_bare(const struct artifact *artifact)
{
	return artifact->kind == OBJECT_PTX || artifact->kind == OBJECT_CUBIN || artifact->kind == OBJECT_FATBIN ||
	       artifact->kind == OBJECT_ZIP;
}

int plan_wants_donor(const struct artifact *artifact)
{
	if (is_bare(artifact))
		return 0;
	for (int u = 0; u < artifact->unit_count; u++)
		if (artifact->units[u].image_count)
			return 1;
	return 0;
}

/* Whether a program on Linux can call something of it: 0 with the reason in *why. */
static int can_be_called(const struct artifact *host, const char **why)
{
	*why = "is no archive or object with host code";
	if (is_bare(host))
		return 0;
	for (int u = 0; u < host->unit_count; u++) {
		*why = artifact_unit_not_linkable(&host->units[u]);
		if (*why)
			return 0;
	}
	return host->unit_count > 0;
}

/* Whether host code of the artifact is known to be called by something, so that its donor has to have that too. The first such
 * entry point. */
static const char *known_entry_point(const struct artifact_entry_points *points)
{
	for (int i = 0; i < points->count; i++)
		if (family_of_entry_point(points->items[i].name))
			return points->items[i].name;
	return NULL;
}

/* How well the host code fits: 2: it has an entry point that the artifact has too, 1: one that some family knows, 0: none. */
static int fitness(const struct artifact *artifact, const struct artifact *host, int *fit, struct error *err)
{
	struct artifact_entry_points points;
	*fit = 0;
	if (artifact_entry_points(host, &points, err))
		return -1;
	for (int i = 0; i < points.count && *fit < 2; i++) {
		const int known = family_of_entry_point(points.items[i].name) != NULL;
		if (artifact_defines(artifact, points.items[i].name) >= 0)
			*fit = 2;
		else if (known)
			*fit = 1;
	}
	artifact_entry_points_free(&points);
	return 0;
}

int plan_donor_open(const char *path, const struct artifact *artifact, struct artifact *host, struct job *job, struct error *err)
{
	struct artifact_list list;
	struct artifact_entry_points points = {0};
	int best = -1, best_fit = -1, result = -1;
	if (artifact_discover(path, &list, err))
		return error_context(err, "--donor");
	for (int i = 0; i < list.count && best_fit < 2; i++) {
		const char *why;
		int fit;
		if (artifact_open(list.paths[i], host, err)) {
			error_context(err, "--donor");
			goto done;
		}
		const int callable = can_be_called(host, &why);
		const int failed = callable && fitness(artifact, host, &fit, err);
		if (!callable && !job->reason[0])
			snprintf(job->reason, sizeof job->reason, "--donor %s: %s; the donor has to be an archive for Linux", list.paths[i], why);
		artifact_close(host);
		if (failed)
			goto done;
		if (callable && fit > best_fit) {
			best = i;
			best_fit = fit;
		}
	}
	result = 0;
	if (best < 0)
		goto done;
	/* an archive of something else is none; where the artifact has no entry point that is known, the donor may */
	if (artifact_entry_points(artifact, &points, err)) {
		result = -1;
		goto done;
	}
	const char *wanted = known_entry_point(&points);
	if (best_fit < 2 && wanted) {
		snprintf(job->reason, sizeof job->reason,
			 "--donor %.180s: has no %s, which %.180s has; give an archive of the same kind and release", path, wanted, artifact->path);
		goto done;
	}
	job->reason[0] = '\0';
	result = artifact_open(list.paths[best], host, err) ? -1 : 1;
done:
	artifact_entry_points_free(&points);
	artifact_list_free(&list);
	return result;
}

void plan_donor_check_release(struct job *job, struct artifact *artifact, struct artifact *host)
{
	struct mha_abi_evidence of_artifact, of_host;
	struct error ignored;
	if (strcmp(job->entry_point, "run_mha") != 0 || artifact_mha_abi(artifact, &of_artifact, &ignored) ||
	    artifact_mha_abi(host, &of_host, &ignored) || of_artifact.assumed || of_host.assumed || of_artifact.abi == MHA_ABI_NONE ||
	    of_host.abi == MHA_ABI_NONE || of_artifact.abi == of_host.abi)
		return;
	job->refused = STATUS_UNSUPPORTED;
	snprintf(job->reason, sizeof job->reason, "the donor is of another release: %.140s is %s (%.80s), %.140s %s (%.80s)", host->path,
		 mha_abi_name(of_host.abi), of_host.evidence, artifact->path, mha_abi_name(of_artifact.abi), of_artifact.evidence);
}

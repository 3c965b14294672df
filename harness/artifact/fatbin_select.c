#include "artifact/fatbin.h"

#include <stdio.h>
#include <string.h>

int sass_runs_on(unsigned arch, char suffix, int cc_major, int cc_minor)
{
	const int major = (int)(arch / 10 % 1000), minor = (int)(arch % 10);
	if (suffix == 'a')
		return major == cc_major && minor == cc_minor;
	return major == cc_major && minor <= cc_minor;
}

int ptx_runs_on(unsigned arch, char suffix, int cc_major, int cc_minor)
{
	const int major = (int)(arch / 10 % 1000), minor = (int)(arch % 10);
	if (suffix == 'a')
		return major == cc_major && minor == cc_minor;
	if (suffix == 'f')
		return major == cc_major && minor <= cc_minor;
	return major < cc_major || (major == cc_major && minor <= cc_minor);
}

/* The nearest target wins, and of two equal ones the more specific. 0: does not run there. */
static unsigned long rank(const struct fatbin_entry *entry, int cc_major, int cc_minor, enum image_policy policy)
{
	int runs = 0;
	if (entry->kind == FATBIN_ELF && policy != IMAGE_PTX)
		runs = sass_runs_on(entry->arch, entry->suffix, cc_major, cc_minor);
	else if (entry->kind == FATBIN_PTX && policy != IMAGE_SASS)
		runs = ptx_runs_on(entry->arch, entry->suffix, cc_major, cc_minor);
	if (!runs)
		return 0;
	const unsigned long specific = entry->suffix == 'a' ? 2 : entry->suffix == 'f' ? 1 : 0;
	const unsigned long sass = entry->kind == FATBIN_ELF;
	return 1 + specific + 4ul * entry->arch + (sass << 40);
}

struct target_list {
	char text[200];
	size_t length;
	int count;
};

static void target_list_add(struct target_list *list, const struct fatbin_entry *entry)
{
	char target[24];
	fatbin_entry_target(entry, target);
	const size_t size = strlen(target);
	for (const char *at = list->text; (at = strstr(at, target)); at += size)
		if (at[size] == '\0' || at[size] == ',')
			return;
	const char *separator = list->count ? ", " : "";
	if (list->length + strlen(separator) + size + 8 > sizeof list->text) {
		if (list->text[list->length - 1] != '.')
			list->length += (size_t)snprintf(list->text + list->length, sizeof list->text - list->length, ", ...");
		return;
	}
	list->length += (size_t)snprintf(list->text + list->length, sizeof list->text - list->length, "%s%s", separator, target);
	list->count++;
}

static void explain(const struct fatbin_entry *entries, int count, int container, int cc_major, int cc_minor,
		    enum image_policy policy, char *reason, size_t size)
{
	struct target_list sass = {0}, ptx = {0};
	int others = 0;
	for (int i = 0; i < count; i++) {
		if (container >= 0 && entries[i].container != container)
			continue;
		if (entries[i].kind == FATBIN_ELF)
			target_list_add(&sass, &entries[i]);
		else if (entries[i].kind == FATBIN_PTX)
			target_list_add(&ptx, &entries[i]);
		else
			others++;
	}
	const char *asked = policy == IMAGE_SASS  ? ", and SASS was asked for"
			  : policy == IMAGE_PTX ? ", and PTX was asked for"
						: "";
	if (sass.count && ptx.count)
		snprintf(reason, size, "holds SASS for %s and PTX for %s%s; this GPU is sm_%d%d", sass.text, ptx.text, asked,
			 cc_major, cc_minor);
	else if (sass.count || ptx.count)
		snprintf(reason, size, "holds %s for %s only%s; this GPU is sm_%d%d", sass.count ? "SASS" : "PTX",
			 sass.count ? sass.text : ptx.text, asked, cc_major, cc_minor);
	else if (others)
		snprintf(reason, size, "holds no SASS and no PTX, only code that has to be linked first (NVVM or unknown)");
	else
		snprintf(reason, size, "holds no device code");
}

int fatbin_select(const struct fatbin_entry *entries, int count, int container, int cc_major, int cc_minor,
		  enum image_policy policy, char *reason, size_t reason_size)
{
	unsigned long best_rank = 0;
	int best = -1;
	for (int i = 0; i < count; i++) {
		if (container >= 0 && entries[i].container != container)
			continue;
		const unsigned long this_rank = rank(&entries[i], cc_major, cc_minor, policy);
		if (this_rank > best_rank) {
			best_rank = this_rank;
			best = i;
		}
	}
	if (best < 0 && reason && reason_size)
		explain(entries, count, container, cc_major, cc_minor, policy, reason, reason_size);
	return best;
}

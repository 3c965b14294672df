#include "progress.h"

#include "core/util.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

void progress_start(struct progress *progress, size_t total)
{
	const char *terminal = getenv("TERM");
	*progress = (struct progress){.total = total, .started = monotonic_seconds()};
	progress->active = isatty(STDERR_FILENO) && !(terminal && strcmp(terminal, "dumb") == 0);
}

static int terminal_width(void)
{
	struct winsize size;
	return ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 20 ? size.ws_col : 80;
}

void progress_step(struct progress *progress, int is_bad, const char *label)
{
	enum { BAR = 24 };
	char line[512], bar[BAR + 1];
	progress->done++;
	progress->bad += is_bad != 0;
	const double now = monotonic_seconds();
	if (!progress->active || (now - progress->drawn < 0.1 && progress->done < progress->total))
		return;
	progress->drawn = now;
	const double left = (now - progress->started) / (double)progress->done * (double)(progress->total - progress->done);
	for (int i = 0; i < BAR; i++)
		bar[i] = (size_t)i * progress->total < progress->done * BAR ? '#' : '.';
	bar[BAR] = '\0';
	const int length = snprintf(line, sizeof line, "[%s] %zu/%zu%s%.0zu  %d:%02d left  %s", bar, progress->done, progress->total,
				    progress->bad ? "  not passed: " : "", progress->bad, (int)left / 60, (int)left % 60, label);
	const int width = terminal_width() - 1;
	fprintf(stderr, "\r\033[K%.*s", length < width ? length : width, line);
	fflush(stderr);
}

void progress_clear(struct progress *progress)
{
	if (!progress->active)
		return;
	fputs("\r\033[K", stderr);
	fflush(stderr);
	progress->drawn = 0;
}

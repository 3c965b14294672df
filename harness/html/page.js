/* Draws the charts of the page from the JSON in it. Chart.js, when there is one, was loaded before.
 * When it is done, <html data-charts="drawn of all"> says how many charts there are. */
"use strict";
(function () {
	const root = document.documentElement;
	const data = JSON.parse(document.getElementById("data").textContent);
	const drawn = [];
	const shapes = ["circle", "triangle", "rect", "rectRot", "star", "crossRot", "rectRounded", "cross"];
	const dashes = [[7, 4], [12, 4], [10, 3, 2, 3], [5, 2]];

	function isDark() {
		return root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
	}
	function ink(name) {
		return getComputedStyle(root).getPropertyValue(name).trim();
	}
	function colour(series) {
		return series.style === "roof" ? ink("--soft") : ink("--c" + series.colour % 8);
	}
	function withAlpha(hex, alpha) {
		return hex + Math.round(alpha * 255).toString(16).padStart(2, "0");
	}
	/* 1234567 as 1.23M, 0.00012 as 1.2e-4: short enough for an axis */
	function short(value) {
		const size = Math.abs(value);
		if (value === 0) return "0";
		if (size >= 1e15 || size < 1e-3) return value.toExponential(0);
		for (const [limit, unit] of [[1e12, "T"], [1e9, "G"], [1e6, "M"], [1e4, "k"]])
			if (size >= limit) return +(value / (limit === 1e4 ? 1e3 : limit)).toPrecision(3) + unit;
		return String(+value.toPrecision(3));
	}
	function exact(value) {
		return Math.abs(value) >= 1e-3 && Math.abs(value) < 1e6 ? String(+value.toPrecision(4)) : value.toExponential(3);
	}

	function scale(title, isLog, isFree) {
		const axis = {
			type: isLog ? "logarithmic" : "linear",
			title: { display: true, text: title, color: ink("--soft") },
			grid: { color: ink("--line"), drawBorder: false },
			ticks: { color: ink("--soft"), maxRotation: 0, callback: (value) => short(value) },
		};
		if (isLog) /* whole powers of ten, and halves of the way where there is room */
			axis.ticks.callback = (value) => {
				const mantissa = +(value / Math.pow(10, Math.floor(Math.log10(value) + 1e-9))).toPrecision(2);
				return mantissa === 1 || mantissa === 3 ? short(value) : "";
			};
		else if (isFree)
			axis.grace = "10%";
		else
			axis.beginAtZero = true;
		return axis;
	}
	function categories(title) {
		return {
			type: "category",
			title: { display: !!title, text: title, color: ink("--soft") },
			grid: { display: false, drawBorder: false },
			ticks: { color: ink("--soft"), autoSkip: false, maxRotation: 60, callback: function (value) {
				const label = String(this.getLabelForValue(value));
				return label.length > 34 ? label.slice(0, 33) + "…" : label;
			} },
		};
	}

	/* Points of a series in the order of the labels; null where it has none. */
	function byLabel(series, labels, key) {
		const found = new Map(series.points.map((point) => [key(point), point]));
		return labels.map((label) => found.get(label) || null);
	}
	function look(series, index) {
		const line = colour(series);
		return {
			label: series.name,
			borderColor: line,
			backgroundColor: line,
			borderWidth: series.style === "solid" ? 2.5 : 1.75,
			borderDash: series.style === "solid" ? [] : series.style === "roof" ? [2, 3] : dashes[index % dashes.length],
			pointStyle: shapes[(index + Math.floor(index / 8)) % shapes.length],
			pointRadius: series.style === "roof" ? 0 : series.style === "solid" ? 3.5 : 2.5,
			pointHoverRadius: 6,
			tension: 0,
			spanGaps: true,
		};
	}
	function linesData(chart) {
		const labels = [...new Set(chart.series.flatMap((series) => series.points.map((point) => point[0])))].sort((a, b) => a - b);
		const names = new Map();
		for (const series of chart.series)
			if (series.style !== "roof")
				for (const point of series.points) if (chart.x_labels && point[2]) names.set(point[0], point[2]);
		const datasets = [];
		chart.series.forEach((series, index) => {
			const points = byLabel(series, labels, (point) => point[0]);
			/* a roof is level: it goes from edge to edge whatever it is made of */
			const level = series.style === "roof" && series.points.length ? series.points[0][1] : null;
			datasets.push(Object.assign(look(series, index), {
				data: points.map((point) => point ? point[1] : level), points }));
			if (points.some((point) => point && point.length > 3)) {
				const band = { label: "", borderWidth: 0, pointRadius: 0, pointHoverRadius: 0, spanGaps: true, isBand: true,
					backgroundColor: withAlpha(colour(series), 0.18) };
				datasets.push(Object.assign({}, band, { data: points.map((p) => p && p.length > 3 ? p[3] : null), fill: false }));
				datasets.push(Object.assign({}, band, { data: points.map((p) => p && p.length > 3 ? p[4] : null), fill: "-1" }));
			}
		});
		return { labels: labels.map((label) => names.get(label) || label), datasets };
	}
	function pointsData(chart) {
		return { datasets: chart.series.map((series, index) => Object.assign(look(series, index), {
			data: series.points.map((point) => ({ x: point[0], y: point[1] })),
			points: series.points,
			showLine: series.style === "roof",
			backgroundColor: series.style === "roof" ? colour(series) : withAlpha(colour(series), 0.55),
			borderWidth: series.style === "roof" ? 2 : 1,
			pointRadius: series.style === "roof" ? 0 : 3.5,
			order: series.style === "roof" ? 1 : 0,
		})) };
	}
	function barsData(chart) {
		const labels = [...new Set(chart.series.flatMap((series) => series.points.map((point) => point[2])))];
		return { labels, datasets: chart.series.map((series) => {
			const points = byLabel(series, labels, (point) => point[2]);
			return {
				label: series.name, data: points.map((point) => point ? point[1] : null), points,
				backgroundColor: series.style === "solid" ? colour(series) : withAlpha(colour(series), 0.45),
				borderColor: colour(series), borderWidth: series.style === "solid" ? 0 : 1.5,
				maxBarThickness: 26, categoryPercentage: chart.kind === "stacks" ? 0.98 : 0.8, barPercentage: 0.95,
			};
		}) };
	}

	function tooltip(chart) {
		return {
			title: (items) => {
				const point = items.length && items[0].dataset.points && items[0].dataset.points[items[0].dataIndex];
				if (chart.kind === "points") return point && point[2] ? point[2] : "";
				return items.length ? items[0].label : "";
			},
			label: (item) => {
				const point = item.dataset.points && item.dataset.points[item.dataIndex];
				const value = chart.horizontal ? item.parsed.x : item.parsed.y;
				let text = item.dataset.label + ": " + exact(value) + " " + (chart.unit || "");
				if (chart.kind === "points") text = item.dataset.label + ": " + exact(item.parsed.x) + ", " + exact(item.parsed.y);
				if (point && point.length > 3) text += " (" + exact(point[3]) + " to " + exact(point[4]) + ")";
				return text;
			},
		};
	}
	function config(chart) {
		const isBars = chart.kind === "bars" || chart.kind === "stacks", isLines = chart.kind === "lines";
		const scales = {}, along = chart.horizontal ? "y" : "x", across = chart.horizontal ? "x" : "y";
		scales[along] = isBars || isLines ? categories(chart.x) : scale(chart.x, chart.x_log);
		scales[across] = scale(chart.y, chart.y_log, chart.y_free);
		if (chart.kind === "stacks") scales.x.stacked = scales.y.stacked = true;
		return {
			type: isBars ? "bar" : isLines ? "line" : "scatter",
			data: isBars ? barsData(chart) : isLines ? linesData(chart) : pointsData(chart),
			options: {
				animation: false, responsive: true, maintainAspectRatio: false, indexAxis: along,
				interaction: { mode: chart.kind === "points" ? "nearest" : "index", axis: chart.kind === "points" ? "xy" : along, intersect: chart.kind === "points" },
				scales,
				plugins: {
					legend: {
						display: chart.series.length > 1, position: "bottom",
						labels: { color: ink("--ink"), usePointStyle: true, boxWidth: 8, boxHeight: 7, padding: 12,
							filter: (item, all) => !all.datasets[item.datasetIndex].isBand },
					},
					tooltip: { callbacks: tooltip(chart), filter: (item) => !item.dataset.isBand },
				},
			},
		};
	}
	function drawAll() {
		for (const chart of drawn.splice(0)) chart.destroy();
		let count = 0;
		for (const chart of data.charts) {
			const canvas = document.getElementById(chart.id);
			if (!canvas || !window.Chart) continue;
			drawn.push(new window.Chart(canvas, config(chart)));
			count++;
		}
		root.dataset.charts = count + " of " + data.charts.length;
	}

	/* ---- light and dark ---- */
	function stored(value) {
		try { /* a page opened from a file may have no storage */
			if (value) localStorage.setItem("assay-theme", value);
			return localStorage.getItem("assay-theme");
		} catch (error) {
			return null;
		}
	}
	const button = document.getElementById("theme");
	function tell() {
		button.textContent = isDark() ? "Light" : "Dark";
		button.setAttribute("aria-label", isDark() ? "Change to light colours" : "Change to dark colours");
	}
	const wanted = stored() || new URLSearchParams(location.search).get("theme");
	if (wanted === "dark" || wanted === "light") root.dataset.theme = wanted;
	button.hidden = false;
	tell();
	button.addEventListener("click", () => {
		root.dataset.theme = isDark() ? "light" : "dark";
		stored(root.dataset.theme);
		tell();
		drawAll();
	});
	matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => { tell(); drawAll(); });

	/* ---- tables: sorted by a click or by Enter on a head ---- */
	function number(cell) {
		const value = parseFloat(cell.textContent.replace(/[\s,]/g, ""));
		return Number.isNaN(value) ? -Infinity : value;
	}
	function sort(head) {
		const row = head.parentNode, body = head.closest("table").tBodies[0], index = [...row.cells].indexOf(head);
		const sign = head.getAttribute("aria-sort") === (head.className === "n" ? "descending" : "ascending") ? -1 : 1;
		const order = head.className === "n" ? (a, b) => sign * (number(b.cells[index]) - number(a.cells[index]))
			: (a, b) => sign * a.cells[index].textContent.localeCompare(b.cells[index].textContent);
		for (const other of row.cells) other.setAttribute("aria-sort", "none");
		head.setAttribute("aria-sort", (head.className === "n") === (sign === 1) ? "descending" : "ascending");
		[...body.rows].sort(order).forEach((one) => body.appendChild(one));
	}
	for (const head of document.querySelectorAll("th")) {
		head.tabIndex = 0;
		head.title = "Sort by this column";
		head.setAttribute("aria-sort", "none");
		head.addEventListener("click", () => sort(head));
		head.addEventListener("keydown", (event) => { if (event.key === "Enter") sort(head); });
	}

	/* ---- commands: a button that copies ---- */
	if (navigator.clipboard)
		for (const code of document.querySelectorAll(".items code")) {
			const copy = document.createElement("button");
			copy.type = "button";
			copy.textContent = "Copy";
			copy.addEventListener("click", () => navigator.clipboard.writeText(code.textContent).then(() => { copy.textContent = "Copied"; }, () => {}));
			code.after(copy);
		}

	/* paper is white */
	let shown;
	addEventListener("beforeprint", () => { shown = root.dataset.theme; root.dataset.theme = "light"; drawAll(); });
	addEventListener("afterprint", () => { if (shown) root.dataset.theme = shown; else delete root.dataset.theme; drawAll(); });
	drawAll();
})();

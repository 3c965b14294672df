/* Draws the charts of the page from the JSON in it. Chart.js, when there is one, was loaded before.
 * When it is done, <html data-charts="drawn of all"> says how many charts there are. */
"use strict";
(function () {
	const root = document.documentElement;
	const data = JSON.parse(document.getElementById("data").textContent);
	const drawn = [];
	/* Markers by the names of Chart.js, and how the legend draws them, in a square of 12. */
	const shapes = ["circle", "triangle", "rect", "rectRot", "star", "crossRot", "rectRounded", "cross"];
	const outlines = {
		circle: "M2 6a4 4 0 1 0 8 0a4 4 0 1 0-8 0", triangle: "M6 1.5L10.5 10h-9z", rect: "M2.5 2.5h7v7h-7z", rectRot: "M6 1l5 5-5 5-5-5z",
		star: "M6 2v8M2 6h8M3 3l6 6M9 3l-6 6", crossRot: "M3 3l6 6M9 3l-6 6",
		rectRounded: "M4 2.5h4q1.5 0 1.5 1.5v4q0 1.5-1.5 1.5h-4q-1.5 0-1.5-1.5v-4q0-1.5 1.5-1.5z", cross: "M6 2v8M2 6h8",
	};
	const dashes = [[7, 4], [9, 3, 2, 3], [4, 3], [9, 3, 2, 3, 2, 3]];

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
	/* Of the ticks of an axis: 1500000 as 1.5M, with as many decimals as `step`, the way from tick to tick, needs, so that no two
	 * look alike. Steps are 1, 2, 2.5 or 5 times a power of ten. */
	function short(value, step) {
		const size = Math.abs(value);
		if (value === 0) return "0";
		if (size >= 1e15 || size < 1e-6) return +value.toPrecision(3) + "";
		const [limit, unit] = [[1e12, "T"], [1e9, "G"], [1e6, "M"], [1e4, "k"], [0, ""]].find(([from]) => size >= from);
		const of = limit === 1e4 ? 1e3 : limit || 1;
		let decimals = 0;
		while (decimals < 9 && Math.abs(step / of * 10 ** decimals - Math.round(step / of * 10 ** decimals)) > 1e-6) decimals++;
		return (value / of).toFixed(decimals) + unit;
	}
	function stepOf(ticks) {
		return ticks.length > 1 ? Math.abs(ticks[1].value - ticks[0].value) : Math.abs(ticks[0].value) || 1;
	}
	function exact(value) {
		return Math.abs(value) >= 1e-3 && Math.abs(value) < 1e6 ? String(+value.toPrecision(4)) : value.toExponential(3);
	}

	/* Of a logarithmic axis: powers of ten, and as many between them as there is room for. Others have no line either (null). */
	function logTick(axis, value) {
		const mantissa = +(value / 10 ** Math.floor(Math.log10(value) + 1e-9)).toPrecision(3);
		const length = axis.isHorizontal() ? axis.chart.width - 80 : axis.chart.height - 60, decade = length / Math.log10(axis.max / axis.min);
		const shown = decade > (axis.isHorizontal() ? 130 : 60) ? [1, 2, 5] : decade > (axis.isHorizontal() ? 80 : 40) ? [1, 3] : [1];
		return shown.includes(mantissa) ? short(value, value) : null;
	}
	function scale(title, isLog, isFree) {
		const axis = {
			type: isLog ? "logarithmic" : "linear",
			title: { display: true, text: title, color: ink("--soft") },
			grid: { color: ink("--line"), drawBorder: false },
			ticks: { color: ink("--soft"), maxRotation: 0, callback: (value, index, ticks) => short(value, stepOf(ticks)) },
		};
		if (isLog)
			Object.assign(axis.ticks, { autoSkip: false, callback: function (value) { return logTick(this, value); } });
		else if (isFree)
			axis.grace = "10%";
		else
			axis.beginAtZero = true;
		return axis;
	}
	/* `isWhole`: every label has to be there */
	function categories(title, isWhole) {
		return {
			type: "category",
			title: { display: !!title, text: title, color: ink("--soft") },
			grid: { display: false, drawBorder: false },
			ticks: { color: ink("--soft"), autoSkip: !isWhole, maxRotation: 60, callback: function (value) {
				/* names take at most some 40 % of the width; what tells them apart is more often at their end than at their start */
				const label = String(this.getLabelForValue(value)), most = Math.max(16, Math.floor(this.chart.width * 0.4 / 6));
				return label.length > most ? label.slice(0, Math.ceil(most / 2) - 1) + "…" + label.slice(-Math.floor(most / 2)) : label;
			} },
		};
	}

	/* Points of a series in the order of the labels; null where it has none. */
	function byLabel(series, labels, key) {
		const found = new Map(series.points.map((point) => [key(point), point]));
		return labels.map((label) => found.get(label) || null);
	}
	/* What all have in common at their ends, up to a '/', is not what tells them apart. */
	function withoutCommonEnd(labels) {
		const parts = labels.map((label) => String(label).split("/"));
		const end = (part, back) => back + 1 < part.length ? part[part.length - 1 - back] : null;
		let common = 0;
		while (parts.length > 1 && end(parts[0], common) !== null && parts.every((part) => end(part, common) === end(parts[0], common))) common++;
		return parts.map((part) => part.slice(0, part.length - common).join("/"));
	}
	/* A colour has a marker of its own, and another one where colours begin anew; an implementation has a dash: series can be told
	 * apart without colours. */
	function look(series) {
		const line = colour(series);
		return {
			label: series.name,
			borderColor: line,
			backgroundColor: line,
			borderWidth: series.style === "solid" ? 2.5 : 1.75,
			borderDash: series.style === "solid" ? [] : series.style === "roof" ? [2 + 4 * series.dash, 3] : dashes[series.dash] || [3 + 3 * series.dash, 4],
			pointStyle: shapes[(series.colour + Math.floor(series.colour / 8)) % shapes.length],
			pointRadius: series.style === "roof" ? 0 : series.style === "solid" ? 3.5 : 2.5,
			pointHoverRadius: 6,
			tension: 0,
			spanGaps: true,
			clip: 8,
		};
	}
	function linesData(chart) {
		const labels = [...new Set(chart.series.flatMap((series) => series.points.map((point) => point[0])))].sort((a, b) => a - b);
		const names = new Map();
		for (const series of chart.series)
			if (series.style !== "roof")
				for (const point of series.points) if (chart.x_labels && point[2]) names.set(point[0], point[2]);
		const datasets = [];
		chart.series.forEach((series) => {
			const points = byLabel(series, labels, (point) => point[0]);
			/* a roof is level: it goes from edge to edge whatever it is made of */
			const level = series.style === "roof" && series.points.length ? series.points[0][1] : null;
			datasets.push(Object.assign(look(series), {
				data: points.map((point) => point ? point[1] : level), points }));
			if (points.some((point) => point && point.length > 3)) {
				const band = { label: "", borderWidth: 0, pointRadius: 0, pointHoverRadius: 0, spanGaps: true, isBand: true,
					backgroundColor: withAlpha(colour(series), 0.18) };
				datasets.push(Object.assign({}, band, { data: points.map((p) => p && p.length > 3 ? p[3] : null), fill: false }));
				datasets.push(Object.assign({}, band, { data: points.map((p) => p && p.length > 3 ? p[4] : null), fill: "-1" }));
			}
		});
		/* on a scale every value needs its place */
		if (chart.x_log)
			for (const set of datasets) set.data = set.data.map((value, index) => ({ x: labels[index], y: value }));
		return { labels: labels.map((label) => names.get(label) || label), datasets };
	}
	function pointsData(chart) {
		return { datasets: chart.series.map((series) => Object.assign(look(series), {
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
		return { labels: withoutCommonEnd(labels), names: labels, datasets: chart.series.map((series) => {
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
				if (chart.kind === "bars" && point) return point[2];
				return !items.length ? "" : chart.x_log ? String(items[0].parsed.x) : items[0].label;
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
	/* A line across the plot at the value that others are held against. */
	function markAt(value, across) {
		return { id: "mark", beforeDatasetsDraw: (drawing) => {
			const { ctx, chartArea: area, scales: { [across]: axis } } = drawing, at = axis.getPixelForValue(value);
			if (!(value >= axis.min && value <= axis.max)) return;
			ctx.save();
			ctx.strokeStyle = ink("--ink");
			ctx.lineWidth = 1;
			ctx.beginPath();
			if (across === "x") { ctx.moveTo(at, area.top); ctx.lineTo(at, area.bottom); }
			else { ctx.moveTo(area.left, at); ctx.lineTo(area.right, at); }
			ctx.stroke();
			ctx.restore();
		} };
	}
	function config(chart) {
		const isBars = chart.kind === "bars" || chart.kind === "stacks", isLines = chart.kind === "lines";
		const scales = {}, along = chart.horizontal ? "y" : "x", across = chart.horizontal ? "x" : "y";
		const made = isBars ? barsData(chart) : isLines ? linesData(chart) : pointsData(chart);
		if (isLines && chart.x_log) { /* the numbers that there are */
			scales.x = Object.assign(scale(chart.x, true), { min: made.labels[0], max: made.labels[made.labels.length - 1],
				afterBuildTicks: (axis) => { axis.ticks = made.labels.map((value) => ({ value })); } });
			scales.x.ticks.callback = (value) => String(value);
		} else {
			scales[along] = isBars || isLines ? categories(chart.x, isBars) : scale(chart.x, chart.x_log);
		}
		scales[across] = scale(chart.y, chart.y_log, chart.y_free);
		if (chart.y_log) /* a roof at the very edge would look cut off */
			scales[across].max = 1.4 * Math.max(...chart.series.flatMap((series) => series.points.map((point) => point[1])));
		if (chart.y_range) {
			[scales[across].suggestedMin, scales[across].suggestedMax] = chart.y_range;
			scales[across].grace = 0; /* round ends, so that the mark has a tick */
		}
		if (chart.kind === "stacks") {
			scales.x.stacked = scales.y.stacked = true;
			scales.y.ticks.precision = 0; /* they count */
		}
		return {
			type: isBars ? "bar" : isLines ? "line" : "scatter",
			data: made,
			plugins: chart.y_mark ? [markAt(chart.y_mark, across)] : [],
			options: {
				animation: false, responsive: true, maintainAspectRatio: false, indexAxis: along,
				layout: { padding: { top: 6, right: 10 } },
				interaction: { mode: chart.kind === "points" ? "nearest" : "index", axis: chart.kind === "points" ? "xy" : along, intersect: chart.kind === "points" },
				scales,
				plugins: {
					legend: { display: false },
					tooltip: { callbacks: tooltip(chart), filter: (item) => !item.dataset.isBand },
				},
			},
		};
	}
	/* The legend is text below the plot: it wraps, is read aloud and grows with the letters; a canvas does none of these. */
	function part(name, attributes) {
		const made = document.createElementNS("http://www.w3.org/2000/svg", name);
		for (const key in attributes) made.setAttribute(key, attributes[key]);
		return made;
	}
	function legend(chart, plot) {
		const list = document.createElement("ul");
		list.className = "legend";
		for (const series of chart.series) {
			const item = document.createElement("li"), { borderColor, borderDash, pointStyle } = look(series);
			const isBar = chart.kind === "bars" || chart.kind === "stacks", isRoof = series.style === "roof";
			const hasLine = chart.kind === "lines" || isRoof;
			const svg = part("svg", { width: hasLine ? 44 : 12, height: 12, "aria-hidden": "true", fill: borderColor, stroke: borderColor });
			if (isBar) svg.append(part("rect", { width: 12, height: 12 }));
			if (hasLine) svg.append(part("path", { d: "M0 6h44", "stroke-width": 2, "stroke-dasharray": borderDash.join(" ") || "none" }));
			if (!isBar && !isRoof) svg.append(part("path", { d: outlines[pointStyle], transform: hasLine ? "translate(16 0)" : "" }));
			item.append(svg, series.name);
			list.append(item);
		}
		if (plot.nextElementSibling && plot.nextElementSibling.className === "legend") plot.nextElementSibling.remove();
		if (chart.series.length > 1) plot.after(list);
	}
	function drawAll() {
		for (const chart of drawn.splice(0)) chart.destroy();
		let count = 0;
		for (const chart of data.charts) {
			const canvas = document.getElementById(chart.id);
			if (!canvas || !window.Chart) continue;
			const made = config(chart), rows = chart.horizontal ? made.data.labels.length * (6 + 12 * made.data.datasets.length) : 0;
			if (rows) canvas.parentNode.style.height = Math.max(120, rows + 70) + "px"; /* room for every bar and its name */
			legend(chart, canvas.parentNode);
			drawn.push(new window.Chart(canvas, made));
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

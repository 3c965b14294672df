"""Opens pages in a headless Chromium over its DevTools pipe and checks what a reader would meet.

usage: browse.py CHROMIUM FOLDER PAGE.html[=CHARTS]...
CHARTS: how many charts the page has to draw at least. Screenshots go to FOLDER. Exit code 1: something was wrong; 77: the browser
does not start.
"""
import base64
import json
import os
import select
import subprocess
import sys
import time

VIEWS = [("light", 1280), ("dark", 1280), ("light", 360)]

LOOK = """JSON.stringify({
    marker: document.documentElement.dataset.charts || "",
    drawn: [...document.querySelectorAll("canvas")].filter((canvas) => {
        const bytes = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data;
        const colours = new Set();
        for (let i = 0; i < bytes.length; i += 4) if (bytes[i + 3]) colours.add(bytes[i] << 16 | bytes[i + 1] << 8 | bytes[i + 2]);
        return colours.size > 3;
    }).length,
    canvases: document.querySelectorAll("canvas").length,
    labelled: document.querySelectorAll("canvas[role=img][aria-label]").length,
    tables: document.querySelectorAll("figure details table").length,
    figures: document.querySelectorAll("figure").length,
    overflow: document.documentElement.scrollWidth - window.innerWidth,
    ground: getComputedStyle(document.body).backgroundColor,
    title: document.title,
    foreign: document.querySelectorAll("iframe, object, embed, [src], [onerror], [onload], [onclick]").length,
    scripts: document.scripts.length,
    alike: [...document.querySelectorAll("canvas")].flatMap((canvas) => {
        const chart = window.Chart && Chart.getChart(canvas);
        return Object.values(chart ? chart.scales : {}).filter((axis) => axis.type !== "category").flatMap((axis) => {
            const labels = axis.ticks.map((tick) => String(tick.label)).filter((label) => label);
            return new Set(labels).size < labels.length || labels.length < 2 ? [canvas.id + " " + axis.id + ": " + labels.join(" ")] : [];
        });
    }),
    crowded: [...document.querySelectorAll("canvas")].filter((canvas) => {
        const axis = window.Chart && Chart.getChart(canvas).scales.y;
        return axis && axis.type === "category" && (axis.height < 10 * axis.getLabels().length || axis.ticks.length < axis.getLabels().length);
    }).map((canvas) => canvas.id),
    unnamed: JSON.parse(document.getElementById("data").textContent).charts.filter((chart) => {
        const plot = document.getElementById(chart.id).parentNode, legend = plot.parentNode.querySelector(".legend");
        const texts = legend ? [...legend.children].map((item) => item.textContent) : [];
        return chart.series.length > 1 && (texts.join() !== chart.series.map((series) => series.name).join() ||
            new Set([...legend.querySelectorAll("svg")].map((svg) => svg.outerHTML)).size < texts.length ||
            legend.scrollWidth > plot.clientWidth);
    }).map((chart) => chart.id),
})"""


class Browser:
    def __init__(self, program, folder):
        here, there = os.pipe(), os.pipe()
        options = ["--headless=new", "--remote-debugging-pipe", "--disable-gpu", "--hide-scrollbars", "--no-first-run",
                   "--disable-background-networking", "--disable-dev-shm-usage", "--user-data-dir=" + os.path.join(folder, "profile")]
        if os.geteuid() == 0:
            options.append("--no-sandbox")  # Chromium refuses to run as root with it
        # the pipe has to be at descriptors 3 and 4
        self.process = subprocess.Popen(["sh", "-c", f'exec "$@" 3<&{here[0]} 4>&{there[1]} 2>/dev/null', "sh", program] + options,
                                        pass_fds=(here[0], there[1]), stdout=subprocess.DEVNULL)
        os.close(here[0])
        os.close(there[1])
        self.to, self.of = here[1], there[0]
        self.buffer, self.number, self.events = b"", 0, []

    def read(self, seconds):
        end = time.monotonic() + seconds
        while b"\0" not in self.buffer:
            left = end - time.monotonic()
            if left <= 0 or not select.select([self.of], [], [], left)[0]:
                return None
            chunk = os.read(self.of, 1 << 20)
            if not chunk:
                return None
            self.buffer += chunk
        message, self.buffer = self.buffer.split(b"\0", 1)
        return json.loads(message)

    def call(self, method, session=None, seconds=20, **parameters):
        self.number += 1
        message = {"id": self.number, "method": method, "params": parameters}
        if session:
            message["sessionId"] = session
        data = json.dumps(message).encode() + b"\0"
        while data:
            data = data[os.write(self.to, data):]
        while True:
            answer = self.read(seconds)
            if answer is None:
                raise TimeoutError(method)
            if answer.get("id") == self.number:
                if "error" in answer:
                    raise RuntimeError(f"{method}: {answer['error']}")
                return answer["result"]
            self.events.append(answer)

    def wait_for(self, method, seconds=20):
        end = time.monotonic() + seconds
        while not any(event.get("method") == method for event in self.events):
            event = self.read(end - time.monotonic())
            if event is None:
                raise TimeoutError(method)
            self.events.append(event)

    def close(self):
        try:
            self.call("Browser.close", seconds=5)
        except (TimeoutError, OSError, RuntimeError):
            pass
        try:
            self.process.wait(5)
        except subprocess.TimeoutExpired:
            self.process.kill()


def complaints(events, url):
    """What the page asked for or complained about."""
    for event in events:
        method, of = event.get("method"), event.get("params", {})
        if method == "Network.requestWillBeSent":
            asked = of["request"]["url"]
            if asked != url and not asked.startswith("data:"):
                yield "asks for " + asked
        elif method == "Runtime.exceptionThrown":
            yield "throws " + json.dumps(of["exceptionDetails"])[:300]
        elif method == "Runtime.consoleAPICalled" and of["type"] in ("error", "warning"):
            yield "says " + json.dumps(of["args"])[:300]
        elif method == "Log.entryAdded" and of["entry"]["level"] in ("error", "warning"):
            yield "logs " + of["entry"]["text"][:300]
        elif method == "Page.javascriptDialogOpening":
            yield "opens a dialog"


def check(browser, page, charts, folder):
    url, wrong, grounds = "file://" + os.path.abspath(page), [], {}
    for scheme, width in VIEWS:
        target = browser.call("Target.createTarget", url="about:blank")["targetId"]
        session = browser.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            browser.call(domain + ".enable", session)
        browser.call("Emulation.setDeviceMetricsOverride", session, width=width, height=900, deviceScaleFactor=1, mobile=False)
        browser.call("Emulation.setEmulatedMedia", session, features=[{"name": "prefers-color-scheme", "value": scheme}])
        browser.events.clear()
        browser.call("Page.navigate", session, url=url)
        browser.wait_for("Page.loadEventFired")
        # the first two frames: charts are sized by what they are in
        browser.call("Runtime.evaluate", session, awaitPromise=True,
                     expression="new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")
        seen = json.loads(browser.call("Runtime.evaluate", session, expression=LOOK)["result"]["value"])
        view = f"{os.path.basename(page)} ({scheme}, {width} px)"
        wrong += [f"{view} {complaint}" for complaint in complaints(browser.events, url)]
        if seen["marker"] != f"{seen['canvases']} of {seen['canvases']}":
            wrong.append(f"{view}: charts '{seen['marker']}', canvases {seen['canvases']}")
        if seen["canvases"] < charts or seen["drawn"] != seen["canvases"]:
            wrong.append(f"{view}: {seen['drawn']} of {seen['canvases']} charts are drawn, at least {charts} are due")
        if seen["tables"] != seen["figures"] or seen["labelled"] != seen["canvases"]:
            wrong.append(f"{view}: {seen['figures']} figures have {seen['tables']} tables and {seen['labelled']} labels")
        if seen["overflow"] > 0:
            wrong.append(f"{view}: wider than the window by {seen['overflow']} px")
        if not (seen["title"].startswith("assay: ") or seen["title"] == "assay report") or seen["foreign"] or seen["scripts"] != 3:
            wrong.append(f"{view}: title '{seen['title']}', {seen['foreign']} foreign elements, {seen['scripts']} scripts")
        if seen["alike"] or seen["unnamed"] or seen["crowded"]:
            wrong.append(f"{view}: ticks look alike or are missing: {seen['alike']}; legend lacks a series or has two alike: {seen['unnamed']}; "
                         f"names lie upon each other: {seen['crowded']}")
        grounds[scheme] = seen["ground"]
        shot = browser.call("Page.captureScreenshot", session, format="png")["data"]
        with open(os.path.join(folder, f"{os.path.basename(page)}-{scheme}-{width}.png"), "wb") as file:
            file.write(base64.b64decode(shot))
        browser.call("Target.closeTarget", targetId=target)
    if grounds["light"] == grounds["dark"]:
        wrong.append(f"{page}: light and dark look alike")
    return wrong


def main():
    program, folder, pages = sys.argv[1], sys.argv[2], sys.argv[3:]
    browser = Browser(program, folder)
    try:
        version = browser.call("Browser.getVersion", seconds=30)["product"]
    except (TimeoutError, OSError) as error:
        print(f"the browser does not start: {error}")
        browser.close()
        return 77
    wrong = []
    try:
        for page in pages:
            path, _, charts = page.partition("=")
            wrong += check(browser, path, int(charts or 0), folder)
    finally:
        browser.close()
    for line in wrong:
        print(line)
    print(f"{version}: {len(pages)} pages, {len(wrong)} complaints")
    return 1 if wrong else 0


sys.exit(main())

/* The coverage explorer. The page reads without this; with it a slider moves the budget, and Vega-Lite draws the curve.
   What is said comes from the server each time: nothing is reckoned here but where the pointer is. */
(() => {
  "use strict";

  const WAIT_MS = 120;
  const FOLLOWED = ["kept", "figures", "presets", "ends", "drawn"];
  const UNITS = ["B", "kB", "MB", "GB", "TB", "PB", "EB"];

  const amount = (bytes) => {
    let power = 0;
    while (bytes >= 999.5 && power < UNITS.length - 1) { bytes /= 1000; power += 1; }
    return `${Number(bytes.toPrecision(3))} ${UNITS[power]}`;
  };

  /* A whole number of three digits, not below the one given: what a slider chooses is as short as what a person types. */
  const rounded = (bytes) => {
    const step = 10 ** Math.max(0, Math.floor(Math.log10(bytes)) - 2);
    return Math.ceil(bytes / step - 1e-6) * step;
  };

  const percent = (share) => `${Number((100 * share).toPrecision(3))} %`;

  const loaded = new Map();
  const load = (address) => {
    if (!loaded.has(address)) {
      loaded.set(address, new Promise((resolve, reject) => {
        const script = document.createElement("script");
        script.src = address;
        script.addEventListener("load", resolve);
        script.addEventListener("error", () => { loaded.delete(address); reject(new Error(address)); });
        document.head.append(script);
      }));
    }
    return loaded.get(address);
  };

  class CoverageExplorer extends HTMLElement {
    connectedCallback() {
      this.form = this.querySelector("form");
      this.field = this.querySelector("#budget");
      this.slider = this.querySelector("#slide");
      if (!this.form || !this.slider) return;
      this.leaving = new AbortController();
      const on = (target, what, act) => target.addEventListener(what, act, { signal: this.leaving.signal });
      this.slider.closest(".slide").hidden = false;
      this.say(10 ** this.slider.value);
      on(this.slider, "input", () => this.choose(this.slid(), false));
      on(this.form, "submit", (event) => { event.preventDefault(); this.ask(this.field.value, true); });
      on(this, "click", (event) => {
        const preset = event.target.closest("#presets a");
        if (!preset || event.metaKey || event.ctrlKey || event.shiftKey) return;
        event.preventDefault();
        this.field.value = new URL(preset.href).searchParams.get("budget");
        this.ask(this.field.value, true);
      });
      on(window.matchMedia("(prefers-color-scheme: dark)"), "change", () => this.draw());
      on(window, "resize", () => this.fit());
      // The chart is nearly 800 kB: it comes when the page is there and idle, or when it is asked for where data are dear.
      if (navigator.connection && navigator.connection.saveData) on(this.slider, "pointerdown", () => this.draw());
      else if (document.readyState === "complete") this.whenIdle(() => this.draw());
      else on(window, "load", () => this.whenIdle(() => this.draw()));
    }

    disconnectedCallback() {
      if (this.leaving) this.leaving.abort();
      if (this.view) this.view.finalize();
      this.view = null;
    }

    whenIdle(act) {
      if (window.requestIdleCallback) window.requestIdleCallback(act, { timeout: 2000 });
      else setTimeout(act, 200);
    }

    slid() {
      const { value, max } = this.slider;
      return value >= Number(max) ? rounded(10 ** max) : rounded(10 ** value);
    }

    say(bytes) {
      this.slider.setAttribute("aria-valuetext", amount(bytes));
    }

    choose(bytes, atOnce) {
      this.field.value = amount(bytes);
      this.say(bytes);
      this.mark(bytes, null);
      clearTimeout(this.waiting);
      this.waiting = setTimeout(() => this.ask(this.field.value, false), atOnce ? 0 : WAIT_MS);
    }

    /* Ask the server for the page of a budget, and take over what depends on it. moves: whether the slider goes there. */
    async ask(budget, moves) {
      clearTimeout(this.waiting);
      if (this.asking) this.asking.abort();
      const asking = this.asking = new AbortController();
      const address = `/coverage?budget=${encodeURIComponent(budget.trim())}`;
      try {
        const answer = await fetch(address, { signal: asking.signal, headers: { Accept: "text/html" } });
        const page = new DOMParser().parseFromString(await answer.text(), "text/html");
        if (this.asking !== asking || !this.isConnected) return;
        const told = page.querySelector("coverage-explorer");
        if (!told) throw new Error(`${answer.status}`);
        for (const id of ["budget-note", ...FOLLOWED]) this.take(told, id);
        const problem = told.querySelector("#budget").getAttribute("aria-invalid");
        this.field.toggleAttribute("aria-invalid", false);
        if (problem) { this.field.setAttribute("aria-invalid", problem); this.field.setAttribute("aria-describedby", "budget-note"); return; }
        this.dataset.budget = told.dataset.budget;
        this.dataset.share = told.dataset.share;
        if (moves) this.slider.value = told.querySelector("#slide").getAttribute("value");
        this.say(Number(told.dataset.budget));
        this.mark(Number(told.dataset.budget), Number(told.dataset.share));
        history.replaceState(history.state, "", address);
      } catch (error) {
        if (error.name !== "AbortError") location.assign(address);
      }
    }

    take(told, id) {
      const here = this.querySelector(`#${id}`);
      const there = told.querySelector(`#${id}`);
      if (here && there && here.innerHTML !== there.innerHTML) here.replaceChildren(...there.cloneNode(true).childNodes);
    }

    /* Draw the curve, in the page's colours. What the server drew stays for those who read and do not see. */
    async draw() {
      const figure = this.querySelector("#curve");
      if (!figure || this.drawing) return;
      this.drawing = true;
      try {
        await load(this.dataset.vega);
        await Promise.all([load(this.dataset.vegaLite), load(this.dataset.interpreter)]);
        this.curve = this.curve || (await (await fetch("/api/coverage")).json());
        if (!this.isConnected) return;
        const colour = (name) => getComputedStyle(this).getPropertyValue(name).trim();
        const colours = Object.fromEntries(["ink", "soft", "line", "mark", "accent", "paper"].map((name) => [name, colour(`--${name}`)]));
        const parts = specification(this.curve, colours, getComputedStyle(this).fontFamily);
        const runtime = vega.parse(vegaLite.compile(parts).spec, null, { ast: true });
        const place = figure.querySelector(".chart");
        if (this.view) this.view.finalize();
        place.replaceChildren();
        place.hidden = false;
        figure.classList.add("charted");
        this.view = new vega.View(runtime, { expr: vegaInterpreter.expressionInterpreter, renderer: "canvas", container: place, hover: false, logLevel: vega.Error });
        this.view.addEventListener("pointermove", (event) => this.point(event));
        this.view.addEventListener("pointerdown", (event) => { this.pressed = true; this.point(event); });
        this.view.addEventListener("pointerup", () => { this.pressed = false; });
        this.fit();
        this.mark(Number(this.dataset.budget), Number(this.dataset.share));
        this.dataset.charted = "";
      } catch (error) {
        figure.classList.remove("charted"); // the drawing is there all the same
      } finally {
        this.drawing = false;
      }
    }

    fit() {
      const place = this.querySelector("#curve .chart");
      if (!this.view || !place) return;
      const width = Math.max(120, place.clientWidth - 66);
      this.view.width(width).height(Math.round(Math.min(360, Math.max(200, width * 0.5)))).runAsync();
    }

    /* Where the pointer is, in words; pressed, it chooses. */
    point(event) {
      const bounds = this.view.container().querySelector("canvas").getBoundingClientRect();
      const bytes = this.view.scale("x").invert(event.clientX - bounds.left - this.view.origin()[0]);
      const points = this.curve.points.filter((each) => each.bytes > 0);
      const inside = Math.min(points[points.length - 1].bytes, Math.max(points[0].bytes, bytes));
      const nearest = points.reduce((best, each) => (each.bytes <= inside ? each : best), points[0]);
      const count = Math.round(nearest.share_of_recordings * this.curve.recordings).toLocaleString("en");
      const said = `${percent(nearest.share_of_listening)} of listening in ${amount(nearest.bytes)}: the ${count} most heard`;
      this.querySelector("#curve .readout").textContent = said;
      if (this.pressed && event.buttons) {
        this.slider.value = Math.log10(inside);
        this.choose(rounded(inside), false);
      } else this.pressed = false;
    }

    /* Move the mark of the budget. share: as the server said it, null until it has. */
    mark(bytes, share) {
      if (!this.view || !(bytes > 0)) return;
      const points = this.curve.points.filter((each) => each.bytes > 0);
      const last = points[points.length - 1];
      const at = Math.min(last.bytes, Math.max(points[0].bytes, bytes));
      const here = share ?? points.reduce((best, each) => (each.bytes <= at ? each : best), points[0]).share_of_listening;
      this.view.data("chosen", [{ bytes: at, share: here }]);
      this.view.data("reached", [...points.filter((each) => each.bytes <= at && each.share_of_listening <= here), { bytes: at, share_of_listening: here }]);
      this.view.runAsync();
    }
  }

  const specification = (curve, colours, font) => {
    const points = curve.points.filter((each) => each.bytes > 0);
    const [least, most] = [points[0].bytes, Math.max(points[points.length - 1].bytes, points[0].bytes * 1.3)];
    const powers = [];
    for (let power = Math.ceil(Math.log10(least)); power <= Math.log10(most); power += 1) powers.push(10 ** power);
    const label = UNITS.map((unit, power) => `datum.value < ${10 ** (3 * power + 3)} ? format(datum.value / ${10 ** (3 * power)}, '') + ' ${unit}'`).join(" : ");
    const x = { field: "bytes", type: "quantitative", title: "bytes, the most heard recordings first",
      scale: { type: "log", domain: [least, most], nice: false },
      axis: { values: powers, labelExpr: `${label} : ''`, grid: false, labelOverlap: true, titleAnchor: "end" } };
    const y = (field) => ({ field, type: "quantitative", title: null, scale: { domain: [0, 1] }, axis: { format: ".0%", values: [0, 0.25, 0.5, 0.75, 1] } });
    const layer = [
      { data: { name: "reached", values: [] }, mark: { type: "area", color: colours.mark, opacity: 0.14, interpolate: "linear" }, encoding: { x, y: y("share_of_listening") } },
      { data: { name: "curve", values: points }, mark: { type: "area", color: colours.mark, opacity: 0.28 }, encoding: { x, y: y("share_low"), y2: { field: "share_high" } } },
      { data: { name: "curve", values: points }, mark: { type: "line", color: colours.mark, strokeWidth: 2.5 }, encoding: { x, y: y("share_of_listening") } },
      { data: { name: "chosen", values: [] }, mark: { type: "rule", color: colours.ink, strokeDash: [5, 4] }, encoding: { x, y: y("share") } },
      { data: { name: "chosen", values: [] }, mark: { type: "point", shape: "circle", filled: true, size: 130, opacity: 1, color: colours.ink, stroke: colours.paper, strokeWidth: 2 }, encoding: { x, y: y("share") } },
    ];
    if (curve.held && curve.held_bytes > 0) {
      const held = { data: { name: "held", values: [{ bytes: Math.max(least, curve.held_bytes), share: curve.held_share, low: curve.held_share_low, high: curve.held_share_high }] } };
      const leans = curve.held_bytes > Math.sqrt(least * most);
      layer.push({ ...held, mark: { type: "rule", color: colours.accent, strokeWidth: 2.5 }, encoding: { x, y: y("low"), y2: { field: "high" } } });
      layer.push({ ...held, mark: { type: "point", shape: "circle", filled: true, size: 110, opacity: 1, color: colours.accent, stroke: colours.paper, strokeWidth: 2 }, encoding: { x, y: y("share") } });
      const words = { type: "text", text: `held here: ${percent(curve.held_share)}`, fontWeight: 600, align: leans ? "right" : "left", dx: leans ? -10 : 10, dy: -16 };
      const halo = { ...words, stroke: colours.paper, strokeWidth: 4, strokeJoin: "round" };
      for (const mark of [halo, { ...words, color: colours.accent }]) layer.push({ ...held, mark, encoding: { x, y: y("share") } });
    }
    return { $schema: "https://vega.github.io/schema/vega-lite/v6.json", width: 600, height: 320, padding: 4, background: "transparent", layer,
      config: { font, view: { stroke: null }, text: { fontSize: 13 },
        axis: { labelColor: colours.soft, titleColor: colours.soft, gridColor: colours.line, domainColor: colours.line, tickColor: colours.line, labelFontSize: 12, titleFontSize: 12, titleFontWeight: "normal", domain: false } } };
  };

  if (!customElements.get("coverage-explorer")) customElements.define("coverage-explorer", CoverageExplorer);
})();

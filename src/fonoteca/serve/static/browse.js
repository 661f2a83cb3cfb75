// Going from page to page without stopping the music: the next page is fetched and put in place of this one. What cannot be
// fetched so is opened as ever. Search answers as one types. After each page `fonoteca:page` is sent to the document.
"use strict";
(() => {
  const APART = /^\/(files|listen|editions|api|oai|rest|static|webseed|waveforms|covers|metrics|health|ready)(\/|$|\.)/;
  const TYPING_MS = 60, TELLING_MS = 700, SLOW_MS = 250;
  const parser = new DOMParser();
  let leaving = null;
  history.scrollRestoration = "manual";

  const say = (words) => { const said = document.getElementById("said"); if (said) said.textContent = words; };
  const remember = () => history.replaceState({ ...history.state, y: scrollY }, "");

  async function fetchPage(address, signal) {
    const answer = await fetch(address, { signal, headers: { Accept: "text/html" }, credentials: "same-origin" });
    if (!(answer.headers.get("content-type") || "").startsWith("text/html")) throw new TypeError("not a page");
    const page = parser.parseFromString(await answer.text(), "text/html");
    for (const each of page.querySelectorAll("noscript")) each.remove();
    if (!page.getElementById("main")) throw new TypeError("not a page of this site");
    return { page, address: answer.url };
  }

  // Styles of the next page come before it is shown, scripts after. None is taken away again.
  async function readyHead(page) {
    const waits = [];
    for (const link of page.querySelectorAll("head link[rel=stylesheet]")) {
      if (document.querySelector(`head link[href="${CSS.escape(link.getAttribute("href"))}"]`)) continue;
      const added = document.importNode(link);
      waits.push(new Promise((done) => { added.onload = added.onerror = done; setTimeout(done, 1500); }));
      document.head.append(added);
    }
    await Promise.all(waits);
  }
  function readyScripts(page) {
    for (const script of page.querySelectorAll("script[src]")) {
      const address = script.getAttribute("src");
      if (document.querySelector(`script[src="${CSS.escape(address)}"]`)) continue;
      const added = document.createElement("script");
      added.src = address;
      if (script.type) added.type = script.type;
      document.head.append(added);
    }
  }

  async function show(address, { push = true, y = 0 } = {}) {
    stopTyping();
    leaving?.abort();
    const mine = leaving = new AbortController();
    const slow = setTimeout(() => document.documentElement.classList.add("loading"), SLOW_MS);
    try {
      const got = await fetchPage(address, mine.signal);
      await readyHead(got.page);
      if (mine.signal.aborted) return;
      const to = new URL(got.address);
      to.hash = new URL(address, location.href).hash;
      if (push) { remember(); history.pushState({ y: 0 }, "", to); }
      for (const name of ["header.top", "main", "footer.bottom"]) {
        const here = document.querySelector(name), there = got.page.querySelector(name);
        if (here && there) here.replaceWith(document.adoptNode(there));
      }
      document.title = got.page.title;
      readyScripts(got.page);
      settle(to.hash, y);
      document.dispatchEvent(new CustomEvent("fonoteca:page"));
    } catch (error) {
      if (error.name !== "AbortError") location.assign(address);
    } finally {
      clearTimeout(slow);
      if (leaving === mine) document.documentElement.classList.remove("loading");
    }
  }
  function settle(hash, y) {
    const target = hash.length > 1 ? document.getElementById(decodeURIComponent(hash.slice(1))) : null;
    const main = document.getElementById("main"), wanted = main.querySelector("[autofocus]");
    (wanted || main).focus({ preventScroll: true });
    if (target) target.scrollIntoView();
    else scrollTo(0, y);
    say(document.title);
  }

  const asked = (form) => new URLSearchParams([...new FormData(form)].filter(([, value]) => value)).toString();

  // The next rows of a list come below those that are there, and the music and the place on the page stay.
  async function more(link) {
    if (link.hasAttribute("aria-busy")) return;
    link.setAttribute("aria-busy", "true");
    try {
      const { page } = await fetchPage(link.href);
      const list = document.getElementById(link.dataset.more), further = page.getElementById(link.dataset.more);
      const rows = further ? [...further.children].map((row) => document.adoptNode(row)) : [];
      const next = page.querySelector(`[data-more="${link.dataset.more}"]`);
      list.append(...rows);
      if (next) link.href = next.getAttribute("href");
      rows[0]?.querySelector("a.title")?.focus();
      if (!next) link.closest(".more").remove();
      say(rows.length ? `${rows.length} more${next ? "" : "; that was all"}` : "That was all");
      document.dispatchEvent(new CustomEvent("fonoteca:page"));
    } catch {
      location.assign(link.href);
    } finally {
      link.removeAttribute("aria-busy");
    }
  }

  const ours = (address) => address.origin === location.origin && !APART.test(address.pathname);
  document.addEventListener("click", (event) => {
    if (event.defaultPrevented || event.button || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
    const link = event.target.closest("a[href]");
    if (!link || link.target || link.hasAttribute("download") || link.closest("svg")) return;
    const address = new URL(link.href);
    if (!ours(address)) return;
    if (link.dataset.more) {
      event.preventDefault();
      more(link);
      return;
    }
    if (address.pathname === location.pathname && address.search === location.search && address.hash) return;
    event.preventDefault();
    show(address.href);
  });
  document.addEventListener("submit", (event) => {
    const form = event.target;
    if (event.defaultPrevented || form.method !== "get" || form.target) return;
    const address = new URL(form.action);
    if (!ours(address)) return;
    event.preventDefault();
    address.search = asked(form);
    show(address.href);
  });
  // What was chosen narrows the search down at once; what is typed waits for Enter.
  document.addEventListener("change", (event) => {
    if (event.target.matches?.("form[data-live] select")) event.target.form.requestSubmit();
  });
  addEventListener("popstate", (event) => {
    if (shown.path === location.pathname + location.search) return; // a place on the same page
    show(location.href, { push: false, y: event.state?.y || 0 });
  });
  addEventListener("pagehide", remember);
  const shown = { path: location.pathname + location.search };
  const note = () => { shown.path = location.pathname + location.search; };
  document.addEventListener("fonoteca:page", note);

  // --- As one types ---
  const typed = { timer: 0, telling: 0, asking: null, begun: false, before: null };
  function stopTyping() {
    clearTimeout(typed.timer);
    clearTimeout(typed.telling);
    typed.asking?.abort();
    Object.assign(typed, { asking: null, begun: false, before: null });
  }
  async function find(input) {
    const words = input.value.trim(), place = document.getElementById("results");
    typed.asking?.abort();
    if (!place) return;
    if (!typed.begun) typed.before = { nodes: [...place.childNodes], address: location.href, title: document.title };
    if (!words) {
      if (typed.begun && new URL(typed.before.address).pathname === "/") {
        place.replaceChildren(...typed.before.nodes);
        history.replaceState(history.state, "", typed.before.address);
        document.title = typed.before.title;
        note();
        document.dispatchEvent(new CustomEvent("fonoteca:page"));
      }
      return;
    }
    const mine = typed.asking = new AbortController();
    const address = new URL(input.form.action);
    address.search = asked(input.form);
    try {
      const { page } = await fetchPage(`${address.href}&facets=no`, mine.signal);
      const found = page.getElementById("results");
      if (mine.signal.aborted || !found) return;
      place.replaceChildren(...document.adoptNode(found).childNodes);
      if (!typed.begun) { remember(); history.pushState({ y: 0 }, "", address); } else history.replaceState({ y: 0 }, "", address);
      typed.begun = true;
      document.title = page.title;
      clearTimeout(typed.telling);
      typed.telling = setTimeout(() => {
        say(place.querySelector("[data-said]")?.textContent || "");
        count(place, address, mine.signal);
      }, TELLING_MS);
      document.dispatchEvent(new CustomEvent("fonoteca:page"));
    } catch (error) {
      if (error.name !== "AbortError") say("Search does not answer now");
    }
  }
  // Once nothing more is typed, how many there are and what narrows them down comes beside what was found.
  async function count(place, address, signal) {
    try {
      const { page } = await fetchPage(address.href, signal);
      const found = page.getElementById("results");
      if (signal.aborted || !found || place.contains(document.activeElement)) return;
      place.replaceChildren(...document.adoptNode(found).childNodes);
      document.dispatchEvent(new CustomEvent("fonoteca:page"));
    } catch (error) {
      if (error.name !== "AbortError") say("Search does not answer now");
    }
  }
  document.addEventListener("input", (event) => {
    const input = event.target;
    if (!input.matches?.("form[data-live] input[type=search]") || event.isComposing) return;
    clearTimeout(typed.timer);
    typed.timer = setTimeout(() => find(input), TYPING_MS);
  });
  document.addEventListener("compositionend", (event) => event.target.dispatchEvent(new Event("input", { bubbles: true })));

  document.addEventListener("keydown", (event) => {
    if (event.key !== "/" || event.ctrlKey || event.metaKey || event.altKey || event.target.closest("input, textarea, select, [contenteditable], dialog")) return;
    const box = document.getElementById("q");
    if (!box) return;
    event.preventDefault();
    box.focus();
    box.select();
  });
  if (history.state?.y && !location.hash) scrollTo(0, history.state.y);
})();

// The player: one audio element that stays while pages change, and the queue that it plays. It keeps nothing on the server.
// Without this script every page reads as before, and each track has the browser's own player.
"use strict";
(() => {
  const $ = (id) => document.getElementById(id);
  const bar = $("player"), audio = $("sound"), panel = $("queue"), list = $("queued");
  if (!bar || !audio) return;
  const QUEUE_MAX = 1000, KEPT = "fonoteca.queue", WISHES = "fonoteca.wishes", ON_S = 5;
  const facts = new WeakMap();

  // What browsers call kinds of sound, where that is not the kind's own name.
  const TYPES = { "audio/vnd.wave": "audio/wav", "audio/matroska": "video/x-matroska", "audio/x-aiff": "audio/aiff" };
  const CODECS = { vorbis: "vorbis", opus: "opus", flac: "flac", speex: "speex", aac: "mp4a.40.2", alac: "alac", ac3: "ac-3", eac3: "ec-3" };
  const NAMED = ["audio/ogg", "audio/mp4", "audio/matroska"];

  const read = (store, key) => {
    try { return JSON.parse(store.getItem(key)); } catch { return null; }
  };
  const write = (store, key, value) => {
    try { store.setItem(key, JSON.stringify(value)); } catch { /* a full or forbidden store: the queue lives as long as the page */ }
  };
  const own = (address) => typeof address === "string" && /^\/(?![/\\])/.test(address) ? address : "";
  const sound = (track) => track && own(track.file) && typeof track.title === "string" ? track : null;

  // pending: where to go as soon as the sound is there, null for nowhere. offset: where a rendition begins.
  const state = { queue: [], index: -1, offset: 0, pending: null, rendered: false, failures: 0, dragging: false, wanted: false };
  const wishes = { volume: 1, muted: false, even: true, light: Boolean(navigator.connection?.saveData), ...read(localStorage, WISHES) };
  const current = () => state.queue[state.index];
  const clock = (s) => {
    const whole = Math.max(0, Math.floor(s || 0)), two = (n) => String(n).padStart(2, "0");
    return whole < 3600 ? `${Math.floor(whole / 60)}:${two(whole % 60)}` : `${Math.floor(whole / 3600)}:${two(Math.floor(whole / 60) % 60)}:${two(whole % 60)}`;
  };
  const say = (words) => { const said = $("said"); said.textContent = ""; setTimeout(() => { said.textContent = words; }, 50); };
  const icon = (name) => {
    const drawn = document.createElementNS("http://www.w3.org/2000/svg", "svg"), use = document.createElementNS("http://www.w3.org/2000/svg", "use");
    drawn.setAttribute("aria-hidden", "true");
    use.setAttribute("href", `#i-${name}`);
    drawn.append(use);
    return drawn;
  };
  const show = (button, name, label) => {
    button.querySelector("use").setAttribute("href", `#i-${name}`);
    if (button.getAttribute("aria-label") !== label) button.setAttribute("aria-label", label);
  };

  // --- Where the sound comes from ---
  function playable(track) {
    const type = TYPES[track.type] || track.type, codec = CODECS[track.codec];
    return audio.canPlayType(NAMED.includes(track.type) && codec ? `${type}; codecs="${codec}"` : type) !== "";
  }
  function rendition(track) {
    const opus = audio.canPlayType('audio/ogg; codecs="opus"') !== "";
    return `${track.listen}?format=${opus ? "opus" : "mp3"}&kbps=${wishes.light ? 96 : 160}`;
  }
  const duration = () => {
    const track = current();
    return !state.rendered && Number.isFinite(audio.duration) && audio.duration > 0 ? audio.duration : (track?.ms || 0) / 1000;
  };
  const position = () => state.pending ?? state.offset + (audio.currentTime || 0);

  function open(at, plays, rendered) {
    const track = current();
    state.rendered = Boolean(own(track.listen)) && (rendered || wishes.light || !playable(track));
    state.offset = state.rendered ? at : 0;
    state.pending = state.rendered || !at ? null : at;
    state.wanted = plays;
    audio.src = state.rendered ? `${rendition(track)}${at > 0 ? `&from=${at.toFixed(1)}` : ""}` : track.file;
    loudness();
    if (plays) start();
  }
  function start() {
    state.wanted = true;
    audio.play().catch((error) => {
      if (error.name === "NotAllowedError") { state.wanted = false; draw(); }
    });
  }
  function seek(at) {
    if (!current()) return;
    const to = Math.min(Math.max(0, at), Math.max(0, duration() - 0.2));
    if (state.rendered) open(to, !audio.paused || state.wanted, true);
    else if (audio.readyState > 0) audio.currentTime = to;
    else state.pending = to;
    place(to);
    keep();
  }
  function loudness() {
    const gain = current()?.gain;
    const factor = wishes.even && typeof gain === "number" ? 10 ** (Math.min(0, gain) / 20) : 1;
    audio.volume = Math.min(1, Math.max(0, wishes.volume * factor));
    audio.muted = wishes.muted;
  }

  // --- The queue ---
  function go(index, { at = 0, plays = true } = {}) {
    if (!state.queue[index]) return;
    state.index = index;
    state.failures = plays ? state.failures : 0;
    open(at, plays, false);
    draw();
    keep();
    if (plays) say(`Playing ${current().title}${current().artist ? `, ${current().artist}` : ""}`);
  }
  function playNow(tracks, first, at = 0) {
    state.queue = tracks.slice(0, QUEUE_MAX);
    state.failures = 0;
    go(first, { at });
  }
  function add(tracks, next = false) {
    const room = Math.max(0, QUEUE_MAX - state.queue.length), taken = tracks.slice(0, room);
    if (next) state.queue.splice(state.index + 1, 0, ...taken);
    else state.queue.push(...taken);
    if (state.index < 0 && taken.length) go(0, { plays: false });
    say(!taken.length ? "The queue is full" : taken.length === 1 ? `${taken[0].title} ${next ? "plays next" : "added to the queue"}` : `${taken.length} tracks added to the queue`);
    draw();
    keep();
  }
  function remove(index) {
    const [gone] = state.queue.splice(index, 1), was = state.wanted && !audio.paused;
    if (!gone) return;
    if (!state.queue.length) return clear();
    if (index < state.index) state.index -= 1;
    else if (index === state.index) go(Math.min(index, state.queue.length - 1), { plays: was });
    say(`${gone.title} removed from the queue`);
    draw();
    keep();
  }
  function move(index, to) {
    if (to < 0 || to >= state.queue.length) return;
    const [track] = state.queue.splice(index, 1);
    state.queue.splice(to, 0, track);
    if (state.index === index) state.index = to;
    else if (index < state.index && to >= state.index) state.index -= 1;
    else if (index > state.index && to <= state.index) state.index += 1;
    say(`${track.title}, place ${to + 1} of ${state.queue.length}`);
    draw();
    keep();
  }
  function clear() {
    const held = panel.contains(document.activeElement) || bar.contains(document.activeElement);
    audio.pause();
    audio.removeAttribute("src");
    audio.load();
    Object.assign(state, { queue: [], index: -1, offset: 0, pending: null, rendered: false, wanted: false });
    shut();
    draw();
    keep();
    say("The queue is empty");
    if (held) $("main")?.focus({ preventScroll: true });
  }
  const next = () => state.index + 1 < state.queue.length ? go(state.index + 1) : null;
  const previous = () => position() > 4 || state.index < 1 ? seek(0) : go(state.index - 1);
  const toggle = () => { if (audio.paused) { if (current()) start(); } else { state.wanted = false; audio.pause(); } };

  function keep() {
    const kept = { queue: state.queue, index: state.index, at: position(), plays: state.wanted };
    write(sessionStorage, KEPT, kept);
    write(localStorage, KEPT, { ...kept, plays: false });
  }

  // --- What is seen ---
  function draw() {
    const track = current();
    bar.hidden = !track;
    document.documentElement.classList.toggle("playing-here", Boolean(track));
    if (!track) { drawQueue(); mark(); return; }
    $("now-title").textContent = track.title;
    $("now-title").href = own(track.page) || "/";
    $("now-cover").href = own(track.releasePage) || "/";
    $("now-by").textContent = [track.artist, track.release].filter(Boolean).join(" · ");
    const cover = $("now-cover"), picture = cover.querySelector("img") || new Image(48, 48);
    if (picture.getAttribute("src") !== own(track.cover)) picture.src = own(track.cover);
    picture.alt = "";
    if (!picture.parentNode) cover.append(picture);
    const label = audio.paused ? "Play" : "Pause";
    show($("toggle"), audio.paused ? "play" : "pause", label);
    show($("mute"), wishes.muted ? "mute" : "loud", "Mute");
    $("mute").setAttribute("aria-pressed", String(wishes.muted));
    $("volume").value = Math.round(wishes.volume * 100);
    outline($("bar-wave"), track);
    place(position());
    drawQueue();
    mark();
    tell(track);
  }
  function place(at) {
    const whole = duration() || 1, share = Math.min(1, at / whole);
    $("at").textContent = clock(at);
    $("length").textContent = clock(whole);
    for (const wave of document.querySelectorAll(".wave")) {
      const mine = wave.id === "bar-wave" || isCurrent(wave.closest("[data-track]"));
      const input = wave.querySelector("input");
      if (!input) continue;
      const track = mine ? current() : known(wave.closest("[data-track]"));
      input.max = Math.max(1, Math.floor(mine ? whole : (track?.ms || 0) / 1000));
      if (!(mine && state.dragging)) input.value = mine ? Math.floor(at) : 0;
      input.setAttribute("aria-valuetext", `${clock(mine ? at : 0)} of ${clock(mine ? whole : (track?.ms || 0) / 1000)}`);
      wave.style.setProperty("--played", `${((mine ? share : 0) * 100).toFixed(2)}%`);
    }
  }
  // The outline of the sound is a mask over two colours, so that it obeys the theme. Where there is none, a line stays.
  function outline(wave, track) {
    const address = own(track?.wave);
    if (!address || wave.dataset.drawn === address) return;
    wave.dataset.drawn = address;
    wave.classList.remove("drawn");
    const probe = new Image();
    probe.onload = () => {
      if (wave.dataset.drawn !== address) return;
      wave.style.setProperty("--outline", `url("${address.replace(/["\\\n]/g, encodeURIComponent)}")`);
      wave.classList.add("drawn");
    };
    probe.src = address;
  }
  function tool(does, name, label) {
    const button = document.createElement("button");
    Object.assign(button, { type: "button", className: "icon" });
    button.dataset.does = does;
    button.setAttribute("aria-label", label);
    button.append(icon(name));
    return button;
  }
  function drawQueue() {
    if (panel.hidden) return;
    const focused = list.contains(document.activeElement) ? document.activeElement : null;
    const at = focused ? [Number(focused.closest("li").dataset.index), focused.dataset.does] : null;
    list.replaceChildren(...state.queue.map((track, index) => {
      const line = document.createElement("li"), name = document.createElement("button"), by = document.createElement("span");
      line.dataset.index = index;
      if (index === state.index) line.setAttribute("aria-current", "true");
      Object.assign(name, { type: "button", className: "queued-name" });
      name.dataset.does = "jump";
      name.textContent = track.title;
      by.className = "by";
      by.textContent = [track.artist, clock(track.ms / 1000)].filter(Boolean).join(" · ");
      name.append(by);
      line.append(name, tool("up", "up", `Move ${track.title} up`), tool("down", "down", `Move ${track.title} down`), tool("remove", "remove", `Remove ${track.title}`));
      return line;
    }));
    const left = state.queue.slice(Math.max(0, state.index)).reduce((sum, track) => sum + (track.ms || 0), 0) / 1000;
    $("queue-about").textContent = state.queue.length ? `${state.queue.length} ${state.queue.length === 1 ? "track" : "tracks"}, ${clock(left)} to go` : "Nothing is queued. Play a track, or add one with +.";
    if (at) (list.children[Math.min(at[0], list.children.length - 1)]?.querySelector(`[data-does="${at[1]}"]`) || $("queue-button")).focus();
  }
  function focusLine(index) { list.children[index]?.querySelector(".queued-name")?.focus(); }
  const known = (row) => {
    if (!row) return null;
    if (!facts.has(row)) { try { facts.set(row, sound(JSON.parse(row.dataset.track))); } catch { facts.set(row, null); } }
    return facts.get(row);
  };
  const isCurrent = (row) => Boolean(row && current() && known(row)?.file === current().file);
  function mark() {
    for (const row of document.querySelectorAll("[data-track]")) {
      const mine = isCurrent(row), sounds = mine && !audio.paused, button = row.querySelector('[data-does="play"]');
      row.classList.toggle("playing", mine);
      if (button) show(button, sounds ? "pause" : "play", `${sounds ? "Pause" : "Play"} ${known(row)?.title ?? ""}`);
      const wave = row.querySelector(".wave");
      if (wave) outline(wave, known(row));
    }
  }
  function tell(track) {
    if (!("mediaSession" in navigator)) return;
    const artwork = own(track.cover) ? [{ src: new URL(track.cover, location.href).href }] : [];
    navigator.mediaSession.metadata = new MediaMetadata({ title: track.title, artist: track.artist, album: track.release, artwork });
    navigator.mediaSession.playbackState = audio.paused ? "paused" : "playing";
    const whole = duration();
    if (whole > 0) navigator.mediaSession.setPositionState({ duration: whole, position: Math.min(position(), whole), playbackRate: 1 });
  }

  // --- What is asked for ---
  const shut = () => { panel.hidden = true; $("queue-button").setAttribute("aria-expanded", "false"); };
  function openQueue() {
    panel.hidden = !panel.hidden;
    $("queue-button").setAttribute("aria-expanded", String(!panel.hidden));
    drawQueue();
    if (!panel.hidden) focusLine(Math.max(0, state.index));
    else if (!bar.hidden) $("queue-button").focus();
  }
  const rowsAround = (row) => [...(row.closest("ol, ul, .found, main") || document).querySelectorAll("[data-track]")].filter((each) => known(each));
  function playRow(row, at = 0) {
    if (isCurrent(row)) { if (at) { seek(at); start(); } else toggle(); return; }
    const rows = rowsAround(row);
    playNow(rows.map(known), rows.indexOf(row), at);
  }
  const pageTracks = () => {
    const seen = new Set();
    return [...document.querySelectorAll("main [data-track]")].map(known).filter((track) => track && !seen.has(track.file) && seen.add(track.file));
  };
  const DOES = {
    toggle, next, previous, clear,
    mute: () => { wishes.muted = !wishes.muted; wish(); },
    queue: openQueue,
    keys: () => $("keys").showModal(),
    play: (button) => playRow(button.closest("[data-track]")),
    add: (button) => add([known(button.closest("[data-track]"))]),
    "play-next": (button) => add([known(button.closest("[data-track]"))], true),
    "play-all": () => { const tracks = pageTracks(); if (tracks.length) playNow(tracks, 0); },
    "add-all": () => add(pageTracks()),
    jump: (button) => go(Number(button.closest("li").dataset.index)),
    up: (button) => shift(button, -1),
    down: (button) => shift(button, 1),
    remove: (button) => remove(Number(button.closest("li").dataset.index)),
  };
  function shift(button, by) {
    const index = Number(button.closest("li").dataset.index), to = index + by, does = button.dataset.does;
    if (to < 0 || to >= state.queue.length) return;
    move(index, to);
    list.children[to]?.querySelector(`[data-does="${does}"]`)?.focus();
  }
  function wish() {
    write(localStorage, WISHES, wishes);
    loudness();
    draw();
  }
  document.addEventListener("click", (event) => {
    const button = event.target.closest("[data-does]");
    if (button && Object.hasOwn(DOES, button.dataset.does)) { event.preventDefault(); DOES[button.dataset.does](button); }
  });
  document.addEventListener("input", (event) => {
    const wave = event.target.closest(".wave");
    if (event.target.id === "volume") { wishes.volume = event.target.value / 100; wishes.muted = false; wish(); }
    if (!wave) return;
    const row = wave.closest("[data-track]"), at = Number(event.target.value);
    if (row && !isCurrent(row)) return;
    state.dragging = true;
    if (state.rendered) { $("at").textContent = clock(at); wave.style.setProperty("--played", `${100 * at / (duration() || 1)}%`); } else seek(at);
  });
  document.addEventListener("change", (event) => {
    const wave = event.target.closest(".wave");
    if (event.target.id === "even" || event.target.id === "light") {
      wishes[event.target.id] = event.target.checked;
      if (event.target.id === "light" && current()) open(position(), !audio.paused, false);
      wish();
    }
    if (!wave) return;
    state.dragging = false;
    const row = wave.closest("[data-track]"), at = Number(event.target.value);
    if (row && !isCurrent(row)) playRow(row, at);
    else if (state.rendered) seek(at);
  });
  list.addEventListener("keydown", (event) => {
    const line = event.target.closest("li");
    if (!line) return;
    const index = Number(line.dataset.index), by = { ArrowUp: -1, ArrowDown: 1 }[event.key];
    if (by && event.altKey) { event.preventDefault(); move(index, index + by); focusLine(Math.min(Math.max(0, index + by), state.queue.length - 1)); }
    else if (by) { event.preventDefault(); focusLine(index + by); }
    else if (event.key === "Delete") { event.preventDefault(); remove(index); }
  });

  const typing = (element) => element.closest?.("input:not([type=checkbox]):not([type=radio]):not([type=range]), textarea, select, [contenteditable]") !== null;
  document.addEventListener("keydown", (event) => {
    if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
    if (event.key === "Escape" && !panel.hidden && !$("keys").open) { shut(); $("queue-button").focus(); return; }
    if (typing(event.target) || $("keys").open) return;
    const does = {
      " ": () => event.target.closest("button, a, summary, audio, [role=button]") || !current() ? false : toggle(),
      ArrowLeft: () => current() && !event.target.closest("[tabindex='0'], audio, input") ? seek(position() - ON_S) : false,
      ArrowRight: () => current() && !event.target.closest("[tabindex='0'], audio, input") ? seek(position() + ON_S) : false,
      j: () => current() ? next() : false,
      k: () => current() ? previous() : false,
      m: () => current() ? DOES.mute() : false,
      q: () => current() ? openQueue() : false,
      "?": () => $("keys").showModal(),
    }[event.key];
    if (does && does() !== false) event.preventDefault();
  });

  // --- What the sound does ---
  const others = "BroadcastChannel" in window ? new BroadcastChannel("fonoteca") : null;
  if (others) others.onmessage = () => { if (!audio.paused) { state.wanted = false; audio.pause(); } };
  audio.addEventListener("playing", () => { state.failures = 0; others?.postMessage("playing"); });
  audio.addEventListener("loadedmetadata", () => {
    if (state.pending !== null) audio.currentTime = Math.min(state.pending, Math.max(0, duration() - 0.2));
    state.pending = null;
  });
  for (const name of ["play", "pause", "loadedmetadata"]) audio.addEventListener(name, draw);
  audio.addEventListener("timeupdate", () => place(position()));
  audio.addEventListener("ended", () => { state.wanted = false; if (!next()) draw(); keep(); });
  audio.addEventListener("error", () => {
    const track = current();
    if (!track || !audio.getAttribute("src")) return;
    if (!state.rendered && own(track.listen) && audio.error?.code !== MediaError.MEDIA_ERR_NETWORK) return open(position(), state.wanted, true);
    const plays = state.wanted;
    state.failures += 1;
    state.wanted = false;
    say(`${track.title} cannot be played now`);
    if (plays && state.failures < Math.min(5, state.queue.length)) next();
    draw();
  });
  if ("mediaSession" in navigator) {
    const acts = { play: start, pause: toggle, previoustrack: previous, nexttrack: next, seekto: (told) => seek(told.seekTime), seekbackward: (told) => seek(position() - (told.seekOffset || 10)), seekforward: (told) => seek(position() + (told.seekOffset || 10)) };
    for (const [name, act] of Object.entries(acts)) { try { navigator.mediaSession.setActionHandler(name, act); } catch { /* an act that this browser does not know */ } }
  }
  addEventListener("pagehide", keep);
  setInterval(() => { if (!audio.paused) keep(); }, 5000);
  document.addEventListener("fonoteca:page", () => { mark(); place(position()); });

  // --- What was played before ---
  $("even").checked = wishes.even;
  $("light").checked = wishes.light;
  const kept = read(sessionStorage, KEPT) || read(localStorage, KEPT);
  if (kept && Array.isArray(kept.queue)) {
    state.queue = kept.queue.filter(sound).slice(0, QUEUE_MAX);
    if (state.queue[kept.index]) go(kept.index, { at: Number(kept.at) || 0, plays: false });
    if (kept.plays && current()) start();
  }
  mark();
  place(position());
})();

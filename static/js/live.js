/**
 * Keeps a page's live regions fresh over one WebSocket. Plain module, no dependency.
 *
 * Mark-up it serves:
 *   <body data-live-pos="123">                    ledger position the page was rendered at (optional)
 *   <section data-live-topic="floor run:5"        fetched again when one of the topics changes
 *            data-live-every="1000"               not more often than this (ms; default 1000, least 250)
 *            hx-get="..." hx-trigger="refresh">
 *   <ul data-live-hold> ... </ul>                 regions in here (or this one) wait while pointer or focus is inside
 *
 * A region may also be a person's to replace: the list that a search narrows. Two rules keep old answers off the page:
 * such a control says hx-sync="#region:replace", which ends a refresh that is under way; and no refresh starts while
 * any request for the region is. What changed meanwhile is fetched after it, and so is what a failed request owes.
 *
 * Events on document:
 *   wk:live      {state: "live" | "reconnecting" | "offline" | "signed_out", age: seconds since the data was known fresh}
 *   wk:revoked   {topics}                         rights to these were taken away
 * Events on the [data-live-hold] element, bubbling:
 *   wk:held      {count}                          changes that wait ("3 new"); 0 when they have been shown
 * Dispatch wk:release on it to show them at once. <html data-live="..."> carries the state for CSS.
 */

const SLOWEST_RETRY = 15000;
const PING_EVERY = 10000;
const SILENCE = 25000;
const OFFLINE_AFTER = 10000;
const LEAST_GAP = 250;
const DEFAULT_GAP = 1000;
const STALE_AFTER = 15; // seconds that what the server knows may be old
const RETRY_AFTER = 3000;
const SIGNED_OUT = 4401;
const TOO_MANY = 4429;
const TOO_MANY_REQUESTS = 429;

let socket = null;
let pos = Number(document.body.dataset.livePos || 0);
let joined = new Set(); // asked for on this connection, granted or not
let failures = 0;
let retryTimer = 0;
let state = "";
let freshAt = Date.now();
let heardAt = Date.now();
let lostAt = Date.now();

const lastFetch = new Map(); // region key -> time
const waiting = new Map(); // region key -> timer
const asking = new Map(); // request under way -> key of the region that its answer replaces
const owed = new Set(); // keys of regions that changed while a request for them was under way
const unasked = new Set(); // keys of regions whose refresh under way nobody asked for
const held = new Map(); // hold element -> {count, regions: Set of keys}

function connect() {
  clearTimeout(retryTimer);
  if (socket || state === "signed_out") return;
  const scheme = location.protocol === "https:" ? "wss:" : "ws:";
  const opening = new WebSocket(`${scheme}//${location.host}/ws/live`);
  // What a socket says after it was given up is no longer news.
  const ifCurrent = (serve) => (event) => socket === opening && serve(event);
  opening.addEventListener("open", ifCurrent(opened));
  opening.addEventListener("message", ifCurrent((event) => heard(JSON.parse(event.data))));
  opening.addEventListener("close", ifCurrent((event) => lost(event.code)));
  socket = opening;
}

function opened() {
  heardAt = Date.now();
  joined = new Set();
  subscribe();
}

function lost(code) {
  if (state === "live") lostAt = Date.now();
  socket = null;
  if (code === SIGNED_OUT) return show("signed_out");
  failures += 1;
  const longest = code === TOO_MANY ? SLOWEST_RETRY : Math.min(SLOWEST_RETRY, 250 * 2 ** Math.min(failures, 8));
  retryTimer = setTimeout(connect, longest * (0.5 + Math.random() / 2));
  show("reconnecting");
}

function heard(message) {
  heardAt = Date.now();
  switch (message.type) {
    case "subscribed":
      failures = 0;
      fresh(0);
      changed(message);
      break;
    case "changed":
      fresh(0);
      changed(message);
      break;
    case "pong":
      fresh(message.age);
      break;
    case "revoked":
      message.topics.forEach((topic) => joined.delete(topic));
      document.dispatchEvent(new CustomEvent("wk:revoked", { detail: { topics: message.topics } }));
      refresh(message.topics);
      break;
  }
}

function changed(message) {
  pos = Math.max(pos, message.pos);
  refresh(message.regions);
}

/** A server that is reached but does not reach its own data makes a page as old as no server does. */
function fresh(age) {
  freshAt = Date.now() - age * 1000;
  show(age > STALE_AFTER ? "reconnecting" : "live");
}

function topicsOf(element) {
  return element.dataset.liveTopic.split(/\s+/).filter(Boolean);
}

/** Ask for the topics of regions that are on the page now, and give up those that are gone. */
function subscribe() {
  if (!socket || socket.readyState !== WebSocket.OPEN) return;
  const wanted = new Set([...document.querySelectorAll("[data-live-topic]")].flatMap(topicsOf));
  const gone = [...joined].filter((topic) => !wanted.has(topic));
  const missing = [...wanted].filter((topic) => !joined.has(topic));
  if (gone.length) {
    gone.forEach((topic) => joined.delete(topic));
    socket.send(JSON.stringify({ type: "unsubscribe", topics: gone }));
  }
  if (missing.length) {
    missing.forEach((topic) => joined.add(topic));
    socket.send(JSON.stringify({ type: "subscribe", topics: missing, since: pos }));
  } else if (state !== "live") {
    ping();
  }
}

/** A region keeps its key when htmx replaces its element. */
function keyOf(element) {
  return element.id || element.dataset.liveTopic;
}

function elementOf(key) {
  return document.getElementById(key) || document.querySelector(`[data-live-topic="${CSS.escape(key)}"]`);
}

function refresh(topics) {
  const changedTopics = new Set(topics);
  for (const element of document.querySelectorAll("[data-live-topic]")) {
    if (topicsOf(element).some((topic) => changedTopics.has(topic))) offer(element);
  }
}

function offer(element) {
  const list = element.closest("[data-live-hold]");
  if (list && isBeingRead(list)) hold(list, element);
  else schedule(keyOf(element));
}

function isBeingRead(list) {
  return list.matches(":hover") || list.contains(document.activeElement);
}

function hold(list, element) {
  const entry = held.get(list) || { count: 0, regions: new Set() };
  entry.count += 1;
  entry.regions.add(keyOf(element));
  held.set(list, entry);
  tellHeld(list, entry.count);
}

/** Show what waits; `asked` for by the reader, even while pointer or focus is still inside. */
function release(list, asked = false) {
  const entry = held.get(list);
  if (!entry) return;
  held.delete(list);
  tellHeld(list, 0);
  entry.regions.forEach((key) => (asked ? fetchRegion(key, true) : schedule(key)));
}

function tellHeld(list, count) {
  list.dispatchEvent(new CustomEvent("wk:held", { bubbles: true, detail: { count } }));
}

/** Fetch a region now or, if it was fetched a moment ago, when its time has come. Never twice for one wait. */
function schedule(key, least = LEAST_GAP) {
  if (waiting.has(key)) return;
  const element = elementOf(key);
  if (!element) return;
  const gap = Math.max(least, Number(element.dataset.liveEvery) || DEFAULT_GAP);
  const due = (lastFetch.get(key) || 0) + gap - Date.now();
  waiting.set(key, setTimeout(fetchRegion, Math.max(0, due), key));
}

function fetchRegion(key, asked = false) {
  clearTimeout(waiting.get(key));
  waiting.delete(key);
  const element = elementOf(key);
  if (!element) return;
  const list = element.closest("[data-live-hold]");
  if (!asked && list && isBeingRead(list)) {
    hold(list, element);
    return;
  }
  lastFetch.set(key, Date.now());
  if (asked) unasked.delete(key);
  else unasked.add(key);
  element.dispatchEvent(new CustomEvent("refresh", { bubbles: false }));
}

/** A request that replaces a region was sent, by the region itself or by a control of it. */
function asked(event) {
  const { ctx } = event.detail;
  if (ctx.target?.matches?.("[data-live-topic]")) asking.set(ctx, keyOf(ctx.target));
}

function answered(event) {
  const { ctx } = event.detail;
  const key = asking.get(ctx);
  if (!asking.delete(ctx)) return;
  if (isAsking(key)) return; // by a later request, which answers for this one
  unasked.delete(key);
  const missed = owed.delete(key);
  if (hasFailed(ctx)) schedule(key, RETRY_AFTER);
  else if (missed) schedule(key);
}

/** A refresh that was under way when somebody began to read waits, too: what it brings may move the row that is read. */
function readFirst(event) {
  const region = event.detail.ctx.sourceElement;
  const list = region?.closest?.("[data-live-hold]");
  if (!list || !unasked.has(keyOf(region)) || !isBeingRead(list)) return;
  event.preventDefault();
  hold(list, region);
}

function hasFailed({ status, response }) {
  return status.startsWith("error") || response?.status >= 500 || response?.status === TOO_MANY_REQUESTS;
}

function isAsking(key) {
  return [...asking.values()].includes(key);
}

/** A refresh would be answered for the region as it was: wait until the region is what was asked for. */
function oneAtATime(event) {
  if (!event.target.matches?.("[data-live-topic]") || !isAsking(keyOf(event.target))) return;
  event.stopImmediatePropagation();
  owed.add(keyOf(event.target));
}

function show(next) {
  if (next === "reconnecting" && (!navigator.onLine || Date.now() - lostAt > OFFLINE_AFTER)) next = "offline";
  state = next;
  document.documentElement.dataset.live = state;
  const age = state === "live" ? (Date.now() - freshAt) / 1000 : (Date.now() - Math.min(freshAt, heardAt)) / 1000;
  document.dispatchEvent(new CustomEvent("wk:live", { detail: { state, age: Math.max(0, age) } }));
}

function tick() {
  if (state === "signed_out") return;
  // A region whose list was replaced, or is no longer being read, must not wait for a pointer that never comes back.
  for (const list of [...held.keys()]) if (!list.isConnected || !isBeingRead(list)) release(list);
  if (socket && Date.now() - heardAt > SILENCE) {
    const dead = socket;
    lost(0);
    dead.close();
    return;
  }
  show(state || "reconnecting");
}

function ping() {
  if (socket && socket.readyState === WebSocket.OPEN) socket.send(JSON.stringify({ type: "ping" }));
}

function hurry() {
  if (document.hidden) return;
  if (socket) ping();
  else connect();
}

/** Somebody signed in again without leaving the page: the socket of the session before is, or soon will be, closed. */
function signedIn() {
  const old = socket;
  socket = null;
  state = "";
  old?.close();
  connect();
}

let noticed = 0;
function notice() {
  clearTimeout(noticed);
  noticed = setTimeout(subscribe, 50);
}

new MutationObserver((records) => {
  if (records.some((record) => record.addedNodes.length || record.removedNodes.length)) notice();
}).observe(document.body, { childList: true, subtree: true });
document.addEventListener("wk:release", (event) => release(event.target, true));
document.addEventListener("htmx:before:request", asked);
document.addEventListener("htmx:before:swap", readFirst);
document.addEventListener("htmx:finally:request", answered);
document.addEventListener("refresh", oneAtATime, { capture: true });
document.addEventListener("wk:signed-in", signedIn);
document.addEventListener("visibilitychange", hurry);
document.addEventListener("resume", hurry); // a tab that the browser had frozen
window.addEventListener("online", hurry);
window.addEventListener("offline", () => state !== "signed_out" && show("offline"));
setInterval(tick, 1000);
setInterval(ping, PING_EVERY);
connect();

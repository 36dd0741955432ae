// This browser as a way to be told: asks for leave, hands its address in, and takes it back.
const section = document.getElementById("push");
const said = section.querySelector("[data-push-said]");
const on = section.querySelector("[data-push-on]");
const off = section.querySelector("[data-push-off]");
const titles = section.querySelector("[data-push-titles]");

const token = () => JSON.parse(document.body.getAttribute("hx-headers:inherited"))["X-CSRFToken"];

function post(address, fields) {
  return fetch(address, { method: "POST", body: new URLSearchParams(fields), headers: { "X-CSRFToken": token() } });
}

function bytes(text) {
  const padded = text.replaceAll("-", "+").replaceAll("_", "/").padEnd(Math.ceil(text.length / 4) * 4, "=");
  return Uint8Array.from(atob(padded), (letter) => letter.charCodeAt(0));
}

function show(words, { canStart = false, canEnd = false } = {}) {
  said.textContent = section.dataset[words] ?? words;
  on.hidden = !canStart;
  off.hidden = !canEnd;
}

async function registration() {
  await navigator.serviceWorker.register(section.dataset.worker, { scope: "/" });
  return navigator.serviceWorker.ready;
}

async function look() {
  if (!("serviceWorker" in navigator) || !("PushManager" in window)) return show("none");
  if (Notification.permission === "denied") return show("denied");
  const worker = await registration();
  section.dataset.ready = "";
  const current = await worker.pushManager.getSubscription();
  if (current) return show("on", { canEnd: true });
  return show("off", { canStart: true });
}

async function start() {
  if ((await Notification.requestPermission()) !== "granted") return show("denied");
  const worker = await registration();
  const options = { userVisibleOnly: true, applicationServerKey: bytes(section.dataset.key) };
  const made = await worker.pushManager.subscribe(options).catch(() => null);
  if (!made) return show("failed", { canStart: true });
  const fields = { subscription: JSON.stringify(made), says_titles: titles.checked ? "on" : "" };
  const answer = await post(section.dataset.subscribe, fields);
  if (answer.status === 204) return location.reload();
  await made.unsubscribe();
  return show(await answer.text(), { canStart: true });
}

async function end() {
  const worker = await registration();
  const current = await worker.pushManager.getSubscription();
  if (current) {
    await post(section.dataset.unsubscribe, { endpoint: current.endpoint });
    await current.unsubscribe();
  }
  location.reload();
}

on.addEventListener("click", start);
off.addEventListener("click", end);
look().catch(() => show("none"));

// The connection badge: live, reconnecting or offline, and how old what is shown may be.
const badge = document.getElementById("connection");

document.addEventListener("wk:live", (event) => {
  if (!badge) return;
  const { state, age } = event.detail;
  const word = { live: badge.dataset.liveWord, reconnecting: badge.dataset.reconnectingWord }[state] ?? badge.dataset.offlineWord;
  const old = age >= 60 ? `${Math.floor(age / 60)} min` : `${Math.floor(age)} s`;
  badge.dataset.state = state === "signed_out" ? "offline" : state;
  badge.textContent = state === "live" && age < 12 ? word : `${word} · ${old}`;
});

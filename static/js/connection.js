// The connection badges: live, reconnecting or offline, and how old what is shown may be.
const badges = document.querySelectorAll(".link-badge");

document.addEventListener("wk:live", (event) => {
  const { state, age } = event.detail;
  const old = age >= 60 ? `${Math.floor(age / 60)} min` : `${Math.floor(age)} s`;
  for (const badge of badges) {
    const word = { live: badge.dataset.liveWord, reconnecting: badge.dataset.reconnectingWord }[state] ?? badge.dataset.offlineWord;
    badge.dataset.state = state === "signed_out" ? "offline" : state;
    badge.textContent = state === "live" && age < 12 ? word : `${word} · ${old}`;
  }
});

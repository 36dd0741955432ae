// A session that ended. Somebody who is deciding signs in again in place, and what they typed stays; elsewhere the
// sign-in page leads back here, instead of being drawn into a region.
const signIn = document.body.dataset.signIn;
const dialog = document.getElementById("again");
let asking = false;

const isSignIn = (answer) => answer.redirected && new URL(answer.url).pathname === signIn;
const parsed = async (answer) => new DOMParser().parseFromString(await answer.text(), "text/html");
const tokenOf = (page) => page.querySelector("[name=csrfmiddlewaretoken]")?.value;
const leave = () => location.assign(`${signIn}?next=${encodeURIComponent(location.pathname + location.search)}`);

async function ended() {
  if (!document.getElementById("decision") || !dialog) return leave();
  if (dialog.open || asking) return;
  asking = true;
  const page = await fetch(signIn).then(parsed).catch(() => null);
  asking = false;
  // Another way in than name and password (a passkey, another site): only its own page can do that.
  if (!page?.getElementById("id_password")) return leave();
  dialog.querySelector("form").elements.csrfmiddlewaretoken.value = tokenOf(page);
  dialog.showModal();
  dialog.querySelector("[type=password]").focus();
}

async function enter(event) {
  event.preventDefault();
  const body = new FormData(event.target);
  body.set("next", location.pathname + location.search);
  const answer = await fetch(signIn, { method: "POST", body }).catch(() => null);
  const page = answer && (await parsed(answer));
  const wrong = !answer?.ok || new URL(answer.url).pathname === signIn;
  dialog.querySelector("[role=alert]").hidden = !wrong;
  if (wrong) return page?.getElementById("id_password") || leave();
  // The new session has a new token: forms that are open go on with it.
  const token = tokenOf(page);
  for (const field of document.querySelectorAll("[name=csrfmiddlewaretoken]")) field.value = token;
  document.body.setAttribute("hx-headers:inherited", JSON.stringify({ "X-CSRFToken": token }));
  event.target.reset();
  dialog.close();
  document.dispatchEvent(new CustomEvent("wk:signed-in"));
}

document.addEventListener("htmx:before:response", (event) => {
  const { raw } = event.detail.ctx.response;
  if (!isSignIn(raw)) return;
  event.preventDefault();
  ended();
});
document.addEventListener("wk:session-ended", ended);
document.addEventListener("wk:live", (event) => event.detail.state === "signed_out" && document.getElementById("decision") && ended());
dialog?.addEventListener("submit", enter);

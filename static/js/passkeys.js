// Passkeys: a `data-passkey` button asks the device and sends the form that `data-passkey-form` names.
// "add" makes a new one, "use" proves with one; without options in the page they are fetched from the form's address.

const decode = (text) => Uint8Array.from(atob(text.replace(/-/g, "+").replace(/_/g, "/")), (c) => c.charCodeAt(0)).buffer;
const encode = (buffer) =>
  btoa(String.fromCharCode(...new Uint8Array(buffer))).replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");
const withIds = (list) => (list || []).map((one) => ({ ...one, id: decode(one.id) }));

async function optionsOf(button, form) {
  const inPage = document.getElementById(button.dataset.passkeyOptions);
  if (inPage) return JSON.parse(inPage.textContent);
  const answer = await fetch(form.action, { headers: { Accept: "application/json" } });
  if (!answer.ok) throw new Error("no options");
  return answer.json();
}

async function add(options, form) {
  const asked = options.creation_options.publicKey;
  // With a passkey one signs in without a password, so the device must know who holds it.
  const isPasskey = form.elements.passwordless?.checked ?? true;
  const selection = { ...asked.authenticatorSelection, residentKey: isPasskey ? "required" : "discouraged", requireResidentKey: isPasskey };
  if (isPasskey) selection.userVerification = "required";
  return navigator.credentials.create({
    publicKey: {
      ...asked,
      challenge: decode(asked.challenge),
      user: { ...asked.user, id: decode(asked.user.id) },
      excludeCredentials: withIds(asked.excludeCredentials),
      authenticatorSelection: selection,
    },
  });
}

async function use(options) {
  const asked = options.request_options.publicKey;
  return navigator.credentials.get({
    publicKey: { ...asked, challenge: decode(asked.challenge), allowCredentials: withIds(asked.allowCredentials) },
  });
}

function toJson(credential) {
  const { response } = credential;
  const parts = ["clientDataJSON", "attestationObject", "authenticatorData", "signature", "userHandle"];
  const encoded = Object.fromEntries(parts.filter((name) => response[name]).map((name) => [name, encode(response[name])]));
  return {
    id: credential.id,
    rawId: encode(credential.rawId),
    type: credential.type,
    authenticatorAttachment: credential.authenticatorAttachment,
    clientExtensionResults: credential.getClientExtensionResults(),
    response: encoded,
  };
}

document.addEventListener("click", async (event) => {
  const button = event.target.closest("[data-passkey]");
  if (!button) return;
  event.preventDefault();
  const form = document.getElementById(button.dataset.passkeyForm);
  const problem = form.querySelector("[data-passkey-problem]");
  if (problem) problem.hidden = true;
  try {
    const options = await optionsOf(button, form);
    const credential = button.dataset.passkey === "add" ? await add(options, form) : await use(options);
    form.elements.credential.value = JSON.stringify(toJson(credential));
    form.submit();
  } catch {
    if (problem) problem.hidden = false;
  }
});

for (const button of document.querySelectorAll("[data-passkey]")) button.hidden = !window.PublicKeyCredential;

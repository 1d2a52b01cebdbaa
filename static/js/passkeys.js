// Forms that make or use a passkey: the browser's part of WebAuthn, by allauth's own scripts, which come before this one.
const WORDS = {
  NotAllowedError: "No passkey was used: it was cancelled, or took too long. Try again, or take another way.",
  InvalidStateError: "This device already has a passkey of your account.",
  SecurityError: "Passkeys do not work at this address: they need the site’s name, over HTTPS.",
};

const say = (words) => {
  const note = document.querySelector("[data-role=passkey-fault]");
  note.textContent = words;
  note.hidden = false;
};

document.addEventListener("allauth.error", (event) => {
  event.preventDefault();
  say(WORDS[event.detail.exception.name] ?? "The passkey could not be used. Try again, or take another way.");
});

document.querySelectorAll("form[data-passkey]").forEach((form) => {
  const button = document.querySelector(`button[form="${form.id}"], #${form.id} button`);
  if (!window.PublicKeyCredential) {
    button.disabled = true;
    say("This browser, or this address, knows no passkeys.");
    return;
  }
  form.hidden = false; // without JavaScript it would do nothing
  const act = form.dataset.passkey;
  allauth.webauthn.forms[`${act}Form`]({
    ids: { [act]: button.id, credential: form.querySelector("[name=credential]").id, passwordless: "id_passwordless" },
    data: form.dataset.options ? JSON.parse(form.dataset.options) : undefined,
  });
});

// @ts-check
/** Asks for the key that a server wants which other machines can reach. */
import { el } from "./dom.js";
import { t } from "./i18n.js";
import { hasKey, setKey } from "./net.js";

/**
 * Opens a dialog whenever the server refused a request for want of a key ("keywanted").
 * @param {() => void} onKey a key was given: everything may be asked for anew
 */
export function mountKeyDialog(onKey) {
  document.addEventListener("keywanted", () => {
    if (document.querySelector("dialog[open]")) return; // several requests were refused at once
    const dialog = keyDialog(onKey);
    document.body.append(dialog);
    dialog.showModal();
  });
}

/** @param {() => void} onKey */
function keyDialog(onKey) {
  const input = el("input", {
    type: "password",
    name: "key",
    required: true,
    autocomplete: "off",
    spellcheck: "false",
  });
  const form = el(
    "form",
    { class: "key-form" },
    el("h2", { id: "key-title" }, t("key.title")),
    el("p", null, t(hasKey() ? "key.wrong" : "key.lead")),
    el("label", { class: "field" }, el("span", null, t("key.label")), input),
    el(
      "div",
      { class: "form-actions" },
      el("button", { type: "button", class: "plain", on: { click: () => dialog.close() } }, t("cancel")),
      el("button", { type: "submit", class: "primary" }, t("key.use")),
    ),
  );
  const dialog = el("dialog", { class: "dialog", "aria-labelledby": "key-title" }, form);
  form.addEventListener("submit", (/** @type {SubmitEvent} */ event) => {
    event.preventDefault();
    const key = input.value.trim();
    if (!key) return;
    setKey(key);
    dialog.close();
    onKey();
  });
  dialog.addEventListener("close", () => dialog.remove());
  return dialog;
}

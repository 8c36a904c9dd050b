// @ts-check
/** Short notices at the foot of the page, with at most one thing to do. */
import { el, icon } from "./dom.js";
import { t } from "./i18n.js";

/**
 * Shows a notice.
 * @param {string} text
 * @param {{action?: string, onAction?: () => void, onEnd?: () => void, seconds?: number}} [options]
 *   `onEnd` runs when the notice goes without its action having been taken
 * @returns {() => void} ends the notice now
 */
export function toast(text, { action, onAction, onEnd, seconds = action ? 8 : 4 } = {}) {
  const shelf = /** @type {HTMLElement} */ (document.getElementById("toasts"));
  let over = false;
  const end = (/** @type {boolean} */ taken) => {
    if (over) return;
    over = true;
    clearTimeout(timer);
    note.remove();
    if (taken) onAction?.();
    else onEnd?.();
  };
  const note = el(
    "div",
    { class: "toast" },
    el("span", null, text),
    action &&
      el("button", { type: "button", class: "plain", on: { click: () => end(true) } }, action),
    el(
      "button",
      { type: "button", class: "bare", "aria-label": t("close"), on: { click: () => end(false) } },
      icon("close"),
    ),
  );
  let timer = setTimeout(() => end(false), seconds * 1000);
  const hold = () => clearTimeout(timer);
  const goOn = () => {
    if (!over) timer = setTimeout(() => end(false), seconds * 1000);
  };
  note.addEventListener("focusin", hold); // whoever is reading it keeps it
  note.addEventListener("focusout", goOn);
  note.addEventListener("pointerenter", hold);
  note.addEventListener("pointerleave", goOn);
  shelf.append(note);
  return () => end(false);
}

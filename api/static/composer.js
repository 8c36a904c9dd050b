// @ts-check
/** The box that questions are written in. */
import { icon } from "./dom.js";
import { t } from "./i18n.js";

/** A box that grows with its text. Enter sends, Shift + Enter breaks the line. */
export class Composer {
  /**
   * @param {HTMLFormElement} form
   * @param {{onSend: (question: string) => void, onStop: () => void}} listeners
   */
  constructor(form, { onSend, onStop }) {
    this.box = /** @type {HTMLTextAreaElement} */ (form.querySelector("textarea"));
    this.button = /** @type {HTMLButtonElement} */ (form.querySelector("#send"));
    this.hint = /** @type {HTMLElement} */ (form.querySelector("#hint"));
    this.running = false;
    const send = () => {
      const question = this.box.value.trim();
      if (!question || this.running) return;
      this.box.value = "";
      this.grow();
      onSend(question);
    };
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      if (this.running) onStop();
      else send();
    });
    this.box.addEventListener("input", () => this.grow());
    this.box.addEventListener("keydown", (event) => {
      // 229: the Enter that ends a composition in browsers that report it too late.
      if (event.key !== "Enter" || event.shiftKey || event.isComposing || event.keyCode === 229)
        return;
      event.preventDefault();
      send();
    });
    addEventListener("resize", () => this.grow());
    this.render();
  }

  /** @param {boolean} running whether an answer is being made: the button then stops it */
  setRunning(running) {
    this.running = running;
    this.render();
  }

  /** @param {string} question */
  fill(question) {
    this.box.value = question;
    this.grow();
    this.focus();
  }

  focus() {
    this.box.focus({ preventScroll: true });
  }

  /** As high as its text, up to two fifths of the window. */
  grow() {
    const empty = this.box.value.trim() === "";
    this.box.style.height = "auto";
    this.box.style.height = `${Math.min(this.box.scrollHeight, innerHeight * 0.4)}px`;
    this.button.disabled = empty && !this.running;
  }

  render() {
    const name = t(this.running ? "ask.stop" : "ask.send");
    this.button.setAttribute("aria-label", name);
    this.button.title = name;
    this.button.classList.toggle("stop", this.running);
    this.button.replaceChildren(icon(this.running ? "stop" : "send"));
    this.hint.textContent = t(this.running ? "ask.busy" : "ask.hint");
    this.grow();
  }
}

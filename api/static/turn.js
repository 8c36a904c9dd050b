// @ts-check
/** One question and what became of it. */
import { answerText, comingText, conflictTable, sourceList, statusLabel } from "./answer.js";
import { el, fill, icon } from "./dom.js";
import { errorNote } from "./faults.js";
import { feedbackBar } from "./feedback.js";
import { known, t } from "./i18n.js";
import { describeFilters } from "./filters.js";
import { coverage, passageList, receipt } from "./passages.js";
import { asGbt, asMarkdown, asPlain, copy, distinct } from "./references.js";
import { toast } from "./toast.js";

/**
 * @typedef {object} Turn
 * @property {string} question
 * @property {any} [filters]
 * @property {any} [answer] the final answer
 * @property {{verdict: string, comment: string}} [feedback] what the reader thinks of it
 * @property {string} [draft] a comment on it that is not yet sent
 * @property {{code: string, message: string, requestId: string, status: number}} [error]
 * @property {boolean} [stopped]
 * @property {string} [partial] what had come before it was stopped or failed
 */

/** The view of a turn. While it runs, `progress` and `delta` keep it up to date. */
export class TurnView {
  /**
   * @param {Turn} turn
   * @param {import("./answer.js").Opener & {again: (view: TurnView) => void, keep: () => void}} app
   */
  constructor(turn, app) {
    this.turn = turn;
    this.app = app;
    this.step = "start";
    this.found = 0;
    this.text = "";
    this.running = false;
    this.showsPassages = false;
    this.root = el("article", { class: "turn" });
    this.head = el("div", { class: "turn-head" });
    this.live = el("div", { class: "turn-live", "aria-live": "polite", "aria-atomic": "false" });
    this.foot = el("div", { class: "turn-foot" });
    this.root.append(this.head, this.live, this.foot);
    this.render();
  }

  /** Draws everything anew. */
  render() {
    const { turn } = this;
    const rewritten = turn.answer?.standalone_question;
    this.root.setAttribute("aria-label", `${t("turn.question")}: ${turn.question}`);
    this.head.replaceChildren();
    fill(
      this.head,
      el("h2", { class: "question" }, turn.question),
      turn.filters &&
        el(
          "p",
          { class: "aside" },
          t("turn.limited", {
            filters: describeFilters(turn.filters)
              .map((f) => f.label)
              .join(t("and")),
          }),
        ),
      rewritten &&
        rewritten !== turn.question &&
        el("p", { class: "aside" }, t("turn.standalone", { question: rewritten })),
    );
    this.live.setAttribute("aria-busy", String(this.running));
    if (this.running) return this.renderRunning();
    this.live.replaceChildren();
    this.foot.replaceChildren();
    if (turn.answer) this.renderAnswer(turn.answer);
    else this.renderBroken();
  }

  /**
   * @param {string} step
   * @param {number} [found] passages
   */
  progress(step, found) {
    this.step = step;
    this.found = found ?? this.found;
    this.renderRunning();
  }

  /** @param {string} text */
  delta(text) {
    this.text += text;
    this.renderRunning();
  }

  renderRunning() {
    const words = known(`step.${this.step}`) ? t(`step.${this.step}`) : t("step.other");
    const found = this.found ? ` · ${t("step.found", { n: this.found })}` : "";
    const spinner = el(
      "p",
      { class: "step" },
      el("span", { class: "spinner", "aria-hidden": "true" }),
      words + found,
    );
    this.live.replaceChildren();
    if (this.text)
      this.live.append(fill(el("div", { class: "prose answer-text" }), comingText(this.text)));
    this.foot.replaceChildren(spinner);
  }

  /** @param {any} answer */
  renderAnswer(answer) {
    const refusal = answer.status === "no_evidence";
    fill(
      this.live,
      statusLabel(answer.status),
      answer.short_answer_sure &&
        fits(answer.short_answer) &&
        !refusal &&
        el("p", { class: "short-answer", lang: answer.language ?? null }, answer.short_answer),
      answerText(answer, this.app),
      el("p", { class: "hidden" }, t("turn.ready", { n: distinct(answer.citations).length })),
    );
    fill(
      this.foot,
      ...(answer.notices ?? []).map((/** @type {string} */ notice) =>
        el("p", { class: "aside" }, notice),
      ),
      conflictTable(answer, this.app),
      refusal ? coverage(answer, this.app) : sourceList(answer, this.app),
      this.actions(answer),
      feedbackBar(this.turn, this.app.keep),
    );
  }

  renderBroken() {
    const { error, partial, stopped } = this.turn;
    if (partial)
      this.live.append(fill(el("div", { class: "prose answer-text broken" }), comingText(partial)));
    if (error) this.live.append(errorNote(error));
    else if (stopped) this.live.append(el("p", { class: "aside" }, t("turn.stopped")));
    const name = t(error ? "retry" : "turn.again");
    this.foot.append(
      el(
        "div",
        { class: "actions" },
        el(
          "button",
          { type: "button", class: "action", on: { click: () => this.app.again(this) } },
          icon("retry"),
          name,
        ),
      ),
    );
  }

  /** @param {any} answer */
  actions(answer) {
    const passages = answer.passages ?? [];
    const panel = el("div", { class: "passages-panel" });
    const toggle = el(
      "button",
      { type: "button", class: "action" },
      icon("list"),
      t("passages.show", { n: passages.length }),
    );
    const apply = () => {
      toggle.setAttribute("aria-expanded", String(this.showsPassages));
      panel.hidden = !this.showsPassages;
      if (this.showsPassages && !panel.hasChildNodes()) {
        panel.append(passageList(passages, this.app, t("passages.label")), receipt(answer));
      }
    };
    toggle.addEventListener("click", () => {
      this.showsPassages = !this.showsPassages;
      apply();
    });
    apply();
    const box = el(
      "div",
      null,
      el(
        "div",
        { class: "actions" },
        answer.citations.length > 0 && copyMenu(answer),
        passages.length > 0 && toggle,
      ),
      panel,
    );
    return box;
  }
}

/** Whether a short answer is short enough to stand alone above the text. @param {string | null} short */
function fits(short) {
  return Boolean(short) && /** @type {string} */ (short).length <= 120;
}

/** @param {any} answer */
function copyMenu(answer) {
  const take = (/** @type {string} */ text) => async () => {
    menu.open = false;
    summary.focus();
    toast(t((await copy(text)) ? "copy.done" : "copy.failed"));
  };
  const entry = (/** @type {string} */ key, /** @type {string} */ text) =>
    el("button", { type: "button", class: "menu-entry", on: { click: take(text) } }, t(key));
  const summary = el("summary", { class: "action" }, icon("copy"), t("copy.menu"));
  const menu = el(
    "details",
    { class: "menu" },
    summary,
    el(
      "div",
      { class: "menu-list" },
      entry("copy.plain", asPlain(answer)),
      entry("copy.markdown", asMarkdown(answer, location.origin)),
      entry("copy.gbt", asGbt(answer)),
    ),
  );
  return menu;
}

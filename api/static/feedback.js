// @ts-check
/** What the reader thinks of an answer: a thumb, a comment, thanks, and taking it back. */
import { el, icon, reveal } from "./dom.js";
import { faultWords } from "./faults.js";
import { t } from "./i18n.js";
import { Failure, json } from "./net.js";
import { toast } from "./toast.js";

/** The server takes no longer comment. */
const LONGEST = 4000;

/**
 * The thumbs under an answer. What was given is kept in `turn.feedback`, a comment that is not yet
 * sent in `turn.draft`: it outlives the drawing anew that a change of language brings.
 * @param {{question: string, answer?: any, draft?: string,
 *   feedback?: {verdict: string, comment: string}}} turn
 * @param {() => void} keep keeps the conversation
 */
export function feedbackBar(turn, keep) {
  const said = el("p", { class: "aside", role: "status" });
  const thumbs = ["up", "down"].map((verdict) =>
    el(
      "button",
      {
        type: "button",
        class: "bare thumb",
        "aria-label": t(`feedback.${verdict}`),
        title: t(`feedback.${verdict}`),
        on: { click: () => void give(verdict, turn.feedback?.comment ?? "") },
      },
      icon(verdict),
    ),
  );
  const undo = el(
    "button",
    { type: "button", class: "plain", on: { click: () => void withdraw() } },
    t("undo"),
  );
  const words = el("textarea", { rows: 2, maxlength: LONGEST });
  words.value = turn.draft ?? "";
  words.addEventListener("input", () => {
    turn.draft = words.value;
  });
  words.addEventListener("change", keep);
  const form = el(
    "form",
    { class: "comment" },
    words,
    el("button", { type: "submit", class: "primary" }, t("feedback.send")),
  );
  form.addEventListener("submit", (/** @type {SubmitEvent} */ event) => {
    event.preventDefault();
    if (words.value.trim()) void give(turn.feedback?.verdict ?? "up", words.value.trim());
  });

  const show = () => {
    const given = turn.feedback;
    thumbs.forEach((thumb, i) =>
      thumb.setAttribute("aria-pressed", String(given?.verdict === ["up", "down"][i])),
    );
    said.textContent = t(
      given ? (given.comment ? "feedback.noted" : "feedback.thanks") : "feedback.ask",
    );
    undo.hidden = !given;
    form.hidden = !given || given.comment !== "";
    const name = t(given?.verdict === "down" ? "feedback.comment.down" : "feedback.comment.up");
    words.setAttribute("aria-label", name);
    words.setAttribute("placeholder", name);
  };

  /** @param {() => Promise<void>} change */
  const attempt = async (change) => {
    try {
      await change();
      keep();
      show();
      if (!form.hidden) reveal(form, "nearest");
    } catch (error) {
      if (!(error instanceof Failure)) throw error;
      toast(`${t("feedback.failed")} · ${faultWords(error)}`);
    }
  };

  /**
   * @param {string} verdict
   * @param {string} comment
   */
  const give = (verdict, comment) =>
    attempt(async () => {
      await json("/v1/feedback", {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: JSON.stringify(body(turn, verdict, comment)),
      });
      turn.feedback = { verdict, comment };
      if (comment) delete turn.draft;
      if (comment && form.contains(document.activeElement)) undo.focus();
    });

  const withdraw = () =>
    attempt(async () => {
      await json(`/v1/feedback/${encodeURIComponent(turn.answer.id)}`, { method: "DELETE" });
      delete turn.feedback;
      delete turn.draft;
      words.value = "";
      thumbs[0].focus();
    });

  show();
  return el(
    "div",
    { class: "feedback", role: "group", "aria-label": t("feedback.label") },
    el("div", { class: "feedback-line" }, said, ...thumbs, undo),
    form,
  );
}

/**
 * The body of POST /v1/feedback.
 * @param {{question: string, answer?: any}} turn
 * @param {string} verdict
 * @param {string} comment
 */
function body({ question, answer }, verdict, comment) {
  const cited = (/** @type {(citation: any) => string | null} */ of) =>
    [...new Set(answer.citations.map(of).filter(Boolean))].slice(0, 100);
  return {
    answer_id: answer.id,
    question: answer.standalone_question || question,
    answer: answer.answer,
    verdict,
    comment,
    article_ids: cited((c) => c.article.id),
    passage_ids: cited((c) => c.passage_id),
  };
}

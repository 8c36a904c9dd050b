// @ts-check
/** What was found and what was searched: ranked passages, a refusal's coverage, the receipt. */
import { el } from "./dom.js";
import {
  date,
  imprint,
  known,
  language,
  number,
  paragraphName,
  quoted,
  series,
  t,
} from "./i18n.js";

/** @typedef {import("./answer.js").Opener} Opener */

/**
 * What was searched without success, and the nearest passages.
 * @param {any} answer
 * @param {Opener} app
 */
export function coverage(answer, app) {
  const { searched_passages: searched, from, to, nearest = [] } = answer.coverage ?? {};
  if (searched === undefined) return null;
  const range = from && to ? t("coverage.range", { from: date(from), to: date(to) }) : "";
  const found = answer.passages ?? [];
  const named = found.filter((/** @type {any} */ p) => nearest.includes(p.passage_id));
  const near = (named.length > 0 ? named : found).slice(0, 3);
  return el(
    "section",
    { class: "coverage" },
    el(
      "p",
      { class: "coverage-line" },
      t("coverage", { n: searched }) + range + (language() === "en" ? "." : "。"),
    ),
    near.length > 0 && el("h3", null, t("coverage.nearest")),
    near.length > 0 && passageList(near, app, t("coverage.nearest")),
  );
}

/**
 * Ranked passages with score and signals.
 * @param {any[]} passages best first
 * @param {Opener} app
 * @param {string} name
 */
export function passageList(passages, app, name) {
  return el(
    "ol",
    { class: "passages", "aria-label": name },
    ...passages.map((p) => passageRow(p, app)),
  );
}

/**
 * @param {any} passage
 * @param {Opener} app
 */
function passageRow(passage, app) {
  const signals = (passage.found_by ?? []).map((/** @type {string} */ s) =>
    known(`signal.${s}`) ? t(`signal.${s}`) : s,
  );
  const reprints = (passage.reprints ?? []).map(
    (/** @type {any} */ r) => r.source ?? t("article.unsourced"),
  );
  const share = Math.round(Math.min(Math.max(passage.score ?? 0, 0), 1) * 100);
  const open = (/** @type {any} */ event) =>
    app.open(passage.article, {
      paragraph: passage.paragraph,
      current: { start_char: passage.start_char, end_char: passage.end_char, quote: passage.text },
      from: event.currentTarget,
    });
  return el(
    "li",
    { class: "passage" },
    el(
      "div",
      { class: "passage-head" },
      el(
        "button",
        { type: "button", class: "plain passage-title", on: { click: open } },
        quoted(passage.article),
      ),
      el(
        "span",
        { class: "passage-place" },
        [imprint(passage.article), paragraphName(passage.paragraph)].filter(Boolean).join(" · "),
      ),
    ),
    el("p", { class: "passage-text", lang: passage.article.language ?? null }, passage.text),
    el(
      "p",
      { class: "passage-facts" },
      el("span", null, t("passages.rank", { n: passage.rank })),
      el("meter", { min: 0, max: 100, value: share, "aria-hidden": "true" }),
      el("span", null, t("passages.score", { score: (passage.score ?? 0).toFixed(2) })),
      signals.length > 0 && el("span", null, t("passages.by", { signals: series(signals) })),
      reprints.length > 0 &&
        el("span", null, t("passages.reprints", { sources: reprints.join(t("and")) })),
    ),
  );
}

/**
 * How long it took, and with what.
 * @param {any} answer
 */
export function receipt(answer) {
  const timings = answer.timings_ms ?? {};
  const total =
    timings.total ??
    Object.values(timings).reduce((/** @type {number} */ sum, ms) => sum + Number(ms), 0);
  const facts = [
    total > 0 && t("turn.took", { seconds: (total / 1000).toFixed(2) }),
    answer.coverage?.searched_passages !== undefined &&
      t("coverage", { n: answer.coverage.searched_passages }),
    answer.receipt?.generation !== undefined &&
      t("turn.generation", { n: number(answer.receipt.generation) }),
    answer.receipt?.model && t("turn.model", { model: answer.receipt.model }),
  ].filter(Boolean);
  return el("p", { class: "receipt" }, facts.join(" · "));
}

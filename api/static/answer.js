// @ts-check
/** An answer: its sentences with their chips, its sources, and what stands against what. */
import { attachCard, citationCard, scanUnsure } from "./card.js";
import { el, fill, icon, plain } from "./dom.js";
import { date, imprint, known, paragraphName, quoted, t } from "./i18n.js";
import { distinct } from "./references.js";
import { segments } from "./text.js";

/** So many sources are listed before the rest is folded away. */
const SHOWN = 6;

/**
 * @typedef {{open: (article: any, place: {paragraph?: number | null, current?: any, citations?: any[],
 *   from?: HTMLElement}) => void}} Opener opens an article beside the answer
 */

/**
 * The text of an answer with a chip behind each sentence.
 * @param {any} answer
 * @param {Opener} app
 */
export function answerText(answer, app) {
  const root = el("div", { class: "prose answer-text", lang: answer.language ?? null });
  const spans = new Map();
  /** @type {HTMLElement | null} the end of a sentence with its chips: no line begins with a chip */
  let end = null;
  const pieces = segments(answer.answer, answer.citations);
  pieces.forEach((piece, i) => {
    if (piece.kind === "chip") {
      end ??= root.appendChild(el("span", { class: "keep" }));
      end?.append(chip(piece.citation, answer, app, () => spans.get(piece.citation) ?? []));
      return;
    }
    end = null;
    const support = piece.citations.length > 0 ? best(piece.citations) : null;
    const claim = el("span", { class: support ? "claim" : null, "data-support": support });
    for (const c of piece.citations) spans.set(c, [...(spans.get(c) ?? []), claim]);
    const last = pieces[i + 1]?.kind === "chip" ? ([...piece.text].at(-1) ?? "") : "";
    fill(claim, piece.text.slice(0, piece.text.length - last.length));
    root.append(claim);
    if (!last) return;
    const tail = fill(el("span", { class: claim.className, "data-support": support }), last);
    for (const c of piece.citations) spans.get(c).push(tail);
    end = root.appendChild(fill(el("span", { class: "keep" }), tail));
  });
  return root;
}

/**
 * Text that is still coming: its markers are small, and not yet to be pressed.
 * @param {string} text
 */
export function comingText(text) {
  const fragment = document.createDocumentFragment();
  for (const run of text.split(/(\[\d{1,4}\])/)) {
    if (/^\[\d{1,4}\]$/.test(run))
      fragment.append(el("span", { class: "chip coming" }, run.slice(1, -1)));
    else fragment.append(plain(run));
  }
  return fragment;
}

/** @param {any[]} citations a sentence with one sound proof is proved */
function best(citations) {
  for (const support of ["verbatim", "supported"])
    if (citations.some((c) => c.support === support)) return support;
  return "unsupported";
}

/**
 * @param {any} citation
 * @param {any} answer
 * @param {Opener} app
 * @param {() => HTMLElement[]} claim the sentence it proves
 */
function chip(citation, answer, app, claim) {
  const button = el(
    "button",
    {
      type: "button",
      class: "chip",
      "data-support": citation.support,
      "data-unsure": citation.scan?.unsure ?? null,
      "aria-label": t("cite.open", {
        n: citation.number,
        title: quoted(citation.article),
        place: [
          paragraphName(citation.paragraph),
          t(`support.${citation.support}`),
          citation.scan?.unsure && t("scan.unsure"),
        ]
          .filter(Boolean)
          .join(", "),
      }),
      on: { click: () => openCitation(citation, answer, app, button) },
    },
    citation.number,
  );
  const light = (/** @type {boolean} */ on) => () =>
    claim().forEach((s) => s.classList.toggle("lit", on));
  button.addEventListener("pointerenter", light(true));
  button.addEventListener("focus", light(true));
  button.addEventListener("pointerleave", light(false));
  button.addEventListener("blur", light(false));
  attachCard(button, () => citationCard(citation));
  return button;
}

/**
 * @param {any} citation
 * @param {any} answer
 * @param {Opener} app
 * @param {HTMLElement} from
 */
function openCitation(citation, answer, app, from) {
  const citations = distinct(answer.citations).filter((c) => c.article.id === citation.article.id);
  app.open(citation.article, { paragraph: citation.paragraph, current: citation, citations, from });
}

/**
 * The list of sources under an answer; a long one is folded.
 * @param {any} answer
 * @param {Opener} app
 */
export function sourceList(answer, app) {
  const all = distinct(answer.citations);
  if (all.length === 0) return null;
  const list = el("ol", { class: "sources" });
  const rows = all.map((c) =>
    el(
      "li",
      null,
      el(
        "button",
        {
          type: "button",
          class: "source",
          on: { click: (/** @type {any} */ e) => openCitation(c, answer, app, e.currentTarget) },
        },
        el("span", { class: "source-number", "data-support": c.support }, c.number),
        el(
          "span",
          { class: "source-body" },
          el(
            "span",
            { class: "source-title", lang: c.article.language ?? null },
            quoted(c.article),
          ),
          el(
            "span",
            { class: "source-place" },
            [imprint(c.article), paragraphName(c.paragraph)].filter(Boolean).join(" · "),
          ),
        ),
        el(
          "span",
          { class: "support", "data-support": c.support },
          t(`support.${c.support}`),
          scanUnsure(c, "span"),
        ),
      ),
    ),
  );
  fill(list, ...rows);
  const section = el(
    "section",
    { class: "sources-block" },
    el("h3", null, t("cite.sources")),
    list,
  );
  if (all.length > SHOWN) section.append(folder(rows.slice(SHOWN), all.length));
  return section;
}

/**
 * @param {HTMLElement[]} rows
 * @param {number} count
 */
function folder(rows, count) {
  let open = false;
  const button = el("button", { type: "button", class: "plain", "aria-expanded": "false" });
  const apply = () => {
    for (const row of rows) row.hidden = !open;
    button.setAttribute("aria-expanded", String(open));
    button.textContent = open ? t("cite.fewer") : t("cite.all", { n: count });
  };
  button.addEventListener("click", () => {
    open = !open;
    apply();
  });
  apply();
  return button;
}

/**
 * What the sources say against each other, side by side.
 * @param {any} answer
 * @param {Opener} app
 */
export function conflictTable(answer, app) {
  const sides = distinct(answer.citations);
  if (answer.status !== "conflicting" || sides.length < 2) return null;
  const cells = sides.map((c) =>
    el(
      "button",
      {
        type: "button",
        class: "side",
        on: { click: (/** @type {any} */ e) => openCitation(c, answer, app, e.currentTarget) },
      },
      el("span", { class: "side-quote", lang: c.article.language ?? null }, c.quote),
      el("span", { class: "side-source" }, `[${c.number}] ${quoted(c.article)}`),
      el(
        "span",
        { class: "side-source" },
        [c.article.source, date(c.article.published)].filter(Boolean).join(" · "),
      ),
    ),
  );
  return el(
    "div",
    { class: "sides", role: "group", "aria-label": t("status.conflicting") },
    ...cells,
  );
}

/**
 * What kind of answer it is, unless it is a plain one.
 * @param {string} status
 */
export function statusLabel(status) {
  if (!known(`status.${status}`)) return null;
  return el(
    "p",
    { class: "status", "data-status": status },
    el("strong", null, t(`status.${status}`)),
    known(`status.${status}.note`) && el("span", null, t(`status.${status}.note`)),
    status === "no_evidence" && icon("search"),
  );
}

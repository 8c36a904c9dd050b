// @ts-check
/** The card that shows a citation while its chip is pointed at or focused. There is one. */
import { el, fill } from "./dom.js";
import { imprint, paragraphName, quoted, t } from "./i18n.js";

const card = el("div", { id: "card", role: "tooltip", class: "card", hidden: true });
/** @type {number | undefined} */
let leaving;
/** @type {HTMLElement | null} */
let owner = null;
/** Whether a focus is on its way that shows no card. */
let quiet = false;

/** Puts the card into the page. */
export function mountCard() {
  document.body.append(card);
  card.addEventListener("pointerenter", () => clearTimeout(leaving));
  card.addEventListener("pointerleave", hideSoon);
  document.addEventListener(
    "keydown",
    (event) => {
      if (event.key === "Escape" && owner) {
        hide();
        event.stopPropagation();
      }
    },
    true,
  );
  card.addEventListener("grown", () => owner && place(owner));
  addEventListener("scroll", hide, true);
  addEventListener("resize", hide);
}

/**
 * Shows what `content` makes while `anchor` is hovered or focused.
 * @param {HTMLElement} anchor
 * @param {() => Node[]} content
 */
export function attachCard(anchor, content) {
  const show = () => {
    clearTimeout(leaving);
    if (owner === anchor) return;
    if (owner) hide();
    owner = anchor;
    card.replaceChildren(...content());
    card.hidden = false;
    anchor.setAttribute("aria-describedby", "card");
    place(anchor);
  };
  anchor.addEventListener("pointerenter", (event) => {
    if (event.pointerType !== "touch") show(); // a tap opens the article, which shows more
  });
  anchor.addEventListener("pointerleave", hideSoon);
  anchor.addEventListener("focus", () => {
    if (!quiet && anchor.matches(":focus-visible")) show();
  });
  anchor.addEventListener("blur", hide);
  anchor.addEventListener("click", hide);
}

/**
 * Gives the focus back to where it was; its card, which was read before, stays away.
 * @param {HTMLElement} node
 */
export function focusAgain(node) {
  quiet = true;
  node.focus({ preventScroll: true });
  quiet = false;
}

/**
 * What a citation's card says.
 * @param {any} citation
 * @returns {Node[]}
 */
export function citationCard(citation) {
  const { article, quote, before, after, support, scan } = citation;
  return [
    fill(
      el("p", { class: "card-quote", lang: article.language ?? null }),
      before && el("span", { class: "context" }, `…${before}`),
      el("q", null, quote),
      after && el("span", { class: "context" }, `${after}…`),
    ),
    el("p", { class: "card-title" }, quoted(article)),
    el(
      "p",
      { class: "card-place" },
      [imprint(article), paragraphName(citation.paragraph)].filter(Boolean).join(" · "),
    ),
    el("p", { class: "card-support", "data-support": support }, t(`support.${support}.note`)),
    ...(scan ? [scanUnsure(citation, "p"), scanCut(scan.cut, quote)] : []).filter(Boolean),
  ];
}

/**
 * The cut of a scan, in a place that it fills once its module is loaded.
 * @param {string} address
 * @param {string} text what is printed there
 */
export function scanCut(address, text) {
  const place = el("div", { class: "scan-place" });
  void import("./scan.js").then(({ scanFigure }) => place.append(scanFigure(address, text)));
  return place;
}

/**
 * A mark for a quote that OCR was not sure of; null for any other.
 * @param {any} citation
 * @param {"span" | "p"} tag a short word with a tooltip, or the whole sentence
 */
export function scanUnsure({ scan }, tag) {
  if (!scan?.unsure) return null;
  const percent = Math.round(scan.confidence * 100);
  const note = t("scan.unsure.note", { percent });
  if (tag === "p") return el("p", { class: "unsure" }, note);
  return el("span", { class: "unsure", title: note }, t("scan.unsure"));
}

function hideSoon() {
  clearTimeout(leaving);
  leaving = setTimeout(hide, 150); // time to move the pointer onto the card
}

function hide() {
  clearTimeout(leaving);
  owner?.removeAttribute("aria-describedby");
  owner = null;
  card.hidden = true;
}

/** @param {HTMLElement} anchor */
function place(anchor) {
  const gap = 8;
  const at = anchor.getBoundingClientRect();
  const { width, height } = card.getBoundingClientRect();
  const left = Math.min(
    Math.max(at.left + at.width / 2 - width / 2, gap),
    innerWidth - width - gap,
  );
  const above = at.top - height - gap;
  card.style.left = `${Math.max(left, gap)}px`;
  card.style.top = `${above >= gap ? above : Math.min(at.bottom + gap, innerHeight - height - gap)}px`;
}

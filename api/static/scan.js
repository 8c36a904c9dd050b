// @ts-check
/** The cut of a scan, shown where a quote stands in it. Loaded when the first one is wanted. */
import { el } from "./dom.js";
import { faultWords } from "./faults.js";
import { t } from "./i18n.js";
import { dataUrl, Failure } from "./net.js";

/** Pictures that were shown already, the newest last. @type {Map<string, string>} */
const seen = new Map();
const KEPT = 20;

/**
 * A figure that holds the cut as soon as it is there; it then fires "grown", which bubbles.
 * @param {string} address of the cut: "/v1/articles/ID/scan?start=…&end=…"
 * @param {string} text what is printed there, for those who cannot see it
 */
export function scanFigure(address, text) {
  const waiting = el("p", { class: "aside", role: "status" }, t("scan.loading"));
  const figure = el("figure", { class: "scan" }, waiting);
  const show = (/** @type {Node} */ node) => {
    waiting.replaceWith(node);
    figure.dispatchEvent(new CustomEvent("grown", { bubbles: true }));
  };
  void picture(address).then(
    async (source) => {
      const image = el("img", { alt: t("scan.alt", { text }) });
      image.src = source;
      await image.decode();
      figure.append(el("figcaption", null, t("scan.caption")));
      show(image);
    },
    (error) => {
      if (!(error instanceof Failure)) throw error;
      show(el("p", { class: "aside", role: "alert" }, faultWords(error)));
    },
  );
  return figure;
}

/** @param {string} address */
async function picture(address) {
  const held = seen.get(address);
  if (held) return held;
  const source = await dataUrl(address);
  seen.set(address, source);
  if (seen.size > KEPT) seen.delete(/** @type {string} */ (seen.keys().next().value));
  return source;
}

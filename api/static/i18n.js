// @ts-check
/** The language of the interface: words, dates and numbers. */
import { en, zh } from "./words.js";
import { recall, remember } from "./store.js";

/** @returns {"zh" | "en"} what was chosen before, or what the browser asks for */
function wanted() {
  const chosen = recall("wenju.language");
  if (chosen === "zh" || chosen === "en") return chosen;
  for (const tag of navigator.languages ?? [navigator.language]) {
    if (/^zh\b/i.test(tag)) return "zh";
    if (/^en\b/i.test(tag)) return "en";
  }
  return "en";
}

/** @type {"zh" | "en"} */
let current = wanted();

/** The language in use. */
export function language() {
  return current;
}

/**
 * Switches the interface and tells everybody by a "languagechange" event on the document.
 * @param {"zh" | "en"} next
 */
export function setLanguage(next) {
  current = next;
  remember("wenju.language", next);
  label(document);
  document.dispatchEvent(new Event("languagechange"));
}

/**
 * The words of a key, with `{name}` filled in. An unknown key is an error.
 * @param {string} key
 * @param {Record<string, string | number>} [values]
 */
export function t(key, values = {}) {
  const table = current === "zh" ? zh : en;
  const words = (values.n === 1 && table[`${key}.one`]) || table[key];
  if (words === undefined) throw new Error(`no words for ${key}`);
  return words.replace(/\{(\w+)\}/g, (_, name) =>
    typeof values[name] === "number" ? number(values[name]) : String(values[name] ?? ""),
  );
}

/**
 * Whether there are words for a key.
 * @param {string} key
 */
export function known(key) {
  return key in zh;
}

/**
 * Puts the words into everything under `root` that names a key: `data-t` the text, `data-label`
 * the accessible name (and the tooltip), `data-placeholder` the placeholder.
 * @param {Document | Element} root
 */
export function label(root) {
  document.documentElement.lang = current === "zh" ? "zh-Hans" : "en";
  document.title = t("title");
  for (const node of root.querySelectorAll("[data-t]")) {
    node.textContent = t(/** @type {HTMLElement} */ (node).dataset.t ?? "");
  }
  for (const node of root.querySelectorAll("[data-label]")) {
    const words = t(/** @type {HTMLElement} */ (node).dataset.label ?? "");
    node.setAttribute("aria-label", words);
    if (node instanceof HTMLButtonElement) node.title = words;
  }
  for (const node of root.querySelectorAll("[data-placeholder]")) {
    node.setAttribute(
      "placeholder",
      t(/** @type {HTMLElement} */ (node).dataset.placeholder ?? ""),
    );
  }
}

/**
 * A number with its thousands grouped.
 * @param {number} value
 */
export function number(value) {
  return new Intl.NumberFormat(current === "zh" ? "zh-CN" : "en-GB").format(value);
}

/**
 * An ISO date as people write it, as precise as it is: "2024年5月20日", "20 May 2024", "2024".
 * What is not an ISO date is shown as it stands.
 * @param {string | null | undefined} iso
 */
export function date(iso) {
  if (!iso) return t("article.undated");
  const [, year, month, day] = /^(\d{4})(?:-(\d\d))?(?:-(\d\d))?/.exec(iso) ?? [];
  if (!year) return iso;
  if (current === "zh") {
    return `${year}年${month ? `${Number(month)}月` : ""}${day ? `${Number(day)}日` : ""}`;
  }
  if (!month) return year;
  const moment = new Date(Date.UTC(Number(year), Number(month) - 1, Number(day ?? 1)));
  return new Intl.DateTimeFormat("en-GB", {
    year: "numeric",
    month: "long",
    day: day ? "numeric" : undefined,
    timeZone: "UTC",
  }).format(moment);
}

/**
 * A paragraph as people count it, from 1; null is the article's head.
 * @param {number | null | undefined} paragraph counted from 0
 */
export function paragraphName(paragraph) {
  return paragraph === null || paragraph === undefined
    ? t("article.head")
    : t("article.paragraph", { n: paragraph + 1 });
}

/**
 * Who, where, when of an article in one line.
 * @param {any} article
 */
export function imprint(article) {
  const page = article.page ? pageName(article.page) : null;
  return [
    (article.authors ?? []).join(t("and")),
    article.source ?? null,
    article.published ? date(article.published) : null,
    page,
  ]
    .filter(Boolean)
    .join(" · ");
}

/**
 * The page an article stood on: "第 3 版" for "3" and "第3版". "第三版" stays as it is printed.
 * @param {string} page
 */
export function pageName(page) {
  const [, name] = /^第?\s*([A-Za-z]?\d+)\s*版?$/.exec(page) ?? [];
  return name ? t("article.page", { page: name }) : page;
}

/**
 * Why a column was closed so, in the language in use; what has no words is shown as it was said.
 * @param {string} reason the server's words
 */
export function reasonWords(reason) {
  return known(`reason.${reason}`) ? t(`reason.${reason}`) : reason;
}

/**
 * Several things in one phrase: "语义和字词", "meaning and words".
 * @param {string[]} things
 */
export function series(things) {
  return new Intl.ListFormat(current === "zh" ? "zh-CN" : "en-GB", { type: "conjunction" }).format(
    things,
  );
}

/**
 * The title as it is quoted in a sentence; an article without one is "无题".
 * @param {any} article
 */
export function quoted(article) {
  return article.title ? t("article.quoted", { title: article.title }) : t("article.untitled");
}

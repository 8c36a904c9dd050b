// @ts-check
/** What went wrong, in the reader's language. The server says it in English, with a code. */
import { el } from "./dom.js";
import { known, language, t } from "./i18n.js";
import { toldInChinese } from "./told.js";

/** @typedef {{code: string, message: string, requestId?: string, status?: number}} Fault */

/** Codes whose words say all that the server's do. */
const COMPLETE = [
  "internal",
  "overloaded",
  "archive_busy",
  "not_found",
  "unauthorized",
  "forbidden",
  "rate_limited",
];

/**
 * What happened and what to do, in one sentence.
 * @param {Fault} fault
 */
export function faultWords(fault) {
  if (language() === "en" && tells(fault)) return fault.message;
  const words = t(`error.${kind(fault)}`);
  const more = tells(fault) && toldInChinese(fault.message);
  return more ? `${words.replace(/。$/, "")}：${more}` : words;
}

/**
 * An error for a person: what happened, what to do, and the number to find it in the log. English
 * that has no Chinese words is folded away behind a label that says so.
 * @param {Fault} fault
 */
export function errorNote(fault) {
  const foreign = language() !== "en" && tells(fault) && toldInChinese(fault.message) === null;
  return el(
    "div",
    { class: "error", role: "alert" },
    el("p", null, faultWords(fault)),
    foreign && original(fault.message),
    fault.requestId && el("p", { class: "error-detail" }, t("error.id", { id: fault.requestId })),
  );
}

/**
 * A sentence about a file: in Chinese where there are words for it, else as the server said it.
 * @param {string} sentence
 */
export function fileNote(sentence) {
  if (language() === "en") return el("p", { class: "aside" }, sentence);
  const words = toldInChinese(sentence);
  return words === null ? original(sentence) : el("p", { class: "aside" }, words);
}

/** @param {string} sentence in English */
function original(sentence) {
  return el(
    "details",
    { class: "error-detail" },
    el("summary", null, t("error.told")),
    el("p", { lang: "en" }, sentence),
  );
}

/** Whether the server's own words add to those of the code. @param {Fault} fault */
function tells({ code, message }) {
  return message !== "" && (!COMPLETE.includes(code) || (code !== "internal" && language() === "en"));
}

/** @param {Fault} fault */
function kind({ code, status }) {
  if (known(`error.${code}`)) return code;
  return status && status >= 400 && status < 500 ? "request" : "server";
}

// @ts-check
/** Answers and conversations as text to take away: plain, Markdown, GB/T 7714. */
import { imprint, paragraphName, quoted, t } from "./i18n.js";

/**
 * One citation for each number, in order of number.
 * @param {any[]} citations
 */
export function distinct(citations) {
  const byNumber = new Map();
  for (const c of citations) if (!byNumber.has(c.number)) byNumber.set(c.number, c);
  return [...byNumber.values()].sort((a, b) => a.number - b.number);
}

/**
 * A reference after GB/T 7714-2015, numeric system: newspaper articles are [N], other documents
 * [Z]; at most three authors are named; what is unknown is left out, except the publisher.
 * @param {any} article
 */
export function gbt7714(article) {
  const chinese = article.language
    ? article.language.startsWith("zh")
    : /\p{Script=Han}/u.test(article.title ?? "");
  const authors = article.authors ?? [];
  const more = authors.length > 3 ? [chinese ? "等" : "et al"] : [];
  const who = [...authors.slice(0, 3), ...more].join(", ");
  const title = article.title || (chinese ? "无题" : "Untitled");
  const page = article.page ? `(${article.page.replace(/^第\s*|\s*版$/g, "")})` : "";
  const where = article.source || (chinese ? "[出版者不详]" : "[s.n.]");
  const when = article.published ? `, ${article.published}${page}` : page;
  return `${who ? `${who}. ` : ""}${title}[${article.source ? "N" : "Z"}]. ${where}${when}.`;
}

/**
 * The answer, then who wrote each source, where it stands and its words.
 * @param {any} answer
 */
export function asPlain(answer) {
  const sources = distinct(answer.citations).map((c) => {
    const line = [quoted(c.article), imprint(c.article), paragraphName(c.paragraph)];
    return `[${c.number}] ${line.filter(Boolean).join(" · ")}\n    ${oneLine(c.quote)}`;
  });
  return [answer.answer, ...sources].join("\n\n");
}

/**
 * The answer with a linked list of sources, each quoted.
 * @param {any} answer
 * @param {string} origin of the links, "http://…"
 */
export function asMarkdown(answer, origin) {
  const sources = distinct(answer.citations).map((c) => {
    const link = `[${escape(c.article.title || t("article.untitled"))}](${origin}${address(c.article.id, c.paragraph)})`;
    const rest = [imprint(c.article), paragraphName(c.paragraph)].filter(Boolean).map(escape);
    return `- **[${c.number}]** ${[link, ...rest].join(" · ")}\n  > ${escape(oneLine(c.quote))}`;
  });
  return [escape(answer.answer, true), sources.join("\n")].filter(Boolean).join("\n\n");
}

/**
 * The answer with a list of references after GB/T 7714. Several citations of one article share
 * their reference, and the answer's numbers are those of the references.
 * @param {any} answer
 */
export function asGbt(answer) {
  const byArticle = new Map();
  const renumbered = new Map();
  for (const c of distinct(answer.citations)) {
    if (!byArticle.has(c.article.id))
      byArticle.set(c.article.id, { n: byArticle.size + 1, article: c.article });
    renumbered.set(String(c.number), byArticle.get(c.article.id).n);
  }
  const text = answer.answer
    .replace(/\[(\d+)\]/g, (/** @type {string} */ whole, /** @type {string} */ n) =>
      renumbered.has(n) ? `[${renumbered.get(n)}]` : whole,
    )
    .replace(/(\[\d+\])\1+/g, "$1");
  const list = [...byArticle.values()].map(({ n, article }) => `[${n}] ${gbt7714(article)}`);
  return [text, list.join("\n")].filter(Boolean).join("\n\n");
}

/**
 * A whole conversation as Markdown.
 * @param {any} chat
 * @param {string} origin
 */
export function conversationAsMarkdown(chat, origin) {
  const turns = chat.turns.map((/** @type {any} */ turn) => {
    const head = `## ${escape(oneLine(turn.question))}`;
    if (!turn.answer)
      return `${head}\n\n*${escape(t(turn.stopped ? "turn.stopped" : "error.request"))}*`;
    return `${head}\n\n${asMarkdown(turn.answer, origin)}`;
  });
  return `# ${t("title")}\n\n${turns.join("\n\n")}\n`;
}

/**
 * The address of a paragraph on this site.
 * @param {string} id
 * @param {number | null | undefined} paragraph
 */
export function address(id, paragraph) {
  const anchor = paragraph === null || paragraph === undefined ? "" : `#p${paragraph}`;
  return `/articles/${encodeURIComponent(id)}${anchor}`;
}

/**
 * Puts text on the clipboard; says whether it could.
 * @param {string} text
 */
export async function copy(text) {
  if (navigator.clipboard) {
    try {
      await navigator.clipboard.writeText(text);
      return true;
    } catch {
      return copyOldWay(text); // no permission: the old way may still be allowed
    }
  }
  return copyOldWay(text); // a page that is not served over https has no clipboard
}

/** @param {string} text */
function copyOldWay(text) {
  const area = document.createElement("textarea");
  area.className = "hidden";
  area.value = text;
  document.body.append(area);
  const before = document.activeElement;
  area.select();
  const done = document.execCommand("copy");
  area.remove();
  if (before instanceof HTMLElement) before.focus();
  return done;
}

/** @param {string} text */
function oneLine(text) {
  return text.replace(/\s+/g, " ").trim();
}

/**
 * @param {string} text
 * @param {boolean} [brackets] whether [1] stays as it is
 */
function escape(text, brackets = false) {
  return text.replace(brackets ? /[\\`*_<>]/g : /[\\`*_<>[\]]/g, "\\$&");
}

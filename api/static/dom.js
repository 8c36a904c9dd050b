// @ts-check
/** Making elements. Text is only ever put in as text nodes; nothing here reads HTML. */

/** Characters that turn the writing direction of what follows them. */
const BIDI = /[\u200e\u200f\u061c\u202a-\u202e\u2066-\u2069]/;

/**
 * Text as nodes whose characters are exactly those of `text`. A bidirectional control is put in an
 * isolate of its own, where it can turn nothing around.
 * @param {string} text
 */
export function plain(text) {
  const fragment = document.createDocumentFragment();
  if (!BIDI.test(text)) {
    fragment.append(text);
    return fragment;
  }
  for (const run of text.split(new RegExp(`(${BIDI.source})`))) {
    if (!BIDI.test(run)) {
      if (run) fragment.append(run);
      continue;
    }
    const lone = document.createElement("bdi");
    lone.className = "control";
    lone.title = `U+${/** @type {number} */ (run.codePointAt(0)).toString(16).toUpperCase().padStart(4, "0")}`;
    lone.append(run);
    fragment.append(lone);
  }
  return fragment;
}

/**
 * An address that may stand in a link: of this site, or http(s). Anything else gives null.
 * @param {unknown} url
 */
export function safeHref(url) {
  if (typeof url !== "string" || url === "") return null;
  const parsed = URL.canParse(url, location.origin) ? new URL(url, location.origin) : null;
  return parsed && ["http:", "https:"].includes(parsed.protocol) ? parsed.href : null;
}

/**
 * An element. Attributes that are null, undefined or false are left out; `on` holds listeners.
 * @param {string} tag
 * @param {Record<string, any> | null} [attributes]
 * @param {...(Node | string | number | null | undefined | false)} children
 * @returns {any}
 */
export function el(tag, attributes, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes ?? {})) {
    if (value === null || value === undefined || value === false) continue;
    if (name === "on") {
      for (const [type, listener] of Object.entries(value)) node.addEventListener(type, listener);
    } else if (name === "style" || name.startsWith("on") || (name === "href" && !safeHref(value))) {
      throw new Error(`not allowed on an element: ${name}`);
    } else {
      node.setAttribute(name, value === true ? "" : String(value));
    }
  }
  return fill(node, ...children);
}

/**
 * Appends children; strings become text.
 * @param {Element} node
 * @param {...(Node | string | number | null | undefined | false)} children
 */
export function fill(node, ...children) {
  for (const child of children) {
    if (child === null || child === undefined || child === false || child === "") continue;
    node.append(child instanceof Node ? child : plain(String(child)));
  }
  return node;
}

/** Strokes on a 20 × 20 grid. @type {Record<string, string>} */
const STROKES = {
  menu: "M3 5.5h14M3 10h14M3 14.5h14",
  close: "M5 5l10 10M15 5L5 15",
  send: "M10 16V4M5 9l5-5 5 5",
  stop: "M6 6h8v8H6z",
  plus: "M10 4v12M4 10h12",
  trash: "M4 6h12M8 6V4h4v2M6 6l.7 10h6.6L14 6",
  copy: "M7 7h9v9H7zM13 7V4H4v9h3",
  list: "M4 5h2M9 5h7M4 10h2M9 10h7M4 15h2M9 15h7",
  filter: "M3 5h14M6 10h8M8.5 15h3",
  retry: "M15.5 8A6 6 0 1 0 16 12M16 4v4h-4",
  sun: "M10 6.5a3.5 3.5 0 1 0 0 7a3.5 3.5 0 0 0 0-7M10 2v2M10 16v2M2 10h2M16 10h2M4.3 4.3l1.4 1.4M14.3 14.3l1.4 1.4M4.3 15.7l1.4-1.4M14.3 5.7l1.4-1.4",
  moon: "M16 12.5A6.5 6.5 0 0 1 7.5 4a6.5 6.5 0 1 0 8.5 8.5z",
  half: "M10 3a7 7 0 1 0 0 14a7 7 0 0 0 0-14zM10 3v14M10 6h4.7M10 10h7M10 14h4.7",
  link: "M8.5 11.5a3 3 0 0 0 4.3 0l3-3a3 3 0 0 0-4.3-4.3l-1 1M11.5 8.5a3 3 0 0 0-4.3 0l-3 3a3 3 0 0 0 4.3 4.3l1-1",
  upload: "M10 13V4M6 8l4-4 4 4M4 13v3h12v-3",
  save: "M10 4v9M6 9l4 4 4-4M4 13v3h12v-3",
  search: "M9 4a5 5 0 1 0 0 10a5 5 0 0 0 0-10M13 13l4 4",
  up: "M3 9h3v8H3zM6 9l3.5-6c1.3 0 2 1 1.7 2.3L10.6 8H15a1.6 1.6 0 0 1 1.6 2l-1.4 5.5A2 2 0 0 1 13.3 17H6",
  down: "M17 11h-3V3h3zM14 11l-3.5 6c-1.3 0-2-1-1.7-2.3L9.4 12H5a1.6 1.6 0 0 1-1.6-2l1.4-5.5A2 2 0 0 1 6.7 3H14",
  ask: "M4 4h12v9H9l-4 3.5V13H4z",
};

/**
 * A line drawing, hidden from screen readers: the control around it carries the name.
 * @param {string} name
 */
export function icon(name) {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  svg.setAttribute("viewBox", "0 0 20 20");
  svg.setAttribute("class", "icon");
  svg.setAttribute("aria-hidden", "true");
  const path = document.createElementNS("http://www.w3.org/2000/svg", "path");
  path.setAttribute("d", STROKES[name]);
  svg.append(path);
  return svg;
}

/** Whether the reader asked for less movement. */
export function calm() {
  return matchMedia("(prefers-reduced-motion: reduce)").matches;
}

/**
 * Scrolls an element into view, without movement where the reader asked for none.
 * @param {Element} node
 * @param {ScrollLogicalPosition} block
 */
export function reveal(node, block) {
  node.scrollIntoView({ block, behavior: calm() ? "auto" : "smooth" });
}

// @ts-check
/** Which articles may answer: the form, the chips of what is in use, and the API's `filters`. */
import { el, fill, icon } from "./dom.js";
import { date, t } from "./i18n.js";

/** Fields whose values are offered. */
const OFFERED = /** @type {const} */ (["sources", "authors", "sections"]);

/**
 * @typedef {{authors?: string[], sources?: string[], sections?: string[], languages?: string[], date_from?: string,
 *   date_to?: string, articles?: {id: string, title: string}[]}} Filters empty fields do not restrict
 */

/**
 * The API's form of filters; undefined when nothing is restricted.
 * @param {Filters | null | undefined} filters
 */
export function apiFilters(filters) {
  if (!filters || describeFilters(filters).length === 0) return undefined;
  const { articles, ...rest } = filters;
  return articles?.length ? { ...rest, article_ids: articles.map((a) => a.id) } : rest;
}

/**
 * Each restriction with its words, and the filters without it.
 * @param {Filters} filters
 * @returns {{label: string, without: Filters}[]}
 */
export function describeFilters(filters) {
  const found = [];
  for (const field of /** @type {const} */ (["authors", "sources", "sections", "languages"])) {
    for (const value of filters[field] ?? []) {
      const label = field === "languages" ? t(`lang.${value}`) : value;
      const others = filters[field]?.filter((v) => v !== value);
      found.push({ label, without: { ...filters, [field]: others?.length ? others : undefined } });
    }
  }
  for (const article of filters.articles ?? []) {
    const label = t("filters.article", { title: article.title });
    found.push({
      label,
      without: { ...filters, articles: filters.articles?.filter((a) => a !== article) },
    });
  }
  if (filters.date_from)
    found.push({
      label: t("filters.since", { date: date(filters.date_from) }),
      without: { ...filters, date_from: undefined },
    });
  if (filters.date_to)
    found.push({
      label: t("filters.until", { date: date(filters.date_to) }),
      without: { ...filters, date_to: undefined },
    });
  return found;
}

/**
 * The list's filters as parameters of GET /v1/articles.
 * @param {Filters} filters
 * @returns {[string, string][]}
 */
export function listFilters(filters) {
  const names = { authors: "author", sources: "source", sections: "section", languages: "language" };
  const several = Object.entries(names).flatMap(([field, name]) =>
    /** @type {string[]} */ (filters[/** @type {keyof typeof names} */ (field)] ?? []).map(
      (value) => /** @type {[string, string]} */ ([name, value]),
    ),
  );
  for (const name of /** @type {const} */ (["date_from", "date_to"]))
    if (filters[name]) several.push([name, /** @type {string} */ (filters[name])]);
  return several;
}

/** A form of filters: of the next question, or of the list of articles. */
export class FilterBox {
  /**
   * @param {{name: string, chips: HTMLElement, button: HTMLElement, panel: HTMLElement,
   *   suggest: () => Promise<any>, onChange?: () => void}} parts
   *   `name` sets it apart from other such forms; `suggest` gives the facets that are offered
   */
  constructor({ name, chips, button, panel, suggest, onChange }) {
    this.name = name;
    this.onChange = onChange;
    this.chips = chips;
    this.button = button;
    this.panel = panel;
    this.suggest = suggest;
    /** @type {Filters} */
    this.value = {};
    button.addEventListener("click", () => (panel.hidden ? this.open() : this.close()));
    panel.addEventListener("keydown", (event) => {
      if (event.key === "Escape") this.close();
    });
    this.render();
  }

  /** @param {Filters} value */
  set(value) {
    this.value = value;
    this.render();
    this.onChange?.();
  }

  render() {
    const entries = describeFilters(this.value);
    this.chips.hidden = entries.length === 0;
    this.chips.setAttribute("aria-label", t("filters.active"));
    this.button.classList.toggle("on", entries.length > 0);
    this.chips.replaceChildren(
      ...entries.map(({ label, without }) =>
        el(
          "button",
          {
            type: "button",
            class: "filter-chip",
            "aria-label": t("filters.remove", { label }),
            on: {
              click: () => {
                this.set(without);
                this.button.focus();
              },
            },
          },
          el("span", null, label),
          icon("close"),
        ),
      ),
    );
    if (!this.panel.hidden) void this.open();
  }

  /** Words have changed; what was filled in and is not yet used stays. */
  relabel() {
    const form = this.panel.querySelector("form");
    const filled = form && !this.panel.hidden ? read(form, this.value.articles) : null;
    this.panel.hidden = true;
    this.render();
    if (filled) void this.open(filled);
  }

  close() {
    this.panel.hidden = true;
    this.button.setAttribute("aria-expanded", "false");
    this.button.focus();
  }

  /** @param {Filters} [filled] what the form holds; what is in use, unless given */
  async open(filled = this.value) {
    const form = this.form(filled);
    this.panel.replaceChildren(form);
    this.panel.hidden = false;
    this.button.setAttribute("aria-expanded", "true");
    form.querySelector("input")?.focus();
    const facets = await this.suggest();
    for (const field of OFFERED) {
      form.querySelector(`#${this.name}-${field}`)?.replaceChildren(
        ...(facets[field] ?? []).map((/** @type {{value: string, count: number}} */ facet) =>
          el("option", { value: facet.value, label: t("archive.count", { n: facet.count }) }),
        ),
      );
    }
  }

  /** @param {Filters} v */
  form(v) {
    const field = (/** @type {string} */ name, /** @type {Node} */ input) =>
      el("label", { class: "field" }, el("span", null, t(`filters.${name}`)), input);
    const text = (/** @type {string} */ name, /** @type {string} */ value) =>
      el("input", { name, value, list: `${this.name}-${name}`, autocomplete: "off" });
    const problem = el("p", { class: "error-detail", role: "alert" });
    const form = el(
      "form",
      { class: "filter-form", "aria-label": t("filters.title"), novalidate: true },
      el("p", { class: "filter-title" }, t("filters.title")),
      ...OFFERED.map((name) => field(name, text(name, (v[name] ?? []).join("、")))),
      field("from", el("input", { name: "from", type: "date", value: v.date_from ?? null })),
      field("to", el("input", { name: "to", type: "date", value: v.date_to ?? null })),
      field("languages", languageSelect(v.languages?.[0])),
      ...OFFERED.map((name) => el("datalist", { id: `${this.name}-${name}` })),
      problem,
      el(
        "div",
        { class: "form-actions" },
        el(
          "button",
          {
            type: "button",
            class: "plain",
            on: {
              click: () => {
                this.close();
                this.set({});
              },
            },
          },
          t("filters.clear"),
        ),
        el("button", { type: "submit", class: "primary" }, t("filters.apply")),
      ),
    );
    form.addEventListener("submit", (/** @type {SubmitEvent} */ event) => {
      event.preventDefault();
      const next = read(form, v.articles);
      if (next.date_from && next.date_to && next.date_from > next.date_to) {
        fill(problem, problem.hasChildNodes() ? "" : t("filters.order"));
        return;
      }
      this.close();
      this.set(next);
    });
    return form;
  }
}

/**
 * @param {HTMLFormElement} form
 * @param {Filters["articles"]} articles
 * @returns {Filters}
 */
function read(form, articles) {
  const data = new FormData(form);
  const one = (/** @type {string} */ name) => String(data.get(name) ?? "").trim();
  const several = (/** @type {string} */ name) => {
    const values = one(name)
      .split(/\s*[、,，;；]\s*/)
      .filter(Boolean);
    return values.length > 0 ? [...new Set(values)] : undefined;
  };
  return {
    authors: several("authors"),
    sources: several("sources"),
    sections: several("sections"),
    languages: one("languages") ? [one("languages")] : undefined,
    date_from: one("from") || undefined,
    date_to: one("to") || undefined,
    articles,
  };
}

/** @param {string | undefined} chosen */
function languageSelect(chosen) {
  const option = (/** @type {string} */ value, /** @type {string} */ words) =>
    el("option", { value, selected: value === (chosen ?? "") }, words);
  return el(
    "select",
    { name: "languages" },
    option("", t("filters.languages.any")),
    option("zh", t("lang.zh")),
    option("en", t("lang.en")),
  );
}

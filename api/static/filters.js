// @ts-check
/** Which articles may answer: the form, the chips of what is in use, and the API's `filters`. */
import { el, fill, icon } from "./dom.js";
import { date, t } from "./i18n.js";

/**
 * @typedef {{authors?: string[], sources?: string[], languages?: string[], date_from?: string,
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
  for (const field of /** @type {const} */ (["authors", "sources", "languages"])) {
    for (const value of filters[field] ?? []) {
      const label = field === "languages" ? t(`lang.${value}`) : value;
      found.push({
        label,
        without: { ...filters, [field]: filters[field]?.filter((v) => v !== value) },
      });
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

/** The filters of the next question. */
export class FilterBox {
  /**
   * @param {{chips: HTMLElement, button: HTMLElement, panel: HTMLElement, suggest: () => Promise<any[]>}} parts
   *   `suggest` gives articles whose authors and sources are offered
   */
  constructor({ chips, button, panel, suggest }) {
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
    if (!this.panel.hidden) this.open();
  }

  close() {
    this.panel.hidden = true;
    this.button.setAttribute("aria-expanded", "false");
    this.button.focus();
  }

  async open() {
    const form = this.form();
    this.panel.replaceChildren(form);
    this.panel.hidden = false;
    this.button.setAttribute("aria-expanded", "true");
    form.querySelector("input")?.focus();
    const articles = await this.suggest();
    offer(
      form,
      "authors",
      articles.flatMap((a) => a.authors ?? []),
    );
    offer(
      form,
      "sources",
      articles.map((a) => a.source),
    );
  }

  form() {
    const v = this.value;
    const field = (/** @type {string} */ name, /** @type {Node} */ input) =>
      el("label", { class: "field" }, el("span", null, t(`filters.${name}`)), input);
    const text = (/** @type {string} */ name, /** @type {string} */ value) =>
      el("input", { name, value, list: `offer-${name}`, autocomplete: "off" });
    const problem = el("p", { class: "error-detail", role: "alert" });
    const form = el(
      "form",
      { class: "filter-form", "aria-label": t("filters.title"), novalidate: true },
      el("p", { class: "filter-title" }, t("filters.title")),
      field("sources", text("sources", (v.sources ?? []).join("、"))),
      field("authors", text("authors", (v.authors ?? []).join("、"))),
      field("from", el("input", { name: "from", type: "date", value: v.date_from ?? null })),
      field("to", el("input", { name: "to", type: "date", value: v.date_to ?? null })),
      field("languages", languageSelect(v.languages?.[0])),
      el("datalist", { id: "offer-authors" }),
      el("datalist", { id: "offer-sources" }),
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
                this.value = {};
                this.close();
                this.render();
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

/**
 * @param {HTMLFormElement} form
 * @param {string} name
 * @param {(string | null)[]} values
 */
function offer(form, name, values) {
  const list = form.querySelector(`#offer-${name}`);
  list?.replaceChildren(
    ...[...new Set(values.filter(Boolean))].sort().map((value) => el("option", { value })),
  );
}

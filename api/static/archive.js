// @ts-check
/** The list of articles: search, open, delete with undo, upload. */
import { el, fill, icon } from "./dom.js";
import { errorNote, faultWords } from "./faults.js";
import { describeFilters, FilterBox, listFilters } from "./filters.js";
import { imprint, quoted, t } from "./i18n.js";
import { Failure, json } from "./net.js";
import { address } from "./references.js";
import { toast } from "./toast.js";
import { UploadBox } from "./upload.js";

/** Articles on one page of the list. */
const PAGE = 40;

/** The archive view. */
export class Archive {
  /**
   * @param {HTMLElement} root
   * @param {{open: (article: any, place: any) => void, onChange: () => void,
   *   facets: () => Promise<any>, onAsk: (filters: any) => void}} app
   */
  constructor(root, app) {
    this.root = root;
    this.app = app;
    this.query = "";
    /** @type {FilterBox | null} */
    this.filters = null;
    /** Ids that are being deleted: hidden until it is done or undone. @type {Set<string>} */
    this.leaving = new Set();
    /** Rows in the list, by what they show. @type {Map<string, HTMLElement>} */
    this.rows = new Map();
    /** @type {Map<string, () => void>} ends the time to undo */
    this.notices = new Map();
    /** Deletions on their way to the server. @type {Set<Promise<void>>} */
    this.going = new Set();
    this.turn = 0;
    /** Articles read so far, and in all; those being deleted are among them. */
    this.loaded = 0;
    this.total = 0;
    this.built = false;
    addEventListener("pagehide", () => void this.settle());
  }

  /** Draws the view and reads the list. */
  async show() {
    if (!this.built) this.build();
    await Promise.all([this.load(), this.tellIndex()]);
  }

  build() {
    this.built = true;
    const search = el("input", {
      type: "search",
      id: "archive-search",
      placeholder: t("archive.placeholder"),
      value: this.query,
      autocomplete: "off",
    });
    /** @type {number | undefined} */
    let typing;
    search.addEventListener("input", () => {
      clearTimeout(typing);
      typing = setTimeout(() => {
        this.query = search.value.trim();
        void this.load();
      }, 250);
    });
    this.count = el("p", { class: "count", role: "status" });
    this.list = el("ul", { class: "articles", "aria-label": t("archive.list") });
    this.more = el(
      "button",
      {
        type: "button",
        class: "action",
        hidden: true,
        on: { click: () => void this.load(this.loaded) },
      },
      t("more"),
    );
    this.problem = el("div");
    this.index = el("p", { class: "aside index" });
    this.uploads ??= new UploadBox({
      open: this.app.open,
      onAdd: () => this.settle(), // an article that is added again must not be deleted after it
      onAdded: () => this.changed(),
    });
    this.root.replaceChildren();
    fill(
      this.root,
      el("h1", null, t("archive.title")),
      this.index,
      this.uploads.render(),
      el(
        "div",
        { class: "archive-bar" },
        el(
          "label",
          { class: "search" },
          el("span", { class: "hidden" }, t("archive.search")),
          icon("search"),
          search,
        ),
        this.filterParts(),
        this.count,
      ),
      this.problem,
      this.list,
      this.more,
    );
  }

  /** The list's filters: a button, the form that it opens, and what is in use. */
  filterParts() {
    const button = el(
      "button",
      { type: "button", class: "action", "aria-expanded": "false", "aria-controls": "list-filters" },
      icon("filter"),
      t("filters"),
    );
    const panel = el("div", { class: "filter-panel", id: "list-filters", hidden: true });
    const chips = el("div", { class: "filter-chips", role: "group" });
    this.ask = el(
      "button",
      {
        type: "button",
        class: "plain",
        hidden: true,
        on: { click: () => this.app.onAsk(this.filters?.value) },
      },
      t("archive.ask"),
    );
    const before = this.filters?.value ?? {};
    const box = new FilterBox({ name: "list", chips, button, panel, suggest: this.app.facets });
    this.filters = box;
    const changed = () => {
      this.ask.hidden = !this.filtered;
    };
    box.set(before);
    changed();
    box.onChange = () => {
      changed();
      void this.load();
    };
    const parts = document.createDocumentFragment();
    parts.append(button, panel, el("div", { class: "filter-line" }, chips, this.ask));
    return parts;
  }

  /** Whether filters are in use. */
  get filtered() {
    return describeFilters(this.filters?.value ?? {}).length > 0;
  }

  /** Which generation of the index is served, how large it is, and by which model. */
  async tellIndex() {
    try {
      const state = await json("/readyz");
      // Whoever has no key is told no more than that it is ready.
      this.index.textContent = state.model === undefined ? "" : t("archive.index", state);
    } catch (error) {
      if (!(error instanceof Failure)) throw error;
      this.index.textContent = `${t("archive.unready")} · ${faultWords(error)}`;
    }
  }

  /** Words have changed: everything is drawn anew. */
  async relabel() {
    this.built = false;
    this.rows.clear();
    this.root.replaceChildren();
  }

  async changed() {
    this.app.onChange();
    if (this.built) await this.show();
  }

  /** @param {number} [offset] articles already listed */
  async load(offset = 0) {
    this.turn += 1;
    const turn = this.turn;
    const query = new URLSearchParams([
      ["limit", String(PAGE)],
      ["offset", String(offset)],
      ["q", this.query],
      ...listFilters(this.filters?.value ?? {}),
    ]);
    this.problem.replaceChildren();
    try {
      const { articles, total } = await json(`/v1/articles?${query}`);
      if (turn !== this.turn) return; // a later search has overtaken this one
      const drawn = this.rows;
      const held = /** @type {HTMLElement | null} */ (document.activeElement);
      if (offset === 0) {
        this.rows = new Map();
        this.list.replaceChildren();
      }
      fill(
        this.list,
        ...articles.map((/** @type {any} */ a) => {
          // The same row stays: one that is being clicked just now must not be another.
          const key = JSON.stringify(a);
          const row = drawn.get(key) ?? this.row(a);
          this.rows.set(key, row);
          return row;
        }),
      );
      if (held !== document.activeElement && held?.isConnected) held.focus(); // it was in the list
      this.loaded = offset + articles.length;
      this.more.hidden = this.loaded >= total;
      this.total = total;
      this.hide();
    } catch (error) {
      if (!(error instanceof Failure)) throw error;
      const again = el(
        "button",
        { type: "button", class: "action", on: { click: () => void this.load(offset) } },
        icon("retry"),
        t("retry"),
      );
      this.problem.replaceChildren(errorNote(error), again);
    }
  }

  /** Hides the rows of what is being deleted, and counts the others. */
  hide() {
    let hidden = 0;
    for (const row of this.rows.values()) {
      row.hidden = this.leaving.has(row.dataset.article);
      hidden += Number(row.hidden);
    }
    this.tell(this.total - hidden);
  }

  /** @param {number} total */
  tell(total) {
    const narrowed = this.query !== "" || this.filtered;
    const none = this.filtered ? "archive.none.filtered" : "archive.none";
    if (total > 0)
      this.count.textContent = t(narrowed ? "archive.found" : "archive.count", { n: total });
    else
      this.count.textContent = narrowed ? t(none, { q: this.query }) : t("archive.empty");
  }

  /** @param {any} article */
  row(article) {
    const name = quoted(article);
    const row = el(
      "li",
      { class: "article-row", "data-article": article.id },
      el(
        "a",
        { class: "article-link", href: address(article.id, null) },
        el(
          "span",
          { class: "article-title", lang: article.language ?? null },
          article.title ?? t("article.untitled"),
        ),
        el(
          "span",
          { class: "article-facts" },
          [imprint(article), article.section, t("article.paragraphs", { n: article.paragraphs })]
            .filter(Boolean)
            .join(" · "),
        ),
      ),
      el(
        "button",
        {
          type: "button",
          class: "bare",
          "aria-label": t("archive.delete", { title: article.title ?? t("article.untitled") }),
          title: t("archive.delete", { title: article.title ?? t("article.untitled") }),
          on: { click: () => this.remove(article, row) },
        },
        icon("trash"),
      ),
    );
    row.setAttribute("aria-label", name);
    return row;
  }

  /**
   * Deletes after the time to undo has passed.
   * @param {any} article
   * @param {HTMLElement} row
   */
  remove(article, row) {
    this.leaving.add(article.id);
    this.hide();
    const shown = [...this.rows.values()].filter((other) => other === row || !other.hidden);
    const at = shown.indexOf(row);
    (shown[at + 1] ?? shown[at - 1])?.querySelector("a").focus();
    const stay = () => {
      this.leaving.delete(article.id);
      this.notices.delete(article.id);
      this.hide();
    };
    const end = toast(t("archive.deleted", { title: article.title ?? t("article.untitled") }), {
      action: t("undo"),
      onAction: stay,
      onEnd: () => {
        const done = this.destroy(article.id)
          .catch((error) => {
            if (!(error instanceof Failure)) throw error;
            stay();
            toast(`${t("archive.kept")} · ${faultWords(error)}`);
          })
          .finally(() => this.going.delete(done));
        this.going.add(done);
      },
    });
    this.notices.set(article.id, end);
  }

  /** @param {string} id */
  async destroy(id) {
    this.notices.delete(id);
    await json(`/v1/articles/${encodeURIComponent(id)}`, { method: "DELETE", keepalive: true });
    this.leaving.delete(id);
    await this.changed();
  }

  /** Deletes now what still waited to be undone; gives the end of all deletions. */
  async settle() {
    for (const end of [...this.notices.values()]) end();
    await Promise.all(this.going);
  }
}

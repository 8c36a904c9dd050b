// @ts-check
/** Adding files to the archive, by choosing or dropping them, and what was read from each. */
import { el, fill, icon } from "./dom.js";
import { quoted, t } from "./i18n.js";
import { Failure, json, upload } from "./net.js";
import { address } from "./references.js";
import { errorNote } from "./turn.js";

/** The drop zone and a row for each file. Files are sent one after another. */
export class UploadBox {
  /** @param {{open: (article: any, place: any) => void, onAdded: () => void}} app */
  constructor(app) {
    this.app = app;
    this.queue = Promise.resolve();
    this.rows = el("ul", { class: "uploads", hidden: true });
  }

  render() {
    const input = el("input", {
      type: "file",
      multiple: true,
      class: "hidden",
      id: "files",
      tabindex: "-1",
    });
    const zone = el(
      "div",
      { class: "drop" },
      el(
        "p",
        null,
        icon("upload"),
        el("span", null, t("upload.drop")),
        el(
          "button",
          { type: "button", class: "plain", on: { click: () => input.click() } },
          t("upload.choose"),
        ),
      ),
      el("p", { class: "aside" }, t("upload.kinds")),
      input,
    );
    input.setAttribute("aria-label", t("upload.choose"));
    this.rows.setAttribute("aria-label", t("upload.label"));
    input.addEventListener("change", () => {
      this.add([...input.files]);
      input.value = "";
    });
    const over = (/** @type {boolean} */ on) => (/** @type {DragEvent} */ event) => {
      event.preventDefault();
      zone.classList.toggle("over", on);
    };
    zone.addEventListener("dragover", over(true));
    zone.addEventListener("dragleave", over(false));
    zone.addEventListener("drop", (/** @type {DragEvent} */ event) => {
      over(false)(event);
      this.add([...(event.dataTransfer?.files ?? [])]);
    });
    return el("section", { class: "upload" }, zone, this.rows);
  }

  /** @param {File[]} files */
  add(files) {
    for (const file of files) {
      const row = el(
        "li",
        { class: "upload-row" },
        el("span", { class: "upload-name" }, file.name),
      );
      const state = el("div", { class: "upload-state", role: "status" });
      row.append(state);
      this.rows.hidden = false;
      this.rows.append(row);
      this.queue = this.queue.then(() => this.send(file, state));
    }
  }

  /**
   * @param {File} file
   * @param {HTMLElement} state
   */
  async send(file, state) {
    const bar = el("progress", {
      max: 1,
      value: 0,
      "aria-label": `${t("upload.sending")} ${file.name}`,
    });
    const words = el("span", null, t("upload.sending"));
    state.replaceChildren(bar, words);
    try {
      const report = await upload(file, (share) => {
        bar.value = share;
        if (share >= 1) {
          bar.removeAttribute("value"); // from here on nobody knows how long it takes
          words.textContent = t("upload.reading");
        }
      });
      const told = (report.files ?? report.reports ?? [report])[0];
      await this.tell(told, state);
      this.app.onAdded();
    } catch (error) {
      if (!(error instanceof Failure)) throw error;
      const again = el(
        "button",
        { type: "button", class: "plain", on: { click: () => void this.send(file, state) } },
        t("retry"),
      );
      state.replaceChildren(errorNote(error), again);
    }
  }

  /**
   * What became of a file: its articles, and how sure its closed columns are.
   * @param {any} report
   * @param {HTMLElement} state
   */
  async tell(report, state) {
    const outcome = ["added", "unchanged", "replaced", "skipped"].includes(report.outcome)
      ? report.outcome
      : "failed";
    const articles = await Promise.all(
      (report.articles ?? []).map((/** @type {any} */ a) =>
        json(`/v1/articles/${encodeURIComponent(a.id ?? a)}`),
      ),
    );
    const joints = articles.flatMap((a) =>
      a.blocks.flatMap((/** @type {any} */ b) => b.joints ?? []),
    );
    const least = Math.round(Math.min(1, ...joints.map((j) => j.confidence)) * 100);
    state.replaceChildren();
    fill(
      state,
      el(
        "p",
        { class: "upload-outcome", "data-outcome": outcome },
        t(`upload.${outcome}`),
        report.reason ? ` · ${report.reason}` : "",
      ),
      articles.length > 0 &&
        el(
          "p",
          { class: "aside" },
          t("upload.articles", { n: articles.length }),
          joints.length > 0 ? ` · ${t("upload.joints", { n: joints.length, percent: least })}` : "",
        ),
      ...(report.notices ?? []).map((/** @type {string} */ notice) =>
        el("p", { class: "aside" }, notice),
      ),
      articles.length > 0 &&
        el(
          "ul",
          { class: "upload-articles" },
          ...articles.map((a) =>
            el("li", null, el("a", { href: address(a.id, null), "data-article": a.id }, quoted(a))),
          ),
        ),
      ["added", "replaced"].includes(outcome) &&
        articles.length > 0 &&
        el(
          "button",
          {
            type: "button",
            class: "plain",
            on: { click: () => void this.discard(articles, state) },
          },
          t("upload.discard"),
        ),
    );
  }

  /**
   * @param {any[]} articles
   * @param {HTMLElement} state
   */
  async discard(articles, state) {
    try {
      for (const a of articles)
        await json(`/v1/articles/${encodeURIComponent(a.id)}`, { method: "DELETE" });
      state.replaceChildren(el("p", { class: "aside" }, t("upload.discarded")));
    } catch (error) {
      if (!(error instanceof Failure)) throw error;
      state.append(errorNote(error));
    }
    this.app.onAdded();
  }
}

// @ts-check
/** Adding files to the archive: what is read from each is shown, and then accepted or not. */
import { el, fill, icon } from "./dom.js";
import { errorNote, fileNote } from "./faults.js";
import { imprint, paragraphName, quoted, t } from "./i18n.js";
import { Failure, json, upload } from "./net.js";
import { address } from "./references.js";

/** So many articles of a file are listed; a file may hold thousands. */
const LISTED = 20;

/** The drop zone and a row for each file. Files are sent one after another. */
export class UploadBox {
  /**
   * @param {{open: (article: any, place: any) => void, onAdd: () => Promise<void>,
   *   onAdded: () => void}} app `onAdd` runs before a file's articles are stored, `onAdded` after
   */
  constructor(app) {
    this.app = app;
    this.queue = Promise.resolve();
    /** Files that were read and wait for a yes or no. @type {Map<File, () => void>} */
    this.waiting = new Map();
    /** What draws each file's state, in the words of now. @type {Map<HTMLElement, () => void>} */
    this.draws = new Map();
    this.rows = el("ul", { class: "uploads", hidden: true });
  }

  render() {
    const input = el("input", {
      type: "file",
      multiple: true,
      hidden: true, // the button beside it opens it
      id: "files",
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
    this.all = el("button", {
      type: "button",
      class: "plain",
      on: { click: () => [...this.waiting.values()].forEach((accept) => accept()) },
    });
    this.tellWaiting();
    for (const draw of this.draws.values()) draw();
    return el("section", { class: "upload" }, zone, this.all, this.rows);
  }

  /**
   * Draws a file's state now, and again when the language is switched.
   * @param {HTMLElement} state
   * @param {() => (Node | string | null | false)[]} make
   */
  draw(state, make) {
    const draw = () => {
      state.replaceChildren();
      fill(state, ...make());
    };
    this.draws.set(state, draw);
    draw();
  }

  tellWaiting() {
    this.all.hidden = this.waiting.size < 2;
    this.all.textContent = t("upload.accept.all", { n: this.waiting.size });
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
      this.enqueue(file, state, true);
    }
  }

  /**
   * @param {File} file
   * @param {HTMLElement} state
   * @param {boolean} dryRun
   */
  enqueue(file, state, dryRun) {
    this.waiting.delete(file);
    this.tellWaiting();
    this.queue = this.queue.then(() => this.send(file, state, dryRun));
  }

  /**
   * @param {File} file
   * @param {HTMLElement} state
   * @param {boolean} dryRun
   */
  async send(file, state, dryRun) {
    const bar = el("progress", { max: 1, value: 0 });
    let step = "upload.sending";
    const moving = () => {
      bar.setAttribute("aria-label", `${t(step)} ${file.name}`);
      return [bar, el("span", null, t(step))];
    };
    this.draw(state, moving);
    try {
      const onProgress = (/** @type {number} */ share) => {
        bar.value = share;
        if (share < 1) return;
        bar.removeAttribute("value"); // from here on nobody knows how long it takes
        step = dryRun ? "upload.reading" : "upload.adding";
        this.draw(state, moving);
      };
      if (!dryRun) await this.app.onAdd();
      const [report] = (await upload(file, onProgress, { dryRun })).files;
      if (report.outcome === "preview") this.preview(file, report, state);
      else await this.tell(report, state);
      if (!dryRun) this.app.onAdded();
    } catch (error) {
      if (!(error instanceof Failure)) throw error;
      const again = () =>
        el(
          "button",
          { type: "button", class: "plain", on: { click: () => this.enqueue(file, state, dryRun) } },
          t("retry"),
        );
      this.draw(state, () => [errorNote(error), again()]);
    }
  }

  /**
   * What was read from a file that is not stored yet, with a yes and a no.
   * @param {File} file
   * @param {any} report
   * @param {HTMLElement} state
   */
  preview(file, report, state) {
    const accept = () => this.enqueue(file, state, false);
    const discard = () => {
      this.waiting.delete(file);
      this.tellWaiting();
      this.draw(state, () => [el("p", { class: "aside" }, t("upload.discarded"))]);
    };
    this.waiting.set(file, accept);
    this.tellWaiting();
    this.draw(state, () => [
      el("p", { class: "upload-outcome", "data-outcome": "preview" }, t("upload.preview")),
      ...summary(report.articles, report.articles.length, report.notices),
      el("ol", { class: "upload-articles" }, ...report.articles.slice(0, LISTED).map(readArticle)),
      rest(report.articles.length),
      el(
        "div",
        { class: "upload-choice" },
        el(
          "button",
          { type: "button", class: "primary", on: { click: accept } },
          t("upload.accept"),
        ),
        el("button", { type: "button", class: "plain", on: { click: discard } }, t("upload.discard")),
      ),
    ]);
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
      report.articles
        .slice(0, LISTED)
        .map((/** @type {string} */ id) => json(`/v1/articles/${encodeURIComponent(id)}`)),
    );
    const total = report.articles.length + (report.more_articles ?? 0);
    const read = articles.map((a) => ({
      ...a,
      joints: a.blocks.flatMap((/** @type {any} */ b) => b.joints),
    }));
    this.draw(state, () => [
      el("p", { class: "upload-outcome", "data-outcome": outcome }, t(`upload.${outcome}`)),
      report.reason && fileNote(report.reason),
      ...summary(read, total, report.notices),
      read.length > 0 &&
        el(
          "ul",
          { class: "upload-articles" },
          ...read.map((a) =>
            el("li", null, el("a", { href: address(a.id, null), "data-article": a.id }, quoted(a))),
          ),
        ),
      rest(total),
    ]);
  }
}

/**
 * How many articles and closed column breaks, the least sure of these, and what the reader noticed.
 * @param {any[]} articles each with its `joints`
 * @param {number} total of the file; the joints are counted only where all its articles are here
 * @param {string[]} notices
 */
function summary(articles, total, notices) {
  const joints = articles.flatMap((a) => a.joints);
  const percent = Math.round(Math.min(1, ...joints.map((j) => j.confidence)) * 100);
  const facts = [
    total > 0 && t("upload.articles", { n: total }),
    joints.length > 0 &&
      articles.length === total &&
      t("upload.joints", { n: joints.length, percent }),
  ].filter(Boolean);
  const counted = facts.length > 0 ? [el("p", { class: "aside" }, facts.join(" · "))] : [];
  return [...counted, ...notices.map(fileNote)];
}

/** How many articles are not listed. @param {number} total */
function rest(total) {
  return total > LISTED && el("p", { class: "aside" }, t("upload.rest", { n: total - LISTED }));
}

/**
 * An article as it was read, its joints folded away.
 * @param {any} article
 */
function readArticle(article) {
  const facts = [
    imprint(article),
    article.affiliations.join(t("and")),
    t("article.paragraphs", { n: article.paragraphs }),
    article.unplaced > 0 && t("upload.unplaced", { n: article.unplaced }),
  ];
  return el(
    "li",
    null,
    el("span", { class: "article-title", lang: article.language }, quoted(article)),
    el("span", { class: "article-facts" }, facts.filter(Boolean).join(" · ")),
    article.joints.length > 0 &&
      el(
        "details",
        { class: "seams" },
        el("summary", null, t("upload.seams", { n: article.joints.length })),
        el("ul", null, ...article.joints.map(seam)),
      ),
  );
}

/**
 * The words on both sides of a closed column break, and how sure it is.
 * @param {any} joint
 */
function seam(joint) {
  const percent = Math.round(joint.confidence * 100);
  const dropped = joint.dropped ? ` · ${t("joint.dropped", { text: joint.dropped })}` : "";
  return el(
    "li",
    null,
    el(
      "span",
      { class: "seam" },
      joint.before,
      el("span", { class: joint.confidence < 0.7 ? "joint unsure" : "joint", "aria-hidden": "true" }),
      joint.after,
    ),
    el(
      "span",
      { class: "article-facts" },
      t("upload.seam", { place: paragraphName(joint.paragraph), percent }) + dropped,
    ),
  );
}

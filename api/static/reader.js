// @ts-check
/** The article beside the answer, with its cited words marked. */
import { attachCard, focusAgain, scanCut, scanUnsure } from "./card.js";
import { el, fill, icon, reveal, safeHref } from "./dom.js";
import { errorNote } from "./faults.js";
import { date, pageName, paragraphName, quoted, reasonWords, t } from "./i18n.js";
import { Failure, json } from "./net.js";
import { address, copy, gbt7714 } from "./references.js";
import { findMarks, Offsets, runs } from "./text.js";
import { toast } from "./toast.js";

/** @type {Record<string, string>} */
const TAGS = {
  title: "h2",
  heading: "h3",
  body: "p",
  byline: "p",
  caption: "p",
  affiliation: "p",
  unplaced: "p",
};

/** The panel. One article is open at a time. */
export class Reader {
  /**
   * @param {HTMLElement} root
   * @param {{onClose: () => void, onlyThis: (article: any) => void}} app
   */
  constructor(root, app) {
    this.root = root;
    this.app = app;
    /** @type {{article: any, place: any} | null} what is shown */
    this.shown = null;
    /** @type {HTMLElement | null} where the focus goes back to */
    this.from = null;
    /** Counts openings, so that a slow one cannot overtake a later one. */
    this.turn = 0;
    root.addEventListener("keydown", (event) => {
      if (event.key === "Escape") this.app.onClose();
    });
  }

  /**
   * Opens an article at a paragraph, with what is cited from it marked.
   * @param {string} id
   * @param {{paragraph?: number | null, current?: any, citations?: any[], from?: HTMLElement}} place
   */
  async open(id, place) {
    this.turn += 1;
    const turn = this.turn;
    this.from = place.from ?? this.from;
    this.root.hidden = false;
    this.root.setAttribute("aria-label", t("article.reader"));
    if (this.shown?.article.id !== id) {
      this.frame(null, el("p", { class: "aside", role: "status" }, t("article.loading")));
      try {
        const article = await json(`/v1/articles/${encodeURIComponent(id)}`);
        if (turn !== this.turn) return;
        this.shown = { article, place };
      } catch (error) {
        if (!(error instanceof Failure)) throw error;
        if (turn === this.turn) this.fail(error, id, place);
        return;
      }
    } else this.shown.place = place;
    this.render();
    this.goTo(place);
  }

  /** Closes the panel and gives the focus back. */
  close() {
    this.turn += 1;
    this.shown = null;
    this.root.hidden = true;
    this.root.replaceChildren();
    if (this.from?.isConnected) focusAgain(this.from);
    this.from = null;
  }

  render() {
    if (!this.shown) return;
    const { article, place } = this.shown;
    const offsets = new Offsets(article.text);
    const { marks, moved } = findMarks(offsets, place);
    const blocks = article.blocks.map((/** @type {any} */ b) =>
      this.block(b, offsets, marks, article),
    );
    if (article.scanned) this.withCut(article, place, marks, blocks);
    const has = (/** @type {string} */ kind) =>
      article.blocks.some((/** @type {any} */ b) => b.kind === kind);
    // What the text itself does not print comes from the article's record.
    const unsigned = !has("byline") && article.authors?.length > 0;
    const signature = [article.authors?.join(t("and")), article.affiliations?.join(t("and"))];
    const outside = safeHref(article.original_url);
    const facts = [
      article.source,
      article.published && date(article.published),
      article.page && pageName(article.page),
      article.section,
    ];
    this.frame(
      article,
      el("p", { class: "imprint" }, facts.filter(Boolean).join(" · ") || t("article.unsourced")),
      moved && el("p", { class: "warning", role: "status" }, t("article.changed")),
      !has("title") && el("h2", { class: "block-title" }, article.title ?? t("article.untitled")),
      ...(has("title") ? blocks.splice(0, 1) : []),
      unsigned && el("p", { class: "block-byline" }, signature.filter(Boolean).join(" · ")),
      ...blocks,
      outside &&
        el(
          "p",
          null,
          el("a", { href: outside, rel: "noreferrer", target: "_blank" }, t("article.outside")),
        ),
    );
  }

  /**
   * Puts the cut of the scan behind the block that was opened.
   * @param {any} article
   * @param {any} place
   * @param {any[]} marks
   * @param {Node[]} blocks
   */
  withCut(article, place, marks, blocks) {
    const mark = marks.find((m) => m.current);
    const at = article.blocks.findIndex((/** @type {any} */ b) =>
      mark ? b.start <= mark.start && mark.start < b.end : b.paragraph === (place.paragraph ?? 0),
    );
    if (at < 0) return;
    const { start, end } = mark ?? article.blocks[at];
    const address = `/v1/articles/${encodeURIComponent(article.id)}/scan?start=${start}&end=${end}`;
    const text = [...article.text].slice(start, end).join("");
    const cut = el("div", null, scanUnsure(place.current ?? {}, "p"), scanCut(address, text));
    blocks.splice(at, 1, fill(document.createDocumentFragment(), blocks[at], cut));
  }

  /**
   * @param {any} block
   * @param {Offsets} offsets
   * @param {any[]} marks
   * @param {any} article
   */
  block(block, offsets, marks, article) {
    const body = block.kind === "body" && block.paragraph !== null && block.paragraph !== undefined;
    const node = el(TAGS[block.kind] ?? "p", {
      class: `block-${block.kind}`,
      id: body ? `p${block.paragraph}` : null,
      tabindex: body ? "-1" : null,
    });
    if (block.kind === "unplaced")
      node.append(el("span", { class: "block-note" }, t("article.unplaced")));
    if (body) {
      const name = paragraphName(block.paragraph);
      node.append(
        el(
          "a",
          {
            class: "paragraph-number",
            href: address(article.id, block.paragraph),
            title: name,
            "aria-label": name,
          },
          String(block.paragraph + 1),
        ),
      );
    }
    /** @type {{mark: any, node: any} | null} */
    let open = null;
    for (const run of runs(offsets, block, marks)) {
      if (run.mark !== (open?.mark ?? null)) {
        open = run.mark && {
          mark: run.mark,
          node: el("mark", { class: run.mark.current ? "current" : null }),
        };
        if (open) node.append(open.node);
      }
      fill(open?.node ?? node, run.joint && joint(run.joint), run.text);
    }
    return node;
  }

  /**
   * @param {any} article
   * @param {...(Node | string | null | false | undefined)} content
   */
  frame(article, ...content) {
    const button = (
      /** @type {string} */ key,
      /** @type {string} */ name,
      /** @type {() => void} */ click,
    ) =>
      el(
        "button",
        { type: "button", class: "action", "aria-label": t(key), title: t(key), on: { click } },
        icon(name),
        el("span", null, t(key)),
      );
    const taken = async (/** @type {string} */ text) =>
      toast(t((await copy(text)) ? "copy.done" : "copy.failed"));
    const paragraph = this.shown?.place?.paragraph;
    const bar = el(
      "div",
      { class: "reader-bar" },
      article &&
        button(
          "article.link",
          "link",
          () => void taken(location.origin + address(article.id, paragraph)),
        ),
      article && button("article.reference", "copy", () => void taken(gbt7714(article))),
      article && button("article.only", "filter", () => this.app.onlyThis(article)),
      el(
        "button",
        {
          type: "button",
          class: "bare reader-close",
          "aria-label": t("article.close"),
          title: t("article.close"),
          on: { click: () => this.app.onClose() },
        },
        icon("close"),
      ),
    );
    this.scroller = fill(
      el("div", {
        class: "reader-scroll",
        tabindex: "0",
        role: "group",
        "aria-label": article ? quoted(article) : t("article.reader"),
      }),
      fill(
        el("article", { class: "prose reader-text", lang: article?.language ?? null }),
        ...content,
      ),
    );
    this.root.replaceChildren(bar, this.scroller);
  }

  /** @param {any} place */
  goTo(place) {
    const mark = this.root.querySelector("mark.current");
    const paragraph =
      place.paragraph === null || place.paragraph === undefined
        ? null
        : this.root.querySelector(`#p${place.paragraph}`);
    this.scroller.focus({ preventScroll: true });
    const tall = mark && mark.getBoundingClientRect().height > this.scroller.clientHeight / 2;
    if (mark) reveal(mark, tall ? "start" : "center");
    else if (paragraph) {
      paragraph.classList.add("pointed");
      reveal(paragraph, "start");
    }
  }

  /**
   * @param {Failure} error
   * @param {string} id
   * @param {any} place
   */
  fail(error, id, place) {
    this.shown = null;
    if (error.status === 404)
      this.frame(null, el("p", { class: "warning", role: "alert" }, t("article.missing")));
    else {
      const again = el(
        "button",
        { type: "button", class: "action", on: { click: () => void this.open(id, place) } },
        icon("retry"),
        t("retry"),
      );
      this.frame(null, errorNote(error), again);
    }
    this.scroller.focus({ preventScroll: true });
  }
}

/** @param {{confidence: number, dropped: string, reasons: string[]}} joint */
function joint({ confidence, dropped, reasons }) {
  const percent = Math.round(confidence * 100);
  const node = el("button", {
    type: "button",
    class: "joint",
    "aria-label": t("joint.label", { percent }),
  });
  if (confidence < 0.7) node.classList.add("unsure");
  attachCard(node, () => [
    el(
      "p",
      null,
      t("joint", { percent }),
      dropped ? ` ${t("joint.dropped", { text: dropped })}` : "",
    ),
    el("ul", { class: "reasons" }, ...reasons.map((reason) => el("li", null, reasonWords(reason)))),
  ]);
  return node;
}

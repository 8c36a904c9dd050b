// @ts-check
/** The conversations kept in this browser: open, delete with undo, export. */
import { el, fill, icon } from "./dom.js";
import { t } from "./i18n.js";
import { conversationAsMarkdown } from "./references.js";
import { conversations, forget, keep } from "./store.js";
import { toast } from "./toast.js";

/** The list at the left. */
export class Rail {
  /**
   * @param {HTMLElement} root
   * @param {{current: () => any, open: (conversation: any) => void, fresh: () => void}} app
   */
  constructor(root, app) {
    this.root = root;
    this.app = app;
    this.warned = false;
    addEventListener("storage", () => this.render()); // another window has changed them
  }

  render() {
    const current = this.app.current();
    const { conversations: all, unreadable } = conversations();
    if (unreadable > 0 && !this.warned) {
      this.warned = true;
      toast(t("chat.unreadable", { n: unreadable }));
    }
    this.root.replaceChildren();
    fill(
      this.root,
      el(
        "button",
        { type: "button", class: "action new-chat", on: { click: this.app.fresh } },
        icon("plus"),
        t("chat.new"),
      ),
      el("h2", { class: "rail-title" }, t("chat.history")),
      all.length === 0 && el("p", { class: "aside" }, t("chat.none")),
      el("ul", { class: "chats" }, ...all.map((c) => this.row(c, c.id === current.id))),
      current.turns.length > 0 && this.exports(),
    );
  }

  /**
   * @param {any} conversation
   * @param {boolean} active
   */
  row(conversation, active) {
    const title = conversation.turns[0]?.question ?? t("chat.new");
    return el(
      "li",
      { class: active ? "active" : null },
      el(
        "button",
        {
          type: "button",
          class: "chat-link",
          "aria-current": active ? "true" : null,
          title,
          on: { click: () => this.app.open(conversation) },
        },
        title,
      ),
      el(
        "button",
        {
          type: "button",
          class: "bare",
          "aria-label": `${t("chat.delete")}: ${title}`,
          title: t("chat.delete"),
          on: { click: () => this.remove(conversation, active) },
        },
        icon("trash"),
      ),
    );
  }

  /**
   * @param {any} conversation
   * @param {boolean} active
   */
  remove(conversation, active) {
    forget(conversation.id);
    if (active) this.app.fresh();
    else this.render();
    this.root.querySelector("button")?.focus();
    toast(t("chat.deleted"), {
      action: t("undo"),
      onAction: () => {
        keep(conversation);
        if (active) this.app.open(conversation);
        else this.render();
      },
    });
  }

  exports() {
    const current = this.app.current;
    const save = (/** @type {string} */ kind) => () => {
      const chat = current();
      const text =
        kind === "md"
          ? conversationAsMarkdown(chat, location.origin)
          : JSON.stringify(chat, null, 2);
      download(`wenju-${new Date(chat.created).toISOString().slice(0, 10)}.${kind}`, text);
    };
    return el(
      "div",
      { class: "exports" },
      el("h2", { class: "rail-title" }, t("chat.export")),
      el(
        "button",
        {
          type: "button",
          class: "action",
          "aria-label": t("chat.export.markdown"),
          on: { click: save("md") },
        },
        icon("save"),
        "Markdown",
      ),
      el(
        "button",
        {
          type: "button",
          class: "action",
          "aria-label": t("chat.export.json"),
          on: { click: save("json") },
        },
        icon("save"),
        "JSON",
      ),
    );
  }
}

/**
 * @param {string} name
 * @param {string} text
 */
function download(name, text) {
  const url = URL.createObjectURL(new Blob([text], { type: "text/plain;charset=utf-8" }));
  const link = document.createElement("a");
  link.href = url;
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(url), 10_000); // the download has begun by then
}

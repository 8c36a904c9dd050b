// @ts-check
/** The conversation in the middle of the page. Several may run at once; one is shown. */
import { el, fill, reveal } from "./dom.js";
import { errorNote } from "./faults.js";
import { language, t } from "./i18n.js";
import { apiFilters } from "./filters.js";
import { ask, Failure, json } from "./net.js";
import { here, keep, newConversation } from "./store.js";
import { toast } from "./toast.js";
import { TurnView } from "./turn.js";

/** So many earlier turns go along with a question. */
const REMEMBERED = 6;

/** The conversation shown, and the questions under way in it and in others. */
export class Chat {
  /**
   * @param {HTMLElement} root
   * @param {{open: any, onChange: () => void, onArchive: () => void}} app
   */
  constructor(root, app) {
    this.root = root;
    this.app = app;
    this.current = newConversation();
    /** @type {Map<any, {view: TurnView, controller: AbortController}>} by turn */
    this.running = new Map();
    /** Views by turn: drawn anew, they keep what was opened in them. @type {WeakMap<any, TurnView>} */
    this.views = new WeakMap();
  }

  /** Whether a question of the conversation shown is being answered. */
  get busy() {
    return this.current.turns.some((turn) => this.running.has(turn));
  }

  /** @param {any} conversation */
  show(conversation) {
    const live = [...this.running.values()]
      .map((r) => r.view.conversation)
      .find((c) => c.id === conversation.id);
    this.current = live ?? conversation;
    here.set(this.current.id);
    this.render();
    this.app.onChange();
  }

  /** Draws the conversation anew, at its end. */
  render() {
    this.draw();
    this.root.scrollTop = this.root.scrollHeight;
  }

  /** Draws the conversation anew where it stands: its words have changed. */
  relabel() {
    const at = this.root.scrollTop;
    this.draw();
    this.root.scrollTop = at;
  }

  draw() {
    this.root.replaceChildren();
    if (this.current.turns.length === 0) {
      this.welcome();
      return;
    }
    this.root.append(el("h1", { class: "hidden" }, t("chat.conversation")));
    for (const turn of this.current.turns) {
      const view = this.view(turn);
      view.render();
      this.root.append(view.root);
    }
  }

  /** @param {any} turn */
  view(turn) {
    const conversation = this.current;
    const before = this.views.get(turn);
    if (before) return before;
    const view = new TurnView(turn, {
      open: this.app.open,
      again: (again) => this.again(again),
      keep: () => void (keep(conversation) || toast(t("chat.unsaved"))),
    });
    this.views.set(turn, view);
    return view;
  }

  /**
   * Asks a question in the conversation shown.
   * @param {string} question
   * @param {any} filters
   */
  ask(question, filters) {
    const turn = { question, at: Date.now(), ...(apiFilters(filters) ? { filters } : {}) };
    if (this.current.turns.length === 0)
      this.root.replaceChildren(el("h1", { class: "hidden" }, t("chat.conversation")));
    this.current.turns.push(turn);
    const view = this.view(turn);
    this.root.append(view.root);
    void this.run(turn, view, this.current);
    reveal(view.root, "start");
  }

  /** @param {TurnView} view asks its question once more, in its place */
  again(view) {
    const { turn } = view;
    delete turn.error;
    delete turn.stopped;
    delete turn.partial;
    void this.run(turn, view, this.current);
  }

  /** Stops what is being answered in the conversation shown. */
  stop() {
    for (const turn of this.current.turns) this.running.get(turn)?.controller.abort();
  }

  /**
   * @param {any} turn
   * @param {TurnView} view
   * @param {any} conversation
   */
  async run(turn, view, conversation) {
    const controller = new AbortController();
    view.conversation = conversation;
    Object.assign(view, { running: true, text: "", found: 0, step: "start" });
    this.running.set(turn, { view, controller });
    view.render();
    this.app.onChange();
    const onEvent = (/** @type {any} */ event) => {
      if (event.event === "status") view.progress(event.step);
      else if (event.event === "passages") view.progress(view.step, event.passages.length);
      else if (event.event === "delta") view.delta(event.text);
    };
    try {
      turn.answer = await ask(this.request(turn, conversation), {
        signal: controller.signal,
        onEvent,
      });
    } catch (error) {
      turn.partial = view.text;
      if (error instanceof Failure) {
        const { code, message, requestId, status } = error;
        turn.error = { code, message, requestId, status };
      } else if (controller.signal.aborted) turn.stopped = true;
      else throw error;
    } finally {
      this.running.delete(turn);
      view.running = false;
      view.render();
      conversation.updated = Date.now();
      if (!keep(conversation)) toast(t("chat.unsaved"));
      this.app.onChange();
    }
  }

  /**
   * @param {any} turn
   * @param {any} conversation
   */
  request(turn, conversation) {
    const before = conversation.turns.slice(0, conversation.turns.indexOf(turn));
    const history = before
      .filter((/** @type {any} */ t) => t.answer)
      .slice(-REMEMBERED)
      .map((/** @type {any} */ { question, answer }) => ({
        question,
        answer: answer.answer.slice(0, 4000),
        article_ids: [...new Set(answer.citations.map((/** @type {any} */ c) => c.article.id))],
      }));
    const filters = apiFilters(turn.filters);
    return {
      question: turn.question,
      ...(history.length ? { history } : {}),
      ...(filters ? { filters } : {}),
    };
  }

  /** What is shown before the first question. */
  async welcome() {
    const box = el(
      "section",
      { class: "welcome" },
      el("h1", null, t("welcome.title")),
      el("p", { class: "lead" }, t("welcome.lead")),
    );
    this.root.append(box);
    try {
      const { total } = await json("/v1/articles?limit=1");
      if (total === 0) fill(box, ...this.emptyArchive());
      else
        fill(box, ...this.examples((await json(`/v1/examples?language=${language()}`)).questions));
    } catch (error) {
      if (!(error instanceof Failure)) throw error;
      const again = el(
        "button",
        { type: "button", class: "action", on: { click: () => this.render() } },
        t("retry"),
      );
      box.append(errorNote(error), again);
    }
  }

  /** @param {string[]} questions */
  examples(questions) {
    if (questions.length === 0) return [];
    const rows = questions.map((question) =>
      el(
        "li",
        null,
        el(
          "button",
          { type: "button", class: "example", on: { click: () => this.ask(question, undefined) } },
          question,
        ),
      ),
    );
    return [el("h2", null, t("welcome.examples")), el("ul", { class: "examples" }, ...rows)];
  }

  emptyArchive() {
    const open = el(
      "button",
      { type: "button", class: "primary", on: { click: this.app.onArchive } },
      t("welcome.open"),
    );
    return [
      el("h2", null, t("welcome.empty")),
      el("p", null, t("welcome.empty.lead"), " ", el("code", null, "wenju add FILE…")),
      open,
    ];
  }
}

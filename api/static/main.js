// @ts-check
/**
 * The page, put together. Addresses: "/" asks, "/#archive" lists the articles, "/articles/ID#p3"
 * has an article open beside the conversation.
 */
import { Archive } from "./archive.js";
import { mountCard } from "./card.js";
import { Chat } from "./chat.js";
import { Composer } from "./composer.js";
import { icon } from "./dom.js";
import { FilterBox } from "./filters.js";
import { mountKeyDialog } from "./key.js";
import { label, language, setLanguage, t } from "./i18n.js";
import { Failure, json } from "./net.js";
import { Rail } from "./rail.js";
import { Reader } from "./reader.js";
import { address } from "./references.js";
import { conversation, here, newConversation, recall, remember } from "./store.js";

const byId = (/** @type {string} */ id) => /** @type {any} */ (document.getElementById(id));

const chat = new Chat(byId("turns"), {
  open: openArticle,
  onChange: changed,
  onArchive: () => go("/#archive"),
});
const reader = new Reader(byId("reader"), { onClose: closeArticle, onlyThis });
const archive = new Archive(byId("archive"), {
  open: openArticle,
  onChange: () => void tellState(),
  facets,
  onAsk: (chosen) => {
    filters.set(chosen);
    go("/");
    composer.focus();
  },
});
const rail = new Rail(byId("rail"), {
  current: () => chat.current,
  open: (c) => showChat(c),
  fresh: () => showChat(newConversation()),
});
const composer = new Composer(byId("composer"), {
  onSend: (question) => chat.ask(question, filters.value),
  onStop: () => chat.stop(),
});
const filters = new FilterBox({
  name: "question",
  chips: byId("filter-chips"),
  button: byId("filter-toggle"),
  panel: byId("filter-panel"),
  suggest: facets,
});

/** What the address says. The citation that opened an article is kept beside it, not in it. */
function route() {
  const match = /^\/articles\/([^/]+)$/.exec(location.pathname);
  const paragraph = /^#p(\d+)$/.exec(location.hash);
  return {
    view: location.hash === "#archive" || history.state?.view === "archive" ? "archive" : "ask",
    article: match ? decodeURIComponent(match[1]) : null,
    paragraph: paragraph ? Number(paragraph[1]) : null,
  };
}

/** @param {string} url */
function go(url, state = {}) {
  history.pushState(state, "", url);
  apply();
}

/** Shows what the address says. @param {HTMLElement} [from] where the focus goes back to */
function apply(from) {
  const { view, article, paragraph } = route();
  byId("ask").hidden = view !== "ask";
  byId("archive").hidden = view !== "archive";
  for (const name of ["ask", "archive"]) {
    if (name === view) byId(`to-${name}`).setAttribute("aria-current", "page");
    else byId(`to-${name}`).removeAttribute("aria-current");
  }
  document.body.dataset.reading = String(article !== null);
  if (view === "archive") void archive.show();
  if (article === null) reader.close();
  else void reader.open(article, { paragraph, ...history.state?.place, from });
}

/**
 * Opens an article, its place kept in the history so that "back" closes it again.
 * @param {any} article
 * @param {any} place
 */
function openArticle(article, { from, ...place }) {
  history.pushState(
    { view: route().view, place, opened: true },
    "",
    address(article.id, place.paragraph),
  );
  apply(from);
}

function closeArticle() {
  const view = route().view;
  go(view === "archive" ? "/#archive" : "/");
}

/** @param {any} article */
function onlyThis(article) {
  filters.set({
    ...filters.value,
    articles: [{ id: article.id, title: article.title ?? t("article.untitled") }],
  });
  if (route().view === "archive")
    history.replaceState(
      { ...history.state, view: "ask" },
      "",
      location.href.replace("#archive", ""),
    );
  apply();
  composer.focus();
}

/** @param {any} next */
function showChat(next) {
  chat.show(next);
  toggleRail(false);
  if (route().view !== "ask" || route().article !== null) go("/");
  composer.focus();
}

function changed() {
  composer.setRunning(chat.busy);
  rail.render();
}

/** What articles can be chosen by. @returns {Promise<any>} */
async function facets() {
  try {
    return await json("/v1/facets");
  } catch (error) {
    if (error instanceof Failure) return {}; // the fields can be filled in without suggestions
    throw error;
  }
}

/** How much the archive holds, in the masthead. */
async function tellState() {
  const place = byId("state");
  try {
    const { total } = await json("/v1/articles?limit=1");
    place.textContent = t("archive.count", { n: total });
  } catch (error) {
    if (!(error instanceof Failure)) throw error;
    place.textContent = t(error.status === 401 ? "key.title" : "welcome.down");
  }
}

/** @param {boolean} open */
function toggleRail(open) {
  document.body.dataset.rail = open ? "open" : "closed";
  const button = byId("rail-toggle");
  button.setAttribute("aria-expanded", String(open));
  button.setAttribute("aria-label", t(open ? "rail.hide" : "rail.show"));
}

const THEMES = ["auto", "light", "dark"];
const systemDark = matchMedia("(prefers-color-scheme: dark)");

function showTheme() {
  const wanted = recall("wenju.theme") ?? "auto";
  const theme = wanted === "auto" ? (systemDark.matches ? "dark" : "light") : wanted;
  document.documentElement.dataset.theme = theme;
  const button = byId("theme");
  button.replaceChildren(icon({ auto: "half", light: "sun", dark: "moon" }[wanted] ?? "half"));
  button.setAttribute("aria-label", t(`theme.${THEMES.includes(wanted) ? wanted : "auto"}`));
  button.title = button.getAttribute("aria-label");
}

function listen() {
  byId("rail-toggle").addEventListener("click", () =>
    toggleRail(document.body.dataset.rail !== "open"),
  );
  byId("veil").addEventListener("click", () => toggleRail(false));
  byId("language").addEventListener("click", () => setLanguage(language() === "zh" ? "en" : "zh"));
  byId("theme").addEventListener("click", () => {
    const next = THEMES[(THEMES.indexOf(recall("wenju.theme") ?? "auto") + 1) % THEMES.length];
    remember("wenju.theme", next === "auto" ? null : next);
    showTheme();
  });
  systemDark.addEventListener("change", showTheme);
  addEventListener("popstate", () => apply());
  document.addEventListener("languagechange", relabel);
  document.addEventListener("click", followLink);
  document.addEventListener("keydown", (event) => {
    const typing =
      event.target instanceof HTMLElement && event.target.matches("input, textarea, select");
    if (event.key === "/" && !typing && !event.ctrlKey && !event.metaKey && !event.altKey) {
      event.preventDefault();
      if (route().view !== "ask") go("/");
      composer.focus();
    }
    if (event.key === "Escape") closeMenus(null);
  });
}

/** Links of this page change what is shown, without loading it anew. @param {MouseEvent} event */
function followLink(event) {
  const target = /** @type {HTMLElement} */ (event.target);
  closeMenus(target);
  const link = /** @type {HTMLAnchorElement | null} */ (target.closest("a[href]"));
  if (!link || link.origin !== location.origin || link.target || event.button !== 0) return;
  if (event.ctrlKey || event.metaKey || event.shiftKey || event.altKey || link.matches(".skip"))
    return;
  event.preventDefault();
  const article = /^\/articles\/([^/]+)$/.exec(link.pathname);
  if (article) {
    const paragraph = /^#p(\d+)$/.exec(link.hash);
    openArticle(
      { id: decodeURIComponent(article[1]) },
      { paragraph: paragraph ? Number(paragraph[1]) : null, from: link },
    );
  } else go(link.pathname + link.hash);
}

/** @param {Node | null} inside the menu that stays open */
function closeMenus(inside) {
  for (const menu of document.querySelectorAll("details.menu[open]")) {
    if (!inside || !menu.contains(inside)) /** @type {HTMLDetailsElement} */ (menu).open = false;
  }
}

function relabel() {
  byId("rail-toggle").setAttribute("aria-label", t("rail.show"));
  showTheme();
  composer.render();
  filters.relabel();
  chat.relabel();
  rail.render();
  reader.render();
  void archive.relabel().then(() => route().view === "archive" && archive.show());
  void tellState();
}

function start() {
  for (const node of document.querySelectorAll("[data-icon]")) {
    node.prepend(icon(/** @type {HTMLElement} */ (node).dataset.icon ?? ""));
  }
  label(document);
  mountCard();
  mountKeyDialog(() => {
    relabel();
    apply();
  });
  listen();
  toggleRail(false);
  showTheme();
  chat.show(conversation(here.get() ?? "") ?? newConversation());
  apply();
  void tellState();
  if (route().article === null) composer.focus();
}

start();

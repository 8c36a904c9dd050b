// @ts-check
/**
 * What the browser keeps: settings, and the conversations, each under a key of its own so that two
 * windows do not overwrite each other. A browser without storage works, and forgets.
 */

const PREFIX = "wenju.chat.";
/** So many conversations are kept; the oldest go first. */
const KEPT = 100;

/**
 * A setting, or null.
 * @param {string} key
 */
export function recall(key) {
  try {
    return localStorage.getItem(key);
  } catch {
    return null; // storage is switched off
  }
}

/**
 * Keeps a setting; says whether it could.
 * @param {string} key
 * @param {string | null} value null forgets it
 */
export function remember(key, value) {
  try {
    if (value === null) localStorage.removeItem(key);
    else localStorage.setItem(key, value);
    return true;
  } catch {
    return false; // full, or switched off
  }
}

/** A new, empty conversation. */
export function newConversation() {
  const now = Date.now();
  const id = `${now.toString(36)}${Math.random().toString(36).slice(2, 8)}`;
  return { id, created: now, updated: now, turns: /** @type {any[]} */ ([]) };
}

/**
 * All conversations that can be read, newest first, and how many could not.
 * @returns {{conversations: any[], unreadable: number}}
 */
export function conversations() {
  const found = [];
  let unreadable = 0;
  for (const key of keys()) {
    const conversation = parse(recall(key));
    if (conversation) found.push(conversation);
    else unreadable += 1;
  }
  found.sort((a, b) => b.updated - a.updated);
  return { conversations: found, unreadable };
}

/**
 * One conversation, or null.
 * @param {string} id
 */
export function conversation(id) {
  return parse(recall(PREFIX + id));
}

/**
 * Keeps a conversation. When there is no room, older ones make way; says whether it was kept.
 * @param {any} chat
 */
export function keep(chat) {
  const text = JSON.stringify(chat);
  const others = conversations().conversations.filter((c) => c.id !== chat.id);
  while (others.length >= KEPT) remember(PREFIX + others.pop().id, null);
  while (!remember(PREFIX + chat.id, text)) {
    const oldest = others.pop();
    if (!oldest) return false;
    remember(PREFIX + oldest.id, null);
  }
  return true;
}

/**
 * Forgets a conversation.
 * @param {string} id
 */
export function forget(id) {
  remember(PREFIX + id, null);
}

/** The conversation of this window, kept over a reload. */
export const here = {
  get() {
    try {
      return sessionStorage.getItem("wenju.here");
    } catch {
      return null; // storage is switched off
    }
  },
  /** @param {string} id */
  set(id) {
    try {
      sessionStorage.setItem("wenju.here", id);
    } catch {
      return; // storage is switched off: a reload then starts a new conversation
    }
  },
};

function keys() {
  try {
    return Object.keys(localStorage).filter((key) => key.startsWith(PREFIX));
  } catch {
    return []; // storage is switched off
  }
}

/** @param {string | null} text */
function parse(text) {
  if (text === null) return null;
  try {
    const value = JSON.parse(text);
    const sound =
      typeof value?.id === "string" &&
      Array.isArray(value.turns) &&
      value.turns.every((/** @type {any} */ turn) => typeof turn?.question === "string");
    return sound ? value : null;
  } catch {
    return null; // counted by the caller
  }
}

// @ts-check
/** Talking to the API. Whatever goes wrong comes out as a `Failure`, or as the caller's abort. */

import { recall, remember } from "./store.js";

/** The reader's key, for servers that want one; kept in this browser. @type {string | null} */
let key = recall("wenju.key");

/** Whether a key was given. */
export function hasKey() {
  return key !== null;
}

/**
 * Uses a key from now on.
 * @param {string} next
 */
export function setKey(next) {
  key = next;
  remember("wenju.key", next);
}

/** Tells the page that the server wants a key, or another one. */
function keyWanted() {
  document.dispatchEvent(new Event("keywanted"));
}

/** Something went wrong; `message` is for a person, and may be "". */
export class Failure extends Error {
  /**
   * @param {string} code the server's code, or "offline", "cut", "bad_response"
   * @param {string} message
   * @param {{status?: number, requestId?: string}} [facts]
   */
  constructor(code, message, { status = 0, requestId = "" } = {}) {
    super(message);
    this.code = code;
    this.status = status;
    this.requestId = requestId;
  }
}

/**
 * The JSON of a request.
 * @param {string} path
 * @param {RequestInit} [options]
 */
export async function json(path, options = {}) {
  const response = await send(path, options);
  if (response.status === 204) return null;
  return decode(await body(response.text()));
}

/**
 * A picture as an address that an image can have: an image of its own could send no key.
 * @param {string} path
 * @returns {Promise<string>}
 */
export async function dataUrl(path) {
  const response = await send(path, {});
  const blob = await body(response.blob());
  return new Promise((resolve, reject) => {
    const reader = new FileReader();
    reader.addEventListener("load", () => resolve(String(reader.result)));
    reader.addEventListener("error", () => reject(new Failure("bad_response", "")));
    reader.readAsDataURL(blob);
  });
}

/**
 * Asks, and reports each event of the stream as it comes. Gives the final answer.
 * @param {Record<string, unknown>} question the body of POST /v1/ask
 * @param {{signal: AbortSignal, onEvent: (event: any) => void}} options
 */
export async function ask(question, { signal, onEvent }) {
  const response = await send("/v1/ask", {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ ...question, stream: true }),
    signal,
  });
  if (!response.body) throw new Failure("bad_response", "");
  let answer = null;
  for await (const line of lines(response.body)) {
    const event = decode(line);
    if (event?.event === "error") throw failure(event.error, response);
    if (event?.event === "answer")
      answer = event.answer; // the last; the stream is read to its end
    else onEvent(event);
  }
  if (answer === null) throw new Failure("cut", ""); // a stream without a final answer failed
  return answer;
}

/**
 * The whole lines of a stream of UTF-8. A last line without its end was cut off and is left out.
 * @param {ReadableStream<Uint8Array>} stream
 */
export async function* lines(stream) {
  const reader = stream.pipeThrough(new TextDecoderStream()).getReader();
  let tail = "";
  try {
    for (;;) {
      const { done, value } = await body(reader.read(), "cut");
      if (done) return;
      const whole = (tail + value).split("\n");
      tail = /** @type {string} */ (whole.pop());
      for (const line of whole) if (line.trim()) yield line;
    }
  } finally {
    reader.cancel().catch(() => undefined); // the stream is already broken or ended
  }
}

/**
 * Uploads one file. XMLHttpRequest, because fetch cannot tell how much has been sent.
 * @param {File} file
 * @param {(share: number) => void} onProgress 0 to 1, of the bytes sent
 * @param {{dryRun?: boolean}} [options] a dry run reads the file and stores nothing
 * @returns {Promise<any>} the server's report
 */
export function upload(file, onProgress, { dryRun = false } = {}) {
  return new Promise((resolve, reject) => {
    const form = new FormData();
    form.append("files", file, file.name);
    if (dryRun) form.append("dry_run", "true");
    else form.append("restore", "true"); // the reader has seen what was read, and wants it
    const request = new XMLHttpRequest();
    request.open("POST", "/v1/articles");
    if (key !== null) request.setRequestHeader("authorization", `Bearer ${key}`);
    request.upload.addEventListener("progress", (event) => {
      if (event.lengthComputable) onProgress(event.loaded / event.total);
    });
    request.addEventListener("error", () => reject(new Failure("offline", "")));
    request.addEventListener("load", () => {
      try {
        const report = decode(request.responseText);
        if (request.status === 401) keyWanted();
        if (request.status < 300) resolve(report);
        else reject(failure(report.error, { status: request.status }));
      } catch (error) {
        reject(error);
      }
    });
    request.send(form);
  });
}

/**
 * @param {string} path
 * @param {RequestInit} options
 */
async function send(path, options) {
  const headers = new Headers(options.headers);
  if (key !== null) headers.set("authorization", `Bearer ${key}`);
  const response = await body(fetch(path, { ...options, headers }));
  if (response.ok) return response;
  if (response.status === 401) keyWanted();
  const text = await body(response.text());
  let told = null;
  try {
    told = JSON.parse(text).error;
  } catch {
    told = null; // a proxy's page, not ours: the status says enough
  }
  throw failure(told, response);
}

/**
 * @param {any} error the server's {code, message, request_id}
 * @param {{status: number}} response
 */
function failure(error, { status }) {
  const code = typeof error?.code === "string" ? error.code : status < 500 ? "request" : "server";
  const message = typeof error?.message === "string" ? error.message : "";
  return new Failure(code, message, { status, requestId: String(error?.request_id ?? "") });
}

/**
 * Waits; a broken connection becomes a Failure, an abort stays one.
 * @template T
 * @param {Promise<T>} promise
 * @param {string} [code]
 * @returns {Promise<T>}
 */
async function body(promise, code = "offline") {
  try {
    return await promise;
  } catch (error) {
    if (error instanceof DOMException && error.name === "AbortError") throw error;
    throw new Failure(code, "");
  }
}

/** @param {string} text */
function decode(text) {
  try {
    return JSON.parse(text);
  } catch {
    throw new Failure("bad_response", "");
  }
}

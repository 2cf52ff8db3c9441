// The one way from a page to the API: JSON both ways, by session cookie, errors as a Refusal.

export class Refusal extends Error {
  /** What the API said no with; `detail` is a sentence for the user, `code` is for programs. */
  constructor(status, { code, detail, errors = {} }) {
    super(detail);
    Object.assign(this, { status, code, detail, errors });
  }
}

const UNREACHABLE = {
  code: "unreachable",
  detail: "The server cannot be reached. Check your connection, then try again.",
};
const UNREADABLE = {
  code: "error",
  detail: "The server gave an answer that cannot be read. Try again in a moment.",
};

/**
 * Ask the API. Returns what it answers (null for nothing), with the status and headers beside it.
 * Throws a Refusal; somebody who is no longer signed in is led to the sign-in page first.
 */
export async function ask(method, path, body, { headers = {}, signal } = {}) {
  const answer = await send(method, path, body, headers, signal);
  const told = await read(answer);
  if (answer.ok) return { body: told, status: answer.status, headers: answer.headers };
  if (answer.status === 401) signIn();
  throw new Refusal(answer.status, told?.code ? told : UNREADABLE);
}

export const get = async (path, options) => (await ask("GET", path, undefined, options)).body;
export const post = async (path, body = {}, options) =>
  (await ask("POST", path, body, options)).body;

export function signIn() {
  const here = location.pathname + location.search;
  location.assign(`/sign-in?next=${encodeURIComponent(here)}`);
}

async function send(method, path, body, headers, signal) {
  const all = { Accept: "application/json", ...headers };
  if (method !== "GET") all["X-CSRFToken"] = csrfToken();
  if (body !== undefined) all["Content-Type"] = "application/json";
  try {
    return await fetch(path, {
      method,
      headers: all,
      body: body === undefined ? undefined : JSON.stringify(body),
      credentials: "same-origin",
      signal,
    });
  } catch (failure) {
    if (failure.name === "AbortError") throw failure;
    throw new Refusal(0, UNREACHABLE);
  }
}

async function read(answer) {
  const text = await answer.text();
  if (!text) return null;
  try {
    return JSON.parse(text);
  } catch {
    if (answer.ok) throw new Refusal(answer.status, UNREADABLE);
    return null;
  }
}

function csrfToken() {
  return document.querySelector("meta[name=csrf-token]")?.content ?? "";
}

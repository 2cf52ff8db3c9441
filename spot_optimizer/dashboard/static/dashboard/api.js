// Requests from pages to the API: JSON, authenticated by the session cookie.

export class ApiError extends Error {
  /** An error response; `detail` is a message for the user, `code` is for programs. */
  constructor(status, { code, detail, errors = {} }) {
    super(detail);
    Object.assign(this, { status, code, detail, errors });
  }
}

const UNREACHABLE = {
  code: "unreachable",
  detail: "The server cannot be reached. Check your connection, then try again.",
};
const INVALID_RESPONSE = {
  code: "error",
  detail: "The server sent an invalid response. Try again in a moment.",
};

/**
 * Send a request to the API. Return the body (null if empty), status and headers of the response.
 * Throw an ApiError for an error response; after a 401, also go to the sign-in page.
 */
export async function request(method, path, body, { headers = {}, signal } = {}) {
  const response = await send(method, path, body, headers, signal);
  const data = await read(response);
  if (response.ok) return { body: data, status: response.status, headers: response.headers };
  if (response.status === 401) signIn();
  throw new ApiError(response.status, data?.code ? data : INVALID_RESPONSE);
}

export const get = async (path, options) => (await request("GET", path, undefined, options)).body;
export const post = async (path, body = {}, options) =>
  (await request("POST", path, body, options)).body;

export function signIn() {
  const here = location.pathname + location.search;
  location.assign(`/sign-in?next=${encodeURIComponent(here)}`);
}

async function send(method, path, body, headers, signal) {
  const allHeaders = { Accept: "application/json", ...headers };
  if (method !== "GET") allHeaders["X-CSRFToken"] = csrfToken();
  if (body !== undefined) allHeaders["Content-Type"] = "application/json";
  try {
    return await fetch(path, {
      method,
      headers: allHeaders,
      body: body === undefined ? undefined : JSON.stringify(body),
      credentials: "same-origin",
      signal,
    });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new ApiError(0, UNREACHABLE);
  }
}

async function read(response) {
  const text = await response.text();
  if (!text) return null;
  try {
    return JSON.parse(text);
  } catch {
    if (response.ok) throw new ApiError(response.status, INVALID_RESPONSE);
    return null;
  }
}

function csrfToken() {
  return document.querySelector("meta[name=csrf-token]")?.content ?? "";
}

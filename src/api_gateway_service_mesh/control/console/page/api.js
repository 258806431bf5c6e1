// The admin port. A token, where one is wanted, lives in this tab's session and goes nowhere else.

import { byId } from "./dom.js";

const KEY = "agw.token";
const BUSY = new Set(["not-ready", "query-queue-full", "query-busy"]);
const TRIES = 4;
const PAUSE = 700;
let token = sessionStorage.getItem(KEY);
let asking = null;

export class Problem extends Error {
  constructor(status, body) {
    super(body.detail || body.title || `the gateway answered ${status}`);
    this.status = status;
    this.kind = (body.type ?? "").replace("urn:agw:problem:", "");
    this.remedy = body.remedy;
    this.findings = (body.report ?? body).findings ?? [];
    this.line = body.line;
    this.column = body.column;
  }
}

async function problem(answer) {
  try {
    return new Problem(answer.status, await answer.json());
  } catch {
    return new Problem(answer.status, {});
  }
}

/** Ask for the token, once for all who wait. */
function askForToken(why) {
  asking ??= new Promise((resolve, reject) => {
    const dialog = byId("token-dialog");
    const field = byId("token");
    byId("token-why").textContent = why;
    field.value = "";
    dialog.addEventListener(
      "close",
      () => {
        asking = null;
        if (dialog.returnValue !== "use" || !field.value) {
          reject(new Problem(401, { detail: "The admin port wants its token." }));
          return;
        }
        token = field.value.trim();
        field.value = "";
        sessionStorage.setItem(KEY, token);
        resolve();
      },
      { once: true },
    );
    dialog.returnValue = "";
    dialog.showModal();
  });
  return asking;
}

export function hasToken() {
  return token !== null;
}

export function forgetToken() {
  token = null;
  sessionStorage.removeItem(KEY);
}

/** The answer, whatever it is made of; a gateway that is busy is asked again. Throws Problem. */
export async function ask(path, { method = "GET", accept = "application/json", type, body, headers, signal } = {}) {
  const harmless = method === "GET" || type === "application/sparql-query";
  for (let tries = 0; ; tries += 1) {
    const used = token;
    const fields = { Accept: accept, ...(type && { "Content-Type": type }), ...headers };
    if (used !== null) fields.Authorization = `Bearer ${used}`;
    let answer;
    try {
      answer = await fetch(path, { method, body, headers: fields, signal, cache: "no-store", credentials: "omit" });
    } catch (error) {
      if (error.name === "AbortError") throw error;
      throw new Problem(0, { detail: "The gateway does not answer." });
    }
    if (answer.ok) return answer;
    const failure = await problem(answer);
    if (harmless && tries < TRIES && BUSY.has(failure.kind)) {
      await new Promise((resolve) => setTimeout(resolve, PAUSE * (tries + 1)));
      continue;
    }
    if (answer.status !== 401) throw failure;
    if (token === used) await askForToken(used === null ? failure.message : "This token was refused.");
  }
}

export async function json(path, options) {
  return (await ask(path, options)).json();
}

/** A SELECT's or ASK's answer as SPARQL JSON. */
export async function select(query, signal) {
  return json("/sparql", {
    method: "POST",
    type: "application/sparql-query",
    accept: "application/sparql-results+json",
    body: query,
    signal,
  });
}
